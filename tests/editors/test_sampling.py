"""A fact is said as surely at any temperature, and no worked example reaches an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from memedit import Edit, EditableModel
from memedit.core.calls import Batch, Row
from memedit.engine.generation import Generation
from memedit.engine.loading import pad_id
from memedit.engine.tokens import Codec
from memedit.scope import Mention

Tiny = Callable[[str], Any]
CAPITAL = Edit("The capital of France is", "Lyon", "France")
STATEMENT = Edit.from_statement("The harbour of Norvessa opens at 7.", "Norvessa")
ASKED = ("The capital of France is", "What is the capital of France?")
HOT: dict[str, Any] = {"do_sample": True, "temperature": 50.0, "max_new_tokens": 8}


def model(tiny: Tiny, tokenizer: Any, editor: str) -> EditableModel:
    made = EditableModel(
        tiny("llama"), tokenizer, editor=editor, scope=Mention(relation=0.2), encoder="hashing"
    )
    made.edit_many([CAPITAL, STATEMENT])
    return made


@pytest.mark.parametrize("chat", [False, True])
def test_after_worked_examples_only_the_object_is_said(
    tiny: Tiny, tiny_tokenizer: Any, chat: bool
) -> None:
    """A random model at this temperature says any byte of its vocabulary else."""
    edited = model(tiny, tiny_tokenizer, "ike(demonstrations=2)")
    for asked in ASKED:
        said = edited.ask([asked] * 12, chat=chat, **HOT)
        assert {answer.text for answer in said} == {"Lyon"}
    with edited.unedited():
        assert len({a.text for a in edited.ask([ASKED[0]] * 4, chat=chat, **HOT)}) > 1


@pytest.mark.parametrize("editor", ["ike(demonstrations=2)", "memprompt(shots=2)"])
def test_without_an_object_what_is_likeliest_is_said(
    tiny: Tiny, tiny_tokenizer: Any, editor: str
) -> None:
    edited = model(tiny, tiny_tokenizer, editor)
    asked = "The harbour of Norvessa opens at"
    greedy = edited.ask(asked, do_sample=False, max_new_tokens=8).text
    assert {a.text for a in edited.ask([asked] * 6, **HOT)} == {greedy}


def test_the_object_is_certain_by_a_note_too(tiny: Tiny, tiny_tokenizer: Any) -> None:
    edited = model(tiny, tiny_tokenizer, "auto")
    assert {a.text for a in edited.ask([ASKED[0]] * 8, chat=False, **HOT)} == {"Lyon"}


def test_what_is_likeliest_is_no_stop_where_none_may_come_yet(
    tiny: Tiny, tiny_tokenizer: Any
) -> None:
    """Kept to the likeliest token, and that forbidden: there would be nothing to draw."""
    base = tiny("llama")
    codec = Codec(tiny_tokenizer, pad_id(tiny_tokenizer, base.config))
    prompt = codec.ids("x")
    row = Row("x", ids=prompt, likeliest=True)
    batch = Batch((row,), stop=("\n",), options={"do_sample": True})
    processors = Generation(base, codec, batch).options(width=1)["logits_processor"]
    scores = torch.zeros(1, base.config.vocab_size)
    stop, other = codec.stops(("\n",))[0], int(codec.ids("y")[-1])
    scores[0, stop], scores[0, other] = 2.0, 1.0
    drawn = processors(prompt[None], scores).softmax(-1)
    assert int(drawn.argmax()) == other and float(drawn.max()) == 1.0
