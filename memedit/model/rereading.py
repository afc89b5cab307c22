"""Other readings of a request on which no edit seems to bear, as people leave things out.

Who writes to a firm's assistant says "your API", not the firm's name; puts two questions and a
story into one message; asks for a list of three things at once; misspells. So what bears on nothing
as a whole is read again: in the firm's name, spelt as the edits are and without "today", sentence
by sentence. The items of a list are read each by itself in any case, since the whole asks none of
them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from memedit.core.doubts import read_doubted
from memedit.core.opendays import DayAsked, tells_days
from memedit.core.passages import Conversation
from memedit.core.questions import find_last_question
from memedit.core.text import words_of
from memedit.core.types import Decision, Hit
from memedit.model.doubting import put_doubted_first
from memedit.model.ellipsis import fill_in
from memedit.model.house import (
    SMALL,
    STEM,
    WORD,
    House,
    put_in_house_name,
    put_names_for_it,
    read_end_in_house_name,
    respell,
    stem_words,
)
from memedit.model.itemising import parts_of
from memedit.model.joining import SURE, add_informing, find_ids, rate_surest
from memedit.model.piecing import Pieces
from memedit.model.shapes import find_hours_of, reshape

_WORDS = 60
"""Words of a request up to which it is read again as a whole, and by items."""
_NOW = re.compile(
    r"(?<!\bfrom)(?<!\buntil)(?<!\btill)(?<!\bby)(?<!\bto)(?<!\bor),? \b"
    r"(?:(?:as of )?(?:today|now)|nowadays|these days|currently|right now|at the moment|"
    r"at present|atm|rn)\b(?!['’]s\b| (?:that|or|on|then)\b)"
)


@dataclass(frozen=True, slots=True)
class Readings:
    """Other texts that a request may be read as.

    Attributes:
        spelt: All of it, spelt as the edits are, and without "today" and its like.
        housed: All of it, in the assistant's own name; of a text that is to go on its end.
        parts: Its sentences that ask something.
        homed: For each of them it in the assistant's own name; "" where it has that, or another.
        pieces: What it asks piece by piece.
        filled: The question before it, and what it is when it takes its words from that one.
        named: It with what the reply before it names in the place of "it".
        shaped: All of it, asked in another shape.
        doubted: What it asks once more: the question before it, and what was answered.
        turn: Its own words.
    """

    spelt: tuple[str, ...] = ()
    housed: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    homed: tuple[str, ...] = ()
    pieces: Pieces = Pieces()
    filled: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    shaped: tuple[str, ...] = ()
    doubted: tuple[str, ...] = ()
    turn: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        return (
            *self.spelt, *self.housed, *self.parts, *filter(None, self.homed),
            *self.pieces.texts, *self.filled, *self.named, *self.shaped, *self.doubted,
        )  # fmt: skip


def read_again(query: str, decision: Decision, house: House) -> Readings:
    """Other readings of a request: those of the whole and of its parts where nothing bears on it.

    Args:
        query: A text, or a conversation, of which the last turn is read.
        decision: What the scope said of it.
        house: Whose assistant answers.
    """
    last = getattr(query, "last", 0)
    turn, earlier = str(query)[last:].strip(), str(query)[:last].rstrip("\n")
    if decision.disagrees:  # a document is asked about, and answers for itself
        return Readings()
    if doubted := read_doubted(turn, earlier):
        return Readings(doubted=doubted, turn=turn)
    short = len(words_of(turn)) <= _WORDS
    pieces = Pieces.of(turn, house, alone=not earlier) if short else Pieces()

    def whole(text: str) -> tuple[str, ...]:
        return (Conversation(earlier, text),) if text not in ("", turn) else ()

    faint = short and rate_surest(decision) < SURE
    spelt = drop_now(respell(turn, house)) if faint else turn
    filled: tuple[str, ...] = ()
    if wholes := fill_in(spelt, earlier):
        filled = (find_last_question(earlier), *wholes)
    named = put_names_for_it(turn, earlier, house) if faint and earlier else ()
    if decision.bearing:
        # What is found in spite of a slip is found for sure, and in its role, without it.
        return Readings(spelt=whole(spelt), pieces=pieces, filled=filled, named=named, turn=turn)
    parts = parts_of(turn)
    homed = tuple(put_in_house_name(part, house) for part in parts)
    end = "" if earlier else read_end_in_house_name(turn, house)
    if not short:
        return Readings(housed=whole(end), parts=parts, homed=homed)
    housed = (*whole(put_in_house_name(spelt, house)), *whole(end))
    shaped = tuple(Conversation(earlier, text) for text in reshape(spelt))
    return Readings(whole(spelt), housed, parts, homed, pieces, filled, named, shaped, turn=turn)


def drop_now(turn: str) -> str:
    """A question without the words for the present, of which every edit speaks; as it is if none
    is left."""
    left = " ".join(_NOW.sub("", turn).split()) if _NOW.search(turn) else turn
    return left if len(words_of(left)) > 1 else turn


def decide_again(
    queries: Sequence[str],
    decisions: Sequence[Decision],
    house: House,
    decide: Callable[[Sequence[str]], list[Decision]],
) -> list[Decision]:
    """The decisions with what other readings of the queries find.

    Args:
        queries: Texts, or conversations.
        decisions: What the scope says of each.
        house: Whose assistant answers.
        decide: The scope.
    """
    readings = [read_again(q, d, house) for q, d in zip(queries, decisions, strict=True)]
    texts = [text for each in readings for text in each.texts]
    if not texts:
        return list(decisions)
    found = iter(decide(texts))
    return [
        _join_readings(own, each, [next(found) for _ in each.texts])
        for own, each in zip(decisions, readings, strict=True)
    ]


def _join_readings(own: Decision, readings: Readings, found: Sequence[Decision]) -> Decision:
    if readings.doubted:
        return put_doubted_first(own, found)
    each = iter(found)
    spelt, housed, parts, homed = (
        [next(each) if text else Decision() for text in texts]
        for texts in (readings.spelt, readings.housed, readings.parts, readings.homed)
    )
    pieces = [next(each) for _ in readings.pieces.texts]
    filled, named, shaped = (
        [next(each) for _ in texts] for texts in (readings.filled, readings.named, readings.shaped)
    )
    parts = [
        own_name if not part.bearing and rate_surest(own_name) >= SURE else part
        for part, own_name in zip(parts, homed, strict=True)
    ]
    whole = [
        *spelt,
        *_find_new(filled, readings.turn),
        *(
            d
            for d in (*housed, *named, *(d for d in shaped if _tells_hours(d, readings.turn)))
            if any((h.bearing or 0) >= SURE for h in d.bearing)
        ),
    ]
    found_any = (d for d in whole if d.bearing or d.disagrees)
    best = max(found_any, key=lambda d: (bool(d.disagrees), rate_surest(d)), default=None)
    sure = best is not None and rate_surest(best) >= SURE
    if filled and sure and find_ids(own) <= find_ids(filled[0]):
        own = replace(own, hits=(), informs=())  # what was asked before is asked no more
    if best is not None and (best.disagrees or rate_surest(best) > rate_surest(own)):
        own, parts = best, []
    asking = [d for d in parts if d.bearing]
    if len(asking) == 1 and not any(d.bearing for d in pieces):
        return asking[0]  # one question, with a story round it
    for decision in asking:
        own = add_informing(own, decision.bearing)
    return readings.pieces.join(own, iter(pieces))


def _tells_hours(found: Decision, turn: str) -> bool:
    """Whether what is found names all that a turn asks the hours of, if it does ask for hours: the
    library's are not its canteen's."""
    asked, of_day = stem_words(find_hours_of(turn)), DayAsked.of(turn) is not None
    facts = [hit.record.edit.statement for hit in found.bearing]
    return all(asked <= stem_words(fact) and (tells_days(fact) or not of_day) for fact in facts)


def _find_new(filled: Sequence[Decision], turn: str) -> list[Decision]:
    """What the readings of a turn ask that the question before it, the first of them, did not ask:
    another edit, or one that has the turn's own words."""
    if not filled:
        return []
    asked = find_ids(filled[0])
    own = {word.casefold().removesuffix("s")[:STEM] for word in WORD.findall(turn)} - SMALL

    def is_new(hit: Hit) -> bool:
        words = [word.casefold() for word in WORD.findall(hit.record.edit.statement)]
        told = any(word.startswith(stem) for word in words for stem in own if len(stem) > 2)
        return hit.record.id not in asked or told

    return [each for each in filled[1:] if each.bearing and is_new(each.bearing[0])]
