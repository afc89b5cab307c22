"""What a thought claims of two numbers, worked out by the machine.

A small base thinks "since 128 euros is above the limit of 135 euros, …" and concludes from it.
Where the one comparison of a thought is wrong, so is what it concludes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_MORE = "above|over|(?:more|greater|higher|longer|larger|older|later) than"
_LESS = "below|under|(?:less|lower|shorter|smaller|younger|earlier|fewer) than"
_NUMBER = (
    r"(?<![\d.,:])[€£$]?(?P<{0}>\d+(?:[.,:]\d+)*)"
    r"(?: ?(?P<{0}_half>[ap]\.?m\b\.?)|[- ]?(?P<{0}_of>[^\W\d_]+|%|°C))?"
)
_LIMIT = (
    r"(?: (?:the|a|an|of|limit|age|maximum|minimum|required|allowed|opening|hours|window|range|"
    r"period|reimbursement)\b){0,6} "
)
_CLAIM = re.compile(
    _NUMBER.format("one")
    + r"(?:-olds?| old)?(?:,? which|,)? (?:is|are|was|were|falls) (?P<denied>not )?"
    + rf"(?:(?P<more>{_MORE})|(?P<less>{_LESS})|within|between)"
    + _LIMIT
    + _NUMBER.format("other")
    + rf"(?: (?:to|and) {_NUMBER.format('last')})?",
    re.IGNORECASE,
)
_FUNCTION = frozenset("is are was were falls to and so it which the therefore".split())
_NOON = 12
_MOST = 1_000
"""Characters of a thought."""


def concludes_falsely(thought: str) -> bool:
    """Whether a thought compares two numbers once, and wrongly."""
    claims = list(find_claims(thought)) if len(thought) <= _MOST else []
    return len(claims) == 1 and not claims[0]


def find_claims(thought: str) -> Iterator[bool]:
    """Of each comparison of two amounts of one unit, or times of day, whether it is so."""
    for found in _CLAIM.finditer(thought):
        one, other, last = (_read(found, name) for name in ("one", "other", "last"))
        if one is None or other is None or not _are_alike(found):
            continue
        if not (found["more"] or found["less"]):
            low, high = (other, last) if last is not None else (float("-inf"), other)
            so = low <= one <= high
        elif last is not None or one == other:  # "10 TB is more than 10 TB": a limit is spoken of
            continue
        else:
            so = (one > other) == bool(found["more"])
        yield so != bool(found["denied"])


def _read(found: re.Match[str], name: str) -> float | None:
    """A number; a time of day in hours. None: there is none that can be told."""
    if (text := found[name]) is None:
        return None
    hours, _, minutes = text.partition(":")
    try:
        number = float(hours) + float(minutes) / 60 if minutes else float(text.replace(",", ""))
    except ValueError:
        return None
    half = (found[f"{name}_half"] or "").casefold()
    return number + _NOON if half.startswith("p") and number < _NOON else number


def _are_alike(found: re.Match[str]) -> bool:
    """Whether what is compared is of one unit, as far as it is told, or all are times of day."""
    clocks = [bool(found[f"{name}_half"] or ":" in found[name]) for name in ("one", "other")]
    units = [_unit(found, name) for name in ("one", "other")]
    if any(clocks):  # of "2" beside "2:30 pm" nobody knows whether it is in the morning
        return all(clocks)
    return units[0] == units[1] or not units[1]


def _unit(found: re.Match[str], name: str) -> str:
    unit = (found[f"{name}_of"] or "").casefold().removesuffix("s")
    return "" if unit in _FUNCTION or unit + "s" in _FUNCTION else unit
