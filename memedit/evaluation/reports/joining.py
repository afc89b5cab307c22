"""Several runs as one comparison: what cannot be measured under one protocol stands side by side.

MEMIT edits in batches where ROME edits one by one; a joined report has both in one plot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from memedit.core.errors import InvalidInputError
from memedit.evaluation.measures.rows import Row
from memedit.evaluation.measures.summary import Table
from memedit.evaluation.runs.compare import Comparison
from memedit.evaluation.runs.specs import NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined(Comparison):
    """Several comparisons on one base model.

    Attributes:
        runs: The comparisons.
        origins: Editor as it is called here -> (its comparison, its name there).
    """

    runs: tuple[Comparison, ...] = ()
    origins: Mapping[str, tuple[Comparison, str]] = field(default_factory=dict)

    def parts(self) -> Sequence[Comparison]:
        """The runs."""
        return self.runs

    def unedited(self, editor: str) -> bool:
        """Whether this is the base without edits, in one of the runs."""
        return self.origins[editor][1] == NONE

    def rows(self, editor: str) -> Iterator[Row]:
        """The rows of one editor, from the folder of its run."""
        run, name = self.origins[editor]
        return run.rows(name)


def join(runs: Sequence[Comparison]) -> Comparison:
    """One comparison of all; an editor that several runs have is named with its run's folder.

    Args:
        runs: As :func:`memedit.evaluation.runs.compare.load` gives them.

    Raises:
        InvalidInputError: runs of different base models or data formats.
    """
    if len(runs) == 1:
        return runs[0]
    for what in ("model", "data format"):
        if len({_identity(run)[what] for run in runs}) > 1:
            raise InvalidInputError(
                f"These runs differ in their {what}: their figures do not compare.",
                hint="Report them one by one.",
            )
    origins: dict[str, tuple[Comparison, str]] = {}
    for run in runs:
        for name in run.tables:
            origins[_name_editor(name, run, origins)] = (run, name)
    tables: dict[str, Table] = {called: run.tables[name] for called, (run, name) in origins.items()}
    first = runs[0]
    return Joined(
        tables=tables,
        manifest=first.manifest,
        folder=first.folder if all(run.folder for run in runs) else None,
        finished=all(run.finished for run in runs),
        runs=tuple(runs),
        origins=origins,
    )


def _identity(run: Comparison) -> dict[str, str]:
    manifest = run.manifest
    return {"model": manifest["identity"]["model"], "data format": manifest["data"]["format"]}


def _name_editor(name: str, run: Comparison, known: Mapping[str, object]) -> str:
    if name not in known:
        return name
    where = run.folder.name.removesuffix(".run") if run.folder is not None else "again"
    called, number = f"{name} ({where})", 1
    while called in known:
        number += 1
        called = f"{name} ({where} {number})"
    return called
