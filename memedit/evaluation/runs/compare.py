"""The A/B comparison: several editors, the same cases, the same questions.

A run is a folder: ``manifest.json``, ``base/`` (the unedited model's answers), ``cells/`` (a file
of rows and, where edits accumulate, a memory per editor) and ``aggregates.json``. The same call
goes on where a killed one stopped; with anything changed it starts over.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from memedit.core.errors import InvalidInputError
from memedit.data.sources import Dataset, load_cases
from memedit.engine import loading
from memedit.evaluation.asking.asker import Asker
from memedit.evaluation.asking.outcomes import Base
from memedit.evaluation.measures import rows as row_files
from memedit.evaluation.measures.forms import check
from memedit.evaluation.measures.metrics import TIMINGS
from memedit.evaluation.measures.rows import Row
from memedit.evaluation.measures.summary import Table, aggregate
from memedit.evaluation.runs.cell import Cell, rows_of
from memedit.evaluation.runs.folder import (
    AGGREGATES,
    MANIFEST,
    begin,
    lock_folder,
    read_manifest,
    write_json,
)
from memedit.evaluation.runs.specs import NONE, Spec, parse_all
from memedit.evaluation.schedule import accumulates
from memedit.evaluation.settings import Settings

if TYPE_CHECKING:
    from memedit.model.editable import EditableModel

_ORPHAN = 60.0  # seconds
Heard = Callable[[str, int, int], None]
"""Told which editor's units are done: (editor, done, of how many)."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The outcome of a run.

    Attributes:
        tables: ``{editor: {checkpoint: {metric: Interval}}}``.
        manifest: Versions, hashes, seeds, hardware, N asked and used.
        folder: The run's folder; None when nothing was kept.
        finished: Whether every cell is done; else some figures rest on part of the cases.
    """

    tables: Mapping[str, Table]
    manifest: Mapping[str, Any]
    folder: Path | None = None
    finished: bool = True

    def parts(self) -> Sequence[Comparison]:
        """The runs that it is made of: itself, unless several were joined."""
        return (self,)

    def unedited(self, editor: str) -> bool:
        """Whether this is the base without edits, which stands beside the editors."""
        return editor == NONE

    def rows(self, editor: str) -> Iterator[Row]:
        """The rows of one editor, from the run's folder.

        Raises:
            InvalidInputError: the run was not kept, or has no such editor.
        """
        if self.folder is None or editor not in self.tables:
            raise InvalidInputError(
                f"There are no rows of {editor!r}.", hint="Keep the run: compare(..., folder=DIR)."
            )
        return row_files.read(rows_of(self.folder, Spec(editor, None).slug))

    def to_dict(self, *, timings: bool = True) -> dict[str, Any]:
        """``{editor: {checkpoint: {metric: {"mean", "low", "high", "n"}}}}``.

        Args:
            timings: With what no two runs have in common.
        """
        names = ("mean", "low", "high", "n")
        return {
            editor: {
                point: {
                    metric: {name: getattr(interval, name) for name in names}
                    for metric, interval in metrics.items()
                    if timings or metric not in TIMINGS
                }
                for point, metrics in table.items()
            }
            for editor, table in self.tables.items()
        }


def compare(
    model: EditableModel,
    editors: str | Sequence[str],
    data: str | Path | Dataset,
    *,
    n: int | None = None,
    locality: int | None = None,
    folder: str | Path | None = None,
    progress: Heard | None = None,
    **settings: Any,
) -> Comparison:
    """Compare editors on one base model.

    Args:
        model: Gives base model, tokenizer and encoder; its own edits and editor play no part.
        editors: Names as in :func:`memedit.evaluation.runs.specs.parse`.
        data: A file of cases, or cases that :func:`memedit.evaluation.load_cases` read.
        n: How many cases.
        locality: At most this many locality probes of a kind per case; None for all.
        folder: Where the run is kept; it goes on if it is there. None keeps nothing.
        progress: Hears of every unit.
        **settings: Fields of :class:`memedit.evaluation.settings.Settings`: ``protocol``,
            ``checkpoints``, ``batch_edits``, ``families``, ``tokens``, ...

    Raises:
        InvalidInputError: unusable data, an unknown setting.
        UnknownNameError: no such editor, scope or protocol.
    """
    chosen = make_settings(settings)
    specs = parse_all(editors)
    together = accumulates(chosen.protocol) or chosen.protocol == "batch"
    cases = data
    if not isinstance(cases, Dataset):
        # Together: what one case edits, another's probe must not expect unchanged.
        cases = load_cases(cases, n, together=together, locality=locality)
    check_forms(cases)
    if folder is None:
        with TemporaryDirectory(prefix="memedit-") as kept:
            return _compare(model, specs, cases, chosen, Path(kept), progress, keep=False)
    return _compare(model, specs, cases, chosen, Path(folder), progress)


def check_forms(cases: Dataset) -> None:
    """See that every form which a probe asks for can be checked.

    Raises:
        InvalidInputError: it cannot; the message says why.
    """
    probes = (probe for case in cases.cases for probe in case.probes)
    for form in {probe.form for probe in probes if probe.form}:
        check(json.loads(form))


def make_settings(settings: Mapping[str, Any]) -> Settings:
    """The settings.

    Raises:
        InvalidInputError: an unknown one.
    """
    known = Settings.__dataclass_fields__
    if extra := sorted(set(settings) - set(known)):
        raise InvalidInputError(
            f"There is no setting {', '.join(extra)}.", hint=f"There are: {', '.join(known)}."
        )
    for name in ("checkpoints", "families"):
        value = settings.get(name, ())
        # The letters of a text would be taken for names.
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
            said = "one text" if isinstance(value, str) else f"{value!r:.40}"
            raise InvalidInputError(
                f"{name} is a list, not {said}.", hint=f"{name}=[{value!r:.40}]"
            )
    # From a file or a request they are lists, which would not compare equal.
    plural = {k: tuple(v) for k, v in settings.items() if k in {"checkpoints", "families"}}
    return Settings(**{**settings, **plural})


def _compare(
    model: EditableModel,
    specs: Sequence[Spec],
    cases: Dataset,
    settings: Settings,
    folder: Path,
    progress: Heard | None,
    *,
    keep: bool = True,
) -> Comparison:
    with lock_folder(folder):
        manifest = begin(model, specs, cases, settings, folder)
        for spec in specs:
            run_cell(model, spec, cases, settings, folder, progress)
        return finish(specs, manifest, folder, keep=keep)


def run_cell(
    model: EditableModel,
    spec: Spec,
    cases: Dataset,
    settings: Settings,
    folder: Path,
    progress: Heard | None = None,
) -> None:
    """One editor's part of the run in ``folder``; what is done already is not done again.

    Raises:
        InvalidInputError: another process is at it.
    """
    own = rows_of(folder, spec.slug).with_suffix("")
    with lock_folder(own, wait=_ORPHAN):  # a worker whose run was killed ends at its next unit
        _run_cell(model, spec, cases, settings, folder, progress)


def _run_cell(
    model: EditableModel,
    spec: Spec,
    cases: Dataset,
    settings: Settings,
    folder: Path,
    progress: Heard | None,
) -> None:
    memory = None
    if accumulates(settings.protocol) and spec.editor is not None:
        memory = rows_of(folder, spec.slug).with_suffix("") / "memory"
    own = spec.build(model, memory)
    asker = Asker(own, tokens=settings.tokens, batch=settings.batch, frame=settings.frame)
    fingerprint = loading.fingerprint(model.base)
    base = Base(asker, cases.cases, folder / "base", settings, fingerprint)
    rows = row_files.RowFile(rows_of(folder, spec.slug))
    cell = Cell(own, cases.cases, settings, rows, base, edits=spec.editor is not None)
    try:
        cell.run(None if progress is None else lambda done, of: progress(spec.text, done, of))
    finally:
        own.memory.close()


def finish(
    specs: Sequence[Spec], manifest: Mapping[str, Any], folder: Path, *, keep: bool = True
) -> Comparison:
    """The aggregates of a run whose cells are done; ``aggregates.json`` has all but timings."""
    dataset = manifest["data"]["format"]
    tables = {
        spec.text: aggregate(row_files.read(rows_of(folder, spec.slug)), dataset) for spec in specs
    }
    comparison = Comparison(tables, manifest, folder if keep else None)
    if keep:
        # Without timings: the same run gives the same file. It is written last, and says that all
        # is done.
        write_json(folder / AGGREGATES, comparison.to_dict(timings=False))
    return comparison


def load(folder: str | Path) -> Comparison:
    """The comparison kept in a folder, from its rows.

    Raises:
        InvalidInputError: there is no run in the folder.
    """
    folder = Path(folder)
    file = folder / MANIFEST
    if not file.is_file():
        raise InvalidInputError(
            f"{folder} holds no run.", hint="Name the folder that memedit compare --run wrote."
        )
    manifest = read_manifest(folder)
    specs = [Spec(text, None) for text in manifest["identity"]["editors"]]
    there = [spec for spec in specs if rows_of(folder, spec.slug).is_file()]
    dataset = manifest["data"]["format"]
    tables = {
        spec.text: aggregate(row_files.read(rows_of(folder, spec.slug)), dataset) for spec in there
    }
    return Comparison(tables, manifest, folder, finished=(folder / AGGREGATES).is_file())
