"""The end of the answer as a part of what is trained: ``end=True``."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from memedit.core.errors import InvalidInputError
from memedit.editors import load_editor
from memedit.editors._sequences import sequence_edit
from memedit.editors.weights.base import sum_changes
from memedit.engine.engine import Engine
from tests.editors.helpers import FACTS, QUICK, quick, tiny_engine

WITH_END = ("ft", "ft_l", "ft_m", "lora", "grace", "grace_relative", "calinet", "melo", "wise",
            "tpatcher")  # fmt: skip


def chance_of_the_end(lm: Any) -> float:
    """P(end) after the first fact's prompt and target."""
    row = sequence_edit(lm, FACTS[0])
    ids = torch.cat([row.ids, row.target[-1:]])
    with torch.no_grad():
        logits = lm.base(input_ids=ids[None]).logits[0, -1]
    return float(logits.softmax(-1)[lm.tokenizer.eos_token_id])


@pytest.mark.parametrize("name", ["ft_m", "lora"])
def test_an_answer_that_was_trained_to_end_ends(name: str) -> None:
    lm = tiny_engine()
    (ended,), (open_,) = (
        load_editor(name, steps=25, rate=1e-2, end=end).fit(FACTS[:1], lm) for end in (True, False)
    )
    before, after = chance_of_the_end(lm), chance_of_the_end(lm.shadow(sum_changes([ended])))
    assert after > 5 * before
    assert chance_of_the_end(lm.shadow(sum_changes([open_]))) < after / 5


@pytest.mark.parametrize("name", WITH_END)
def test_every_editor_with_the_setting_asks_for_the_end(name: str) -> None:
    base = tiny_engine()
    base.tokenizer.eos_token = None
    lm = Engine(base.base, base.tokenizer)
    with pytest.raises(InvalidInputError, match="ends an answer"):
        quick(name, end=True, **QUICK).fit(FACTS[:1], lm)
