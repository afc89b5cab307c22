"""One cell of a comparison: one editor on one model, through a protocol, into a file of rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memedit.core.protocols import CountsKeys, MeasuresDistance
from memedit.data.cases import EFFICACY, EvalCase, Probe
from memedit.evaluation.asking import outcomes, writing
from memedit.evaluation.asking.asker import Asker
from memedit.evaluation.asking.outcomes import Base
from memedit.evaluation.measures import text
from memedit.evaluation.measures.metrics import DISTANCE, EDIT, HELD, KEYS, RELATIVE, STEP
from memedit.evaluation.measures.probes import Outcome
from memedit.evaluation.measures.rows import Row, RowFile
from memedit.evaluation.schedule import (
    CHECKPOINT,
    IMMEDIATE,
    Evaluation,
    Operation,
    Reset,
    chunks,
    plan,
)
from memedit.evaluation.settings import Settings

if TYPE_CHECKING:
    from memedit.model.editable import EditableModel

Progress = Callable[[int, int], None]
"""Told how many units of how many are done."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of work that is done or not done. ``operation`` counts the operations so far."""

    name: str
    operation: int
    evaluation: Evaluation | None = None


@dataclass(slots=True)
class Cell:
    """Runs a protocol with one editor, unit by unit.

    An editor that touches weights may have ``distance(records) -> {matrix: norm}``, the Frobenius
    norm of what these edits together add to each matrix, named as a parameter of the base or as a
    module with a ``weight``; and one that keeps a codebook ``keys(records) -> int``, the number of
    its entries. Both are asked after every operation.

    Args:
        model: Wraps the base model with the editor, the scope and a memory of its own.
        cases: In the order of the data.
        settings: How.
        rows: Where rows go; units that are in it are not done again.
        base: The unedited model's outcomes.
        edits: False for the unedited model: nothing is edited.
    """

    model: EditableModel
    cases: Sequence[EvalCase]
    settings: Settings
    rows: RowFile
    base: Base
    edits: bool = True
    asker: Asker = field(init=False)
    _operations: list[Operation] = field(default_factory=list, init=False)
    _made: int = field(default=0, init=False)
    _known: bool = field(default=False, init=False)
    _weights: Any = field(default=None, init=False)

    def __post_init__(self) -> None:
        s = self.settings
        self.asker = Asker(self.model, tokens=s.tokens, batch=s.batch, frame=s.frame)

    def run(self, progress: Progress | None = None) -> None:
        """Do every unit that is not done yet."""
        steps = list(self._steps())
        total = sum(isinstance(step, Unit) for step in steps)
        done = 0
        for step in steps:
            if isinstance(step, Operation):
                self._operations.append(step)
            elif isinstance(step, Reset):
                self._reset()
            else:
                if step.name not in self.rows.units:
                    self.rows.append(step.name, self._do(step))
                done += 1
                if progress is not None:
                    progress(done, total)

    def _steps(self) -> Iterator[Operation | Reset | Unit]:
        """The protocol's steps, each edit and evaluation as units."""
        s = self.settings
        steps = plan(s.protocol, self.cases, batch=s.batch_edits, checkpoints=s.checkpoints)
        count = 0
        for step in steps:
            if isinstance(step, Operation):
                count += 1
                yield step
                if self.edits:
                    yield Unit(f"edit-{count}", count)
            elif isinstance(step, Evaluation):
                if step.phase == CHECKPOINT or (s.immediate and self.edits):
                    for group in chunks(step.cases, s.group):
                        part = Evaluation(step.phase, step.edited, tuple(group))
                        yield Unit(f"{step.phase}-{step.edited}-{group[0]}", count, part)
            else:
                yield step

    def _do(self, unit: Unit) -> list[Row]:
        if unit.evaluation is None:
            return self._edit(self._operations[-1])
        self._ensure(self._operations)
        if unit.evaluation.phase == IMMEDIATE:
            return self._evaluate(unit.evaluation, (EFFICACY,))
        rows = self._evaluate(unit.evaluation, ())
        if "fluency" in self.settings.families:
            rows += self._texts(unit.evaluation)
        return rows

    # Editing

    def _ensure(self, operations: Sequence[Operation]) -> None:
        """The memory holds the edits of these operations, and no others."""
        if not self.edits:
            return
        if not self._known:
            self._known = True
            self._made = len(operations) if self._holds(operations) else self._forget_all()
        for operation in operations[self._made :]:
            self._add(operation)

    def _holds(self, operations: Sequence[Operation]) -> bool:
        """Whether the memory, kept on disk by a run that was killed, is as it must be.

        Edits that the run had made but not told of are taken back.
        """
        wanted = {edit.id for operation in operations for edit in operation.edits}
        held = {record.id for record in self.model.memory.records()}
        # A kill between an edit and its row: the edit is made again, and timed.
        self._forget(held - wanted)
        return wanted <= held

    def _forget(self, ids: set[str]) -> None:
        there = [r.id for r in self.model.memory.records() if r.id in ids]
        if there:
            # The newest first: edits may have been fitted on those before them.
            self.model.forget_many(there[::-1])

    def _forget_all(self) -> int:
        self._forget({record.id for record in self.model.memory.records()})
        return 0

    def _add(self, operation: Operation) -> None:
        self.model.edit_many(list(dict.fromkeys(operation.edits)))
        self._made += 1

    def _edit(self, operation: Operation) -> list[Row]:
        """Make the operation's edits and tell what each took."""
        self._ensure(self._operations[:-1])
        start = time.perf_counter()
        self._add(operation)
        seconds = (time.perf_counter() - start) / len(operation.edits)
        cases = operation.cases or self._choose_next()
        edited = cases[-1] + 1
        rows = [self._row(i, EDIT, edited, "seconds_per_edit", seconds) for i in cases]
        states = self._states({edit.id for edit in operation.edits})
        return rows + [self._row(cases[-1], EDIT, edited, n, v) for n, v in states.items()]

    def _states(self, added: set[str]) -> dict[str, float]:
        """How many edits and keys there are, and how far each matrix is from its original."""
        records = list(self.model.memory.records())
        found = {HELD: float(len(records))}
        editor = self.model.editor
        if isinstance(editor, CountsKeys):
            found[KEYS] = float(editor.keys(records))
        if isinstance(editor, MeasuresDistance):
            far = editor.distance(records)
            step = editor.distance([record for record in records if record.id in added])
            found |= {f"{DISTANCE}{name}": value for name, value in far.items()}
            found |= {f"{STEP}{name}": value for name, value in step.items()}
            norms = {name: self._norm(name) for name in far}
            found |= {f"{RELATIVE}{n}": far[n] / norm for n, norm in norms.items() if norm}
        return found

    def _norm(self, name: str) -> float:
        """Frobenius norm of an original matrix; 0 where the base has none of that name."""
        known = dict(self.model.base.named_parameters())
        weight = known.get(name, known.get(f"{name}.weight"))
        return 0.0 if weight is None else float(weight.detach().double().norm())

    def _choose_next(self) -> tuple[int, ...]:
        """The case whose edits are being made one by one."""
        done = [i for operation in self._operations for i in operation.cases]
        return (max(done, default=-1) + 1,)

    def _reset(self) -> None:
        self._operations.clear()
        if self._made:
            self._made = self._forget_all()

    # Asking

    def _evaluate(self, step: Evaluation, kinds: Sequence[str]) -> list[Row]:
        asked = outcomes.ask_edited(self.asker, self.base, step.cases, kinds, edited=self.edits)
        kl: dict[Probe, float] = {}
        if "kl" in self.settings.families:
            kl = outcomes.divergences(self.asker, asked, recheck=self.settings.recheck)
        rows: list[Row] = []
        for i in step.cases:
            case = self.cases[i]
            for number, probe in enumerate(case.probes):
                if probe in asked.outcomes:
                    values = asked.measures(probe, case)
                    values |= {"kl": kl[probe]} if probe in kl else {}
                    rows += self._probe_rows(i, step, number, values, asked)
            if asked.seconds is not None and step.phase == CHECKPOINT:
                name = "seconds_per_query"
                rows.append(self._row(i, step.phase, step.edited, name, asked.seconds))
            if step.phase == CHECKPOINT:
                for kind, name, value in asked.verdicts(case):
                    row = self._row(i, step.phase, step.edited, name, value)
                    rows.append(row | {"kind": kind})
        return rows

    def _probe_rows(
        self,
        index: int,
        step: Evaluation,
        number: int,
        values: dict[str, float],
        asked: outcomes.Asked,
    ) -> list[Row]:
        probe = self.cases[index].probes[number]
        rows = []
        for name, value in values.items():
            row = self._row(index, step.phase, step.edited, name, value)
            row |= {"kind": probe.kind, "probe": number}
            if name in {"gen_contains", "gen_same", "gen_form"}:
                row |= {"prompt": probe.prompt, "target": " / ".join(probe.targets[:1])}
                row |= _read_answer(asked.outcomes[probe], "text") | _read_answer(
                    asked.base[probe], "base"
                )
            rows.append(row)
        return rows

    def _row(self, index: int, phase: str, edited: int, measure: str, value: float) -> Row:
        return {
            "index": index,
            "case": self.cases[index].case_id,
            "phase": phase,
            "edited": edited,
            "measure": measure,
            "value": value,
        }

    def _texts(self, step: Evaluation) -> list[Row]:
        """Fluency, consistency and essence of the cases; with the first also the fixed prompts."""
        rows: list[Row] = []
        if self._weights is None:
            corpus = [each for case in self.cases for each in case.references]
            # False, not None: it was looked at, and there is nothing.
            self._weights = text.weights(corpus) if corpus else False
        for i in step.cases:
            seed = self.settings.seed + i
            for name, value, more in writing.measure_about(
                self.asker, self.cases[i], self._weights, seed
            ):
                rows.append(self._row(i, step.phase, step.edited, name, value) | more)
        if step.cases[0] == 0:
            for number, value in enumerate(writing.measure_fixed(self.asker, self.settings.seed)):
                row = self._row(0, step.phase, step.edited, "gen_entropy_fixed", value)
                rows.append(row | {"index": number, "case": f"fixed-{number}"})
        return rows


def _read_answer(outcome: Outcome, name: str) -> Row:
    return {name: outcome.answer.text} if outcome.answer else {}


def rows_of(folder: Path, cell: str) -> Path:
    """Where the rows of a cell are."""
    return folder / "cells" / f"{cell}.jsonl"
