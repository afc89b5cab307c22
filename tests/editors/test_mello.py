"""MeLLo: its grammar and its rounds with a scripted model, and chains over edits in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from memedit import Edit, EditableModel
from memedit.core.calls import Batch, Completion, Row
from memedit.core.errors import InvalidInputError
from memedit.core.types import Decision, Hit, Record
from memedit.editors._chain import Chain
from memedit.editors.ike import Ike
from memedit.editors.mello import LABEL, Mello, are_same, clean, question_of
from memedit.editors.memprompt import MemPrompt
from memedit.editors.prompting.decomposing import (
    Ask,
    Done,
    Loop,
    Oracle,
    Plan,
    PlanDialogue,
    Told,
    parse_turn,
    plan_of,
    prompt,
    relations,
    template,
    write_retrieved,
)
from memedit.editors.prompting.shots import pose
from memedit.scope import Mention

Tiny = Callable[[str], Any]
CITIZEN = Edit("Ada Byron is a citizen of", "Norvessa", subject="Ada Byron")
CAPITAL = Edit("The capital of Norvessa is", "Dalmor", subject="Norvessa")
OTHER = Edit("The capital of Peru is", "Cusco", subject="Peru")
BOTH = "What is the capital of the country where Ada Byron is a citizen?"
UNEDITED = "Who leads the country where Ada Byron is a citizen?"
LATER = "What is the capital of the country where Bo Ek is a citizen?"
NONE = "Who wrote the book of Bo Ek?"
OF, TO = "What is the country that {} is a citizen of?", "What is the capital of {}?"
PLANS = {
    BOTH: Plan("Ada Byron", (OF, TO)),
    UNEDITED: Plan("Ada Byron", (OF, "Who leads {}?")),
    LATER: Plan("Bo Ek", (OF, TO)),
    NONE: Plan("Bo Ek", ("What book has {}?", "Who wrote {}?")),
}


class Scripted:
    """A language model that writes what it is told to, and keeps what it read."""

    def __init__(self, rounds: Sequence[Mapping[int, str]] = (), answer: str = "nothing") -> None:
        self.rounds, self.answer = list(rounds), answer
        self.texts: dict[int, str] = {}
        self.calls: list[list[int]] = []
        self.asked: list[Batch] = []

    def transcript(self, prefix: str, rows: int) -> Scripted:
        self.texts = dict.fromkeys(range(rows), prefix)
        return self

    def say(self, row: int, text: str) -> None:
        self.texts[row] += text

    def go_on(self, rows: Sequence[int], *, stop: Sequence[str], tokens: int) -> list[str]:
        self.calls.append(list(rows))
        wrote = [self.rounds[len(self.calls) - 1][row] for row in rows]
        for row, text in zip(rows, wrote, strict=True):
            self.texts[row] += text
        return wrote

    def generate(self, batch: Batch) -> list[Completion]:
        self.asked.append(batch)
        return [Completion(self.answer) for _ in batch.rows]

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not to be used")


def record(edit: Edit, number: int) -> Record:
    return Record(edit, number, 1, payloads={"mello": {"fact": edit.statement}})


def recall(*edits: Edit) -> Callable[[Sequence[str]], list[Decision]]:
    """A scope that fires on the edits whose subject and last word but one are in the question."""
    records = [record(edit, n) for n, edit in enumerate(edits)]

    def decide(queries: Sequence[str]) -> list[Decision]:
        found = []
        for query in queries:
            near = tuple(Hit(r, 0.5, mention=r.edit.subject) for r in records)
            hits = [
                replace(hit, similarity=0.9)
                for hit in near
                if str(hit.record.edit.subject) in query
                and hit.record.edit.prompt.split()[-2].strip("?") in (*query.split(), "Norvessa")
                and any(w in query for w in ("citizen", "capital") if w in hit.record.edit.prompt)
            ]
            found.append(Decision(tuple(hits), 0.9 if hits else 0.1, 0.5, near))
        return found

    return decide


def run(editor: Mello, lm: Any, question: str, *edits: Edit, target: str | None = None) -> Batch:
    """What the last call is given."""
    seen: list[Batch] = []

    def call(batch: Batch) -> list[Any]:
        seen.append(batch)
        return ["answer"] * len(batch)

    batch = Batch((Row(question, target=target),), recall=recall(*edits), lm=lm)
    assert editor.run(batch, call) == ["answer"]
    [last] = seen
    return last


# Chains over edits in memory


def test_a_chain_of_edits_needs_no_model_but_for_the_last_answer() -> None:
    lm = Scripted()
    last = run(Mello(decomposer=Oracle(PLANS)), lm, BOTH, CITIZEN, CAPITAL, OTHER)
    asked = "What is the capital of Norvessa?"
    assert last.rows[0].prompt == pose(LABEL, f"{asked} Dalmor", asked)
    used = [hit.record.edit for hit in last.rows[0].decision.hits]
    assert used == [CITIZEN, CAPITAL]
    assert lm.asked == [] and lm.calls == []


def test_the_last_answer_is_the_object_as_it_stands_in_memory() -> None:
    editor = Mello(decomposer=Oracle(PLANS))
    last = run(editor, Scripted(), BOTH, CITIZEN, CAPITAL)
    assert last.rows[0].answers == ("Dalmor",)
    free = run(replace(editor, verbatim=False), Scripted(), BOTH, CITIZEN, CAPITAL)
    assert free.rows[0].answers == () and free.rows[0].prompt == last.rows[0].prompt
    known = run(editor, Scripted(), UNEDITED, CITIZEN)  # what the model knows is its own to say
    assert known.rows[0].answers == ()
    scored = run(editor, Scripted(), BOTH, CITIZEN, CAPITAL, target="Dalmor")
    assert scored.rows[0].answers == ()


def test_the_last_hop_is_the_model_s_where_no_edit_answers_it() -> None:
    last = run(Mello(decomposer=Oracle(PLANS)), Scripted(), UNEDITED, CITIZEN, OTHER)
    assert last.rows[0].prompt == "Question: Who leads Norvessa?\nAnswer:"
    assert f"{LABEL}:" not in last.prefix and "Question: " in last.prefix


def test_a_hop_in_between_is_the_model_s_where_no_edit_answers_it() -> None:
    lm = Scripted(answer=" Norvessa.\nQuestion")
    last = run(Mello(decomposer=Oracle(PLANS)), lm, LATER, CITIZEN, CAPITAL)
    [asked] = lm.asked
    hop = "What is the country that Bo Ek is a citizen of?"
    assert asked.rows[0].prompt == f"Question: {hop}\nAnswer:"
    assert "Dalmor" in last.rows[0].prompt


def test_a_chain_without_an_edited_hop_is_the_base_s_untouched() -> None:
    last = run(Mello(decomposer=Oracle(PLANS)), Scripted(), NONE, CITIZEN)
    assert last.rows[0] == Row(NONE) and last.prefix == "" and last.stop == ()


def test_an_edit_answers_only_for_the_entity_the_chain_has_come_to() -> None:
    """ "Peru" is named in "New Peru", and its edit is no answer."""
    plan = {BOTH: Plan("Ada Byron", (OF, TO))}
    citizen = Edit("Ada Byron is a citizen of", "New Peru", subject="Ada Byron")
    last = run(Mello(decomposer=Oracle(plan)), Scripted(), BOTH, citizen, OTHER)
    assert last.rows[0].prompt == "Question: What is the capital of New Peru?\nAnswer:"


def test_more_edits_in_memory_change_no_chain() -> None:
    editor = Mello(decomposer=Oracle(PLANS))
    crowd = [Edit(f"The capital of Land{n} is", f"Town{n}", subject=f"Land{n}") for n in range(200)]
    few = run(editor, Scripted(), BOTH, CITIZEN, CAPITAL)
    many = run(editor, Scripted(), BOTH, *crowd[:100], CITIZEN, CAPITAL, *crowd[100:])
    assert few.rows[0].prompt == many.rows[0].prompt


def test_each_round_is_one_lookup_and_one_call(tiny_tokenizer: Any) -> None:
    looked: list[int] = []
    lm = Scripted(answer="Norvessa")
    decide = recall(CITIZEN, CAPITAL)

    def counted(queries: Sequence[str]) -> list[Decision]:
        looked.append(len(queries))
        return decide(queries)

    rows = tuple(Row(question) for question in (BOTH, LATER, UNEDITED, NONE))
    calls: list[int] = []

    def call(batch: Batch) -> list[Any]:
        calls.append(len(batch))
        return ["answer"] * len(batch)

    Mello(decomposer=Oracle(PLANS)).run(Batch(rows, recall=counted, lm=lm), call)
    assert looked == [4, 4]
    assert [len(batch) for batch in lm.asked] == [2]  # both unedited first hops together
    assert sum(calls) == 4 and len(calls) == 3  # read, known, untouched


def test_a_statement_is_read_by_the_model() -> None:
    said = Edit("Ada Byron is a citizen of Norvessa now.", None, subject="Ada Byron")
    lm = Scripted(answer="Norvessa")
    last = run(Mello(decomposer=Oracle(PLANS)), lm, BOTH, said, CAPITAL)
    assert said.statement in lm.asked[0].rows[0].prompt
    assert "Dalmor" in last.rows[0].prompt


def test_scoring_the_own_tokens_keeps_them_and_states_the_facts() -> None:
    last = run(Mello(decomposer=Oracle(PLANS)), Scripted(), BOTH, CITIZEN, CAPITAL, target="")
    facts = f"{LABEL}: {CITIZEN.statement}\n{LABEL}: {CAPITAL.statement}\n"
    assert last.rows[0].prompt == facts + BOTH and last.prefix == ""


def test_without_a_model_or_memory_nothing_is_tried() -> None:
    batch = Batch((Row(BOTH),))
    assert Mello(decomposer=Oracle(PLANS)).run(batch, lambda b: list(b.rows)) == list(batch.rows)


# The plan


def test_a_plan_is_read_from_what_the_model_wrote() -> None:
    question = "Who is married to the author of The Copper Tide?"
    plan = plan_of(" The Copper Tide | author | spouse\nQuestion: x | y", question)
    assert plan == Plan("The Copper Tide", (template("author"), template("spouse")))
    for text in ("", "none", "The Copper Tide", "The Copper Tide | author",
                 "Moby-Dick | author | spouse", "The Copper Tide | a | b | c | d | e",
                 "The Copper Tide | | spouse"):  # fmt: skip
        assert plan_of(text, question) is None
    assert template("shoe size") == "What is the shoe size of {}?"


def test_relations_have_a_question_and_say_what_they_relate() -> None:
    kinds = {kind for known in relations().values() for kind in known["of"]}
    for label, known in relations().items():
        forms = [known["ask"], *known["phrases"], *known["asks"]]
        assert all(form.count("{}") == 1 for form in forms), label
        assert isinstance(known["is"], str) and known["of"]
    assert {"person", "country", "city", "company", "work"} <= kinds


def test_a_plan_s_dialogue_goes_on_with_the_answers() -> None:
    dialogue = PlanDialogue([PLANS[BOTH], None])
    first = dialogue.next({0: None, 1: None})
    assert first == {0: Ask("What is the country that Ada Byron is a citizen of?", "Ada Byron")}
    second = dialogue.next({0: Told("", "Norvessa")})
    assert second == {0: Ask("What is the capital of Norvessa?", "Norvessa", last=True)}
    assert dialogue.next({0: Told("", "Dalmor")}) == {0: Done("Dalmor")}
    assert PlanDialogue([PLANS[BOTH]]).next({0: Told("", "")}) == {}


# The published loop

SUB = "Subquestion: Which country is Ada Byron a citizen of?\nGenerated answer: Chile.\n"
FINAL = "Final answer: Santiago\n\nQuestion: What"


def test_the_grammar_is_read_as_published() -> None:
    assert parse_turn(f"{SUB}Retrieved fact:") == Ask(
        "Which country is Ada Byron a citizen of?", draft="Chile."
    )
    verdict = "Retrieved fact contradicts to generated answer, so the intermediate answer is: X\n"
    assert parse_turn(f"\n{verdict}{SUB}Retrieved fact:") == parse_turn(f"{SUB}Retrieved fact:")
    assert parse_turn(f"{verdict}{FINAL}") == Done("Santiago")
    for text in ("", "Retrieved fact:", "Chile\nRetrieved fact:", "Final answer: \n", "Final"):
        assert parse_turn(text) is None


def test_the_worked_examples_are_in_the_grammar() -> None:
    examples = prompt().strip().split("\n\n")
    assert len(examples) == 4 and prompt().endswith("\n\n")
    for example in examples:
        question, *rounds = example.split("Subquestion: ")
        assert question.startswith("Question: ") and 2 <= len(rounds) <= 4
        for text in rounds:
            lines = text.strip().split("\n")
            assert lines[1].startswith("Generated answer: ")
            assert lines[2].startswith("Retrieved fact: ") and lines[2].endswith(".")
            assert lines[3].startswith("Retrieved fact ")
            assert ", so the intermediate answer is: " in lines[3]
        assert rounds[-1].strip().split("\n")[-1].startswith("Final answer: ")


def test_the_transcript_grows_by_fact_and_verdict() -> None:
    assert write_retrieved(Told("A is B.", None)) == " A is B.\n"
    assert write_retrieved(Told("A is B", "B", edited=True)) == (
        " A is B.\nRetrieved fact contradicts to generated answer, so the intermediate answer is: "
        "B\n"
    )
    assert "does not contradict to" in write_retrieved(Told("A is B", "C"))


def test_the_published_loop_shows_the_nearest_fact_and_lets_the_model_judge() -> None:
    lm = Scripted([{0: f"{SUB}Retrieved fact:"}, {0: FINAL}])
    last = run(Mello(decomposer="loop", check="model"), lm, BOTH, CITIZEN)
    assert lm.texts[0] == (
        f"{prompt()}Question: {BOTH}\n{SUB}Retrieved fact: {CITIZEN.statement}.\n{FINAL}"
    )
    assert last.rows[0].prompt == pose(LABEL, f"{BOTH} Santiago", BOTH)


def test_the_published_form_has_four_generations_and_says_the_final_answer_as_it_was_written() -> (
    None
):
    lm = Scripted([{0: f"{SUB}Retrieved fact:"}, {0: FINAL}])
    last = run(Mello(published=True), lm, BOTH, CITIZEN)
    assert last.rows[0].answers == ("Santiago",)
    endless = Scripted([{0: f"{SUB}Retrieved fact:"}] * 9)
    assert run(Mello(published=True), endless, BOTH, CITIZEN).rows[0] == Row(BOTH)
    assert len(endless.calls) == 4
    same = Mello(decomposer="loop", check="model", rounds=3, verbatim=False)
    assert replace(Mello(published=True), published=False) == same


def test_the_loop_with_the_scope_s_verdict() -> None:
    lm = Scripted([{0: f"{SUB}Retrieved fact:"}, {0: FINAL}])
    run(Mello(decomposer="loop"), lm, BOTH, CITIZEN)
    assert "contradicts to generated answer, so the intermediate answer is: Norvessa" in (
        lm.texts[0].removeprefix(prompt())
    )


def test_the_loop_ends_after_four_rounds() -> None:
    lm = Scripted([{0: f"{SUB}Retrieved fact:"}] * 9)
    last = run(Mello(decomposer="loop", check="model"), lm, BOTH, CITIZEN)
    assert len(lm.calls) == 5  # four sub-questions, and the call that might have ended it
    assert last.rows[0] == Row(BOTH)


def test_a_row_that_leaves_the_grammar_fails_alone() -> None:
    lm = Scripted([{0: "I do not know.", 1: f"{SUB}Retrieved fact:"}, {1: FINAL}])
    rows = (Row(UNEDITED), Row(BOTH))
    seen: list[Row] = []

    def call(batch: Batch) -> list[Any]:
        seen.extend(batch.rows)
        return ["answer"] * len(batch)

    editor = Mello(decomposer=Loop(), check="model")
    editor.run(Batch(rows, recall=recall(CITIZEN), lm=lm), call)
    assert lm.calls == [[0, 1], [1]]
    assert Row(UNEDITED) in seen and any("Santiago" in row.prompt for row in seen)


# Its parts


def test_names_and_answers_are_compared_as_names() -> None:
    assert are_same("The United States", "united states") and not are_same("Peru", "New Peru")
    assert clean(" Lima.\nQuestion: x") == "Lima" and clean("Sammy Davis Jr.") == "Sammy Davis Jr."
    assert question_of(Row("Q: Who?\nQ: Where is it?\nA:")) == "Where is it?"
    assert question_of(Row("Question: Where is it?\nAnswer:")) == "Where is it?"
    assert question_of(Row("")) == ""


def test_what_is_considered() -> None:
    own = Hit(record(CITIZEN, 1), 1.0)
    near = Hit(record(CITIZEN, 1), 0.6, mention="Ada Byron")
    editor, narrow = Mello(), Mello(reach="mention")
    assert editor.considers(Row("Who is it?")) and not narrow.considers(Row("Who is it?"))
    assert not editor.considers(Row("The colour of the sky is"))
    assert narrow.considers(Row("x", decision=Decision(candidates=(near,))))
    assert narrow.considers(Row("x", decision=Decision((near,))))
    assert not editor.considers(Row("x?", decision=Decision((own,))))


@pytest.mark.parametrize(
    "settings",
    [{"check": "me"}, {"reach": "all"}, {"rounds": 0}, {"decomposer": 3},
     {"decomposer": "/nowhere"}],
)  # fmt: skip
def test_bad_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        Mello(**settings)


# In the runtime


@pytest.fixture
def model(tiny: Tiny, tiny_tokenizer: Any) -> EditableModel:
    editor = Mello(decomposer=Oracle(PLANS))
    model = EditableModel(
        tiny("llama"), tiny_tokenizer, editor=editor, scope=Mention(), encoder="hashing"
    )
    model.edit_many([CITIZEN, CAPITAL])
    return model


def test_a_chain_is_answered_though_no_edit_is_in_scope(model: EditableModel) -> None:
    """Its last edit does not name anything of the question."""
    answer = model.ask(BOTH, max_new_tokens=4)
    used = [hit.record.edit for hit in answer.decision.hits]
    assert (answer.editor, used) == ("mello", [CITIZEN, CAPITAL])
    given = model.tokenizer(BOTH, return_tensors="pt")
    with torch.no_grad():
        changed = model(**given).logits
        assert changed.shape == model.base(**given).logits.shape
        assert not torch.equal(changed, model.base(**given).logits)
        untouched = model.tokenizer(NONE, return_tensors="pt")
        assert torch.equal(model(**untouched).logits, model.base(**untouched).logits)
    ids = model.generate(**given, max_new_tokens=4, do_sample=False)
    assert torch.equal(ids[:, : given.input_ids.shape[1]], given.input_ids)
    chat = model.ask(BOTH, chat=True, max_new_tokens=4)
    assert [hit.record.edit for hit in chat.decision.hits] == [CITIZEN, CAPITAL]


def test_forgetting_the_hops_gives_the_base_back(model: EditableModel) -> None:
    for edit in (CITIZEN, CAPITAL):
        model.forget(edit.id)
    answer = model.ask(BOTH, max_new_tokens=4)
    with model.unedited():
        assert (answer.text, answer.editor) == (model.ask(BOTH, max_new_tokens=4).text, "")


@pytest.mark.parametrize("inner", [Ike(demonstrations=2), MemPrompt(shots=1)])
def test_in_a_chain_the_last_hop_is_the_inner_editor_s(model: EditableModel, inner: Any) -> None:
    editor = Chain(Mello(decomposer=Oracle(PLANS)), inner)
    chained = EditableModel(
        model.base, model.tokenizer, editor=editor, scope=Mention(), encoder="hashing"
    )
    chained.edit_many([CITIZEN, CAPITAL])
    asked = chained.ask(BOTH, max_new_tokens=4)
    alone = EditableModel(
        model.base, model.tokenizer, editor=inner, scope=Mention(), encoder="hashing"
    )
    alone.edit_many([CITIZEN, CAPITAL])
    assert asked.text == alone.ask("What is the capital of Norvessa?", max_new_tokens=4).text
    assert asked.editor == f"mello+{inner.name}"


def test_saved_and_opened_it_is_the_same_editor(model: EditableModel, tmp_path: Path) -> None:
    plain = EditableModel(
        model.base, model.tokenizer, editor=Mello(decomposer="shots", rounds=3), encoder="hashing",
        scope=Mention(),
    )  # fmt: skip
    plain.save(tmp_path)
    again = EditableModel(model.base, model.tokenizer, memory=tmp_path, encoder="hashing")
    assert again.editor == plain.editor
