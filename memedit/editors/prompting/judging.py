"""Whether a question is to be answered with yes or no, as a base judges it behind worked examples.

"My laptop is 4 years old, so it's due?" under "Laptops are replaced every five years" no rule of
words decides. A base of 1.5B that thinks it through concludes rightly of three in four, and talks
itself out of some ("4 is less than 5, so it is due"); shown what such questions look like with
their answers, it gives the right word the higher odds for five in six, without a thought. English
only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from memedit.core.calls import LM
from memedit.core.days import DATES, WEEKDAY
from memedit.editors.prompting.choices import find_none, is_plain_choice, split_options
from memedit.editors.prompting.choosing import family
from memedit.editors.prompting.clocks import find_days
from memedit.editors.prompting.comparing import Verdict
from memedit.editors.prompting.notes import write_question
from memedit.editors.prompting.reckoning import counts
from memedit.engine.polls import Poll, Shown, measure_odds

_ORDER = (
    "You check a question against the facts. The facts are right, whatever else you know. Answer "
    "the question with yes or no."
)
_SHOWN = (
    ("Parcels of up to 12 kg are taken at the Norby counter.",
     "hi, mine weighs 15 kilos, is that alright", "no"),
    ("Halden Bank's branch in Brook Street is open until 6 pm.",
     "Could I still come by at half past five?", "yes"),
    ("The head of logistics at Fernwood is Ida Marsh.",
     "Tom Bell is head of logistics at fernwood, right?", "no"),
    ("Dogs are not admitted to the Alder Garden any more.",
     "Is it true that I can't bring my dog along?", "yes"),
    ("Guests of the Pine Lodge park free of charge.",
     "do i have to pay anything for the car", "no"),
    ("A class pass may be passed on to a friend within 14 days.",
     "My pass is 9 days old. May my sister have it?", "yes"),
    ("The Monday tour starts from the harbour gate.",
     "Do we meet at the town hall for the tour on Monday?", "no"),
    ("Refunds for the Lumo lamp are given within 40 days.",
     "bought it 2 months ago. too late for my money back?", "yes"),
    ("The free plan of Draftly holds up to 5 projects. Team folders need the Plus plan.",
     "We are on the free plan, can we have a team folder?", "no"),
    ("Children under 6 enter the Aquadome free.",
     "our girl is five, she doesn't need a ticket then?", "yes"),
)  # fmt: skip
_CASES = (
    ("The lift at Marlow House takes up to 8 people.", "there's six of us, do we all fit?", "yes"),
    ("The lift at Marlow House takes up to 8 people.", "Can eleven of us go up at once?", "no"),
    ("The engineer for the north is Pia Lund.", "Is Pia Lund the engineer up north?", "yes"),
    ("The engineer for the north is Pia Lund.", "The engineer up north is Karl Oden, right?", "no"),
    ("The kiosk closes at 7 pm.", "can I still get a paper at 6?", "yes"),
    ("The kiosk closes at 7 pm.", "I'd get there at eight, is that ok?", "no"),
    ("Smoking is no longer allowed on the terrace.", "So no cigarettes on the terrace now?", "yes"),
    ("Smoking is no longer allowed on the terrace.", "can we smoke out on the terrace", "no"),
    ("Towels are free of charge for members.", "I'm a member. Do I get a towel for free?", "yes"),
    ("Towels are free of charge for members.", "As a member, must I pay for towels?", "no"),
)  # fmt: skip
"""What a base must tell apart to be heard."""
_KNOWN = frozenset({"qwen2-28x1536"})
"""The base on which the examples were chosen: Qwen2.5-Coder-1.5B."""
_DAY = re.compile(rf"\b(?:{WEEKDAY})\b|\b\d\d?[./]\d\d?[./]\d\d", re.IGNORECASE)
_NOW = re.compile(
    r"\b(?:today|tonight|tomorrow|tmrw|yesterday|now|currently|at the moment|atm|still|yet|already|"
    r"over|open|next|in \d+|this (?:week\w*|month|year|morning|afternoon|evening))\b",
    re.IGNORECASE,
)
_DOUBT = 0.2
"""Odds that say nothing: a thought does better there (19 of 25, where their sign gives 15)."""
_MOST_OPTIONS = 8
_LONGEST = 1_200
"""Characters of facts or a question; more is thought about."""


def goes_by_day(question: str, before: str) -> bool:
    """Whether a question may be one of the day that a text before it names: "are you open now?"."""
    named = (
        any(date.search(before) for date in DATES[:-1]) or find_days(before) or _DAY.search(before)
    )
    return bool(named) and _NOW.search(question) is not None


def judge(
    questions: Sequence[str], facts: Sequence[Sequence[str]], earlier: Sequence[str], lm: LM
) -> list[Verdict | None]:
    """What a base makes of questions for a yes or a no; None where both are as likely, or it is not
    asked: it does not tell cases of ours apart, or a question, or its facts, are long.

    Args:
        questions: What is asked, without markers of a chat.
        facts: What is told of each, the best last.
        earlier: What was said before each; "" where nothing was.
        lm: The base.
    """
    places = [
        at
        for at, (question, told) in enumerate(zip(questions, facts, strict=True))
        if told and max(len(question), sum(map(len, told))) <= _LONGEST
    ]
    found: list[Verdict | None] = [None] * len(questions)
    if not places or (poll := _recall_poll(lm)) is None:
        return found
    asked = [write_question(facts[at], questions[at], earlier[at]) for at in places]
    for at, odds in zip(places, measure_odds(asked, poll, lm), strict=True):
        if odds is not None:
            # The middle is 0, and cases of yes and of no are 1 and -1 on the mean.
            even = poll.adjust(odds, (1.0, -1.0))
            if abs(even) >= _DOUBT:
                found[at] = "Yes" if even > 0 else "No"
    return found


def choose(words: str, facts: Sequence[str], earlier: str, lm: LM) -> str | None:
    """The letter of the option that a base takes for the answer, each asked for by itself, or of
    that which says that none is; None where none stands out, or it is not asked.

    Args:
        words: A user's, options and all.
        facts: What is told, the best last.
        earlier: What was said before; "" where nothing was.
        lm: The base.
    """
    stem, options = split_options(words)
    none = find_none(options)
    if none is not None:
        del options[none]
    if not is_plain_choice(stem, options) or counts(stem):
        return None
    if not facts or not 1 < len(options) <= _MOST_OPTIONS:
        return None
    if max(len(stem), sum(map(len, facts))) > _LONGEST or (poll := _recall_poll(lm)) is None:
        return None
    asked = [
        write_question(facts, f"{stem.strip()}\nIs the answer: {option}?", earlier)
        for option in options.values()
    ]
    odds = measure_odds(asked, poll, lm)
    rated = sorted(
        ((each, letter) for each, letter in zip(odds, options, strict=True) if each is not None),
        reverse=True,
    )
    if len(rated) < len(options):
        return None
    doubt = _DOUBT * (poll.scale[0] - poll.scale[1]) / 2
    (best, letter), (second, _) = rated[:2]
    if none is not None and poll.adjust(best, (1.0, -1.0)) <= -_DOUBT:
        return none
    return letter if best - second >= doubt else None


def _recall_poll(lm: LM) -> Poll | None:
    """What stands around the questions to a base, made once; None: it is not heard."""
    if "yes or no" not in lm.kept:
        poll = Poll.of(lm, _ORDER, _show(_SHOWN))
        known = family(lm.base) in _KNOWN
        lm.kept["yes or no"] = poll if poll is None or known else poll.fit(_show(_CASES), lm)
    found: Poll | None = lm.kept["yes or no"]
    return found


def _show(cases: Iterable[tuple[str, str, str]]) -> list[Shown]:
    return [Shown(write_question([fact], asked), word == "yes") for fact, asked, word in cases]
