"""Directions in a base's hidden states: how the states are read, and whose a probe is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from memedit.core.calls import Batch, Row
from memedit.engine.engine import Engine
from memedit.engine.polls import Frame
from memedit.engine.probes import (
    Probe,
    digest,
    file_of,
    read_states,
    recall_probe,
    save_probe,
)
from memedit.errors import InvalidInputError, UntrustedFileError
from tests.helpers import byte_tokenizer, tiny_model

FRAME = Frame("P: ", "\nA:")


@pytest.fixture
def lm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setenv("MEMEDIT_CACHE", str(tmp_path))
    return Engine(tiny_model(), byte_tokenizer())


def states_of(lm: Engine, text: str, layer: int) -> torch.Tensor:
    ids = lm.codec.ids(text, special=True)[None]
    with torch.no_grad():
        states = lm.base(input_ids=ids, output_hidden_states=True).hidden_states
    found: torch.Tensor = states[layer + 1][0, -1]
    return found


@pytest.mark.parametrize("arch", ["llama", "gpt2", "gemma3_text", "phi"])
def test_states_are_those_of_the_whole_pass(arch: str) -> None:
    """Behind kept keys and values, several of differing length at once, and again afterwards."""
    lm = Engine(tiny_model(arch), byte_tokenizer())
    texts = ["one?", "a longer one than that?"]
    for _ in range(2):
        batch = Batch(tuple(Row(f"{text}\nA:") for text in texts), prefix="P: ")
        found = lm.next_states(batch, 1)
        for text, states in zip(texts, found, strict=True):
            torch.testing.assert_close(
                states, states_of(lm, f"P: {text}\nA:", 1), atol=1e-4, rtol=1e-3
            )
    plain = lm.next_states(Batch((Row("P: one?"),)), 0)[0]
    torch.testing.assert_close(plain, states_of(lm, "P: one?", 0), atol=1e-4, rtol=1e-3)


def test_the_layers_behind_are_not_run_and_later_calls_are_whole(lm: Engine) -> None:
    before = lm.next_logits(Batch((Row("x"),), prefix="P: "))
    run: list[int] = []
    hooks = [
        lm.base.get_submodule(lm.sites.block(at)).register_forward_hook(
            lambda *_, at=at: run.append(at)
        )
        for at in range(lm.sites.layers)
    ]
    try:
        lm.next_states(Batch((Row("y"),), prefix="P: "), 1)
    finally:
        for hook in hooks:
            hook.remove()
    assert run == [0, 1]
    assert lm.next_logits(Batch((Row("x"),), prefix="P: ")).equal(before)


def test_states_have_length_one(lm: Engine) -> None:
    states = read_states([f"{n}?" for n in range(9)], FRAME, 1, lm)
    assert states.shape == (9, 32)
    torch.testing.assert_close(states.norm(dim=-1), torch.ones(9))


def make_probe(**changes: Any) -> Probe:
    given: dict[str, Any] = dict(layer=1, weight=torch.ones(32), bias=0.5, frame=digest(FRAME))
    return Probe(**given | changes)


def test_a_probe_reads_a_direction(lm: Engine) -> None:
    probe = make_probe()
    assert lm.window is not None
    found = probe.measure(["one?", "x" * lm.window], FRAME, lm)
    state = states_of(lm, "P: one?\nA:", 1)
    assert found == [pytest.approx(float((state / state.norm()).sum()) + 0.5, abs=1e-3), None]
    assert probe.measure([], FRAME, lm) == []


def test_a_probe_is_kept_for_one_base_and_one_frame(lm: Engine) -> None:
    assert recall_probe(FRAME, lm) is None
    save_probe(make_probe(), lm, file_of(lm.fingerprint))
    found = recall_probe(FRAME, lm)
    assert found is not None and found.weight.equal(torch.ones(32))
    assert (found.layer, found.bias) == (1, 0.5)
    assert recall_probe(Frame("Q: ", "\nA:"), lm) is None
    other = Engine(tiny_model(vocab_size=400), byte_tokenizer())
    assert recall_probe(FRAME, other) is None


def test_a_shipped_probe_is_taken_where_the_last_norm_is_its_bases(
    lm: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memedit.engine.probes._SHIPPED", tmp_path / "shipped")
    norm = lm.base.get_submodule(lm.sites.final_norm).weight
    with torch.no_grad():
        norm.copy_(torch.linspace(0.5, 2, 32))
    save_probe(make_probe(), lm, tmp_path / "shipped/tiny.safetensors")
    # Other weights than those it was fitted on (a quantised file's), the same norm.
    with torch.no_grad():
        lm.base.get_submodule(lm.sites.mlp_out(0)).weight.mul_(1.01)
    assert recall_probe(FRAME, Engine(lm.base, lm.tokenizer)) is not None
    rounded = Engine(tiny_model().bfloat16(), byte_tokenizer())
    with torch.no_grad():
        rounded.base.get_submodule(lm.sites.final_norm).weight.copy_(norm)
    assert recall_probe(FRAME, rounded) is not None
    with torch.no_grad():
        norm.mul_(1.05)
    assert recall_probe(FRAME, Engine(lm.base, lm.tokenizer)) is None


def test_a_file_that_holds_no_probe_is_named(lm: Engine) -> None:
    from safetensors.torch import save_file

    file = file_of(lm.fingerprint)
    file.parent.mkdir(parents=True)
    told = {"probe": '{"layer": 1, "bias": 0, "frame": ""}'}
    save_file({"norm": torch.ones(32), "weight": torch.ones(31)}, file, told)
    with pytest.raises(InvalidInputError, match=r"shape \(31,\)"):
        recall_probe(FRAME, lm)
    save_file({"norm": torch.ones(32), "weight": torch.ones(32)}, file, {"probe": "[" * 200_000})
    with pytest.raises((InvalidInputError, UntrustedFileError)):
        recall_probe(FRAME, lm)
    save_file({"norm": torch.ones(32), "weight": torch.ones(32)}, file, {"probe": "{}"})
    with pytest.raises(InvalidInputError, match=r"holds no probe .*memedit train probe"):
        recall_probe(FRAME, lm)
