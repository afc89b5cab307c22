"""MemPrompt: what is read before a question, what is looked up, and what feedback writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from memedit import Edit, EditableModel
from memedit.core.calls import Batch
from memedit.core.errors import InvalidEditError, InvalidInputError
from memedit.core.naming import guess_subject
from memedit.editors.memprompt import LABEL, SHOTS, MemPrompt, bare_answer, clarification
from memedit.editors.prompting.shots import pose, prefix
from memedit.model.feedback import agrees, make_edit
from memedit.scope import Feedback, Mention
from memedit.scope.feedback import distance

Tiny = Callable[[str], Any]
QUESTION = "Who wrote Vathek?"


@pytest.fixture
def model(tiny: Tiny, tiny_tokenizer: Any) -> EditableModel:
    return EditableModel(
        tiny("llama"), tiny_tokenizer, editor="memprompt", scope=Mention(), encoder="hashing"
    )


def read(model: EditableModel, *prompts: str, target: str | None = None) -> list[Batch]:
    """What reaches the engine."""
    seen: list[Batch] = []

    def call(batch: Batch) -> list[Any]:
        seen.append(batch)
        return ["answer"] * len(batch)

    from dataclasses import replace

    rows = model.rows_of([model.engine.codec.ids(p, special=True) for p in prompts])
    batch = Batch(tuple(replace(row, target=target) for row in rows), lm=model.engine)
    assert model.editor.run(batch, call) == ["answer"] * len(prompts)
    return seen


def test_a_hit_reads_its_clarification_once_and_a_miss_nothing(model: EditableModel) -> None:
    model.edit(make_edit(QUESTION, "William Beckford"))
    asked = "Which person wrote Vathek?"
    hit, miss = sorted(read(model, asked, "Who wrote Dracula?"), key=lambda b: not b.prefix)
    assert miss.rows[0].prompt == "Who wrote Dracula?" and not miss.rows[0].rewritten
    assert miss.prefix == "" and miss.stop == ()
    assert hit.rows[0].prompt == (
        f"Clarification: Who wrote Vathek? William Beckford\nQuestion: {asked}\nAnswer:"
    )
    assert hit.prefix == prefix(LABEL, SHOTS)
    assert hit.prefix.count(f"{LABEL}:") == len(SHOTS)
    assert hit.stop == ("\n",)


def test_a_question_in_a_frame_keeps_its_own_frame(model: EditableModel) -> None:
    model.edit(make_edit(QUESTION, "William Beckford"))
    [batch] = read(model, "Question: Who wrote Vathek?\nAnswer:")
    assert batch.rows[0].prompt == (
        "Clarification: Who wrote Vathek? William Beckford\nQuestion: Who wrote Vathek?\nAnswer:"
    )


def test_the_logits_of_the_own_tokens_get_the_line_alone(model: EditableModel) -> None:
    model.edit(make_edit(QUESTION, "William Beckford"))
    [batch] = read(model, QUESTION, target="")
    said = "Clarification: Who wrote Vathek? William Beckford\n"
    assert batch.rows[0].prompt == said + QUESTION and batch.prefix == ""


def test_an_intent_is_read_as_what_is_meant(model: EditableModel) -> None:
    intent = Edit("What is akin to <bright>?", "a synonym is wanted")
    assert clarification(intent) == "a synonym is wanted"
    assert clarification(Edit(QUESTION, "Beckford")) == "Who wrote Vathek? Beckford"
    asking = EditableModel(
        model.base, model.tokenizer, editor="memprompt", scope=Feedback(lookup="mention"),
        encoder="hashing",
    )  # fmt: skip
    asking.edit(intent)
    [batch] = read(asking, "What is akin to sad?")
    assert batch.rows[0].prompt == pose(LABEL, "a synonym is wanted", "What is akin to sad?")
    assert not read(asking, "What is the capital of Peru?")[0].prefix


@pytest.mark.parametrize(
    ("text", "bare"),
    [("William Beckford", True), ("Washington, D.C.", True), ("No, it was Beckford.", False),
     ("It was written by William Beckford in French.", False)],
)  # fmt: skip
def test_a_bare_answer_is_said_as_it_was_given(model: EditableModel, text: str, bare: bool) -> None:
    model.edit(make_edit(QUESTION, text))
    [batch] = read(model, QUESTION)
    assert batch.rows[0].answers == ((text,) if bare else ())
    assert read(model, QUESTION, target="x")[0].rows[0].answers == ()
    assert bare_answer(Edit("What is akin to <bright>?", "synonym")) is None


def test_feedback_writes_what_was_wrong_and_nothing_else(model: EditableModel) -> None:
    right = model.feedback(QUESTION, "William Beckford", answer="It was william beckford.")
    assert (right.right, right.receipt, len(model.memory)) == (True, None, 0)
    assert model.feedback(QUESTION, None, answer="anything").right and len(model.memory) == 0
    wrong = model.feedback(QUESTION, "William Beckford", answer="Bram Stoker")
    assert not wrong.right and wrong.receipt is not None
    record = wrong.receipt.record
    assert (record.edit.subject, record.edit.target_new) == ("Vathek", "William Beckford")
    assert record.source == "feedback" and len(model.memory) == 1
    asked = model.feedback(QUESTION, "Beckford")  # the answer is asked for
    assert asked.answer == model.ask(QUESTION).text or asked.receipt is not None


def test_feedback_that_is_taken_back_is_never_given(model: EditableModel) -> None:
    with model.unedited():
        base = model.ask(QUESTION, max_new_tokens=5).text
    said = model.feedback(QUESTION, "William Beckford", answer="Stoker")
    assert said.receipt is not None
    assert read(model, QUESTION)[0].prefix
    model.forget(said.receipt.id)
    assert not read(model, QUESTION)[0].prefix
    assert model.ask(QUESTION, max_new_tokens=5).text == base


def test_a_second_correction_replaces_the_first(model: EditableModel) -> None:
    model.feedback(QUESTION, "Bram Stoker", answer="x")
    again = model.feedback(QUESTION, "William Beckford", answer="Bram Stoker")
    assert again.receipt is not None and len(again.receipt.superseded) == 1
    assert "William Beckford" in read(model, QUESTION)[0].rows[0].prompt


def test_bad_feedback_is_refused(model: EditableModel) -> None:
    with pytest.raises(InvalidEditError, match="empty"):
        model.feedback(QUESTION, " ", answer="x")
    with pytest.raises(InvalidEditError, match="does not occur"):
        model.feedback(QUESTION, "Beckford", subject="Dracula", answer="x")
    with pytest.raises(InvalidInputError, match="shots must be"):
        MemPrompt(shots=99)


@pytest.mark.parametrize(
    ("question", "subject"),
    [
        ("Who wrote Vathek?", "Vathek"),
        ("What architect designed Toodyay Fire Station?", "Toodyay Fire Station"),
        ("Who was the mother of Catherine of Nassau-Dillenburg?", "Catherine of Nassau-Dillenburg"),
        ("What vessel type is USS Flusser (DD-368)?", "USS Flusser (DD-368)"),
        ("What was Adelle Davis's cause of death?", "Adelle Davis"),
        ('Who performed "something old"?', "something old"),
        ("What is the opposite of hot?", None),
        ("Who won in 1998?", None),
    ],
)
def test_the_subject_is_guessed_from_the_wording(question: str, subject: str | None) -> None:
    assert guess_subject(question) == subject


def test_agreeing_is_saying_the_same_words() -> None:
    assert agrees("The answer is the Lisbon.", "lisbon")
    assert agrees("Lisbon\nPorto", "Lisbon") and not agrees("Porto\nLisbon", "Lisbon")
    assert not agrees("Lisbonne", "Lisbon") and not agrees("", "Lisbon")


# The lookup by intent


@pytest.mark.parametrize(
    ("key", "query", "apart"),
    [
        ("What is akin to <bright>?", "what is akin to < sad > ?", 0),
        ("What is akin to <bright>?", "What is akin to sad?", 0),
        ("What is akin to <>?", "What is akin to very sad?", 0),
        ("Say <x> in French", "Say good morning in French", 0),
        ("Say <x> in French", "Say good morning in Frensh", 1),
        ("ab <x>", "abc d", 1),
    ],
)
def test_the_distance_leaves_the_arguments_out(key: str, query: str, apart: int) -> None:
    assert distance(key, query) == apart


def test_the_distance_is_levenshtein_s() -> None:
    """Against the recursion it is defined by."""
    from functools import cache

    @cache
    def plain(a: str, b: str) -> int:
        if not a or not b:
            return len(a) + len(b)
        return min(plain(a[1:], b) + 1, plain(a, b[1:]) + 1, plain(a[1:], b[1:]) + (a[0] != b[0]))

    for a, b in (("kitten", "sitting"), ("", "abc"), ("sunday", "saturday"), ("abc", "abc")):
        assert distance(f"{a}<x>", f"{b}<y>") == plain(a, b)


def test_a_larger_distance_finds_no_less(model: EditableModel) -> None:
    found = []
    for apart in (1, 3, 6, 9):
        asking = EditableModel(
            model.base, model.tokenizer, editor="memprompt", encoder="hashing",
            scope=Feedback(lookup="mention", distance=apart, share=1.0),
        )  # fmt: skip
        asking.edit(Edit("Tell me a word akin to <bright>", "a synonym is wanted"))
        queries = [
            "Tell me a word akin to sad", "Tell me one word akin to sad",
            "Tell us some word akin to sad", "Who wrote Vathek?",
        ]  # fmt: skip
        found.append({q for q, d in zip(queries, asking.decide(queries), strict=True) if d})
    assert all(small <= large for small, large in zip(found, found[1:], strict=False))
    assert len(found[0]) == 1 and len(found[-1]) == 3


def test_an_unknown_lookup_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="no lookup"):
        Feedback(lookup="everything")
    with pytest.raises(InvalidInputError, match="distance"):
        Feedback(distance=0)
