"""An edit as a sentence that says something, also where its prompt is a question.

A question and its answer on one line ("Who wrote Hamlet? Marlowe") read as the beginning of a
dialogue: a base goes on with more of them, or echoes them, and takes less from them for yes and no.
So what is asked is said: "Marlowe wrote Hamlet", and where the words do not tell how, what the
answer to the question is.
"""

from __future__ import annotations

import re

from memedit.core.types import Edit

_ASKED = ("?", "？", "؟")
_IS = re.compile(r"(?:who|what|which)\s+(is|was|are|were)\s+(.+)", re.IGNORECASE | re.DOTALL)
_DID = re.compile(r"who\s+([a-z]+)\s+(.+)", re.IGNORECASE | re.DOTALL)
_NAMED = re.compile(r"(?:the|an?|my|our|your|his|her|its|their)\b|[^\W\d_]+['’]s\b", re.IGNORECASE)
_OPEN = re.compile(r"\b(?:by|of|in|on|at|to|from|after|for|with|as)$", re.IGNORECASE)
_HELPS = frozenset(
    "is was are were does do did has have had will would can could shall should may might must the"
    " a an else all in of on at this that he she it they you we".split()
)
"""What follows "who" without being what somebody does."""
_TWO = re.compile(r"[?？؟]|\b(?:and|or) (?:who|what|when|where|which|why|how)\b", re.IGNORECASE)
"""Two questions in one."""
_SENTENCE = re.compile(r"[A-Z]\w*\s(?:.*\s)?[a-z]+.*[.!]$", re.DOTALL)
"""An answer that is a sentence, and no part of one."""


def declare(edit: Edit) -> str:
    """The edit's statement, and of an edit that asks and answers a sentence that says the same."""
    asked, target = edit.prompt.strip(), edit.target_new
    if target is None or not asked.endswith(_ASKED):
        return edit.statement
    words, target = asked.rstrip("".join(_ASKED)).strip(), target.strip()
    one_line = "\n" not in target and "\n" not in words and not _SENTENCE.match(target)
    one = one_line and not _TWO.search(words)
    said = _declare(words, target, edit.subject or "") if one else None
    if said is not None:
        return said
    joint = " " if one_line else ":\n" if "\n" in words + target else ": "
    return f'The answer to "{asked}" is{joint}{target}'


def _declare(words: str, target: str, subject: str) -> str | None:
    """What "Who is …", "What was … by" and "Who wrote …" say with their answer; None for others."""
    if found := _IS.fullmatch(words):
        verb, rest = found[1].casefold(), found[2].strip()
        end = len(subject)
        if subject and _OPEN.search(rest) and rest[:end].casefold() == subject.casefold():
            return f"{rest[:end]} {verb}{rest[end:]} {target}"  # "Acme was | founded by | Ada"
        whole = subject and rest.casefold().endswith(subject.casefold())
        if _NAMED.match(rest) and (whole or not _OPEN.search(rest)):
            return f"{rest[0].upper()}{rest[1:]} {verb} {target}"
        return None
    found = _DID.fullmatch(words)
    if found is None or found[1].casefold() in _HELPS:
        return None
    return f"{target} {found[1]} {found[2]}"
