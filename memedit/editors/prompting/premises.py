"""What a row takes for granted of its facts, and what they say of that: an old value, another
amount or name."""

from __future__ import annotations

from collections.abc import Sequence

from memedit.core.calls import Row
from memedit.core.doubts import doubts, find_doubted
from memedit.core.types import Hit
from memedit.editors.prompting.approving import wants_yes
from memedit.editors.prompting.comparing import Verdict
from memedit.editors.prompting.former import confirms, correct_premise, find_former, find_supposed
from memedit.editors.prompting.othernames import correct_name, find_other_name
from memedit.editors.prompting.verdicts import verdict_of
from memedit.editors.prompting.wording import spell_speech_digits

_HURRIED = 300
"""Characters of a request in which digits may stand for words."""


def correct_row(row: Row, hits: Sequence[Hit]) -> str:
    """A row's prompt, without a former value, or another amount, that it takes for granted, and
    without digits in the place of words ("how much 2 get in 4 a grown up")."""
    if row.decision.read_as or hits[0].passage is not None:
        return row.prompt
    edit = hits[0].record.edit
    plain = correct_premise(row.prompt, find_former_of(row, hits[0]), edit)
    plain = correct_name(plain, edit)
    if question := _find_doubted(row):
        plain = f"{plain}\n{question}?"
    return spell_speech_digits(plain) if len(plain) <= _HURRIED else plain


def _find_doubted(row: Row) -> str:
    """The question that a turn asks once more, and does not say again; "": it asks its own."""
    said = find_said(row)
    asked = find_doubted(said) if said and doubts(row.words, said) else ""
    return asked[:1].upper() + asked[1:]


def deny_former(row: Row, hit: Hit, fact: str) -> str:
    """A fact, and where a row goes by what it was before, that it is so no longer."""
    chats = row.turn is not None and row.target is None and not row.decision.read_as
    if not chats or hit.passage is not None:
        return fact
    if former := find_former_of(row, hit):
        return f"{fact} It is no longer {former}."
    supposed = find_supposed(row.words, fact) or find_other_name(row.words, hit.record.edit)
    return f"{fact} It is not {supposed}." if supposed else fact


def find_said(row: Row) -> str:
    """The user's earlier words in a chat."""
    return "" if row.turn is None else row.turn.chat.collect_asked(row.turn.before)


def find_former_of(row: Row, hit: Hit) -> str:
    """The value that a row takes for a fact's, and that it had before; "": there is none."""
    return find_former(row.words, hit.record.edit, hit.former)


def give_verdict(row: Row, hits: Sequence[Hit]) -> Verdict | None:
    """What the facts say to a yes-or-no question by its words, or by what was true before."""
    if given := verdict_of(row.words, hits):
        return given
    return "No" if hits and is_refuted(row, hits[0]) else None


def is_refuted(row: Row, hit: Hit) -> bool:
    """Whether a row asks for no more than that a value holds that the fact had before."""
    former = find_former_of(row, hit)
    if not former:
        return False
    # Who says that the open day is on 12 October, and books for the 11th: "that's alright?".
    return wants_yes(row.words) or confirms(row.words, former, hit.record.edit.statement)
