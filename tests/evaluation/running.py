"""A process that compares editors until it is done or killed."""

from __future__ import annotations

from collections.abc import Callable

import torch

from memedit.evaluation.runs.compare import compare
from tests.evaluation.helpers import small_model


def run(say: Callable[[object], None], data: str, folder: str) -> None:
    """Compare two editors with the unedited model in ``folder``; says how far it is."""
    torch.set_num_threads(1)
    editors = ["ike(demonstrations=1)@mention", "ike(demonstrations=1)-ungated", "none"]
    compare(
        small_model(), editors, data, folder=folder, protocol="sequential", checkpoints=[2],
        tokens=3, group=2, progress=lambda *heard: say(heard),
    )  # fmt: skip
