"""Our ROME, MEMIT, FT-L and GRACE beside EasyEdit's: one model, the same records and metrics.

    python -m benchmarks.peers --snapshot DIR --env ENV --data counterfact_full.jsonl.gz --out OUT

EasyEdit is never a dependency: the caller names a snapshot of its repository, and an environment
that ``benchmarks/peers/install.sh`` made for it. Without one the command says how to get it, and
ends with 2. Killed, it goes on. See README.md beside this file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.peers import easyedit
from benchmarks.peers.settings import METHODS
from benchmarks.table import COLUMNS, cell
from memedit.core.errors import InvalidInputError
from memedit.core.files import write_atomically
from memedit.evaluation.measures.summary import Interval, aggregate
from memedit.evaluation.runs.jobs import run_job
from memedit.evaluation.runs.part import Job

SHOWN = (
    "es", "ps", "ns", "tf_efficacy", "tf_generality", "gen_efficacy", "gen_generality",
    "gen_locality",
)  # fmt: skip
OURS, THEIRS, SECONDS = "memedit", "EasyEdit", "seconds_per_edit"
Figures = Mapping[str, Interval]


def render(found: Mapping[tuple[str, str], Figures]) -> str:
    """Both sides of each method under each other, in Markdown."""
    rows = [["method", "code", *(COLUMNS[name] for name in SHOWN), "seconds an edit"]]
    rows.append(["---"] * len(rows[0]))
    for (method, side), figures in found.items():
        took = figures.get(SECONDS)
        shown = [cell(figures.get(name)) for name in SHOWN]
        rows.append([method, side, *shown, "-" if took is None else f"{took.mean:.1f}"])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def measure(
    job: Job, methods: Sequence[str], snapshot: Path, python: Path, out: Path
) -> dict[tuple[str, str], Figures]:
    """Both sides of each method: ``{(method, side): {metric: interval}}``."""
    cases, model, tokens = job.cases(), job.open(), job.make_settings().tokens
    ours = run_job(job, out / "ours").tables
    found: dict[tuple[str, str], Figures] = {}
    for name in methods:
        method, file = METHODS[name], out / f"{name}.jsonl"
        asked = easyedit.make_job(model, method, cases.cases, snapshot, out, tokens)
        easyedit.run_driver(python, asked, file)
        lines = easyedit.read_outcomes(file)
        rows = easyedit.rows_of(model, cases.cases, lines, tokens)
        for side, table in (
            (OURS, ours[method.ours]),
            (THEIRS, aggregate(rows, cases.name)),
        ):
            found[name, side] = table[max(table, key=int)]
    return found


def main(
    data: Annotated[Path, typer.Option(help="CounterFact.")],
    out: Annotated[Path, typer.Option(help="Where outcomes and the table are kept.")],
    snapshot: Annotated[Path | None, typer.Option(help="EasyEdit's repository.")] = None,
    env: Annotated[Path | None, typer.Option(help="Its environment, by install.sh.")] = None,
    method: Annotated[list[str] | None, typer.Option(help="Only these. Repeatable.")] = None,
    n: Annotated[int, typer.Option(min=1, help="Records.")] = 8,
    part: Annotated[str | None, typer.Option(help="Of the split; '' for all.")] = "evaluation",
    locality: Annotated[int, typer.Option(min=1, help="Neighbours of a record.")] = 5,
    tokens: Annotated[int, typer.Option(min=1, help="Of a free answer.")] = 10,
    model: Annotated[str | None, typer.Option(help="Other than the packaged one.")] = None,
    encoder: Annotated[str | None, typer.Option(help="Sentence encoder.")] = None,
) -> None:
    """Measure both sides, or what is left of them, and write OUT/peers.md."""
    console = Console(stderr=True)
    methods = method or list(METHODS)
    try:
        if unknown := sorted(set(methods) - set(METHODS)):
            raise InvalidInputError(f"No method {', '.join(unknown)}.", hint=", ".join(METHODS))
        folder, python = easyedit.check_snapshot(snapshot, env)
        out.mkdir(parents=True, exist_ok=True)
        job = Job(
            editors=("none", *(METHODS[name].ours for name in methods)), data=str(data), n=n,
            part=part or None, locality=locality, model=model, encoder=encoder,
            settings={"protocol": "single", "families": ["tf", "gen"], "tokens": tokens},
        )  # fmt: skip
        text = render(measure(job, methods, folder, python, out.resolve()))
    except InvalidInputError as error:
        console.print(f"{error.message} {error.hint or ''}", markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    write_atomically(out / "peers.md", text)
    Console().print(text, markup=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
