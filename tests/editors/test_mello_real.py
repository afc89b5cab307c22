"""MemPrompt and MeLLo on the real default model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from memedit import Edit, EditableModel, editors
from memedit.editors.mello import Mello
from memedit.editors.prompting.decomposing import Loop, Oracle, Plan, PlanDialogue, planner_for

CREATOR = Edit("Tetris was created by", "Mark Burnett", "Tetris")
BORN = Edit("Mark Burnett was born in the city of", "Manila", "Mark Burnett")
CITIZEN = Edit("Ellie Kemper is a citizen of", "Croatia", "Ellie Kemper")
CAPITAL = Edit("The capital of Croatia is", "Lyon", "Croatia")
EDITS = [CREATOR, BORN, CITIZEN, CAPITAL]
CHAIN = "Where was the creator of Tetris born?"
PARTLY = "On which continent is the country where Ellie Kemper holds citizenship?"
PLANS = {
    CHAIN: Plan("Tetris", ("Who was {} created by?", "Which city was {} born in?")),
    PARTLY: Plan("Ellie Kemper", ("Which country is {} a citizen of?",
                                  "Which continent is {} located in?")),
}  # fmt: skip


def mello(smollm: tuple[Any, Any], minilm: Any, editor: Any) -> EditableModel:
    model = EditableModel(*smollm, encoder=minilm, editor=editor)
    model.edit_many(EDITS)
    return model


@pytest.mark.parametrize("inner", ["", "+serac"])
def test_a_chain_over_edits_is_answered(smollm: tuple[Any, Any], minilm: Any, inner: str) -> None:
    from memedit.editors import load_editor
    from memedit.editors._chain import Chain

    editor: Any = Mello(decomposer=Oracle(PLANS))
    model = mello(smollm, minilm, Chain(editor, load_editor("serac")) if inner else editor)
    both, partly = model.ask([CHAIN, PARTLY], max_new_tokens=12)
    assert both.text == "Manila" and "Europe" in partly.text
    assert {hit.record.edit.id for hit in both.decision.hits} == {CREATOR.id, BORN.id}
    chat = model.ask(CHAIN, chat=True, max_new_tokens=24)
    assert "Manila" in chat.text
    assert model.ask("Who created Tetris?", max_new_tokens=12).text == "Mark Burnett"


def test_the_model_writes_the_published_grammar(smollm: tuple[Any, Any], minilm: Any) -> None:
    """A 135M model copies the form: a sub-question about what was asked, and its draft."""
    model = mello(smollm, minilm, Mello(decomposer="loop"))
    dialogue = Loop().open([CHAIN], model.engine)
    turn = dialogue.next({0: None}).get(0)
    assert turn is not None and "Tetris" in str(turn)


def test_feedback_is_heeded_in_other_words(smollm: tuple[Any, Any], minilm: Any) -> None:
    model = EditableModel(*smollm, encoder=minilm, editor="memprompt")
    told = model.feedback("Who designed the Toodyay Fire Station?", "Wyndham Lewis")
    assert not told.right
    asked = ["Who's the architect of Toodyay Fire Station?", "Who designed Big Ben?"]
    first, second = model.ask(asked, max_new_tokens=12)
    assert first.text == "Wyndham Lewis" and "Lewis" not in second.text
    chat = model.ask(asked[0], chat=True, max_new_tokens=12)
    assert "Wyndham Lewis" in chat.text
    assert model.feedback("Who designed the Toodyay Fire Station?", "Wyndham Lewis").right
    model.feedback("What is akin to <bright>?", "a word for the opposite is wanted", answer="?")
    hit = model.ask("What is akin to hot?", max_new_tokens=6)
    assert hit.decision and hit.editor == "memprompt"
    assert not model.decide(["What is the capital of Peru?"])[0]


def test_a_decomposer_is_shipped_for_the_default_model(
    smollm: tuple[Any, Any], minilm: Any
) -> None:
    """It tells chains from other questions, and splits plain ones."""
    engine = EditableModel(*smollm, encoder=minilm).engine
    planner = planner_for(engine.fingerprint)
    assert planner is not None
    folder = Path(editors.__file__).parent / "decomposers"
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 12e6
    single = ["Who wrote Hamlet?", "What is the capital of France?", "How many legs has a spider?"]
    dialogue = planner.open([*single, CHAIN], engine)
    assert isinstance(dialogue, PlanDialogue)
    assert dialogue.plans[:3] == [None] * 3
