"""Whatever may be put in at a public door, drawn by Hypothesis, and calls that count what comes."""

from __future__ import annotations

import string
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from datetime import timedelta, timezone
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from memedit.core.errors import MemeditError
from tests.campaign.ledger import LONG, say

T = TypeVar("T")
ODD = (
    "", " ", "\n", "\0", "..", "a/b", "\ud800", "\udfff\ud800", "é" * 300, "x" * 9_000, "[" * 2_000,
    "{}", "{0}", "%s", "'; DROP TABLE records; --", "\u202e gnippilf", "\u200b", "İstanbul", "ſ",
    "The capital of France is", "France", "Lyon", "9999-12-31", "0001-01-01T00:00:00+14:00",
    "2026-02-30", "-1", "1e400", "NaN", "default", "nobody", "１２", "𝟙", "🇫🇷" * 5,
)  # fmt: skip
LETTERS = st.characters() | st.sampled_from(string.printable)  # surrogates too
TEXTS = st.sampled_from(ODD) | st.text(LETTERS, max_size=40)
ZONES = st.just(timezone.utc) | st.just(timezone(timedelta(hours=14))) | st.none()
MOMENTS = st.dates() | st.datetimes(timezones=ZONES)
NUMBERS = st.integers(-3, 9) | st.sampled_from([2**31, 2**63, -(2**70)]) | st.floats()
THINGS = (
    TEXTS | MOMENTS | NUMBERS | st.none() | st.booleans() | st.binary(max_size=9)
    | st.lists(TEXTS, max_size=3) | st.dictionaries(TEXTS, TEXTS, max_size=2)
)  # fmt: skip


def doors_of(kind: type) -> list[str]:
    """The names of what is called: the methods of a class that are not its own affair."""
    return [name for name in vars(kind) if not name.startswith("_")]


def put_in(doors: Any, calls: int, chosen: str, counts: Counter[str]) -> dict[str, str]:
    """So many calls, each at one of the doors, with what it draws; what went wrong.

    Args:
        doors: Its methods are called with ``draw``. They raise MemeditError where something is
            refused; AssertionError where something was lost.
    """
    wrong: dict[str, str] = {}
    names = doors_of(type(doors))

    @seed(chosen)
    @settings(
        max_examples=calls, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(data=st.data())
    def put(data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(names))
        called(lambda: getattr(doors, name)(data.draw), name, counts, wrong)

    put()
    return wrong


def called(
    work: Callable[[], object], name: str, counts: Counter[str], wrong: dict[str, str]
) -> None:
    """One call: counted, and what is wrong with it noted."""
    counts["calls"] += 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            work()
    except MemeditError as error:
        counts["refused"] += 1
        if not str(error).strip():
            note(wrong, f"{name}: an error that says nothing", "")
    except Exception as error:
        note_error(wrong, name, error, "")


def note_error(wrong: dict[str, str], name: str, error: Exception, about: str) -> None:
    """What was raised, and where, once."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    told = f"{where.filename.rpartition('/')[2]}:{where.lineno} {where.name}"
    note(wrong, f"{name}: {type(error).__name__} in {told}", f"{error!s:.300}{about}")


def note(wrong: dict[str, str], where: str, what: str) -> None:
    """What went wrong, once of a kind; a long run, which may be cut off, says it at once."""
    if where not in wrong and LONG:
        say(f"WRONG {where}: {what}")
    wrong.setdefault(where, what)


def drawn(strategy: st.SearchStrategy[T], count: int) -> list[T]:
    """So many values, the same every time."""
    found: list[T] = []

    @seed(count)
    @settings(
        max_examples=count, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(value=strategy)
    def keep(value: T) -> None:
        found.append(value)

    keep()
    return found


def told(wrong: dict[str, str]) -> str:
    """What went wrong, a line each."""
    return "\n".join(f"{where}: {what}" for where, what in wrong.items())
