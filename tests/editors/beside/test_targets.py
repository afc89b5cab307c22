"""What the editors beside a layer have in common, on further architectures."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from memedit import EditableModel
from memedit.core.calls import Batch, Row
from memedit.editors import available, editor_class
from memedit.editors._sequences import sequence_edit
from memedit.editors.beside.targets import Targets, chunk_rows
from tests.editors.helpers import FACTS, changed, quick, tiny_engine, weights
from tests.helpers import byte_tokenizer, tiny_model

ADAPTERS = [
    name
    for name in available()
    if hasattr(editor_class(name), "ungated") and not hasattr(editor_class(name), "changes")
]
ARCHITECTURES = ("gptj", "gemma3_text", "gpt_neox")


def test_they_are_found() -> None:
    assert {"grace", "grace_relative", "tpatcher", "calinet", "melo", "wise"} <= set(ADAPTERS)


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("name", ADAPTERS)
def test_each_works_and_leaves_no_trace(name: str, arch: str) -> None:
    model = EditableModel(
        tiny_model(arch),
        byte_tokenizer(),
        editor=quick(name),
        scope="everything",
        encoder="hashing",
    )
    before = weights(model.base)
    prompts = [edit.prompt for edit in FACTS]
    base = [c.text for c in model.ask(prompts, max_new_tokens=3)]
    model.edit_many(FACTS)
    together = [c.text for c in model.ask(prompts, max_new_tokens=3)]
    assert together == [model.ask(p, max_new_tokens=3).text for p in prompts]
    assert not changed(model.base, before)
    assert not any(module._forward_hooks for module in model.base.modules())
    model.forget_many([edit.id for edit in FACTS])
    assert [c.text for c in model.ask(prompts, max_new_tokens=3)] == base


@pytest.mark.parametrize("arch", ["llama", "gpt2", "gemma3_text"])
@pytest.mark.parametrize("whole", [True, False])
def test_targets_rate_as_the_whole_model_does(arch: str, whole: bool) -> None:
    lm = tiny_engine(arch)
    rows = [sequence_edit(lm, edit) for edit in FACTS]
    targets = Targets(lm, rows, first=1, whole=whole)
    with torch.no_grad():
        ours = targets.nll({})
        theirs = lm.nll(Batch(tuple(Row(e.prompt, target=e.target_new) for e in FACTS)))
        lengths = torch.tensor([len(row.target) for row in rows])
        assert torch.allclose(ours, theirs / lengths, atol=1e-4)
        some = torch.tensor([0, 2])
        part = -targets.logs({}, some).gather(-1, targets.token[targets.of(some)][:, None])[:, 0]
        assert torch.allclose(targets.mean(part, some), ours[some], atol=1e-4)
    if not whole and arch != "gemma3_text":  # whose window forbids it
        assert targets.start.tolist() == [0, 0, 0]
    assert [row.places[0] for row in rows] == [row.start for row in rows]


def test_chunks_hold_all_rows_in_order_within_their_tokens() -> None:
    lm = tiny_engine()
    rows: list[Any] = [sequence_edit(lm, edit) for edit in FACTS] * 5
    longest = max(len(row.ids) for row in rows)
    for tokens in (1, longest * 4, 10_000):
        parts = list(chunk_rows(rows, tokens))
        assert [i for part in parts for i in range(len(rows))[part]] == list(range(len(rows)))
        for part in parts:
            size = len(rows[part]) * max(len(row.ids) for row in rows[part])
            assert size <= tokens or len(rows[part]) == 1
    assert not list(chunk_rows([]))
