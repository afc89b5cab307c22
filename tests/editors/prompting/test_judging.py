"""Whether a question is to be answered with yes or no, by a base's odds behind worked examples."""

from __future__ import annotations

from typing import Any

import pytest

from memedit import Edit
from memedit.core.calls import Batch, Row
from memedit.core.chat import ChatFormat, Turn
from memedit.core.types import Decision, Hit, Record
from memedit.editors.note import Note
from memedit.editors.prompting import judging
from memedit.editors.prompting.judging import choose, goes_by_day, judge
from memedit.engine.engine import Engine
from memedit.engine.polls import Poll, measure_odds
from tests.helpers import byte_tokenizer, tiny_model

FREE = Edit("Delivery is free from", "80 euros on", "Delivery")
ASKED = "My basket is 65 euros. Will delivery be free?"


@pytest.fixture
def lm() -> Engine:
    """A base that is heard: random weights, whose odds are as good as any to be read."""
    engine = Engine(tiny_model(), byte_tokenizer())
    poll = Poll.of(engine, judging._ORDER, judging._show(judging._SHOWN[:1]))
    assert poll is not None
    engine.kept["yes or no"] = poll
    return engine


def test_the_likelier_word_is_the_verdict(lm: Engine) -> None:
    facts, earlier = (
        ["Members swim free.\nQuestion: Is it?", "Delivery is free from 80 euros on"],
        "Hi. I want shoes",
    )
    poll: Poll = lm.kept["yes or no"]
    text = (
        "Facts:\n- Members swim free.\n  Question: Is it?.\n- Delivery is free from 80 euros on.\n"
        f"Said before: {earlier}\nQuestion: {ASKED}"
    )
    [odds] = measure_odds([text], poll, lm)
    assert odds is not None
    for middle, verdict in ((odds - 0.3, "Yes"), (odds + 0.3, "No")):
        lm.kept["yes or no"] = Poll(poll.frame, poll.words, (middle + 1, middle - 1))
        assert judge([ASKED], [facts], [earlier], lm) == [verdict]
    lm.kept["yes or no"] = Poll(poll.frame, poll.words, (odds + 0.9, odds - 1.1))
    assert judge([ASKED], [facts], [earlier], lm) == [None]  # as likely as not


def test_who_is_not_asked(lm: Engine) -> None:
    """No fact, one too long, and a base that is not heard leave it to a thought."""
    told = judge([ASKED] * 2, [[], ["Delivery. " * 200]], ["", ""], lm)
    assert told == [None, None] == judge(["x" * 2_000] * 2, [["F"], []], ["", ""], lm)
    lm.kept["yes or no"] = None
    assert judge([ASKED], [["Delivery is free."]], [""], lm) == [None]


QUIZ = "Before what extra cost may a customer be late? A) 15 minutes B) 29 minutes C) 45 minutes."
FACT = "The grace period for late returns is 45 minutes"


def test_the_option_of_the_highest_odds_is_chosen(
    lm: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"15": -1.0, "29": 0.4, "45": 0.7}
    asked: list[str] = []

    def measure(questions: list[str], *_: Any) -> list[float | None]:
        asked.extend(questions)
        return [next(odds for n, odds in said.items() if f"{n} minutes?" in q) for q in questions]

    monkeypatch.setattr(judging, "measure_odds", measure)
    assert choose(QUIZ, [FACT], "Hi.", lm) == "C"
    assert asked[2].endswith(
        f"- {FACT}.\nSaid before: Hi.\nQuestion: Before what extra cost may a customer be late?\n"
        "Is the answer: 45 minutes?"
    )
    said["29"] = 0.6
    assert choose(QUIZ, [FACT], "", lm) is None  # none stands out
    said["29"] = 0.9
    assert choose(QUIZ, [FACT], "", lm) == "B" and choose(QUIZ, [], "", lm) is None
    either = f"{QUIZ[:-1]} D) none of these"
    assert choose(either, [FACT], "", lm) == "B"
    said |= dict.fromkeys(said, -0.9)
    assert choose(either, [FACT], "", lm) == "D"
    assert choose("Which fee? A) £15 B) none", [FACT], "", lm) is None


@pytest.mark.parametrize("words", [
    "Which is not the grace period? A) 15 minutes B) 45 minutes",
    "Which two are free? A) wifi B) towels C) spa", "Which fee? A) £15 B) £22 C) all of the above",
    "Two questions: a) When do you open? b) What does it cost?",
    "Which grace period did it use to be? A) 15 minutes B) 45 minutes",
    "Is it 45 minutes? A) yes B) no", "What is the grace period?",
    "How much are two late returns in total? A) 15 minutes B) 45 minutes",
    "Which grace period is wrong? " + " ".join(f"{c}) {n} min" for n, c in enumerate("ABCDEFGH")),
])  # fmt: skip
def test_what_is_no_plain_choice_is_not_judged(words: str, lm: Engine) -> None:
    assert choose(words, [FACT], "", lm) is None


@pytest.mark.parametrize(("question", "before", "goes"), [
    ("Are you open now?", "Today is Monday.", True),
    ("Is it open today?", "It is 3 May 2027, 14:00.", True),
    ("Is it due this week?", "Date: 2027-05-03", True),
    ("Is it free for members?", "Today is Monday.", False),
    ("Can I still return it?", "Today is 4 May 2026.", True),
    ("Are you open now?", "You serve a theatre that was founded in 1987.", False),
    ("Are you open now?", "You are the assistant of a shop.", False),
    ("Are you open now?", "Today: 03.05.2027", True),
])  # fmt: skip
def test_what_goes_by_the_day_that_is_named(question: str, before: str, goes: bool) -> None:
    assert goes_by_day(question, before) is goes


@pytest.mark.parametrize(("system", "judged"), [("", True), ("Today is Monday. ", False)])
def test_the_verdict_is_the_likelier_beginning(
    lm: Engine, system: str, judged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Any] = []

    def judge(questions: Any, facts: Any, earlier: Any, lm: Any) -> list[str | None]:
        said.extend(zip(questions, facts, earlier, strict=True))
        return ["No" if told else None for told in facts]

    monkeypatch.setattr("memedit.editors.note.judge", judge)
    monkeypatch.setattr("memedit.editors.note.think_through", lambda rows, _: ["Yes"] * len(rows))
    chat = ChatFormat.of(lm.tokenizer)
    assert chat is not None
    before = f"{system}{chat.opening}{chat.user_open}I'm back.{chat.user_close}{chat.user_open}"
    turn = Turn(before, f"{chat.user_close}{chat.reply_open}", chat)
    hit = Hit(Record(FREE, 1, 1, payloads={"note": {"fact": FREE.statement}}), 0.9, role="informs")
    words = "My basket is 65 euros today. Will delivery be free? Just yes or no."
    row = Row(words, decision=Decision(informs=(hit,)), turn=turn)
    told: list[Row] = []

    def call(batch: Batch) -> list[str]:
        told.extend(batch.rows)
        return [""] * len(batch)

    Note(reasons=True).run(Batch((row,), lm=lm), call)
    [(asked, facts, earlier)] = said
    assert asked == "My basket is 65 euros today. Will delivery be free?"
    assert earlier == "I'm back."
    assert facts == ([FREE.statement] if judged else [])
    assert dict(told[0].opens)["No" if judged else "Yes"] == 8.0


@pytest.mark.parametrize(
    ("words", "verdict", "answers"),
    [
        ("£6 a month is robbery!! that is the price, right?", "No", ("No. It costs £4 a month.",)),
        ("£6 a month is robbery!! that is the price, right?", "Yes", ()),
        ("£6 a month, that is the price? Yes or no only.", "No", ()),
        ("£3 a month is robbery!! that is the price, right?", "No", ()),
    ],
)
def test_who_goes_by_a_former_value_is_told_the_fact_where_it_is_judged_no(
    lm: Engine, words: str, verdict: str, answers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memedit.editors.note.judge", lambda *_: [verdict])
    chat = ChatFormat.of(lm.tokenizer)
    assert chat is not None
    turn = Turn(f"{chat.opening}{chat.user_open}", f"{chat.user_close}{chat.reply_open}", chat)
    fee = Edit("It costs", "£4 a month", subject="It")
    told = {"fact": "It costs £4 a month."}
    hit = Hit(
        Record(fee, 1, 1, payloads={"note": told}), 0.9, role="informs", former=("£6 a month",)
    )
    row = Row(words, decision=Decision(informs=(hit,)), turn=turn)
    kept: list[Row] = []

    def call(batch: Batch) -> list[str]:
        kept.extend(batch.rows)
        return [""] * len(batch)

    Note(reasons=True).run(Batch((row,), lm=lm), call)
    assert kept[0].answers == answers
