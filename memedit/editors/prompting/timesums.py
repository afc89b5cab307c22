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

from memedit.editors.prompting.clocks import (
    DAY_MINUTES,
    Clock,
    Day,
    Span,
    find_clocks,
    find_days,
    find_spans,
    shift,
    write_times,
)
from memedit.editors.prompting.elapsing import add_to_date, asks_when
from memedit.editors.prompting.notes import write_question
from memedit.editors.prompting.timeties import belong_together, is_unclear
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
    (("The bar of the Merrow pool shuts at 17:15.",),
     "we need an hour and a half for our party there. whats the latest we can begin so that its "
     "over when you shut", "17:15 - 90 minutes"),
)  # fmt: skip
MOST_NEW = 32
_LINE = re.compile(
    r"\s*(?P<start>[^+\n]{1,60}?)\s*(?P<terms>(?:(?:[+-]|and\b)\s*\d{1,4} ?[a-z]{1,8}\s*){1,3})"
    r"(?:#.*)?\.?\s*$"
)
_TERM = re.compile(r"(?:[+-]|and\b)\s*\d{1,4} ?[a-z]{1,8}")
_NEAR = 16
"""Characters behind a day in which its time stands."""
_EVENING = re.compile(r"\b(?:evening|tonight|night|afternoon|pm)\b", re.IGNORECASE)
_MINUTES = {"minute": 1, "hour": 60}
_SIDES = {1: "after", -1: "before"}
_MOST = 600
"""Characters of a request, and of all facts."""


def show() -> list[tuple[str, str]]:
    """Worked examples: what is asked, and the sum."""
    return [(write_question(facts, question), line) for facts, question, line in _SHOWN]


def may_be_dated(words: str, facts: Sequence[str]) -> bool:
    """Whether a request may ask for a day or a time that is so long before or after another one.

    Args:
        words: A user's.
        facts: What is told.
    """
    if len(words) > _MOST or sum(map(len, facts)) > _MOST or not asks_when(words):
        return False
    asked, *told = (_write_plain(text) for text in (words, *facts))
    if any(True for fact in told for _ in find_spans(fact)):
        return any(find_days(text) or find_clocks(text) for text in (asked, *told))
    # "The pool closes at 21:00": the latest moment for what takes so long.
    lengths = any(True for _ in find_spans(asked))
    return lengths and any(find_days(fact) or find_clocks(fact) for fact in told)


def work_out_moment(line: str, facts: Sequence[str], words: str) -> str:
    """What a line comes to, as what is worked out is told: "20 May - 8 days = 12 May. Result: 12
    May"; "" where it is none, or holds what nobody said, or goes another way than its fact says.

    Args:
        line: What the base wrote.
        facts: What is told, the best last.
        words: A user's.
    """
    found = _LINE.match(_write_plain(line.strip().split("\n", 1)[0]))
    if found is None:
        return ""
    asked, *told = (_write_plain(text) for text in (words, *facts))
    terms = _read_terms(_TERM.findall(found["terms"]))
    days, clocks = _read_start(found["start"], [asked, *told])
    if len(days) > 1 or len(clocks) > 1 or not (days or clocks) or not terms:
        return ""
    in_days = bool(days) or any(span.unit not in _MINUTES for _, span in terms)
    if is_unclear(asked, told, in_days=in_days):
        return ""
    if not belong_together(days, clocks, terms, asked, told):
        return ""
    if days and not clocks and any(span.unit in _MINUTES for _, span in terms):
        clocks = _find_own_clock(asked)
    clock = clocks[0] if len({each.minutes for each in clocks}) == 1 else None
    late = _EVENING.search(asked) is not None
    end = _add(days[0] if days else None, clock, terms, late=late)
    shown = " ".join(f"{found['start']} {' '.join(found['terms'].split())}".split())
    return f"{shown} = {end}. Result: {end}" if end else ""


def _write_plain(text: str) -> str:
    return write_times(write_digits(text))


def _read_terms(terms: Sequence[str]) -> list[tuple[int, Span]]:
    """Which way each term goes, and how far; nothing where one cannot be read, or comes twice."""
    found: list[tuple[int, Span]] = []
    way = 1
    for term in terms:
        way = {"+": 1, "-": -1}.get(term[0], way)
        spans = list(find_spans(term.lstrip("+-and")))
        if len(spans) != 1 or any(spans[0] == span for _, span in found):
            return []
        found.append((way, spans[0]))
    return found


def _read_start(start: str, texts: Sequence[str]) -> tuple[list[Day], list[Clock]]:
    """The days and times of a sum's beginning that one of the texts has, too, year and all."""
    days, clocks = find_days(start), find_clocks(start)
    named = {day for text in texts for day in find_days(text)}
    plain = {(day.month, day.day) for day in named if day.year is None}
    years = " ".join(texts)
    times = {clock.minutes for text in texts for clock in find_clocks(text)}
    known = all(
        day in named or ((day.month, day.day) in plain and (not day.year or str(day.year) in years))
        for day in days
    )
    return (days, clocks) if known and all(c.minutes in times for c in clocks) else ([], [])


def _find_own_clock(asked: str) -> list[Clock]:
    """The time that stands behind the only day of a request."""
    days = find_days(asked)
    return find_clocks(asked[days[0].at[1] :][:_NEAR]) if len(days) == 1 else []


def _add(
    day: Day | None, clock: Clock | None, sums: Sequence[tuple[int, Span]], *, late: bool
) -> str:
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
        return "" if clock.bare else _add_to_both(day, clock, minutes)
    end = shift(clock, minutes, late=late) if abs(minutes) < DAY_MINUTES else None
    if end is None:
        return ""
    over = 0 if end.bare else end.minutes // DAY_MINUTES
    return f"{end}{f' the day {_SIDES[over]}' if over else ''}"


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
