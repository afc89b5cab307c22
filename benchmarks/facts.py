"""Facts as they are in life: what stays, what is replaced, what holds when, what is shown.

    python benchmarks/facts.py COMMAND --data-dir ../shared/data/everyday --n 200 --json OUT

Sub-commands, one a promise: ``peak``, ``pitfalls``, ``consolidation``, ``supersession``,
``ramdocs``, ``pat``, ``previous``, ``situated``, ``tau2``. Edits come in as ``memedit edit add``
takes them, with what they correct; what is measured is which edits a question asks. No language
model is needed. Every share has its number and its 95% Wilson interval.

``--part``: subjects of this part of our split (``train`` to find faults in, ``evaluation`` to
measure on). In ``supersession`` it also says which topics of our own banks are taken: those that
nothing was trained or tuned on, for ``evaluation``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import facts_correcting, facts_documents, facts_keeping, facts_time
from benchmarks.facts_common import PARTS, Facts, Row, read

app = typer.Typer(help="Measure facts as they are in life.", no_args_is_help=True)
Data = Annotated[Path, typer.Option("--data-dir", help="Folder of *.jsonl.gz files.")]
Out = Annotated[Path | None, typer.Option("--json", help="Where the results go.")]
N = Annotated[int, typer.Option("--n", min=0, help="Records; 0: all.")]
Part = Annotated[str, typer.Option(help=f"Subjects: {', '.join(PARTS)}.")]
Seed = Annotated[int, typer.Option(help="Of what is drawn.")]


def _told(name: str, out: Path | None, part: str, measure: Callable[[], Row]) -> None:
    if part not in PARTS:
        raise typer.BadParameter(f"{part!r} is none of {', '.join(PARTS)}.")
    begun = time.perf_counter()
    found = measure()
    manifest = {
        "command": " ".join(sys.argv),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - begun, 1),
    }
    text = json.dumps({"measure": name, "part": part, **found, "manifest": manifest}, indent=1)
    if out is not None:
        out.write_text(text + "\n", "utf-8")
    typer.echo(text)


@app.command()
def peak(
    data_dir: Data,
    n: N = 150,
    part: Part = "evaluation",
    seed: Seed = 0,
    declared: Annotated[bool, typer.Option("--declared/--default")] = True,
    json_out: Out = None,
) -> None:
    """A second true value: is the first kept beside it?"""
    rows = read(data_dir, "peak", part=part, n=n, seed=seed)
    _told(
        "peak", json_out, part, lambda: facts_keeping.peak(rows, Facts(), declared=declared)
    )  # fmt: skip


@app.command()
def pitfalls(
    data_dir: Data, n: N = 200, part: Part = "evaluation", seed: Seed = 0, json_out: Out = None
) -> None:
    """Edits of one slot after another: does the last win, and is undo exact?"""
    rows = read(data_dir, "pitfalls", part=part, n=n, seed=seed)
    _told("pitfalls", json_out, part, lambda: facts_keeping.pitfalls(rows, Facts()))


@app.command()
def consolidation(
    data_dir: Data,
    size: Annotated[str, typer.Option(help="Id of the set.")] = "cases-354",
    stated: Annotated[bool, typer.Option("--stated/--edits")] = False,
    json_out: Out = None,
) -> None:
    """Numbered facts that contradict each other: is the newest alone in force?"""
    rows = read(data_dir, "factconsolidation_like", part="all", n=0, seed=0)
    (row,) = [row for row in rows if row["id"] == size]
    _told(
        "consolidation", json_out, "all",
        lambda: facts_keeping.consolidated(row, Facts(), stated=stated),
    )  # fmt: skip


@app.command()
def supersession(
    data_dir: Data, n: N = 40, part: Part = "evaluation", seed: Seed = 0, json_out: Out = None
) -> None:
    """What a new fact retires: of rules (n draws), of statements by hand, of questions (2n). Those
    of the blind set are the same whatever the part."""

    def measured() -> Row:
        own = facts_correcting.stated(n, seed, held_out=part == "evaluation")
        hand = facts_correcting.written(held_out=part == "evaluation")
        file = data_dir / "halluedit.jsonl.gz"
        other = facts_correcting.asked(file, 2 * n, seed, part)
        return {
            "stated": facts_correcting.measure(*own, Facts()),
            "written": facts_correcting.measure(*hand, Facts()),
            "blind": facts_correcting.measure(*facts_correcting.blind(), Facts()),
            "asked": facts_correcting.measure(*other, Facts()),
        }

    _told("supersession", json_out, part, measured)


@app.command()
def ramdocs(
    data_dir: Data, n: N = 60, part: Part = "evaluation", seed: Seed = 0, json_out: Out = None
) -> None:
    """Passages about things of one name: is any retired that should stay?"""
    rows = read(data_dir, "ramdocs", part=part, n=n, seed=seed)
    _told("ramdocs", json_out, part, lambda: facts_correcting.ramdocs(rows, Facts()))


@app.command()
def pat(
    data_dir: Data, n: N = 200, part: Part = "evaluation", seed: Seed = 0, json_out: Out = None
) -> None:
    """The value in force at three dates."""
    rows = read(data_dir, "pat_questions", part=part, n=n, seed=seed)
    _told("pat", json_out, part, lambda: facts_time.pat(rows, Facts()))


@app.command()
def previous(
    data_dir: Data, n: N = 0, part: Part = "evaluation", seed: Seed = 0, json_out: Out = None
) -> None:
    """What was in force before: asked as the data ask it, with only the "current" values known."""
    rows = read(data_dir, "pat_questions", part=part, n=n, seed=seed)
    _told("previous", json_out, part, lambda: facts_time.previous(rows, Facts()))


@app.command()
def situated(
    data_dir: Data, n: N = 300, part: Part = "evaluation", seed: Seed = 0, json_out: Out = None
) -> None:
    """Questions that name a year themselves."""
    rows = read(data_dir, "situatedqa_temporal", part=part, n=n, seed=seed)
    _told("situated", json_out, part, lambda: facts_time.situated(rows, Facts()))


@app.command()
def tau2(
    data_dir: Data,
    n: N = 0,
    documents: Annotated[int, typer.Option(help="Documents; 0: all.")] = 0,
    seed: Seed = 0,
    json_out: Out = None,
) -> None:
    """A bank's handbook: the documents that each of 48 tasks needs."""
    rows = read(data_dir, "tau2_bank_tasks", part="all", n=n, seed=seed)
    every = read(data_dir, "tau2_bank_documents", part="all", n=0, seed=seed)
    every = [row for row in every if row["kind"] == "policy document"]
    if documents:
        needed = {id for row in rows for id in row["original"]["required_documents"]}
        every.sort(key=lambda row: row["original"]["id"] not in needed)
        every = every[:documents]
    _told("tau2", json_out, "all", lambda: facts_documents.tasks(every, rows, Facts()))


if __name__ == "__main__":
    app()
