"""Texts that anyone may send cost steps linear in their length: ten times the text, about ten
times the work, never a hundred times."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone

import pytest

from memedit.core.calls import Row
from memedit.core.days import find_named_days
from memedit.core.doubts import doubts, read_doubted
from memedit.core.errors import InvalidInputError
from memedit.core.naming import guess_subject
from memedit.core.plainly import drop_present, takes_back
from memedit.core.registry import parse_call
from memedit.core.secrets import names_secret
from memedit.core.suspicion import find_in_texts, leave_out_orders
from memedit.core.text import find_sentence_starts
from memedit.core.times import find_named_time
from memedit.core.types import Decision, Edit, Hit, Record
from memedit.editors.mello import question_of
from memedit.editors.prompting.abroad import find_answers
from memedit.editors.prompting.approving import wants_yes
from memedit.editors.prompting.bounds import judge_bound
from memedit.editors.prompting.choices import choice_of, find_options
from memedit.editors.prompting.claims import find_claims
from memedit.editors.prompting.clocks import write_times
from memedit.editors.prompting.deadlines import judge_deadline
from memedit.editors.prompting.denials import echoes_against, steps_against
from memedit.editors.prompting.elapsing import work_out_times
from memedit.editors.prompting.former import confirms, find_former, find_supposed
from memedit.editors.prompting.formulas import work_out_formula
from memedit.editors.prompting.gaps import find_gap
from memedit.editors.prompting.judging import goes_by_day
from memedit.editors.prompting.negations import denies_premise
from memedit.editors.prompting.notes import single_value_of
from memedit.editors.prompting.polar import drop_order, is_polar
from memedit.editors.prompting.reasoning import find_conclusion, find_result
from memedit.editors.prompting.reckoning import asks_for_one, has_rate
from memedit.editors.prompting.timesums import may_be_dated, work_out_moment
from memedit.editors.prompting.verdicts import verdict
from memedit.memory.live.subjects import SubjectIndex
from memedit.memory.live.views import views
from memedit.model.denying import says_only_end
from memedit.model.ellipsis import fill_in
from memedit.model.house import House, put_names_for_it, read_end_in_house_name
from memedit.model.itemising import (
    asks_besides,
    clauses_of,
    items_of,
    keys_of,
    lists_more,
    parts_of,
)
from memedit.model.restating import compare_forms
from memedit.model.shapes import reshape
from memedit.scope.documents import heed
from memedit.scope.features import names_another_owner
from memedit.scope.feedback import distance
from memedit.serving.upstream.placing import clean

_QUADRATIC = 40.0
"""Ten times the text costs ten times the work; a hundred times if it is quadratic."""


def seconds(act: Callable[[str], object], text: str, enough: float = 0.0) -> float:
    """The least processor time of a few runs; none follows one that took less than ``enough``."""
    best = 1e9
    for _ in range(4):
        before = time.process_time()
        act(text)
        best = min(best, time.process_time() - before)
        if best < enough:
            break
    return best


def grows_linearly(act: Callable[[str], object], text: Callable[[int], str], size: int) -> None:
    small = seconds(act, text(size))
    most = max(0.002, _QUADRATIC * small)
    large = seconds(act, text(10 * size), most)
    assert large < most, f"{small:.4f} s, then {large:.4f} s"


def asked(text: str) -> str:
    return question_of(Row(f"x{text}x", None, Decision()))


def looked_at(text: str) -> tuple[str, ...]:
    return find_in_texts([text])


OURS = Edit.from_statement("Our refund window is 60 days.")


def owned(text: str) -> bool:
    return names_another_owner(Hit(Record(OURS, 1, 1), 0.5), text)


def continued(text: str) -> tuple[str, ...]:
    return fill_in(f"And {text}x?", f"Who is the a of {text}")


def told(text: str) -> object:
    return takes_back(text), says_only_end(drop_present(text)), reshape(text)


def restated(text: str) -> object:
    return compare_forms(f"The A is {text}", f"The A is {text} B, not {text}")


def dated(text: str) -> object:
    now = datetime(2026, 11, 29, tzinfo=timezone.utc)
    return find_named_days(f"on {text} in {text}", now, timezone.utc)


def valued(text: str) -> str:
    return single_value_of(text, "")


FEE = Edit("The fee is", "£12")
WIFI = Edit("The password of the Wi-Fi is", "oak")


def timed(text: str) -> object:
    short = text[:300]
    return work_out_times(f"When, 3 May {text}?", ["It takes 4 days."]), work_out_times(
        f"When is it due from 3 May on {short}?", [f"It takes 4 days {short}"]
    )


def gone_by(text: str) -> object:
    said = f"{text[:500]} £9. That's right?"
    return (
        find_former(said, FEE, ["£9"]), find_supposed(said, FEE.statement),
        [confirms(each, "£9", FEE.statement) for each in (said, f"£9 {text}, right?")],
    )  # fmt: skip


def held(text: str) -> object:
    secret = Edit(f"The password {text[:3000]}x is", "oak")
    return names_secret(WIFI, text), names_secret(secret, "wifi"), has_rate(text, f"4 days {text}")


def left_out(text: str) -> object:
    fenced = f"{FEE.statement} {text}: ```{text}"
    return leave_out_orders(f"{FEE.statement} {text}", "the fee?"), leave_out_orders(fenced, "fee?")


def reckoned(text: str) -> object:
    free = f"up to 6 {text[:900]} free, further {text[:900]} 4"
    return (
        work_out_formula("2 * 12", text, text), work_out_formula(text, "12", "2"),
        work_out_formula("9 * 4", free, "9"), work_out_formula("9 * 4", f"{text}6 free", "9 x"),
        work_out_formula("60 * (1 - 35 / 100)", f"gets {text} 35% back", "60"),
        denies_premise(f"As {text[:159]}, is it?", f"{text[:150]} is no longer x"),
    )  # fmt: skip


def pasted(text: str) -> object:
    told = Decision((Hit(Record(FEE, 1, 1), 0.9, role="asks"),))
    return heed(f"{text} What does this letter say?", told), heed(f"This letter {text}?", told)


def summed(text: str) -> object:
    words = f"When is it due from 3 May? {text}"
    return (
        work_out_moment(text, ["4 days"], "3 May"), work_out_moment(f"3 May{text}", ["4"], "3 May"),
        may_be_dated(words, ["4 days"]), asks_for_one(words), goes_by_day(text, text),
        wants_yes(f"{text}. That is ok?"), wants_yes(f"The fee is {text}. Please confirm that"),
        judge_deadline(f"It's Monday. Still {text}?", f"{text} until Tuesday"),
        find_gap(f"{text[:900]} 3 May, 9 May", f"9 days {text}"), find_gap(text, "9 days"),
        judge_bound(f"{text[:300]} Can I still?", f"{text[:300]} within 9 days"),
    )  # fmt: skip


HOUSE = House(name="Cd", names=frozenset({"Ab", "A", "Cd"}))


def itemised(text: str) -> object:
    mail = f"Write a mail to Ann: {text}"
    return (
        parts_of(text), [items_of(each) for each in (text, mail)], lists_more(mail),
        [clauses_of(each) for each in (mail, f"A json with {text}")], keys_of(f"A json: {text}"),
        asks_besides(f"{text} Is it?", [text[:20], "a b"]),
        put_names_for_it("What is it?", text, HOUSE), read_end_in_house_name(text, HOUSE),
        read_end_in_house_name(f"1. {text}\nThe file is", HOUSE), find_named_time(
            f"which {text} last week", datetime(2026, 11, 29, tzinfo=timezone.utc), timezone.utc
        ),
    )  # fmt: skip


TEXTS: dict[str, Callable[[int], str]] = {
    "spaces": lambda n: " " * n,
    "newlines": lambda n: "\n" * n,
    "spaces and colons": lambda n: " :" * (n // 2),
    "letters": lambda n: "A" * n,
    "joined letters": lambda n: "A-" * (n // 2),
    "names": lambda n: "Ab " * (n // 3),
    "quotes": lambda n: '"' * n,
    "opening quotes": lambda n: "“" * n,
    "apostrophes": lambda n: "A" + "'" * n + "x",
    "commas": lambda n: "A" + "," * n + "x",
    "dots": lambda n: "." * n + "x",
    "dots and spaces": lambda n: ". " * (n // 2),
    "dots, then spaces": lambda n: "." + " " * n + "!",
    "brackets": lambda n: "." + ")" * n + "x",
    "closing and opening": lambda n: "A" + "'s" * (n // 2) + "x",
    "orders": lambda n: "Ignore in answer ignore. " * (n // 25),
    "questions": lambda n: "who " * (n // 4),
    "a list": lambda n: "the a and " * (n // 10),
    "keys": lambda n: "a_b" * (n // 3),
    "marks": lambda n: "A" + "?!" * (n // 2) + "x",
    "markers": lambda n: "<|" * (n // 4) + "|>" * (n // 4),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize(
    "act",
    [
        asked, guess_subject, find_sentence_starts, clean, looked_at, owned, continued, valued,
        told, restated, dated, timed, gone_by, held, left_out, reckoned,
        pasted, summed, itemised,
    ],
)  # fmt: skip
def test_reading_a_text_is_linear(act: Callable[[str], object], text: Callable[[int], str]) -> None:
    grows_linearly(act, text, 3_000)


def test_an_intents_distance_is_linear_in_the_query() -> None:
    grows_linearly(lambda text: distance("what is akin to <x>?", text), lambda n: "a " * n, 300)


def _known(count: int, make: Callable[[int], str]) -> SubjectIndex:
    index = SubjectIndex()
    for i in range(1, count + 1):
        index.add(i, make(i))
    return index


@pytest.mark.parametrize(
    "make",
    [lambda i: "a " * i, lambda i: "a " * i + "b", lambda i: "a b " + "a " * i],
    ids=["a a a", "a a b", "a b a"],
)
def test_subjects_of_one_word_again_and_again(make: Callable[[int], str]) -> None:
    """900 subjects "a", "a a", ... made a search of 1,980 characters take seconds."""
    text = "a " * 990
    few, many = _known(90, make), _known(900, make)
    small = seconds(lambda text: views(text, few.mentions), text)
    large = seconds(lambda text: views(text, many.mentions), text)
    assert large < max(0.02, 20 * small), f"{small:.4f} s, then {large:.4f} s"


def test_the_longest_known_subject_is_still_the_one_that_counts() -> None:
    index = SubjectIndex()
    names = ["New York", "New York City", "The New York City Ballet", "York", "City"]
    for i, name in enumerate(names):
        index.add(i, name)
    found = index.mentions("Who leads the New York City Ballet, not New York?")
    assert [mention.text for mention in found] == ["the New York City Ballet", "New York"]
    index.add(9, "a " * 900)
    assert index.mentions("a " * 950)[0].key == ("a " * 900).strip()


@pytest.mark.parametrize(
    ("prompt", "question"),
    [
        ("Q: Who?\nA:", "Who?"), ("Who?\n  Answer : ", "Who?"), ("User: Who? Assistant:", "Who?"),
        ("Question:Who?", "Who?"), ("Who?", "Who?"), ("", ""), ("Q: A:", ""),
        ("x\n\nWho?\n", "Who?"),
        ("a: b", "a: b"), ("One.\nQ: Two?\nA:", "Two?"),
    ],
)  # fmt: skip
def test_what_a_row_asks(prompt: str, question: str) -> None:
    assert question_of(Row(prompt, None, Decision())) == question


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("Who wrote Smith's, really?", "Smith"), ("What is Jones' dog?", "Jones"),
        ('Who sang "Let It Be"?', "Let It Be"), 
        ("Where is the Bank of England?", "Bank of England"),
        ("what?", None), ("Is it Paris,,,!'", "Paris"),
    ],
)  # fmt: skip
def test_what_a_question_is_about(text: str, subject: str | None) -> None:
    assert guess_subject(text) == subject


def test_names_have_an_end() -> None:
    with pytest.raises(InvalidInputError, match="characters"):
        parse_call(f"rome(statistics={'/' * 100_000}")
    with pytest.raises(InvalidInputError):  # of which Python's parser says MemoryError
        parse_call(f"ike(a={'[' * 400})")
    assert Edit("x", "y").prompt == "x"


@pytest.mark.parametrize("judge", [
    is_polar, find_answers, find_options, drop_order, find_conclusion, find_result,
    lambda text: verdict(text, OURS), lambda text: [*find_claims(text)], steps_against,
    lambda text: echoes_against(text, "Facts:", ["a b"]), timed, gone_by, held,
    lambda text: choice_of(f"{text[-3000:]}?\nA) x\nB) (((y", [f"x is {text}, and y"]),
    doubts, lambda text: read_doubted("You sure?", text), write_times,
])  # fmt: skip
@pytest.mark.parametrize("text", [
    lambda n: "is" + " " * n + "x?" + " " * n + "yes or no " * (n // 5) + "\nx",
    lambda n: "Is this key valid? " + "QmFzZTY0" * (n // 8),
    lambda n: "\n " * (n // 2) + "A) x" + " " * n + "y",
    lambda n: "¿la casa de el " + "hay la " * (n // 7) + "?",
    lambda n: "is it x" + ", and" * (n // 5) + "?",
    lambda n: "is the " + "know " * (n // 5) + "?",
    lambda n: "answer: " * (n // 8),
    lambda n: "result " * (n // 7), lambda n: "look says that " * (n // 15),
    lambda n: "1h1 an hour " * (n // 12),
])  # fmt: skip
def test_how_a_reply_begins(judge: Callable[[str], object], text: Callable[[int], str]) -> None:
    for size in (390, 3_900):  # what is longer is not judged by some
        assert seconds(judge, text(size), 0.1) < 0.1
    grows_linearly(judge, text, 5_000)
