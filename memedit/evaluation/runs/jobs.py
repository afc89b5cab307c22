"""A comparison described by plain data, so that any process on any machine can do a part of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from memedit.core.errors import InvalidInputError
from memedit.core.files import cache_folder
from memedit.data.sources import Dataset
from memedit.evaluation.runs import compare
from memedit.evaluation.runs.folder import begin, lock_folder
from memedit.evaluation.runs.part import Job, Part
from memedit.evaluation.runs.specs import Spec, parse_all
from memedit.evaluation.settings import Settings, key_of

if TYPE_CHECKING:
    from memedit.evaluation.runs.compare import Comparison, Heard


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
            # A hub id has a slash, and a folder's name may be no UTF-8.
            folder / quote(name or "default", safe="", errors="surrogatepass") / str(n),
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
        name: (parse_all(job.editors), job.make_settings(), job.cases())
        for name, (job, _) in runs.items()
    }
    with ExitStack() as stack:
        for _, folder in runs.values():
            stack.enter_context(lock_folder(folder))
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
            heard = _label_progress(progress, name)
            compare.run_cell(model, spec, cases, settings, folder, heard)
    if parts:
        from memedit.evaluation.runs.team import run

        run(parts, workers=workers, ray=ray, progress=progress)
    return {name: compare.finish(*begun[name], folder) for name, (_, folder) in runs.items()}


def _label_progress(progress: Heard | None, name: str) -> Heard | None:
    if progress is None or not name:
        return progress
    return lambda editor, done, total: progress(f"{name} {editor}", done, total)
