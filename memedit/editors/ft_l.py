"""FT-L: fine-tuning under an L-infinity bound (Zhu et al. 2020, arXiv 2012.00363), as the "FT+L"
of ROME's paper: the first layer, the published code's objective."""

from __future__ import annotations

from typing import ClassVar

from memedit.core.options import holds_settings
from memedit.editors.weights.finetuning import PROMPT_LAST, FineTuning


@holds_settings
class FtL(FineTuning):
    """Fine-tuning of the first layer in which no weight changes by more than ``bound``."""

    name: ClassVar[str] = "ft_l"
    depth: ClassVar[float] = 0.0
    objective: str = PROMPT_LAST
    bound: float | None = 2e-3
