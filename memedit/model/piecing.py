"""What a text, a list or a program that is to be written asks piece by piece, and what is told.

"Write him what it costs, and when we close" asks two things of which the whole is no question: each
is read by itself. What a piece asks and nothing tells yet is told, too. And where for every piece
there is an edit that surely answers it, what none of them asks is not: a base that is to write puts
whatever it is shown into its text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from memedit.core.types import Decision, Hit
from memedit.model.house import House, put_in_house_name
from memedit.model.itemising import (
    asks_besides,
    clauses_of,
    is_about_form,
    items_of,
    keys_of,
    lists_more,
)
from memedit.model.joining import SURE, add_informing, find_ids, rate_surest

_PIECE = 0.4
"""Probability from which an edit counts that a piece asks."""
_FEWEST = 2


@dataclass(frozen=True, slots=True)
class Pieces:
    """What a request asks piece by piece.

    Attributes:
        items: What a list shall hold.
        clauses: The questions within its sentences.
        housed: For each of them it in the assistant's own name; "" where it has that, or another.
        keys: What is programmed shall hold.
        alone: Whether it asks no more: nothing was said before, and no other sentence asks.
    """

    items: tuple[str, ...] = ()
    clauses: tuple[str, ...] = ()
    housed: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    alone: bool = True

    @classmethod
    def of(cls, turn: str, house: House, *, alone: bool = True) -> Pieces:
        """Those of a request to an assistant; ``alone``: nothing was said before."""
        items = tuple(items_of(turn))
        clauses = tuple(clause for clause in clauses_of(turn) if clause not in items)
        housed = tuple(put_in_house_name(clause, house) for clause in clauses)
        keys = (f"the {key} of {house.name}" if house.name else key for key in keys_of(turn))
        more = lists_more(turn) or asks_besides(turn, (*items, *clauses))
        return cls(items, clauses, housed, tuple(keys), alone and not more)

    @property
    def texts(self) -> tuple[str, ...]:
        return (*self.items, *self.clauses, *filter(None, self.housed), *self.keys)

    def join(self, own: Decision, found: Iterator[Decision]) -> Decision:
        """A decision, with what its pieces ask.

        Args:
            own: Of the whole.
            found: Of each of the texts.
        """
        items, clauses, housed, keys = (
            [next(found) if text else Decision() for text in texts]
            for texts in (self.items, self.clauses, self.housed, self.keys)
        )
        for item in items:
            own = add_informing(own, item.hits)
        for piece in (*clauses, *housed, *keys):
            # Of what nothing that was found tells.
            if rate_surest(piece) >= _PIECE and not find_ids(piece) & find_ids(own):
                own = add_informing(own, piece.hits[:1])
        own = _mark(
            own,
            [
                *zip(self.items, items, strict=True),
                *zip(self.clauses, clauses, strict=True),
                *zip(self.housed, housed, strict=True),
            ],
        )
        if not self.alone:
            return own
        named = zip(self.clauses, clauses, housed, strict=True)
        asked = [(item, [each]) for item, each in zip(self.items, items, strict=True)]
        asked += [(clause, [bare, own_name]) for clause, bare, own_name in named]
        return _drop_unasked(own, [each for text, each in asked if not is_about_form(text)])


def _mark(own: Decision, read: Sequence[tuple[str, Decision]]) -> Decision:
    """A decision whose edits say which piece surely asks them."""
    pieces = {
        hit.record.id: text
        for text, found in read
        for hit in found.hits
        if (hit.score or 0.0) >= SURE
    }

    def mark(hits: Sequence[Hit]) -> tuple[Hit, ...]:
        return tuple(replace(hit, piece=pieces.get(hit.record.id, "")) for hit in hits)

    return replace(
        own, hits=mark(own.hits), informs=mark(own.informs), candidates=mark(own.candidates)
    )


def _drop_unasked(own: Decision, pieces: Sequence[Sequence[Decision]]) -> Decision:
    """A decision without what no piece asks, where for each of several pieces some edit surely
    bears."""
    sure = all(max(map(rate_surest, readings)) >= SURE for readings in pieces)
    if len(pieces) < _FEWEST or not sure:
        return own
    asked = {id for readings in pieces for each in readings for id in find_ids(each)}
    hits, informs = (
        tuple(hit for hit in told if hit.record.id in asked) for told in (own.hits, own.informs)
    )
    # Nor is it told beside what is asked.
    candidates = tuple(
        hit if hit.record.id in asked else replace(hit, role=None, bearing=0.0)
        for hit in own.candidates
    )
    return replace(own, hits=hits, informs=informs, candidates=candidates)
