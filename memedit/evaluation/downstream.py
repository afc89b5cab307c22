"""Damage to general ability: standard tasks before and after N edits.

The tasks run through lm-evaluation-harness, which is handed the EditableModel as any Hugging Face
model. What is out of scope of every edit must come out identical; that is counted apart.
"""

from __future__ import annotations

import json
import logging
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import memedit
from memedit.core.errors import InvalidInputError, MissingExtraError
from memedit.core.files import read_file
from memedit.core.registry import unknown_name
from memedit.engine import loading
from memedit.evaluation.measures.summary import Interval, bootstrap, interval
from memedit.evaluation.settings import surroundings
from memedit.evaluation.tasks.scoring import micro_f1

if TYPE_CHECKING:
    from memedit.model.editable import EditableModel

FOLDER = Path(__file__).parent / "tasks"
PREFIX = "memedit_"
_OWN = {"entity_f1", "word_perplexity"}
"""Metrics that are no mean over items."""


def available() -> list[str]:
    """The tasks there are: a YAML file each."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def downstream(
    model: EditableModel,
    tasks: Sequence[str],
    data: str | Path,
    *,
    limit: int | None = None,
    batch: int = 8,
    shots: int = 0,
    seed: int = 0,
) -> dict[str, Any]:
    """Scores of the unedited and of the edited model on the same items.

    Args:
        model: With its edits in memory.
        tasks: Of :func:`available`.
        data: Folder of the tasks' files.
        limit: Items per task; None for all.
        batch: Items per model call.
        shots: Worked examples before each item, where the task has some.
        seed: Of the choice of worked examples.

    Returns:
        ``{"before": {task: {metric: {"mean", "low", "high", "n"}}}, "after": ..., "scope": {task:
        {"items", "in_scope", "changed", "changed_out_of_scope"}}, "manifest": ...}``. An item is
        in scope when an edit fires on any text the model is asked to score or continue for it.

    Raises:
        UnknownNameError: no such task.
        InvalidInputError: the data folder lacks a file.
        MissingExtraError: lm-eval is not installed.
    """
    check(tasks, data)
    options = {"limit": limit, "shots": shots, "seed": seed}
    results = {}
    for name, view in (("before", model.unedited()), ("after", nullcontext())):
        with view:
            results[name] = _run(model, tasks, Path(data), batch, options)
    return {
        "before": scores(results["before"]),
        "after": scores(results["after"]),
        "scope": {
            task: _changes(model, results["before"][task], results["after"][task])
            for task in results["before"]
        },
        "manifest": _manifest(model, data, options),
    }


def check(tasks: Sequence[str], data: str | Path) -> None:
    """Refuse a task that there is not, before anything is measured.

    Raises:
        UnknownNameError: with the nearest names.
        InvalidInputError: no task at all, or no folder of data.
    """
    if not tasks:
        raise InvalidInputError("No task is named.", hint=f"There are: {', '.join(available())}.")
    for task in tasks:
        if task not in available():
            raise unknown_name("task", task, available())
    if not Path(data).is_dir():
        raise InvalidInputError(
            f"There is no folder {str(data)!r} with the tasks' data.", hint="Name it with --data."
        )


def _run(
    model: EditableModel,
    tasks: Sequence[str],
    data: Path,
    batch: int,
    options: Mapping[str, Any],
) -> dict[str, list[dict[str, Any]]]:
    """{task: items} as the harness logs them: ``arguments``, ``resps`` and the item's metrics."""
    try:
        with _silence_harness():
            from lm_eval import simple_evaluate
            from lm_eval.models.huggingface import HFLM
            from lm_eval.tasks import TaskManager
    except ImportError as error:
        raise MissingExtraError("lm-eval", extra="eval") from error
    with _silence_harness():
        manager = TaskManager(
            # Without its own tasks: there are thousands, and to index them takes long.
            include_path=str(FOLDER),
            include_defaults=False,
            metadata={"data": str(data)},
        )
        wrapped: Any = HFLM(
            pretrained=model, tokenizer=model.tokenizer, backend="causal", batch_size=batch
        )
        try:
            results: Any = simple_evaluate(
                model=wrapped,
                tasks=[PREFIX + task for task in tasks],
                task_manager=manager,
                num_fewshot=options["shots"] or None,  # None: as the task's file says
                limit=options["limit"],
                bootstrap_iters=0,  # the intervals are ours
                random_seed=options["seed"],
                numpy_random_seed=options["seed"],
                torch_random_seed=options["seed"],
                fewshot_random_seed=options["seed"],
                log_samples=True,
            )
        except FileNotFoundError as error:
            raise InvalidInputError(f"The data of a task are not there: {error}") from error
    return {
        # In one order: before and after are compared item by item.
        name.removeprefix(PREFIX): sorted(items, key=lambda item: int(item["doc_id"]))
        for name, items in results["samples"].items()
    }


@contextmanager
def _silence_harness() -> Iterator[None]:
    """The harness and its libraries report at length; their levels are put back afterwards."""
    loggers = [logging.getLogger(name) for name in ("lm_eval", "datasets", "evaluate")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def scores(items: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """{task: {metric: interval}} of the items' own metrics, with bootstrap intervals over items."""
    return {
        task: {metric: _show_interval(_score(metric, listed)) for metric in listed[0]["metrics"]}
        for task, listed in items.items()
        if listed
    }


def _score(metric: str, items: Sequence[Mapping[str, Any]]) -> Interval:
    values = np.array([item[metric] for item in items], dtype=np.float64)
    if metric not in _OWN:
        low, high = interval(values, metric)
        return Interval(float(values.mean()), low, high, len(values))
    mean = _micro(metric, values)
    drawn = [_micro(metric, sample) for sample in bootstrap(values, metric)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(mean, float(low), float(high), len(values))


def _micro(metric: str, values: Any) -> float:
    """Over all items at once: F1 of [n, 3] counts, perplexity of [n, 2] (log p, words)."""
    if metric == "entity_f1":
        return micro_f1([tuple(row) for row in values])
    total = values.sum(axis=0)
    return math.exp(-total[0] / total[1])


def _show_interval(found: Interval) -> dict[str, Any]:
    return {name: getattr(found, name) for name in ("mean", "low", "high", "n")}


def _changes(
    model: EditableModel, before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> dict[str, int]:
    """How many items an edit fires on, and how many came out otherwise than before."""
    counts = Counter({"items": len(before)})
    for one, other in zip(before, after, strict=True):
        inside = any(map(model.reads, model.decide(_read_by(model, one))))
        changed = one["resps"] != other["resps"]
        counts["in_scope"] += inside
        counts["changed"] += changed
        counts["changed_out_of_scope"] += changed and not inside
    return {n: counts[n] for n in ("items", "in_scope", "changed", "changed_out_of_scope")}


def _read_by(model: EditableModel, item: Mapping[str, Any]) -> list[str]:
    """Every text the model reads for an item: prompts to continue; texts to score, whose last
    token the harness does not feed."""
    texts: list[str] = []
    for arguments in item["arguments"]:
        context, *rest = arguments
        whole = context + rest[0] if rest and isinstance(rest[0], str) else context
        ids = model.tokenizer(whole).input_ids
        shorter = model.tokenizer.decode(ids[:-1], skip_special_tokens=True)
        texts += [text for text in (context, whole, shorter) if text.strip()]
    return list(dict.fromkeys(texts))


def _manifest(model: EditableModel, data: str | Path, options: Mapping[str, Any]) -> dict[str, Any]:
    scope = model.scope.name
    return {
        "memedit": memedit.__version__,
        "model": loading.fingerprint(model.base),
        "editor": model.editor.name,
        "scope": scope,
        "edits": len(model.memory),
        "data": str(data),
        **options,
        "surroundings": surroundings(),
    }


def read(file: Path) -> dict[str, Any]:
    """What ``memedit downstream --json`` wrote.

    Raises:
        InvalidInputError: the file is missing or something else.
    """
    try:
        results: dict[str, Any] = json.loads(read_file(file))
        intervals(results)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidInputError(
            f"{file} holds no downstream scores.", hint="memedit downstream --out writes them."
        ) from error
    return results


def intervals(results: Mapping[str, Any]) -> dict[str, dict[str, Interval]]:
    """{"before" | "after": {"task metric": interval}} of all that is a fraction, for a plot."""
    return {
        when: {
            f"{task} {metric}": Interval(**value)
            for task, metrics in results[when].items()
            for metric, value in metrics.items()
            if metric != "word_perplexity"
        }
        for when in ("before", "after")
    }
