"""A comparison described by plain data, so that any process on any machine can do a part of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memedit import models
from memedit.errors import InvalidInputError
from memedit.evaluation import compare
from memedit.evaluation.formats import Options
from memedit.evaluation.protocols import accumulates
from memedit.evaluation.settings import Settings, key_of
from memedit.evaluation.sources import Dataset, load_cases
from memedit.evaluation.specs import parse, parse_all

if TYPE_CHECKING:
    from memedit.evaluation.compare import Comparison, Heard
    from memedit.model import EditableModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to compare, by names only.

    Attributes:
        editors: As in :func:`memedit.evaluation.specs.parse`.
        data, n, locality, target, sources: As for :func:`memedit.evaluation.load_cases`.
        model, encoder: Names; None for the packaged ones.
        settings: Fields of :class:`~memedit.evaluation.settings.Settings`.
    """

    editors: tuple[str, ...]
    data: str
    n: int | None = None
    locality: int | None = None
    target: str = "alt"
    sources: tuple[str, ...] = ()
    model: str | None = None
    encoder: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=list)

    @classmethod
    def from_json(cls, text: str) -> Job:
        fields = json.loads(text)
        plural = {name: tuple(fields[name]) for name in ("editors", "sources")}
        return cls(**{**fields, **plural})

    def made(self) -> Settings:
        return compare.made(self.settings)

    def cases(self) -> Dataset:
        """The cases, read anew."""
        protocol = self.made().protocol
        return load_cases(
            self.data,
            self.n,
            options=Options(self.target, frozenset(self.sources)),
            together=accumulates(protocol) or protocol == "batch",
            locality=self.locality,
        )

    def open(self) -> EditableModel:
        """The base model, with an empty memory that carries the encoder."""
        from memedit.model import EditableModel

        return EditableModel.from_pretrained(self.model, encoder=self.encoder)


def run_job(
    job: Job,
    folder: Path | None = None,
    *,
    progress: Heard | None = None,
    workers: int = 1,
    ray: str | None = None,
) -> Comparison:
    """Do a job, or what is left of it.

    Args:
        job: What to compare.
        folder: Where the run is kept; in the cache by default.
        progress: Hears of every unit.
        workers: Editors measured at once, each in a process of its own.
        ray: Address of a Ray cluster that does it; ``"local"`` starts one here.

    Raises:
        InvalidInputError: both workers and Ray; a worker that keeps failing.
    """
    if ray is not None and workers > 1:
        raise InvalidInputError("Either --workers or --ray does the work.")
    specs, settings, cases = parse_all(job.editors), job.made(), job.cases()
    folder = folder or models.cache_folder() / "runs" / key_of({"job": job.to_json()})
    model = job.open()
    manifest = compare.begin(model, specs, cases, settings, folder)
    if workers > 1 or ray is not None:
        from memedit.evaluation.workers import run

        del model
        run(job, folder, workers=workers, ray=ray, progress=progress)
    else:
        for spec in specs:
            compare.run_cell(model, spec, cases, settings, folder, progress)
    return compare.finish(specs, manifest, folder)


def run_one(job: Job, editor: str, folder: Path, progress: Heard | None = None) -> None:
    """One editor's part of a run that has begun."""
    spec, settings = parse(editor), job.made()
    compare.run_cell(job.open(), spec, job.cases(), settings, folder, progress)
