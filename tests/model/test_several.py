"""The default of ``multiple``: learnt, sure, overruled."""

from __future__ import annotations

from typing import Any

import pytest

from memedit.core.types import Edit
from memedit.engine.encoders import HashingEncoder
from memedit.model.several import (
    SeveralValues,
    apply_default,
    chances,
    load_trained,
    surely_has_one,
    surely_has_several,
)


def test_no_decision_for_another_encoder_and_what_is_said_counts() -> None:
    encoder, edit = HashingEncoder(8), Edit("Kirk is interested in", "chess", "Kirk")
    assert chances(["it is interested in"], encoder) is None
    assert apply_default(edit, encoder, None) is edit
    assert apply_default(edit, encoder, True).multiple
    assert apply_default(edit, encoder, True).id != edit.id
    assert not apply_default(Edit("a is", "b", multiple=True), encoder, False).multiple
    assert not surely_has_one("Kirk was born in", "Kirk", encoder)


def test_chances_of_a_hand_worked_case() -> None:
    import numpy as np

    made = SeveralValues("x", np.array([2.0, 0.0], np.float32), -1.0, 0.9, 0.1)
    found = made.chances(np.array([[1.0, 0.0], [0.0, 1.0]], np.float32))
    assert found == pytest.approx([1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))], rel=1e-5)


def test_the_packaged_decision(minilm: Any) -> None:
    assert load_trained().encoder == minilm.id and load_trained().one < load_trained().many
    many = ("Kirk is interested in", "Kirk has visited", "Members of Kirk include")
    one = ("Kirk was born in", "The CEO of Kirk is", "Kirk is assigned to the project")
    for prompt in many:
        assert apply_default(Edit(prompt, "x", "Kirk"), minilm, None).multiple, prompt
    for prompt in one:
        assert not apply_default(Edit(prompt, "x", "Kirk"), minilm, None).multiple, prompt
        assert not surely_has_several(prompt, "Kirk", minilm), prompt
    assert surely_has_one("The CEO of Kirk is", "Kirk", minilm)
