"""Weight edits made one after another: the model that holds them, and what depends on what.

Ungated, the editors of weights edit the model that earlier edits have changed, as their papers do.
The changed model is a *shadow*: it shares every tensor with the base but the changed matrices, so
the base itself is never written. A payload made so says at which version of the memory it was
fitted (``find_fitted_at``); what it was fitted on cannot be taken away from under it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from memedit.core.errors import EntangledEditError
from memedit.core.protocols import ChangesWeights, Editor, Scope, is_joint, judges_all
from memedit.core.types import Payload, Record
from memedit.engine.engine import Engine, compute_changed_weights

FITTED_AT = "fitted_at"
"""Number in a payload: the memory's version on whose edits it was fitted."""


def is_ungated(editor: Editor, scope: Scope) -> bool:
    """Whether every edit of a joint editor concerns every prompt."""
    return is_joint(editor) and judges_all(scope)


class EditedModels:
    """The model with several edits in its weights; keeps the last one made.

    Args:
        engine: The unedited model.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._last: tuple[tuple[Any, ...], dict[str, Tensor], Engine] | None = None

    def of(self, editor: Editor, records: Sequence[Record]) -> Engine:
        """The model that holds these records; what was added since the last call is added on."""
        if not records:
            return self._engine.shadow()
        records = sorted(records, key=lambda record: record.sequence)
        fits = [(record.sequence, find_fitted_at(record, [editor])) for record in records]
        key = (editor, self._read_versions(), *fits)
        changes: dict[str, Tensor] = {}
        new = records
        if self._last is not None:
            known, held, engine = self._last
            if known == key:
                return engine
            # Edits were only added: their changes go on top of those of the others.
            if key[: len(known)] == known:
                changes, new = dict(held), records[len(known) - 2 :]  # 2: editor and weights
        added = editor.changes(new) if isinstance(editor, ChangesWeights) else {}
        for site, change in added.items():
            changes[site] = changes[site] + change if site in changes else change
        engine = self._engine.shadow(changes, records)
        self._last = (key, changes, engine)
        return engine

    def clear(self) -> None:
        """Let go of the last one, and of texts that the engine has read beforehand."""
        self._last = None
        self._engine.prefixes.clear()

    def _read_versions(self) -> tuple[Any, ...]:
        """Changes when the base's weights do."""
        # Written in place a tensor counts _version up; put in another's place it has another
        # pointer.
        return tuple((p.data_ptr(), p._version, p.dtype) for p in self._engine.base.parameters())


@contextmanager
def write_changes(engine: Engine, changes: Mapping[str, Tensor]) -> Iterator[None]:
    """The base with these changes in its weights for the length of the block.

    Each weight is another tensor meanwhile; afterwards, whatever happened, it is the one it was.
    """
    new = compute_changed_weights(engine, changes)
    held: list[tuple[Any, Tensor]] = []
    try:
        for site, weight in new.items():
            parameter = engine.base.get_submodule(site).weight
            held.append((parameter, parameter.data))
            # The parameter stays the same object, for whoever holds it (an optimiser, a wrapper).
            parameter.data = weight
        yield
    finally:
        for parameter, original in held:
            parameter.data = original


def stamp(payload: Payload, version: int) -> Payload:
    """A payload that says on what it was fitted."""
    return {**payload, FITTED_AT: version}


def find_fitted_at(record: Record, editors: Sequence[Editor]) -> int | None:
    """At which version a record was fitted on the edits before it; None if it was not."""
    for editor in editors:
        if is_joint(editor):
            value = record.payloads.get(editor.name, {}).get(FITTED_AT)
            if value is not None:
                return int(value)
    return None


def find_dependents(
    gone: Sequence[Record], live: Sequence[Record], editors: Sequence[Editor]
) -> list[Record]:
    """Live records that were fitted on (or together with) records that shall go; those not."""
    if not any(is_joint(editor) for editor in editors) or not gone:
        return []
    ids = {record.sequence for record in gone}
    first = min(record.version for record in gone)
    found = []
    for record in live:
        if record.sequence in ids or record.version < first:
            continue
        at = find_fitted_at(record, editors)
        if at is not None and (at >= first or record.version in {g.version for g in gone}):
            found.append(record)
    return found


def refuse(gone: Sequence[Record], later: Sequence[Record]) -> EntangledEditError:
    """The error for taking away what other edits were fitted on."""
    return EntangledEditError(
        f"{len(later)} other edits were fitted on what {gone[0].edit.statement!r} changed, or "
        "together with it.",
        hint="forget(id, refit=True) takes it back and fits them again; or forget the later ones "
        "first, last one first, or go back with restore(version).",
        dependents=tuple(record.id for record in later),
    )
