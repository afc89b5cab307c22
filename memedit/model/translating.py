"""Requests in other languages, read in English: the packaged encoder and scope know no other.

The base speaks the user's language. It translates what is asked, for the scope alone: it answers
the request as it was put. An upstream does the same (:mod:`memedit.serving.upstream.backend`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from memedit.core.calls import Batch, Completion, Row
from memedit.core.languages import is_foreign
from memedit.core.passages import Conversation
from memedit.core.text import normalise, words_of
from memedit.core.types import Decision, Hit, key_texts
from memedit.model.prompts import Messages

if TYPE_CHECKING:  # torch, which a server in front of another one begins without
    from memedit.engine.engine import Engine

Decide = Callable[[Sequence[str]], list[Decision]]
Translate = Callable[[Batch, Sequence[Sequence[int]]], Sequence[Completion | None]]
"""Of a batch, and of which of the queries each of its rows is: who serves counts what that takes,
and ends it with those who wait. None: nobody waits for it any more."""
Translating = Callable[[Batch, Sequence[str]], Sequence[Completion | None]]
"""The same, of a batch and the texts that its rows put into English."""
MOST_NEW = 256
"""New tokens of a translation."""
_LONGEST = 1_200
"""Characters at the end of a request that are translated."""
_SHORT, _BEFORE = 14, 400
"""A turn of so many words at most may lean on what was said before: so many characters of it are
translated, too."""
_FEW = 4
"""Words below which a turn's language is told from what was said before it."""
_CODE = re.compile(r"\b(?=\w*[A-Z])[A-Z0-9]{2,}\b")
"""What has no translation: CTO, X2."""
_ASKED = "Translate into English, word for word:\n"
_SHOWN = (
    ("¿Cuánto cuesta el envío a Roma? Responde en una frase.",
     "How much is shipping to Rome? Answer in one sentence."),
    ("Wann hat Ihr Museum offen?", "When is your museum open?"),
)  # fmt: skip
"""Without examples a base answers now and then what it is to translate."""


def request_of(text: str) -> Messages:
    """What the base is asked, to have a text in English."""
    turns = [
        {"role": role, "content": said}
        for shown, english in _SHOWN
        for role, said in (("user", _ASKED + shown), ("assistant", english))
    ]
    return [*turns, {"role": "user", "content": _ASKED + text.strip()}]


def parts_to_read(query: str) -> tuple[str, ...]:
    """The parts of a query that are to be translated: the last turn, or what was said before it and
    the turn; none where the query is in English."""
    last = getattr(query, "last", 0)
    turn, earlier = str(query)[last:][-_LONGEST:], str(query)[:last].strip()
    words = len(words_of(turn))
    before = earlier[-_BEFORE:] if words <= _SHORT else ""
    if not is_foreign(f"{before}\n{turn}" if words < _FEW else turn):
        return ()
    return (before, turn) if before and is_foreign(before) else (turn,)


def put_in_english(query: str, translated: Sequence[str]) -> str:
    """The query with its :func:`parts_to_read` translated."""
    last = getattr(query, "last", 0)
    if not last:
        return translated[-1]
    earlier = str(query)[:last].strip()
    return Conversation(translated[0] if len(translated) > 1 else earlier, translated[-1])


def keep_codes(text: str, translated: str) -> str:
    """The translation with the codes of the text, where it has one a letter off in one's place:
    small bases make the CEO of the CTO."""
    own, others = set(_CODE.findall(text)), set(_CODE.findall(translated))
    for lost in own - others:
        near = [each for each in others - own if _is_letter_off(lost, each)]
        if len(near) == 1:
            translated = re.sub(rf"\b{near[0]}\b", lost, translated)
    return translated


def _is_letter_off(one: str, other: str) -> bool:
    pairs = zip(one, other, strict=False)
    return len(one) == len(other) and sum(a != b for a, b in pairs) == 1


def translate_rows(
    rows: Mapping[str, Row], engine: Engine, call: Translating | None
) -> dict[str, str | None]:
    """Texts in English, by the base; "" where its window has no room, so that they are read as they
    are; None: nobody waits for it any more.

    Args:
        rows: What the base is asked about each text.
        engine: The base.
        call: Stands in for its ``generate``.
    """

    room = math.inf if engine.window is None else engine.window - MOST_NEW
    sizes = {text: 0 if row.ids is None else len(row.ids) for text, row in rows.items()}
    fit = [text for text, size in sizes.items() if size <= room]
    made: dict[str, str | None] = dict.fromkeys(rows, "")
    if fit:
        options = {"max_new_tokens": MOST_NEW, "do_sample": False}
        batch = Batch(tuple(rows[text] for text in fit), lm=engine, options=options)
        said = call(batch, fit) if call else engine.generate(batch)
        made |= {text: a.text.strip() if a else None for text, a in zip(fit, said, strict=True)}
    return made


def name_places(queries: Sequence[str], call: Translate | None) -> Translating | None:
    """The call told which queries the texts that it puts into English are parts of."""
    if call is None:
        return None
    told = call

    def translate(batch: Batch, texts: Sequence[str]) -> Sequence[Completion | None]:
        parts = list(map(parts_to_read, queries))
        return told(batch, [[at for at, own in enumerate(parts) if t in own] for t in texts])

    return translate


def decide_in_english(
    queries: Sequence[str], decide: Decide, translate: Callable[[Sequence[str]], list[str]]
) -> list[Decision]:
    """What a scope says of each query, of those in other languages by what they are in English.

    Args:
        queries: Texts, or conversations.
        decide: The scope.
        translate: The base: each text in English; "" where it has nothing to say.
    """
    every = list(dict.fromkeys(part for query in queries for part in parts_to_read(query)))
    return decide_translated(queries, dict(zip(every, translate(every), strict=True)), decide)


def decide_translated(
    queries: Sequence[str], known: Mapping[str, str], decide: Decide
) -> list[Decision]:
    """What a scope says of each query, given the English of :func:`parts_to_read` by part."""
    if not known:
        return decide(queries)
    parts = list(map(parts_to_read, queries))
    read = {
        at: put_in_english(query, [keep_codes(part, known.get(part) or part) for part in each])
        for at, (query, each) in enumerate(zip(queries, parts, strict=True))
        if each and known.get(each[-1], "").strip()
    }
    # In one call: a scope reads many texts for little more than one.
    decided = decide([*queries, *read.values()])
    own, others = decided[: len(queries)], decided[len(queries) :]
    for (at, text), translated in zip(read.items(), others, strict=True):
        own[at] = replace(choose(queries[at], own[at], translated), read_as=str(text))
    return own


def choose(query: str, own: Decision, translated: Decision) -> Decision:
    """Of a query in another language: what the scope says of its translation, or else, of edits in
    another language too and of those in the query's very words, what it says of the query."""
    if translated.bearing or translated.disagrees:
        return translated
    asked = normalise(query[getattr(query, "last", 0) :])

    def stays(hit: Hit) -> bool:
        edit = hit.record.edit
        return asked in map(normalise, key_texts(edit)) or is_foreign(edit.statement)

    hits, informs = tuple(filter(stays, own.hits)), tuple(filter(stays, own.informs))
    beside = tuple(filter(stays, own.companions))
    told = replace(own, hits=hits, informs=informs, companions=beside)
    return told if hits or informs else translated
