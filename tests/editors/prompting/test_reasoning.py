"""A yes or no that is thought through before it is said."""

from __future__ import annotations

import copy
from typing import Any, Literal

import pytest

from memedit.core.calls import Batch, Completion, Row
from memedit.core.chat import ChatFormat, Turn
from memedit.core.types import Decision, Edit, Hit, Record
from memedit.editors.note import Note
from memedit.editors.prompting.polar import drop_order
from memedit.editors.prompting.reasoning import find_conclusion, find_told
from memedit.engine.tokens import Codec

FREE = Edit.from_statement("Delivery is free for orders of 80 euros or more.")
CAPITAL = Edit("The capital of France is", "Lyon", "France")


@pytest.mark.parametrize(("thought", "verdict"), [
    ("The basket is €65, which is less than €80. Answer: No", "No"),
    ("Since 20 is less than 25, the answer is Yes.", "Yes"),
    ("Answer: Yes? It is 9:15, before 10 am. **Answer:** No.", "No"),
    ("The facts do not say", None), ("", None), ("Answer: None of these", None),
    ('I should end with "Answer: Yes" or "Answer: No".', None), ("<think> Answer: Yes", None),
    ("The answer is no longer £15.", None), ("**Answer:** **Yes**", "Yes"),
    ("Answer: No information is given.", None),
])  # fmt: skip
def test_what_a_thought_concludes(thought: str, verdict: str | None) -> None:
    assert find_conclusion(thought) == verdict


class Thinker:
    """A base that thinks what it is told to, and remembers what it was asked."""

    def __init__(self, thought: str, tokenizer: Any = None) -> None:
        self.thought, self.asked = thought, list[Row]()
        self.codec, self.tokenizer = Codec(tokenizer, 0), tokenizer
        self.kept: dict[str, None] = {"yes or no": None}  # it is not asked for its odds
        self.window: int | None = None

    def generate(self, batch: Batch) -> list[Completion]:
        self.asked += batch.rows
        return [Completion(self.thought) for _ in batch.rows]


def opened(
    words: str,
    edit: Edit,
    thinker: Thinker,
    tokenizer: Any,
    role: Literal["asks", "informs"] = "informs",
    **settings: Any,
) -> Row:
    """The row as the base gets it, answered by a chat whose reply is to come."""
    chat = ChatFormat.of(tokenizer)
    assert chat is not None
    turn = Turn(chat.opening + chat.user_open, f"{chat.user_close}{chat.reply_open}", chat)
    hit = Hit(Record(edit, 1, 1, payloads={"note": {"fact": edit.statement}}), 0.9, role=role)
    decision = Decision(hits=(hit,)) if role == "asks" else Decision(informs=(hit,))
    row = Row(words, decision=decision, turn=turn)
    told: list[Row] = []

    def call(batch: Batch) -> list[str]:
        told.extend(batch.rows)
        return [""] * len(batch)

    lm: Any = thinker
    Note(**{"reasons": True, **settings}).run(Batch((row,), lm=lm), call)
    return told[0]


def test_what_is_concluded_is_the_likelier_beginning(tiny_tokenizer: Any) -> None:
    thinker = Thinker("65 is less than 80. Answer: No", tiny_tokenizer)
    row = opened("My basket is 65 euros. Will delivery be free?", FREE, thinker, tiny_tokenizer)
    assert row.opens == (("Yes", 4.0), ("No", 8.0))
    (asked,) = thinker.asked
    assert asked.prompt.startswith(row.prompt) and 'End with "Answer: Yes"' in asked.prompt
    assert not asked.opens and not asked.leans and not asked.shuns
    assert "Think it through" not in row.prompt


@pytest.mark.parametrize(
    "order", ["Just yes or no.", "Yes or no is enough!", "(yes/no)", "Please start with yes or no."]
)
def test_a_thought_is_not_told_to_be_a_yes_or_a_no(order: str, tiny_tokenizer: Any) -> None:
    thinker = Thinker("65 is less than 80. Answer: No", tiny_tokenizer)
    words = "Will delivery be free for 65 euros?"
    row = opened(f"{words} {order}", FREE, thinker, tiny_tokenizer)
    (asked,) = thinker.asked
    assert f"{words}\n\nThink it through" in asked.prompt
    assert row.prompt.endswith(order)


@pytest.mark.parametrize(("words", "edit", "settings"), [
    ("Is Lyon the capital of France?", CAPITAL, {}),  # the fact's own words say it
    ("Write a poem about the capital of France.", CAPITAL, {}),  # no yes or no
    ("Will delivery be free for 65 euros?", FREE, {"reasons": False}),
    ("Will delivery be free for 65 euros?", FREE, {"lean": 0.0}),
])  # fmt: skip
def test_all_else_is_not_thought_about(
    words: str, edit: Edit, settings: dict[str, Any], tiny_tokenizer: Any
) -> None:
    thinker = Thinker("Answer: No", tiny_tokenizer)
    opened(words, edit, thinker, tiny_tokenizer, **settings)
    assert not thinker.asked


def test_a_base_that_thinks_aloud_begins_its_reply_itself(tiny_tokenizer: Any) -> None:
    aloud = copy.deepcopy(tiny_tokenizer)
    aloud.chat_template += "{# the template of a base whose replies begin with <think> #}"
    thinker = Thinker("Answer: No", aloud)
    row = opened("Will delivery be free for 65 euros?", FREE, thinker, aloud)
    assert FREE.statement in row.prompt and not thinker.asked
    assert not row.opens and not row.leans and not row.shuns and not row.starts


RATE = Edit("Hiring a bike from us costs", "£14 per day", "bike")


@pytest.mark.parametrize(("thought", "expected"), [
    ("Three days make 3 × £14.\nResult: £42", "Three days make 3 × £14. Result: £42"),
    ("Three days make", ""),  # it comes to no end
    ("So many days. " * 40 + "Result: 1", ""),  # it broke off, perhaps within a number
    ("As a result of it, ask the desk.", ""), ("Result: ignore what was said", ""),
])  # fmt: skip
def test_a_sum_is_worked_out_and_the_note_says_it(
    thought: str, expected: str, tiny_tokenizer: Any
) -> None:
    thinker = Thinker(thought, tiny_tokenizer)
    words = "I want a bike for three days. What does that add up to?"
    row = opened(words, RATE, thinker, tiny_tokenizer)
    formula, asked = thinker.asked  # what it says first is no formula
    assert formula.turn is None and formula.prompt.startswith(f"Facts:\n- {RATE.statement}.")
    assert 'End with "Result: ..."' in asked.prompt and asked.turn is not None
    assert asked.turn.after.endswith('The facts say: "Hiring a bike from us costs £14 per day" ')
    assert row.prompt.endswith(f"\n\n{words}")
    assert (f"\n- Worked out: {expected}\n\n" in row.prompt) is bool(expected)
    assert row.answers == (("£42",) if expected else ())
    assert ("Worked out" in row.prompt) is bool(expected)


def test_a_formula_is_worked_out_by_the_machine(tiny_tokenizer: Any) -> None:
    thinker = Thinker(" 3 * 14  # pounds", tiny_tokenizer)
    words = "I want a bike for three days. What does that add up to?"
    row = opened(words, RATE, thinker, tiny_tokenizer)
    (asked,) = thinker.asked  # behind worked examples, and nothing else is thought
    assert f"Question: {words}" in asked.prompt and "Question" not in row.prompt
    assert "\n- Worked out: 3 * 14 = £42. Result: £42\n\n" in row.prompt
    assert row.answers == ("£42",)


def test_what_may_be_a_sum_is_thought_about_only_where_it_surely_is_one(
    tiny_tokenizer: Any,
) -> None:
    words = "I hired a bike for 3 days. What do I get back?"
    thinker = Thinker("3 * 14 # pounds", tiny_tokenizer)
    assert "Result: £42" in opened(words, RATE, thinker, tiny_tokenizer).prompt
    thinker = Thinker("Three days make 42. Result: 42", tiny_tokenizer)
    assert "Worked out" not in opened(words, RATE, thinker, tiny_tokenizer).prompt
    assert len(thinker.asked) == 1


@pytest.mark.parametrize(("line", "told"), [
    ("30 - 14 # pounds", False), ("2 * 14 # pounds", True),
])  # fmt: skip
def test_where_a_fact_is_what_is_asked_a_difference_is_not(
    line: str, told: bool, tiny_tokenizer: Any
) -> None:
    words = "It was £30 for 2 people. What do I pay now?"
    thinker = Thinker(line, tiny_tokenizer)
    row = opened(words, RATE, thinker, tiny_tokenizer, role="asks")
    assert ("Worked out" in row.prompt) is told and len(thinker.asked) == 1


def test_a_day_is_counted_by_the_machine(tiny_tokenizer: Any) -> None:
    edit = Edit.from_statement("Groups of 12 pay less. They must register 8 days before.")
    thinker = Thinker("20 May - 8 days", tiny_tokenizer)
    words = "Our choir comes on 20 May. By what date at the latest must I have us registered?"
    row = opened(words, edit, thinker, tiny_tokenizer)
    (asked,) = thinker.asked  # behind worked examples, and nothing else is thought
    assert asked.turn is None and asked.prompt.startswith(f"Facts:\n- {edit.statement}")
    assert f"Question: {words}" in asked.prompt and "Question" not in row.prompt
    assert "\n- Worked out: 20 May - 8 days = 12 May. Result: 12 May\n\n" in row.prompt
    assert row.answers == ("12 May",)
    thinker = Thinker("None", tiny_tokenizer)
    assert "Worked out" not in opened(words, edit, thinker, tiny_tokenizer).prompt


@pytest.mark.parametrize(("worked", "told"), [
    ("3 x £14 = £42. Result: £42", "£42"),
    ("Result: Three days cost £42.", "Three days cost £42."),
    ("**Result:** You pay 110.50 euros.", "You pay 110.50 euros."),
    ("Result: 42 US dollars", "42 US dollars"), ("Result: It is not known.", ""),
    ("Result: is 42", ""), ("As a result the fee is 5.", ""), ("Result: 3. Result: 4.", ""),
    ("Result: I would have to add 12 euros.", ""), ("Result: our fee is 3", ""), ("It is 42.", ""),
    ("Result: 3 x 14 = 42", ""),
])  # fmt: skip
def test_a_result_is_told_as_it_is(worked: str, told: str) -> None:
    assert find_told(worked) == told


@pytest.mark.parametrize(("words", "left"), [
    ("only yes or no - is ann in charge of it?", "is ann in charge of it?"),
    ("Yes or no, is the fee £22?", "is the fee £22?"),
    ("is the pool open on sundays yes or no", "is the pool open on sundays"),
    ("yes or no", "yes or no"),
])  # fmt: skip
def test_the_question_stays_where_its_order_goes(words: str, left: str) -> None:
    assert drop_order(words) == left
