"""What to compare, as plain data: a job, and the part of it that a process does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memedit.data.formats import Options
from memedit.data.sources import Dataset, load_cases
from memedit.evaluation.runs import compare
from memedit.evaluation.runs.cell import rows_of
from memedit.evaluation.runs.specs import parse
from memedit.evaluation.schedule import accumulates
from memedit.evaluation.settings import Settings

if TYPE_CHECKING:
    from memedit.evaluation.runs.compare import Heard
    from memedit.model.editable import EditableModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to compare, by names only.

    Attributes:
        editors: As in :func:`memedit.evaluation.runs.specs.parse`.
        data, n, locality, part: As for :func:`memedit.evaluation.load_cases`.
        target, sources, hard, references: As for :class:`memedit.data.formats.Options`.
        model, encoder: Names; None for the packaged ones.
        device, dtype: Of the model; None for the CPU, and for what its files have.
        settings: Fields of :class:`~memedit.evaluation.settings.Settings`.
    """

    editors: tuple[str, ...]
    data: str
    n: int | None = None
    locality: int | None = None
    part: str | None = None
    target: str = "alt"
    sources: tuple[str, ...] = ()
    hard: bool = False
    references: str | None = None
    model: str | None = None
    encoder: str | None = None
    device: str | None = None
    dtype: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=list)

    @classmethod
    def from_json(cls, text: str) -> Job:
        fields = json.loads(text)
        plural = {name: tuple(fields[name]) for name in ("editors", "sources")}
        return cls(**{**fields, **plural})

    def make_settings(self) -> Settings:
        return compare.make_settings(self.settings)

    def cases(self) -> Dataset:
        """The cases, read anew."""
        protocol = self.make_settings().protocol
        references = Path(self.references) if self.references else None
        options = Options(self.target, frozenset(self.sources), None, self.hard, references)
        return load_cases(
            self.data,
            self.n,
            options=options,
            together=accumulates(protocol) or protocol == "batch",
            locality=self.locality,
            part=self.part,
        )

    def open(self) -> EditableModel:
        """The base model, with an empty memory that carries the encoder."""
        from memedit.model.editable import EditableModel

        how: dict[str, Any] = {"device": self.device, "dtype": self.dtype}
        return EditableModel.from_pretrained(self.model, encoder=self.encoder, **how)


@dataclass(frozen=True, slots=True)
class Part:
    """One cell of a run that has begun in ``folder``: one editor on one model, for one N."""

    job: Job
    editor: str
    folder: Path
    label: str

    def run(self, progress: Heard | None = None) -> None:
        """Measure it, or what is left of it."""
        spec, settings = parse(self.editor), self.job.make_settings()
        cases = self.job.cases()
        compare.run_cell(self.job.open(), spec, cases, settings, self.folder, progress)

    @property
    def rows(self) -> Path:
        """Its file of rows."""
        return rows_of(self.folder, parse(self.editor).slug)
