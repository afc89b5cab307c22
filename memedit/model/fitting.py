"""What editors must remember of edits: fitted when edits are added, or when they first answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from weakref import ref

import torch

from memedit.core.errors import InvalidEditError
from memedit.core.progress import count_done, report
from memedit.core.protocols import Editor, Scope, is_joint, leaves_of
from memedit.core.types import Edit, Payload, Record, check_ids
from memedit.engine.engine import Engine
from memedit.memory import Certificate, EditMemory, Receipt
from memedit.model.sequence import EditedModels, find_dependents, is_ungated, refuse, stamp

Payloads = Mapping[str, Payload]
"""Editor -> what it must remember."""

_CORRECTS = ("replaces", "perhaps")
"""Options of one edit that say what it corrects."""


@dataclass(frozen=True, slots=True)
class Fitter:
    """Fits edits for an editor behind a scope.

    Attributes:
        engine: The unedited model.
        memory: Where the edits are.
        editor, scope: Those in use.
        edited: Makes the model that holds edits in its weights.
        kept: Sequence -> what was fitted and is not in the memory; it grows.
    """

    engine: Engine
    memory: EditMemory
    editor: Editor
    scope: Scope
    edited: EditedModels
    kept: dict[int, Payloads]

    @property
    def leaves(self) -> tuple[Editor, ...]:
        """The editors in use."""
        return leaves_of(self.editor)

    @property
    def in_turn(self) -> bool:
        """Whether edits are fitted on the model that holds those before them."""
        return is_ungated(self.editor, self.scope)

    def fit_new(
        self, edits: Sequence[Edit], options: Mapping[str, Any], replaces: Sequence[str] = ()
    ) -> list[Payloads]:
        """Payloads of edits that are about to be added with these options, in the place of live
        edits of these ids, too.

        Raises:
            EntangledEditError: they replace what others were fitted on.
        """
        if self.in_turn:
            return self._fit_on_those_in_force(edits, options, replaces)
        fitted = {editor.name: self._fit_apart(editor, edits) for editor in self.leaves}
        return [{name: each[i] for name, each in fitted.items()} for i in range(len(edits))]

    def add(self, edits: Sequence[Edit], options: Mapping[str, Any]) -> list[Receipt]:
        """Fit edits and write them, all or none; one receipt each.

        Raises:
            EntangledEditError: they replace what others were fitted on.
        """
        told = {name: options[name] for name in _CORRECTS if name in options}
        options = {name: value for name, value in options.items() if name not in told}
        payloads = self.fit_new(edits, options, told.get("replaces", ()))
        if len(edits) == 1:
            return [self.memory.add(edits[0], payloads=payloads[0], **options, **told)]
        made = self.memory.add_many(edits, payloads=payloads, progress=report, **options)
        return [replace(receipt, compared=False) for receipt in made]

    def forget(self, ids: Sequence[str], namespace: str, *, refit: bool) -> list[Record]:
        """Remove edits; ``refit`` fits anew those that were fitted on them.

        Raises:
            InvalidInputError: one string instead of several.
            UnknownEditError: no such edit in force.
            EntangledEditError: others were fitted on them, and ``refit`` is not set.
        """
        gone = [self.memory.get(id, namespace=namespace) for id in check_ids(ids)]
        later = find_dependents(gone, list(self.memory.records(namespace)), self.leaves)
        # Before the first is removed: all of them go, or none.
        if later and not refit:
            raise refuse(gone, later)
        found, again = self.memory.forget_to_refit(
            [record.id for record in gone], [record.id for record in later], namespace=namespace
        )
        # What was fitted together is fitted together again: jointly it came out otherwise than
        # apart.
        for group in _group_alike(again):
            self.add([record.edit for record in group], _options_of(group[0]))
        return found

    def purge(
        self, ids: Sequence[str], namespace: str, what: Mapping[str, Any], *, refit: bool
    ) -> Certificate:
        """Erase edits for good, once nothing that was fitted on them is left; else as
        :meth:`forget`."""
        planned = self.memory.preview_purge(*ids, namespace=namespace, **what).records
        live = {record.sequence for record in self.memory.records(namespace)}
        # What was fitted on them bears their traces: it must go, or be fitted anew, before them.
        if gone := [record.id for record in planned if record.sequence in live]:
            self.forget(gone, namespace, refit=refit)
        return self.memory.purge(*ids, namespace=namespace, **what)

    def compile(self) -> int:
        """Fit and store what edits in memory lack; returns the number of edits.

        May be interrupted and called again.
        """
        records = [r for r in self.memory.records() if self.find_missing(r)]
        together = self.in_turn and bool(records)
        done = 0
        # One by one, so that an interruption loses no more than one.
        for group in [records] if together else [[r] for r in records]:
            fresh = {record.sequence for record in group}
            others = [r for r in self.memory.records() if together and r.sequence not in fresh]
            self.memory.put_payloads(self.fits(group, others))
            done += len(group)
            report(done)
        return len(records)

    def model(self, records: Sequence[Record]) -> Engine:
        """The model with these records in its weights; those never fitted are fitted now."""
        return self.edited.of(self.editor, self.compile_records(records))

    def compile_records(self, records: Sequence[Record]) -> list[Record]:
        """Records with all their payloads: what an import or another editor left out is fitted.

        Asking never writes: what is fitted here stays in this process (:meth:`fits`).
        """
        records = [self._add_kept(record) for record in records]
        bare = [record for record in records if self.find_missing(record)]
        fresh = {record.sequence for record in bare}
        others = [record for record in records if record.sequence not in fresh]
        for sequence, payloads in self.fits(bare, others).items():
            self.kept[sequence] = {**self.kept.get(sequence, {}), **payloads}
        return [self._add_kept(record) for record in records]

    def fits(self, bare: Sequence[Record], others: Sequence[Record]) -> dict[int, Payloads]:
        """Sequence -> payloads of records that lack some; ungated, on the model with the others."""
        if not bare:
            return {}
        if not self.in_turn:
            return {
                r.sequence: {e.name: self._fit_apart(e, [r.edit])[0] for e in self.find_missing(r)}
                for r in bare
            }
        made = _fit(self.editor, [record.edit for record in bare], self.model(others))
        version = self.memory.version
        return {
            record.sequence: {self.editor.name: stamp(payload, version)}
            for record, payload in zip(bare, made, strict=True)
        }

    def find_missing(self, record: Record) -> list[Editor]:
        """The editors in use that have no payload of this record and can have one."""
        return [
            editor
            for editor in self.leaves
            if editor.name not in record.payloads and not find_missing_needs(record.edit, editor)
        ]

    def _add_kept(self, record: Record) -> Record:
        more = self.kept.get(record.sequence)
        return replace(record, payloads={**more, **record.payloads}) if more else record

    def _fit_apart(self, editor: Editor, edits: Sequence[Edit]) -> list[Payload]:
        """Payloads that stand for themselves: gated, an edit of a joint editor acts alone."""
        if not is_joint(editor):
            return _fit(editor, edits, self.engine)
        # A joint editor fits on what is in the model: here nothing is, not even edits in force.
        lm = self.engine.shadow()
        return [_fit(editor, [edit], lm)[0] for edit in count_done(edits)]

    def _fit_on_those_in_force(
        self, edits: Sequence[Edit], options: Mapping[str, Any], replaces: Sequence[str]
    ) -> list[Payloads]:
        """Payloads fitted together, on the model that holds the edits in force."""
        # The memory says what would be replaced, and writes nothing.
        receipts = self.memory.preview(edits, **options)
        superseded = [record for receipt in receipts for record in receipt.superseded]
        live = list(self.memory.records(options["namespace"]))
        known = {record.sequence for record in live}
        gone = [record for record in superseded if record.sequence in known]
        named = {*replaces} - {record.id for record in gone}
        gone += [record for record in live if record.id in named]
        if later := find_dependents(gone, live, self.leaves):
            raise refuse(gone, later)
        away = {record.id for record in superseded}
        # A duplicate has its payload; what another edit of this call replaces is never in force.
        new = {r.id: e for e, r in zip(edits, receipts, strict=True) if r.status == "added"}
        fresh = {id: edit for id, edit in new.items() if id not in away}
        replaced = {record.sequence for record in gone}
        lm = self.model([record for record in live if record.sequence not in replaced])
        made = _fit(self.editor, list(fresh.values()), lm) if fresh else []
        version = self.memory.version
        payloads = {i: stamp(p, version) for i, p in zip(fresh, made, strict=True)}
        return [
            {self.editor.name: payloads[edit.id]} if edit.id in payloads else {} for edit in edits
        ]


def make_letting_go(edited: EditedModels, kept: dict[int, Payloads]) -> Callable[[], None]:
    """What a memory shall call when something was purged; it keeps no model alive."""
    # The memory may outlive the model, and must not keep it in RAM.
    models = ref(edited)

    def drop_kept() -> None:
        kept.clear()
        if (alive := models()) is not None:
            alive.clear()

    return drop_kept


def _fit(editor: Editor, edits: Sequence[Edit], lm: Engine) -> list[Payload]:
    """``editor.fit``, with gradients: the caller may be asking under ``no_grad``."""
    with torch.inference_mode(False), torch.enable_grad():
        return editor.fit(edits, lm)


def find_missing_needs(edit: Edit, editor: Editor) -> list[str]:
    """What the editor needs of an edit and this one does not have."""
    has = {"subject": edit.subject is not None, "target": edit.target_new is not None}
    return sorted(need for need in editor.needs if not has[need])


def check_needs(edit: Edit, editor: Editor) -> None:
    """See that an edit has what the editor needs.

    Raises:
        InvalidEditError: it has not.
    """
    if lacks := find_missing_needs(edit, editor):
        raise InvalidEditError(
            f"Editor {editor.name!r} needs a {' and a '.join(lacks)}; {edit.prompt!r} has none.",
            hint="Pass subject= and target_new=, or use an editor that takes statements (ike).",
        )


def _options_of(record: Record) -> dict[str, Any]:
    """The options with which a record was added."""
    names = ("namespace", "source", "valid_from", "valid_until")
    return {name: getattr(record, name) for name in names}


def _group_alike(records: Sequence[Record]) -> list[list[Record]]:
    """Records in order, those together that were added together with the same options."""
    groups: list[list[Record]] = []
    for record in records:
        last = groups[-1][-1] if groups else None
        same = last is not None and last.version == record.version
        if last is not None and same and _options_of(last) == _options_of(record):
            groups[-1].append(record)
        else:
            groups.append([record])
    return groups
