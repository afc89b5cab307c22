"""What a chat's reply leans to, and does not begin with, for the facts that it is told.

A base says what it has known for long against a note, and asked for a yes or no the one that it
likes better. The tokens of an object, and of yes and no, get likelier (a bias of the logits, as in
constrained decoding); what a base puts in an answer's place, a denial or an echo of the note, does
not begin it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from memedit.core.calls import Row
from memedit.core.types import Hit
from memedit.editors.prompting.abroad import find_answers, is_abroad
from memedit.editors.prompting.choices import choice_of, find_options
from memedit.editors.prompting.comparing import Verdict
from memedit.editors.prompting.denials import (
    denials_against,
    echoes_against,
    greetings_against,
    steps_against,
)
from memedit.editors.prompting.forms import awaits_reply, head
from memedit.editors.prompting.notes import core_of, single_value_of, starts_of
from memedit.editors.prompting.polar import is_polar
from memedit.editors.prompting.premises import give_verdict
from memedit.editors.prompting.stale import find_stale
from memedit.editors.prompting.verdicts import VERDICTS


def asks_yes_or_no(row: Row) -> bool:
    """Whether a yes or a no is asked for, and no option, of what nobody put into English."""
    return find_words_for_both(row) is not None


def find_words_for_both(row: Row) -> tuple[str, str] | None:
    """The words for yes and no with one of which the answer to a row begins; None: with neither."""
    if row.formed or row.decision.read_as or find_options(row.words):
        return None
    # "Is de winkel open?" begins as an English one does.
    if (answers := find_answers(row.words)) or is_abroad(row.words):
        return answers
    return VERDICTS if is_polar(row.words) else None


@dataclass(frozen=True, slots=True)
class Leaning:
    """How replies lean.

    Attributes:
        weight: How much likelier (natural log) the tokens of an object get; 0: nothing does.
        wording: What introduces the facts.
    """

    weight: float
    wording: str

    def lean(self, row: Row, hits: Sequence[Hit], lines: Sequence[str]) -> Row:
        """The row, whose reply leans to what its facts say.

        Args:
            row: A chat.
            hits: What bears on it, the best first.
            lines: The facts, the best one last.
        """
        facts = " ".join(lines)
        asked = any(hit.role == "asks" for hit in hits)
        # Where one of the objects is to be said, or a reply goes on, nothing else begins.
        begins = self.weight and not row.answers and row.turn is not None and awaits_reply(row.turn)
        return replace(
            row,
            leans=self._find_objects(row, hits),
            swaps=self._find_swaps(row, hits),
            opens=self._find_openings(row, hits, lines),
            starts=starts_of(f"{row.prompt} {facts}", hits),
            shuns=self._find_shunned(row, lines, asked=asked) if begins else (),
        )

    def weigh(self, row: Row, given: Verdict | None) -> tuple[tuple[str, float], ...]:
        """How much likelier yes and no get, in the words of the row's language: what was found
        twice as much as the other."""
        words = find_words_for_both(row) or ()
        pairs = zip(words, VERDICTS, strict=False)
        return tuple(
            (word, self.weight * (2 if verdict == given else 1)) for word, verdict in pairs
        )

    def choose(self, letter: str) -> tuple[tuple[str, float], ...]:
        """How much likelier the letter of an option gets."""
        return ((letter, 2 * self.weight),)

    def _find_shunned(self, row: Row, lines: Sequence[str], *, asked: bool) -> tuple[str, ...]:
        """What a reply does not begin with."""
        facts, before = " ".join(lines), f"{head(row)} {row.prompt}"
        denials = denials_against(before, facts, asked=asked)
        letters = greetings_against(row.words, facts) if asked else ()
        echoes = echoes_against(before, self.wording, lines)
        return (*denials, *letters, *echoes, *steps_against(row.words))

    def _find_swaps(self, row: Row, hits: Sequence[Hit]) -> tuple[tuple[str, str], ...]:
        """What a reply does not say as a base always did: (old, new)."""
        if not self.weight or row.decision.read_as or row.turn is None:
            return ()
        # Its own earlier replies a base repeats, though they are so no longer.
        asked = row.turn.chat.collect_asked(row.turn.before)
        beside = " ".join(hit.record.edit.statement for hit in row.decision.companions)
        return find_stale(row.words, f"{head(row)} {asked} {row.prompt} {beside}", hits)

    def _find_objects(self, row: Row, hits: Sequence[Hit]) -> tuple[tuple[str, float], ...]:
        said = "" if row.turn is None else f"{row.turn.before} {row.prompt}"
        edits = [hit.record.edit for hit in hits if hit.role == "asks"]
        objects = [
            single_value_of(edit.statement, said)
            if edit.target_new is None
            else core_of(edit.target_new)
            for edit in edits
        ]
        # Of several that may be asked no one is likelier for being one that can be leaned to.
        return tuple((object, self.weight) for object in objects if all(objects) and self.weight)

    def _find_openings(
        self, row: Row, hits: Sequence[Hit], lines: Sequence[str]
    ) -> tuple[tuple[str, float], ...]:
        if not self.weight or row.formed:
            return ()
        if letter := choice_of(row.words, lines[::-1]):
            return self.choose(letter)
        return self.weigh(row, give_verdict(row, hits))
