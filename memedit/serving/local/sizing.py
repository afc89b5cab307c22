"""Whether a grammar is small enough to be kept to: one that may not be is compiled apart first.

``{"multipleOf": 300007}`` takes llguidance 13 seconds, 3,000 definitions that name each other end
the process. What a caller sends is therefore tried in a process of its own, with limits of time and
memory, unless it is so short and plain that neither can be.
"""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from memedit.core.untrusted import PLACE

log = logging.getLogger(__name__)
_WAITED = 20.0
"""Seconds, where the system does not end a process that takes more of the processor than it may."""
_SHORT = 2_000
"""Characters of a grammar that can be compiled at once."""
_HARD = re.compile(r'"(?:multipleOf|pattern|patternProperties|allOf)"|\d{5}')
_TRIES = 3
"""Processes for the grammars of one request: one that is too large ends its process."""
_NUMBER = re.compile(
    r'"(multipleOf|(?:min|max)(?:Items|Length|Properties))": (\d[\d.]{0,30}(?:e\+?\d{1,4})?)'
)
_PATTERN = re.compile(r'"pattern": "((?:[^"\\]|\\.)*)"')
_LARGE = 100
_NAMED = 4
"""What is named of a schema that is too large: so many of its largest parts."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a grammar.

    Attributes:
        why: It cannot be kept to; "": it can.
        size: Bytes that it takes, about; 0: not measured.
    """

    why: str = ""
    size: int = 0


def is_small(grammar: str) -> bool:
    """Whether a grammar is compiled in no time, whatever it says."""
    return len(grammar) <= _SHORT and not _HARD.search(grammar)


def judge_apart(grammars: Sequence[str]) -> list[Verdict]:
    """Whether each grammar can be kept to, and what it takes, tried in a process of its own."""
    said: list[Verdict] = []
    for _ in range(_TRIES):
        left = grammars[len(said) :]
        if not left:
            break
        told = _run(left)
        said += told
        if len(told) < len(left):
            said.append(Verdict("it takes too much time or memory"))
    late = Verdict("other schemas of the request took too long")
    said += [late] * (len(grammars) - len(said))
    return [
        replace(told, why=f"{told.why} ({name_largest(grammar)})") if told.why else told
        for grammar, told in zip(grammars, said, strict=True)
    ]


def _run(grammars: Sequence[str]) -> list[Verdict]:
    """What the process says of the first grammars, up to one that is too large."""
    command = [sys.executable, "-m", "memedit.serving.local.sizing_worker"]
    given = json.dumps(list(grammars)).encode()
    try:
        done = subprocess.run(command, input=given, capture_output=True, timeout=_WAITED, cwd=PLACE)
        out, code, last = done.stdout, done.returncode, done.stderr[-200:]
    except subprocess.TimeoutExpired as error:
        out, code, last = error.stdout or b"", -1, b""
    if code:
        log.warning("A schema was too large to be compiled (%d): %r", code, last)
    # A line that was cut off is none.
    return [
        Verdict(*json.loads(line)) for line in out.splitlines(keepends=True) if line.endswith(b"\n")
    ]


def name_largest(grammar: str) -> str:
    """What is large in a grammar, for whoever wrote its schema."""
    largest: dict[str, float] = {}
    for name, number in _NUMBER.findall(grammar):
        largest[name] = max(largest.get(name, 0.0), float(number))
    ordered = sorted(largest.items(), key=lambda each: -each[1])
    named = [f"{name} {number:,.12g}" for name, number in ordered if number >= _LARGE]
    if patterns := _PATTERN.findall(grammar):
        longest = max(patterns, key=len)
        shown = longest if len(longest) <= 60 else f"{longest[:60]}..."
        named.append(f"pattern {shown}")
    if (keys := grammar.count('": ')) >= _LARGE:
        named.append(f"{keys:,} keys")
    if (values := grammar.count(", ")) >= _LARGE:
        named.append(f"{values:,} entries")
    return "; ".join([*named[:_NAMED], f"{len(grammar):,} characters"])
