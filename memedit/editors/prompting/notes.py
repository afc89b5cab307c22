"""Facts as a note: which are told, how they read, and which words are no matter of chance."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from memedit.core.calls import LM, Row
from memedit.core.suspicion import leave_out_orders
from memedit.core.types import Edit, Hit
from memedit.editors.prompting.declaring import declare
from memedit.editors.prompting.forms import plain

WORDINGS = {
    "current": "Current facts, which replace what you know and what was said before:",
    "updated": "Up-to-date facts:",
    "force": "Note (in force now; it overrides what you know):",
    "quiet": "Current facts (rely on them over what you know; do not mention this list):",
    "use": "Use these facts:",
}
"""What introduces the facts in a chat."""
_CLOSED = re.compile(r"[.!?:;…。！？»”\")\]}`]$")
_VALUE = re.compile(
    r"\"[^\"\n]{1,60}\"|`[^`\n]{1,60}`"  # what is quoted
    # What holds a digit: an amount, a date, a version; from its beginning only, which is linear.
    r"|(?<![^\s,;()])[^\s,;()]*\d[^\s,;()]*"
    r"|(?<=[\w,;:] )[^\W\d_a-z][\w'’.-]*(?: [^\W\d_a-z][\w'’.-]*)*"  # names, but not a first word
)
_COUNTED = re.compile(
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|fourteen|fifteen|twenty|thirty|"
    r"forty|fifty|sixty|ninety) (?:working |school |calendar |business )?"
    r"(?:minutes?|hours?|days?|nights?|weeks?|months?|years?|euros?|dollars?|pounds?|per ?cent)\b",
    re.IGNORECASE,
)
_INDENT = "\n  "
"""A line of a fact cannot be taken for one of the conversation."""
_BEFORE = 600
"""Characters of what was said before a question that are read with it."""
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_SMALL = frozenset(
    "a an the of in on at by to for from with and or as its their his her our der die das le la les"
    " el los las il lo".split()
)
_CHARACTERS = 4
"""Of a token, about, where there is no tokenizer to count them."""


def state_whole(edit: Edit, tokenizer: Any) -> str:
    """An edit as a sentence without special tokens; where its target has lines, it keeps them."""
    lines = [plain(line, tokenizer) for line in declare(edit).splitlines()]
    return close_sentence("\n".join(line for line in lines if line))


def close_sentence(text: str) -> str:
    """A fact with a full stop, where it is one line that has no end."""
    return text if _CLOSED.search(text) or "\n" in text else f"{text}."


def bearing_on(row: Row, editor: str) -> Sequence[Hit]:
    """The row's hits that hold a payload of this editor: those asked, then those that inform."""
    return [hit for hit in row.decision.bearing if editor in hit.record.payloads]


@dataclass(frozen=True, slots=True)
class Room:
    """How much is told.

    Attributes:
        facts: How many facts at most.
        tokens, document_tokens: How many they may have together, and passages of documents.
    """

    facts: int
    tokens: int
    document_tokens: int


def fact_of(hit: Hit, editor: str, lm: LM | None) -> str:
    """What is told of a hit: its fact, or what is shown of a document; "": that is told already."""
    if hit.passage is None or hit.passage.text is None:
        return str(hit.record.payloads[editor]["fact"])
    lines = hit.passage.text.splitlines()
    return "\n".join(line if lm is None else plain(line, lm.tokenizer) for line in lines)


def choose_told(
    hits: Sequence[Hit], editor: str, room: Room, lm: LM | None, asked: str
) -> Sequence[tuple[Hit, str]]:
    """As many of the hits as fit, the first always, each with its fact; ``asked``: the request."""
    chosen: list[tuple[Hit, str]] = []
    # By whether it is a passage: documents have room of their own.
    left = {True: room.document_tokens, False: room.tokens}
    facts = ((hit, leave_out_orders(fact_of(hit, editor, lm), asked)) for hit in hits)
    for hit, fact in islice((pair for pair in facts if pair[1]), room.facts):
        of_document = hit.passage is not None
        left[of_document] -= len(fact) // _CHARACTERS if lm is None else len(lm.codec.ids(fact))
        # The first is told however long it is: without it there is nothing to answer from.
        if chosen and left[of_document] < 0:
            break
        chosen.append((hit, fact))
    return chosen


def write_note(facts: Sequence[str], wording: str) -> str:
    """The note: a line that introduces it, and a fact a line; further lines of a fact stand in."""
    lines = "\n".join(f"- {fact.replace(chr(10), _INDENT)}" for fact in facts)
    return f"{wording}\n{lines}"


def write_question(facts: Sequence[str], question: str, earlier: str = "") -> str:
    """A question with its facts, as a base is asked it behind worked examples.

    Args:
        facts: What is told, the best last.
        question: A user's.
        earlier: What was said before; "" where nothing was.
    """
    told = write_note([f"{fact.rstrip('.')}." for fact in facts], "Facts:")
    before = f"Said before: {earlier[-_BEFORE:]}\n" if earlier else ""
    return f"{told}\n{before}Question: {question.strip()}"


def core_of(object: str) -> str:
    """An object without the articles and prepositions it begins with, which begin anything."""
    words = object.split()
    first = next((n for n, word in enumerate(words) if word.casefold() not in _SMALL), len(words))
    return " ".join(words[first:])


def starts_of(text: str, hits: Sequence[Hit]) -> tuple[str, ...]:
    """The words of a request and its facts with which a sentence may begin: not their objects'."""
    objects = " ".join(hit.record.edit.target_new or "" for hit in hits)
    own = set(_WORD.findall(objects.casefold()))
    words = dict.fromkeys(word for word in _WORD.findall(text) if word.casefold() not in own)
    return tuple(words)


def values_of(hits: Sequence[Hit]) -> tuple[str, ...]:
    """What the facts say that is no matter of wording: objects, amounts and names."""
    found: dict[str, None] = {}
    for hit in hits:
        edit = hit.record.edit
        if edit.target_new is not None:
            found[edit.target_new.strip()] = None
        else:
            found |= dict.fromkeys(value.strip(".,;: ") for value in _VALUE.findall(edit.prompt))
    return tuple(value for value in found if value)


def single_value_of(statement: str, said: str) -> str:
    """The one value of a statement that was not said yet; "" where it has none, or several.

    Args:
        statement: An edit without an object of its own.
        said: What was said in the chat; an old value stands there, a new one does not.
    """
    found = [*_VALUE.findall(statement), *_COUNTED.findall(statement)]
    known = said.casefold()
    values = dict.fromkeys(value.strip(".,;: ") for value in found)
    new = [value for value in values if value and value.casefold() not in known]
    return new[0] if len(new) == 1 else ""
