"""The commands that measure: ``eval``, ``compare``, ``report``. No logic here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memedit.cli import render
from memedit.cli.options import (
    Batch,
    Csv,
    Data,
    DownstreamCount,
    DownstreamData,
    DownstreamEdits,
    Editor,
    Editors,
    EncoderName,
    Families,
    Hard,
    Html,
    Items,
    Json,
    Locality,
    Markdown,
    Measured,
    Model,
    Out,
    Protocol,
    Ray,
    Reports,
    Seed,
    Shots,
    Tasks,
    Timings,
    Tokens,
    Workers,
    build_measured,
    numbers,
    parts,
    with_options,
)
from memedit.core.errors import InvalidInputError
from memedit.core.registry import split

if TYPE_CHECKING:
    from memedit.evaluation.runs.compare import Comparison


@with_options(build_measured)
def compare(
    editors: Editors,
    asked: Measured,
    timings: Timings = True,
    workers: Workers = 1,
    ray: Ray = None,
) -> None:
    """Compare editors on the same cases. Killed, it goes on when it is started again.

    memedit compare --editors ike,ike-ungated,none --data counterfact.jsonl.gz --n 100
    """
    _measure(editors, asked, timings=timings, workers=workers, ray=ray)


@with_options(build_measured)
def evaluate(
    asked: Measured,
    editor: Editor = "ike",
) -> None:
    """Measure one editor, beside the unedited model.

    memedit eval --editor ike --data facts.jsonl --n 100
    """
    if len(tuple(split(editor, ","))) > 1:
        raise InvalidInputError(
            f"eval measures one editor, and the unedited model beside it, not {editor!r}.",
            hint=f"Several: memedit compare --editors {editor}",
        )
    _measure(editor if editor.strip() == "none" else f"{editor},none", asked)


def _measure(
    editors: str,
    asked: Measured,
    *,
    timings: bool = True,
    workers: int = 1,
    ray: str | None = None,
) -> None:
    from memedit.evaluation.runs.jobs import run_job
    from memedit.evaluation.runs.part import Job

    names = tuple(split(editors, ","))
    job = Job(editors=names, **asked.job)
    try:
        with render.measuring() as heard:
            comparison = run_job(job, asked.folder, progress=heard, workers=workers, ray=ray)
    except KeyboardInterrupt:
        render.note("Interrupted. What was measured is kept: the same command goes on.", "yellow")
        raise typer.Exit(130) from None
    _show(comparison, asked.reports, timings=timings)
    data = comparison.manifest["data"]
    if data["asked"] is not None and data["used"] < data["asked"]:
        only = f"{data['used']:,} of the {data['asked']:,} cases asked for are there."
        render.note(f"Only {only}", "yellow")
    for told in data.get("unusable", ()):
        render.note(f"Left out, {told}", "yellow")


def report(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="The folders of one run or several.")
    ],
    out: Out = None,
    html: Html = None,
    markdown: Markdown = None,
    csv: Csv = None,
    json: Json = False,
    timings: Timings = True,
    downstream: Annotated[
        Path | None,
        typer.Option(
            "--downstream", metavar="FILE", help="For the page: what downstream --out wrote."
        ),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option("--pictures", metavar="DIR", help="Write the page's plots here, as SVG."),
    ] = None,
) -> None:
    """Show runs again, finished or not, from their rows; several runs on one model side by side.

    memedit report scores.json.run --html scores.html
    """
    from memedit.evaluation.reports.joining import join
    from memedit.evaluation.runs.compare import load

    reports = Reports(out, html, markdown, csv, json, pictures)
    reports.check()
    comparison = join([load(run) for run in runs])
    _show(comparison, reports, timings=timings, downstream=downstream)
    if pictures is not None:
        from memedit.evaluation.reports.page import pictures as drawn

        _make_folder(pictures)
        for name, svg in drawn(comparison).items():
            _write(pictures / f"{name}.svg", svg)


def sweep(
    editors: Editors,
    data: Data,
    n: Annotated[str, typer.Option("--n", metavar="10,100,...", help="Numbers of cases.")],
    run: Annotated[Path, typer.Option("--run", metavar="DIR", help="Where the runs are kept.")],
    models: Annotated[
        str, typer.Option("--models", metavar="A,B", help="Language models; 'default' for the own.")
    ] = "default",
    protocol: Protocol = None,
    locality: Locality = 2,
    hard: Hard = False,
    families: Families = "gen,tf,kl",
    max_new_tokens: Tokens = 24,
    encoder: EncoderName = None,
    out: Out = None,
    json: Json = False,
    workers: Workers = 1,
    ray: Ray = None,
) -> None:
    """Compare on several models and numbers of cases: cells (editor x model x N), on workers.

    OUT has {model: {N: {editor: {checkpoint: {metric: ...}}}}}.

    memedit sweep --editors ike,none --models default,gemma3-270m --n 10 --data x.jsonl --run sweep
    """
    from memedit.evaluation.reports import tables
    from memedit.evaluation.runs import jobs
    from memedit.evaluation.runs.part import Job

    # Now, not after hours of measuring.
    Reports(out).check()
    job = Job(
        editors=tuple(split(editors, ",")),
        data=data,
        locality=locality,
        hard=hard,
        encoder=encoder,
        settings={
            "protocol": protocol or "batch",
            "families": tuple(parts(families)),
            "tokens": max_new_tokens,
        },
    )
    names = [None if name == "default" else name for name in parts(models)]
    with render.measuring() as heard:
        made = jobs.sweep(job, names, numbers(n), run, progress=heard, workers=workers, ray=ray)
    for name, each in made.items() if not json else ():
        for comparison in each.values():
            render.say(name, style="bold")
            for table in tables.rich_tables(comparison, render.stdout().width):
                render.stdout().print(table)
    plain = {m: {c: done.to_dict() for c, done in each.items()} for m, each in made.items()}
    _give(plain, out, json=json)


def downstream(
    edits: DownstreamEdits,
    editor: Editor = "ike",
    n_edits: DownstreamCount = None,
    tasks: Tasks = None,
    limit: Items = None,
    data: DownstreamData = None,
    shots: Shots = 0,
    batch: Batch = 8,
    seed: Seed = 0,
    model: Model = None,
    encoder: EncoderName = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Score standard tasks before and after N edits: what does editing damage?

    memedit downstream --editor ike --edits facts.jsonl --n-edits 100 --tasks sst2,boolq --limit 50
    """
    from memedit.evaluation import downstream as measure
    from memedit.evaluation import load_cases
    from memedit.evaluation.reports import tables
    from memedit.evaluation.runs.specs import parse

    Reports(out).check()
    chosen = parts(tasks) if tasks is not None else measure.available()
    folder = data or edits.parent / "downstream"
    measure.check(chosen, folder)
    spec = parse(editor)
    cases = load_cases(edits, n_edits).cases
    with render.working(f"Making the edits of {len(cases):,} cases"):
        from memedit.model.editable import EditableModel

        lm = spec.build(EditableModel.from_pretrained(model, encoder=encoder), None)
        if spec.editor is not None:
            # Each once: several cases may need the same edit.
            lm.edit_many(list(dict.fromkeys(e for case in cases for e in case.edits)))
    render.note(f"Running {', '.join(chosen)}, before and after.")  # the harness has its own bars
    results = measure.downstream(
        lm, chosen, folder, limit=limit, batch=batch, shots=shots, seed=seed
    )
    if not json:
        render.stdout().print(tables.downstream_table(results))
    _give(results, out, json=json)


def _show(
    comparison: Comparison, reports: Reports, *, timings: bool, downstream: Path | None = None
) -> None:
    """In the terminal, and in every file that was asked for."""
    from memedit.evaluation.reports import tables

    for table in tables.rich_tables(comparison, render.stdout().width) if not reports.json else ():
        render.stdout().print(table)
    render.note(tables.provenance(comparison).strip())
    _give(comparison.to_dict(timings=timings), reports.out, json=reports.json)
    if reports.markdown is not None:
        _write(reports.markdown, tables.markdown(comparison))
    if reports.csv is not None:
        _write(reports.csv, tables.as_csv(comparison))
    if reports.html is not None:
        from memedit.evaluation.downstream import read
        from memedit.evaluation.reports.page import page

        _write(reports.html, page(comparison, read(downstream) if downstream else None))


def _give(figures: Mapping[str, Any], out: Path | None, *, json: bool) -> None:
    """The figures as JSON, to where they are wanted."""
    if json:
        render.as_json(figures)
    if out is not None:
        _write(out, render.json_text(figures))


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, "utf-8", "backslashreplace")
    except OSError as error:
        raise InvalidInputError(f"{file} cannot be written: {error.strerror}.") from error
    render.note(f"Wrote {file}.")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInputError(f"{folder} cannot be made: {error.strerror}.") from error
