"""Values that what bears on a request had before: a request may still go by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from difflib import SequenceMatcher

from memedit.core.moments import UTC
from memedit.core.plainly import drop_lead, drop_present
from memedit.core.types import Decision, Edit, Hit
from memedit.editors.prompting.wording import write_digits
from memedit.memory import EditMemory, MemoryView
from memedit.model.restating import NO_UNIT

MOST_EDITS = 20_000
"""Edits of a memory up to which its history is looked at: it is read row by row."""
_MOST = 4
"""Words of a value."""


def add_former(
    decision: Decision, store: EditMemory | MemoryView, as_of: datetime | None
) -> Decision:
    """The decision, its hits with the values that their slots had before: what the edit says that
    the base would say, and what the edit replaced; of a statement, the value in which it differs
    from the one of its form that it replaced.

    The history is asked of a directory alone. Replicas answer from their copy, also while the
    database is away; and a database in RAM does not survive that a reader is interrupted."""
    if not decision.bearing or decision.named:  # of another time, what was is what is asked
        return decision

    def add(hits: tuple[Hit, ...]) -> tuple[Hit, ...]:
        return tuple(
            replace(hit, former=former) if (former := find_values(hit, store, as_of)) else hit
            for hit in hits
        )

    return replace(decision, hits=add(decision.hits), informs=add(decision.informs))


def find_values(
    hit: Hit, store: EditMemory | MemoryView, as_of: datetime | None
) -> tuple[str, ...]:
    """The values that a hit's slot had before, as :func:`add_former` says; () of what has several
    at once, and of a document."""
    edit = hit.record.edit
    if edit.multiple or hit.passage is not None:
        return ()
    own = isinstance(store, EditMemory) and store.path is not None and len(store) <= MOST_EDITS
    older = store.before(hit.record, as_of or datetime.now(UTC)) if own else None
    values = (edit.target_true, "" if older is None else _find_value(older.edit, edit))
    return tuple(value for value in dict.fromkeys(values) if value)


def _find_value(older: Edit, edit: Edit) -> str:
    if older.target_new is not None and edit.target_new is not None:
        return older.target_new
    return find_changed(older.statement, edit.statement)


def find_changed(old: str, new: str) -> str:
    """The value of a statement that is another one in a newer statement of its form: a number with
    what it counts, or a name; "": they differ in anything else."""
    was, now = (drop_present(drop_lead(text)).rstrip(" .!").split() for text in (old, new))
    one, two = ([word.casefold() for word in words] for words in (was, now))
    # autojunk would leave out words that come often in a long text: "the", "is".
    codes = SequenceMatcher(None, one, two, autojunk=False).get_opcodes()
    changed = [code for code in codes if code[0] != "equal"]
    if len(changed) != 1 or changed[0][0] != "replace":
        return ""
    _, first, last, start, end = changed[0]
    if last - first > _MOST or end - start > _MOST or 2 * (last - first) > len(was):
        return ""
    value, instead = was[first:last], now[start:end]
    if _has_number(value) and _has_number(instead):
        counted = was[last] if _has_number(value[-1:]) and last < len(was) else ""
        unit = [counted] if counted.isalpha() and counted not in NO_UNIT else []
        return " ".join([*value, *unit]).strip(" ,;:")
    named = all(words[0][:1].isupper() for words in (value, instead)) and first > 0
    return " ".join(value).strip(" ,;:") if named else ""


def _has_number(words: Sequence[str]) -> bool:
    return any(map(str.isdigit, write_digits(" ".join(words))))
