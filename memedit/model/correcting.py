"""What a new edit corrects: asked of the scope, since a correction comes in other words.

"The CEO of Acme is" Ada, then "Acme's CEO is" Bo, or the statement "The CEO of Acme is Cy.": one
slot. The new edit is put to the scope as a question about what is in force, and what is in force
as questions about the new edit. What asks the same both ways for sure, with a value of the same
kind, is replaced; where it is less sure, both stay and the receipt says so: to retire what should
stay is the worse error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from memedit.core.errors import InvalidEditError
from memedit.core.moments import UTC, Moment, moment_of
from memedit.core.naming import guess_subject
from memedit.core.plainly import takes_back
from memedit.core.protocols import Encoder
from memedit.core.text import (
    CLOSING,
    find_subject,
    find_words,
    normalise,
    subject_key,
    words_of,
)
from memedit.core.types import Decision, Edit, Hit, Record
from memedit.memory import EditMemory
from memedit.model.beginning import awaits_its_day, read_beginning
from memedit.model.copies import is_changed_copy
from memedit.model.denying import ends, is_gone, name_goes_on, says_only_end
from memedit.model.ending import find_ended, find_taken_back
from memedit.model.judging import Judge
from memedit.model.restating import compare_forms, numbers_of
from memedit.model.restating import replaces as replaces_for_sure
from memedit.model.several import surely_has_one, surely_has_several
from memedit.model.succession import SURE as REPLACES
from memedit.model.succession import find_succeeded

SURE, SWAPPED, POSSIBLE = 0.85, 0.93, 0.5
"""Probability of asking the same, the lower of both ways, from which a fact is replaced; where one
word stands for another; and from which it may be meant, or is replaced where the prompts have the
same words. How they were chosen: docs/facts.md."""
_SOUNDS_ALIKE = 0.6
"""Cosine of two sentences from which numbers that differ are told. Of our own rules (topics that
nothing was tuned on are measured apart) 93% in other words reach it, and of others one in a
hundred."""
_MOST = 5
"""Facts in force that a new edit is compared with."""
_TURNS = frozenset("by was were had used is are has".split())
"""Words by which two prompts of the same words ask another thing: the other way round, or then."""
_NOTHING = frozenset("a an the of is are what who whom which".split())
_NOW = frozenset(("now", "currently"))
_LONGEST = 8
"""Words of a value that follows an old prompt in a statement."""


@dataclass(frozen=True, slots=True)
class Corrections:
    """What a new edit means for the facts in force.

    Attributes:
        repeats: One that says the same already, whatever its words; nothing needs to be written.
        replaces: Those that it corrects.
        perhaps: Those that may be meant, and stay.
        since: From when it replaces them, as the edit's own words say ("From 1 January …"); None:
            they say nothing, or it was told with the edit.
    """

    repeats: Record | None = None
    replaces: tuple[Record, ...] = ()
    perhaps: tuple[Record, ...] = ()
    since: datetime | None = None


def find_corrections(
    judge: Judge,
    edit: Edit,
    namespace: str,
    moment: datetime | None = None,
    *,
    sure: float = REPLACES,
    but: Record | None = None,
) -> Corrections:
    """What a new edit corrects among the facts that hold at a moment (None: now).

    Facts with its very prompt are the memory's matter, and not among them. What states the same in
    another form (a sentence; a prompt and what follows it) is repeated, or replaced where the new
    edit brings more than it. A scope without trained probabilities finds beside that only what is
    said to hold no longer.

    A statement that names its first day and says otherwise from then on ("From 1 January the fee is
    60 euros.") replaces from that day.

    Args:
        sure: Probability from which a statement in other words replaces.
        but: A record whose place the edit is to take: it, and the pieces of its fact, count as not
            there.
    """
    if not len(judge.memory):
        return Corrections()
    found = _find_others(judge, edit, namespace, moment, sure, but)
    twins = _leave_out(but, judge.memory.restating(edit, namespace))
    return _heed_twins(found, twins, edit, moment) if twins else found


def _heed_twins(
    found: Corrections, twins: Sequence[Record], edit: Edit, moment: datetime | None
) -> Corrections:
    """What a new edit corrects where others state the same in another form: it repeats one of them,
    or takes the place of all."""
    own = {record.sequence for record in twins}
    others, perhaps = (
        tuple(r for r in records if r.sequence not in own)
        for records in (found.replaces, found.perhaps)
    )
    known = next((r for r in twins if _needs_no_more(r, edit, moment)), None)
    if known is not None and not others:
        return replace(found, repeats=known, replaces=(), perhaps=perhaps, since=None)
    return replace(found, repeats=None, replaces=(*twins, *others), perhaps=perhaps)


def _needs_no_more(old: Record, edit: Edit, moment: datetime | None) -> bool:
    """Whether a record that states the same holds as it is for a new edit, of no date."""
    if moment is not None or not old.holds_at(datetime.now(UTC)):
        return False
    known = old.edit
    if not _is_written_alike(known.statement, edit.statement, begins=True):
        return False
    found_by = {*edit.queries} <= {*known.queries} and {*edit.excluded} <= {*known.excluded}
    rests = {*edit.because_of} <= {*known.because_of}
    # With a prompt, or a subject, it is found and fitted where a whole sentence is not.
    named = edit.subject is None or known.subject is not None
    parted = edit.is_statement or (named and not known.is_statement)
    return found_by and rests and parted


def _is_written_alike(known: str, new: str, *, begins: bool = False) -> bool:
    """Whether a text that says the same corrects nothing in how it is written ("MW" for "mW").
    One without capitals was written in haste; the first letter of what ``begins`` a sentence is
    that of its place."""
    before, after = (" ".join(text.split()).rstrip(CLOSING)[begins:] for text in (known, new))
    return before == after or (after == after.lower() == before.lower())


def _find_others(
    judge: Judge,
    edit: Edit,
    namespace: str,
    moment: datetime | None,
    sure: float,
    but: Record | None,
) -> Corrections:
    """What it corrects that does not state the same; its own words may say from when on."""
    begins = read_beginning(edit, judge.memory.zone)
    if begins is not None:
        then = moment or begins.compared_at
        found = _find_corrections(judge, begins.edit, namespace, then, sure, but)
        if found.replaces and not any(map(awaits_its_day, found.replaces)):
            since = begins.start if moment is None else None
            return replace(found, repeats=None, since=since)
    return _find_corrections(judge, edit, namespace, moment, sure, but)


def _find_corrections(
    judge: Judge,
    edit: Edit,
    namespace: str,
    moment: datetime | None,
    sure: float,
    but: Record | None,
) -> Corrections:
    if edit.multiple:
        back = _leave_out(but, find_taken_back(judge.memory, edit, namespace, moment))
        return Corrections(replaces=tuple(back))
    # Untimed: a year in a new fact belongs to it, and asks for no earlier state.
    (decision,) = judge.judge(
        [edit.prompt],
        namespace,
        moment,
        keep=lambda hit: _is_comparable(hit, edit) and bool(_leave_out(but, [hit.record])),
    )
    near = list(decision.candidates[:_MOST])
    denied = [hit.record for hit in near if ends(edit, hit.record.edit, surely=False)]
    ended = [record for record in denied if ends(edit, record.edit, surely=True)]
    anew, differs = _find_restated(judge, edit, decision)
    differs += denied
    ended += [record for record in anew if record not in ended]
    left = [hit for hit in decision.candidates if hit.record not in ended]
    taken, reworded = find_succeeded(judge, edit, left, sure)
    ended += taken
    about = [hit.record for hit in near if is_gone(edit, hit.record.edit, alone=False)]
    near = [hit for hit in near if hit.bearing is not None and hit.record not in ended]
    asked = _rate_asked(judge, edit, [hit.record for hit in near])
    rated = [(hit, _rate_both(edit, hit, p)) for hit, p in zip(near, asked, strict=True)]
    same = [
        hit.record for hit, p in rated if p >= _require(hit, edit) and _has_one_subject(hit, edit)
    ]
    repeats = next((r for r in same if _says_the_same(r.edit, edit)), None)
    replaces = [r for r in same if _is_one_kind(r.edit, edit) and not _says_the_same(r.edit, edit)]
    perhaps = [h.record for h, p in rated if p >= POSSIBLE and h.record not in replaces]
    perhaps = [r for r in perhaps if not _says_the_same(r.edit, edit)]
    # What brings more than it repeats is written.
    says_more = edit.queries or edit.because_of
    if repeats is not None and (replaces or says_more or moment is not None):
        repeats = None
    more = [r for r in (*about, *differs, *reworded) if r not in (*ended, *replaces, *perhaps)]
    # One record may be in both lists; records are not hashable, their sequences are.
    perhaps += {record.sequence: record for record in more}.values()
    gone, named = (
        _leave_out(but, some) for some in find_ended(judge.memory, edit, namespace, moment)
    )
    replaces = [*ended, *replaces, *gone]
    perhaps += [record for record in named if record not in (*replaces, *perhaps)]
    if edit.is_statement and says_only_end(edit.statement):  # what says the same agrees
        perhaps = [r for r in perhaps if not says_only_end(r.edit.statement)]
    return Corrections(repeats, tuple(replaces), tuple(perhaps))


def _leave_out(but: Record | None, records: Iterable[Record]) -> list[Record]:
    """Records that are no piece of the fact of another."""
    own = None if but is None else but.id.partition("~")[0]
    return [record for record in records if record.id.partition("~")[0] != own]


def _find_restated(
    judge: Judge, edit: Edit, decision: Decision
) -> tuple[list[Record], list[Record]]:
    """(facts that a sentence of their form replaces, those that it may contradict): where one of
    the two is a statement. Passages of documents are neither."""

    def surely(way: Callable[[str, str | None, Encoder], bool]) -> Callable[[str], bool]:
        encoder = judge.memory.encoder
        return lambda before: way(before, edit.subject or guess_subject(before), encoder)

    replaced, differs = list[Record](), list[Record]()
    corrected = list[Record]()
    for hit in decision.candidates:
        old = hit.record.edit
        either = edit.is_statement or old.is_statement
        if not either or hit.passage is not None:
            continue
        if old.is_statement and edit.is_statement and is_changed_copy(old.prompt, edit.prompt):
            # "Room 12 …" and "Room 14 …" of one form look alike, too: it is told.
            differs.append(hit.record)
            continue
        found = compare_forms(old.statement, edit.statement)
        if found is not None and found.about:
            sure = replaces_for_sure(found, surely(surely_has_one), surely(surely_has_several))
            sure = sure and (old.is_statement or found.kind != "denial")
            (replaced if sure else differs).append(hit.record)
        if found is not None and found.about and takes_back(edit.statement):
            corrected.append(hit.record)
        elif found is None and _gives_another_number(hit, edit):
            differs.append(hit.record)
    if len(corrected) == 1 and corrected[0] not in replaced:
        replaced += corrected  # "Sorry, I meant …": of one form it is this one
    return replaced, [record for record in differs if record not in replaced]


def _gives_another_number(hit: Hit, edit: Edit) -> bool:
    """Whether two sentences that sound alike give another number of the same: they may contradict
    each other. One that names what the other does not is about another thing."""
    old = hit.record.edit
    if hit.similarity < _SOUNDS_ALIKE:
        return False
    (was, of_old), (now, of_new) = numbers_of(old.statement), numbers_of(edit.statement)
    if not was or was == now or of_old != of_new:
        return False
    names = [_names(each.statement) for each in (old, edit)]
    return names[0] <= names[1] or names[1] <= names[0]


def _names(text: str) -> set[str]:
    """Words that are written with a capital, but for the first."""
    return {w.text for w in find_words(text)[1:] if text[w.start].isupper()}


def make_options(
    found: Corrections, memory: EditMemory, until: Moment | None = None
) -> dict[str, Any]:
    """What :meth:`EditMemory.add` must be told of it; ``valid_from`` only where the edit says it.

    Args:
        until: Up to when the new edit holds. What is over replaces nothing that is in force.

    Raises:
        InvalidEditError: no date.
    """
    replaces, perhaps, since = found.replaces, found.perhaps, found.since
    if until is not None:
        end = moment_of(until, "valid_until", InvalidEditError, zone=memory.zone, last=True)
        if end <= max(datetime.now(UTC), since or datetime.now(UTC)):
            replaces, perhaps, since = (), (*replaces, *perhaps), None
        elif found.repeats is not None:  # with an end of its own it takes the place of the other
            replaces = (*replaces, found.repeats)
    named = {"replaces": replaces, "perhaps": perhaps}
    told: dict[str, Any] = {name: [r.id for r in records] for name, records in named.items()}
    return told if since is None else told | {"valid_from": since}


def find_start(memory: EditMemory, since: Moment | None) -> datetime | None:
    """The moment at which an edit is compared with what holds: when it begins; None: now.

    Raises:
        InvalidEditError: no date.
    """
    if since is None:
        return None
    return moment_of(since, "valid_from", InvalidEditError, zone=memory.zone)


def _is_comparable(hit: Hit, edit: Edit) -> bool:
    """Whether a fact may be about the same: of other words, and of one subject, as far as told."""
    old = hit.record.edit
    if old.multiple or normalise(old.prompt) == normalise(edit.prompt):
        return False
    if old.subject is not None and edit.subject is not None:
        return subject_key(old.subject) == subject_key(edit.subject)
    return hit.mention is not None or old.subject is None


def _has_one_subject(hit: Hit, edit: Edit) -> bool:
    """Whether an old fact with a slot may be replaced: both name its subject.

    A statement may say more than what is corrected: it is never replaced for being asked the same.
    """
    old = hit.record.edit
    if old.subject is None or old.is_statement or _is_turned(edit, old):
        return False
    start, end = find_subject(edit.prompt, old.subject)
    return end > 0 and not name_goes_on(edit.prompt, start, end)


def _is_turned(edit: Edit, old: Edit) -> bool:
    """Whether two prompts differ in nothing but words that turn the question: who "was bought by"
    another is not who "bought" it, and who "was" CEO not who "is"."""
    new, known = set(words_of(edit.prompt)), set(words_of(old.prompt))
    differ = (new ^ known) - {"the", "a", "an", "of"}
    return not edit.is_statement and differ != set() and differ <= _TURNS


def _require(hit: Hit, edit: Edit) -> float:
    """How sure the scope must be: less where the prompts differ in nothing but order, or where a
    statement goes on from the old prompt."""
    old = hit.record.edit
    if edit.is_statement:
        said, before = words_of(edit.prompt), words_of(old.prompt)
        goes_on = said[: len(before)] == before and len(said) - len(before) <= _LONGEST
        return POSSIBLE if goes_on else SURE
    own, known = _take_asked_words(edit, old), _take_asked_words(old, old)
    if own == known:
        return POSSIBLE
    # One word for another is rather another relation: "largest office", "head office".
    return SWAPPED if len(own - known) == 1 == len(known - own) else SURE


def _take_asked_words(edit: Edit, old: Edit) -> set[str]:
    """The words of a prompt beside the subject; prepositions count: "bought by" is not "bought"."""
    return set(words_of(edit.prompt)) - set(words_of(old.subject or "")) - _NOTHING


def _rate_both(edit: Edit, hit: Hit, back: float) -> float:
    """Probability that both ask the same; a statement asks nothing, it is only asked."""
    return back if edit.is_statement else min(hit.score or 0.0, back)


def _rate_asked(judge: Judge, edit: Edit, records: Sequence[Record]) -> list[float]:
    """Probability that each record's prompt asks what the new edit says.

    The slot is compared, not the value: the new prompt is read with the old one's.
    """
    if not records:
        return []
    said = [_put_value(edit, record.edit) for record in records]
    # A memory of the new edit alone: what is in force becomes the question.
    with EditMemory(None, judge.memory.encoder) as alone:
        for one in said:
            alone.add(one)
        prompts = [record.edit.prompt for record in records]
        decisions = Judge(alone, judge.scope).judge(prompts, "default")
    return [
        max((hit.score or 0.0 for hit in found.candidates if hit.record.id == one.id), default=0.0)
        for found, one in zip(decisions, said, strict=True)
    ]


def _put_value(new: Edit, old: Edit) -> Edit:
    # With its own value the new prompt would be another fact to the scope.
    value = new.target_new and (old.target_new or new.target_new)
    plain = replace(new, target_new=value, queries=(), excluded=(), id="")
    # As one of several: one prompt with several values would replace itself in that memory.
    return replace(plain, multiple=not new.is_statement, id="")


def _says_the_same(old: Edit, new: Edit) -> bool:
    """Whether nothing is new; a statement that says more ("not Ada", "Ada, since May") is."""
    if old.target_new is None:
        return normalise(old.statement) == normalise(new.statement)
    if new.target_new is None:
        return _fold(_split_words(new.prompt, old.prompt)) == _fold(_split_words(old.target_new))
    alike = _is_written_alike(old.target_new, new.target_new)
    return alike and normalise(old.target_new) == normalise(new.target_new)


def _is_one_kind(old: Edit, new: Edit) -> bool:
    """Whether a new value may stand for an old one: a number for a number, a name for a name.

    What a statement says beside the old prompt must be such a value and no more: "The CEO of Acme
    is on holiday." is no correction of who that is.
    """
    value = old.target_new or ""
    if new.target_new is not None:
        return _has_digit(value) == _has_digit(new.target_new)
    kind = _classify_value(_split_words(value))
    return kind is not None and kind == _classify_value(_split_words(new.prompt, old.prompt))


def _split_words(text: str, beside: str = "") -> list[str]:
    """The words of a text as they are written, without those that say nothing and those of another;
    prepositions and what was count: "on the Seine", "was Ada"."""
    left_out = _NOTHING | _NOW | set(words_of(beside))
    return [text[w.start : w.end] for w in find_words(text) if w.text not in left_out]


def _classify_value(words: Sequence[str]) -> tuple[str, ...] | None:
    """What a value is: a number with its units, or a name; None: neither, or unknown."""
    if any(map(_has_digit, words)):
        return ("number", *sorted(_fold(word for word in words if not _has_digit(word))))
    return ("name",) if words and all(word[0].isupper() for word in words) else None


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))


def _fold(words: Iterable[str]) -> set[str]:
    return {word.casefold() for word in words}
