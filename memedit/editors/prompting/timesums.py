"""Days and times that a base writes as a sum, and the machine works out.

As with sums of numbers (:mod:`memedit.editors.prompting.formulas`) a small base knows what belongs
together ("20 May - 8 days"), and counts badly: it says that this is the 13th, or asks for 127 days.
Of what it writes one day, one time of day or both are read, and how long before or after that is
asked for; what neither facts nor request have does not count. English only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from memedit.editors.prompting.clocks import Clock, Day, Span, find_clocks, find_days, find_spans
from memedit.editors.prompting.elapsing import OTHER_DAYS, add_to_date, asks_when
from memedit.editors.prompting.towards import lasts_days
from memedit.editors.prompting.wording import write_digits

ORDER = (
    "You write the sum that answers a question about a day or a time: a day or a time from the "
    "facts or the question, plus or minus how long the facts say. Where nothing is to be added or "
    "taken away you write None."
)
_SHOWN = (
    (("Invoices of Fernwood are to be paid within 14 days.",),
     "My invoice came on 3 May. What's the last day to pay it?", "3 May + 14 days"),
    (("At the Alder Theatre, seats must be collected at least 45 minutes before the show.",),
     "Our show starts at 8:15 pm. By when do we have to pick up the seats?",
     "8:15 pm - 45 minutes"),
    (("A pass for the Aquadome runs for 6 months.",),
     "I bought mine on 1 March 2026. when does it run out?", "1 March 2026 + 6 months"),
    (("Room changes at Pine Lodge are free up to 5 days before arrival.",),
     "we arrive on the 20th of June. until what date can we still change the room?",
     "20 June - 5 days"),
    (("The kiosk at the pier closes at 19:30.", "A boat trip takes 2 hours."),
     "till when is the kiosk open", "None"),
    (("The last tram to Norby leaves at 22:50.",
      "The tram from the town to Norby takes 35 minutes."),
     "We take the last tram. When do we get to Norby?", "22:50 + 35 minutes"),
    (("Before a blood test at the Halden clinic nothing may be eaten for 10 hours.",),
     "My test is at 9:30 am. When may I last eat?", "9:30 am - 10 hours"),
    (("The bus into town goes every 25 minutes.",),
     "I just missed it, it's 16:05. when's the next one", "16:05 + 25 minutes"),
)  # fmt: skip
MOST_NEW = 32
_LINE = re.compile(
    r"\s*(?P<start>[^+\n]{1,60}?)\s*(?P<terms>(?:(?:[+-]|and\b)\s*\d{1,4} ?[a-z]{1,8}\s*){1,3})"
    r"(?:#.*)?\.?\s*$"
)
_TERM = re.compile(r"(?:[+-]|and\b)\s*\d{1,4} ?[a-z]{1,8}")
_ARRIVES = re.compile(
    r"\b(?:arriv\w*|get (?:in|to|home|back|there)|land|there|back|home|finish\w*|over|done|ready|"
    r"ends?|out|through|(?:on|at|to) the other|across|ashore|due)\b",
    re.IGNORECASE,
)
"""In what asks for the end of what one fact tells the beginning of, and another the length."""
_MINUTES = {"minute": 1, "hour": 60}
_MOST = 600
"""Characters of a request, and of all facts."""


def show() -> list[tuple[str, str]]:
    """Worked examples: what is asked, and the sum."""
    return [(put(facts, question), line) for facts, question, line in _SHOWN]


def put(facts: Sequence[str], question: str, earlier: str = "") -> str:
    """What the base is asked.

    Args:
        facts: What is told, the best last.
        question: A user's.
        earlier: What was said before; "" where nothing was.
    """
    told = "\n".join(f"- {fact.rstrip('.')}." for fact in facts)
    before = f"Said before: {earlier[-_MOST:]}\n" if earlier else ""
    return f"Facts:\n{told}\n{before}Question: {question.strip()}"


def may_be_dated(words: str, facts: Sequence[str]) -> bool:
    """Whether a request may ask for a day or a time that is so long before or after another one.

    Args:
        words: A user's.
        facts: What is told.
    """
    texts = [write_digits(text) for text in (words, *facts)]
    if len(words) > _MOST or sum(map(len, facts)) > _MOST or not asks_when(words):
        return False
    moments = any(find_days(text) or find_clocks(text) for text in texts)
    return moments and any(True for fact in texts[1:] for _ in find_spans(fact))


def work_out_moment(line: str, facts: Sequence[str], words: str) -> str:
    """What a line comes to, as what is worked out is told: "20 May - 8 days = 12 May. Result: 12
    May"; "" where it is none, or holds what nobody said.

    Args:
        line: What the base wrote behind ``result =``.
        facts: What is told.
        words: A user's.
    """
    found = _LINE.match(line.strip().split("\n", 1)[0])
    if found is None:
        return ""
    asked, told = write_digits(words), [write_digits(fact) for fact in facts]
    terms = _read_terms(_TERM.findall(found["terms"]))
    days, clocks = _read_start(write_digits(found["start"]), [asked, *told])
    if len(days) > 1 or len(clocks) > 1 or not (days or clocks) or not terms:
        return ""
    if not _are_known(terms, asked, told) or not _is_of_one(days, clocks, terms, asked, told):
        return ""
    if any(OTHER_DAYS.search(fact) for fact in facts) or _is_counted_with(terms, facts):
        return ""
    if not clocks and any(span.unit in _MINUTES for _, span in terms):
        clocks = find_clocks(asked)  # the day's own time, of a booking
    clock = clocks[0] if len({each.minutes for each in clocks}) == 1 else None
    end = _add(days[0] if days else None, clock, terms)
    shown = " ".join(f"{found['start']} {' '.join(found['terms'].split())}".split())
    return f"{shown} = {end}. Result: {end}" if end else ""


def _read_terms(terms: Sequence[str]) -> list[tuple[int, Span]]:
    """Which way each term goes, and how far; nothing where one cannot be read."""
    found, way = [], 1
    for term in terms:
        way = {"+": 1, "-": -1}.get(term[0], way)
        spans = list(find_spans(term.lstrip("+-and")))
        found += [(way, span) for span in spans]
        if len(spans) != 1:
            return []
    return found


def _are_known(terms: Sequence[tuple[int, Span]], asked: str, told: Sequence[str]) -> bool:
    """Whether each length of time is one that was told, and goes the way that its fact says: back
    where it counts from its end, else on. Which way a user's own goes the base says."""
    own = {(span.number, span.unit) for span in find_spans(asked)}
    ways = {(s.number, s.unit): -1 if s.ahead else 1 for fact in told for s in find_spans(fact)}
    return all(
        (span.number, span.unit) in own or ways.get((span.number, span.unit)) == way
        for way, span in terms
    )


def _is_of_one(
    days: Sequence[Day],
    clocks: Sequence[Clock],
    terms: Sequence[tuple[int, Span]],
    asked: str,
    told: Sequence[str],
) -> bool:
    """Whether moment and length belong together: one of them is the user's own, or both stand in
    one fact, or the end is asked for of what begins at the one and takes the other."""
    lengths = {(span.number, span.unit) for _, span in terms}

    def holds(text: str) -> tuple[bool, bool]:
        named = {(day.month, day.day) for day in find_days(text)}
        times = {clock.minutes for clock in find_clocks(text)}
        moment = any((day.month, day.day) in named for day in days)
        moment = moment or any(clock.minutes in times for clock in clocks)
        return moment, bool(lengths & {(s.number, s.unit) for s in find_spans(text)})

    return (
        any(holds(asked)) or any(all(holds(f)) for f in told) or _ARRIVES.search(asked) is not None
    )


def _read_start(start: str, texts: Sequence[str]) -> tuple[list[Day], list[Clock]]:
    """The days and times of a sum's beginning that one of the texts has, too."""
    days, clocks = find_days(start), find_clocks(start)
    told = {(day.month, day.day) for text in texts for day in find_days(text)}
    times = {clock.minutes for text in texts for clock in find_clocks(text)}
    known = all((day.month, day.day) in told for day in days)
    return (days, clocks) if known and all(c.minutes in times for c in clocks) else ([], [])


def _is_counted_with(sums: Sequence[tuple[int, Span]], facts: Sequence[str]) -> bool:
    """Whether days are added to the first of those for which something lasts."""
    onward = any(way > 0 and span.unit not in _MINUTES for way, span in sums)
    return onward and any(map(lasts_days, facts))


def _add(day: Day | None, clock: Clock | None, sums: Sequence[tuple[int, Span]]) -> str:
    """What comes out, as it is said; "": nothing for sure."""
    short = [each for each in sums if each[1].unit in _MINUTES]
    minutes = sum(way * span.number * _MINUTES[span.unit] for way, span in short)
    for way, span in sums:
        if span.unit not in _MINUTES:
            day = add_to_date(day, span, way) if day is not None else None
            if day is None:
                return ""
    if not short:
        return "" if day is None else f"{day}{f', {clock}' if clock else ''}"
    if clock is None:
        return ""
    if day is not None:
        return _add_to_both(day, clock, minutes)
    over, rest = divmod(clock.minutes + minutes, 24 * 60)
    if abs(over) > 1:
        return ""
    other = f" the day {'before' if over < 0 else 'after'}" if over else ""
    return f"{Clock(rest, clock.half)}{other}"


def _add_to_both(day: Day, clock: Clock, minutes: int) -> str:
    """A day and a time so many minutes from another one, whatever year it is."""
    found = set()
    for year in (day.year,) if day.year else (2023, 2024):
        try:
            start = datetime(year, day.month, day.day) + timedelta(minutes=clock.minutes)
            end = start + timedelta(minutes=minutes)
        except (ValueError, OverflowError):
            return ""
        at = Clock(end.hour * 60 + end.minute, clock.half)
        found.add(f"{Day(end.year if day.year else None, end.month, end.day)}, {at}")
    return found.pop() if len(found) == 1 else ""
