"""A comparison described by plain data, so that any process on any machine can do a part of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from memedit.core.errors import InvalidInputError
from memedit.core.files import cache_folder
from memedit.data.formats import Options
from memedit.data.sources import Dataset, load_cases
from memedit.evaluation.runs import compare
from memedit.evaluation.runs.cell import rows_of
from memedit.evaluation.runs.folder import alone, begin
from memedit.evaluation.runs.specs import Spec, parse, parse_all
from memedit.evaluation.schedule import accumulates
from memedit.evaluation.settings import Settings, key_of

if TYPE_CHECKING:
    from memedit.evaluation.runs.compare import Comparison, Heard
    from memedit.model.editable import EditableModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to compare, by names only.

    Attributes:
        editors: As in :func:`memedit.evaluation.runs.specs.parse`.
        data, n, locality, part: As for :func:`memedit.evaluation.load_cases`.
        target, sources, hard, references: As for :class:`memedit.data.formats.Options`.
        model, encoder: Names; None for the packaged ones.
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

        return EditableModel.from_pretrained(self.model, encoder=self.encoder)


@dataclass(frozen=True, slots=True)
class Part:
    """One cell of a run that has begun in ``folder``: one editor on one model, for one N."""

    job: Job
    editor: str
    folder: Path
    label: str

    def run(self, progress: Heard | None = None) -> None:
        """Measure it, or what is left of it."""
        spec, settings = parse(self.editor), self.job.made()
        cases = self.job.cases()
        compare.run_cell(self.job.open(), spec, cases, settings, self.folder, progress)

    @property
    def rows(self) -> Path:
        """Its file of rows."""
        return rows_of(self.folder, parse(self.editor).slug)


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
        InvalidInputError: both workers and Ray.
        WorkerError: a worker that keeps failing.
    """
    folder = folder or cache_folder() / "runs" / key_of({"job": job.to_json()})
    return _run({"": (job, folder)}, workers, ray, progress)[""]


def sweep(
    job: Job,
    names: Sequence[str | None],
    counts: Sequence[int],
    folder: Path,
    *,
    progress: Heard | None = None,
    workers: int = 1,
    ray: str | None = None,
) -> dict[str, dict[str, Comparison]]:
    """A job on several models, for several numbers of cases: cells (editor x model x N).

    Args:
        job: What to compare; its own model and N are replaced.
        names: Models; None for the packaged one.
        counts: Numbers of cases.
        folder: Where the runs are kept, a folder each.
        progress, workers, ray: As for :func:`run_job`; all cells share the workers.

    Returns:
        ``{model: {N: comparison}}``.

    Raises:
        InvalidInputError: a model or number twice, or none; both workers and Ray.
        WorkerError: a worker that keeps failing.
    """
    if len(set(names)) < max(1, len(names)) or len(set(counts)) < max(1, len(counts)):
        raise InvalidInputError("Models and numbers of cases must be some, each once.")
    runs = {
        f"{name or 'default'} {n}": (
            replace(job, model=name, n=n),
            folder / quote(name or "default", safe="") / str(n),
        )
        for name in names
        for n in counts
    }
    made = _run(runs, workers, ray, progress)
    return {
        name or "default": {str(n): made[f"{name or 'default'} {n}"] for n in counts}
        for name in names
    }


def _run(
    runs: Mapping[str, tuple[Job, Path]], workers: int, ray: str | None, progress: Heard | None
) -> dict[str, Comparison]:
    """Begin every run, do all their cells, and finish them."""
    if ray is not None and workers > 1:
        raise InvalidInputError("Either --workers or --ray does the work.")
    asked = {  # before a folder is made or a model is loaded
        name: (parse_all(job.editors), job.made(), job.cases()) for name, (job, _) in runs.items()
    }
    with ExitStack() as stack:
        for _, folder in runs.values():
            stack.enter_context(alone(folder))
        return _run_alone(runs, asked, workers, ray, progress)


def _run_alone(
    runs: Mapping[str, tuple[Job, Path]],
    asked: Mapping[str, tuple[list[Spec], Settings, Dataset]],
    workers: int,
    ray: str | None,
    progress: Heard | None,
) -> dict[str, Comparison]:
    begun: dict[str, tuple[list[Spec], dict[str, Any]]] = {}
    parts: list[Part] = []
    for name, (job, folder) in runs.items():
        specs, settings, cases = asked[name]
        model = job.open()
        begun[name] = specs, begin(model, specs, cases, settings, folder)
        if workers > 1 or ray is not None:
            parts += [Part(job, s.text, folder, f"{name} {s.text}".strip()) for s in specs]
            continue
        for spec in specs:
            heard = _labelled(progress, name)
            compare.run_cell(model, spec, cases, settings, folder, heard)
    if parts:
        from memedit.evaluation.runs.workers import run

        run(parts, workers=workers, ray=ray, progress=progress)
    return {name: compare.finish(*begun[name], folder) for name, (_, folder) in runs.items()}


def _labelled(progress: Heard | None, name: str) -> Heard | None:
    if progress is None or not name:
        return progress
    return lambda editor, done, total: progress(f"{name} {editor}", done, total)
