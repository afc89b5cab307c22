"""The commands that measure: ``eval``, ``compare``, ``report``. No logic here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memedit import _render
from memedit.cli_options import (
    BatchEdits,
    Checkpoints,
    Count,
    Csv,
    Data,
    Editors,
    EncoderName,
    Families,
    Frame,
    Html,
    Locality,
    Markdown,
    Model,
    Out,
    Protocol,
    Ray,
    Recheck,
    Run,
    Seed,
    Sources,
    Target,
    Timings,
    Tokens,
    Workers,
)
from memedit.errors import InvalidInputError

if TYPE_CHECKING:
    from memedit.evaluation.compare import Comparison


def compare(
    editors: Editors,
    data: Data,
    n: Count = None,
    protocol: Protocol = None,
    batch_edits: BatchEdits = None,
    checkpoints: Checkpoints = "",
    families: Families = "gen,tf,kl",
    locality: Locality = 2,
    zsre_target: Target = "alt",
    sources: Sources = "",
    max_new_tokens: Tokens = 16,
    frame: Frame = "plain",
    seed: Seed = 0,
    recheck: Recheck = False,
    model: Model = None,
    encoder: EncoderName = None,
    run: Run = None,
    json: Out = None,
    html: Html = None,
    markdown: Markdown = None,
    csv: Csv = None,
    timings: Timings = True,
    workers: Workers = 1,
    ray: Ray = None,
) -> None:
    """Compare editors on the same cases. Killed, it goes on when it is started again.

    memedit compare --editors ike,ike-ungated,none --data counterfact.jsonl.gz --n 100
    """
    from memedit.evaluation.jobs import Job, run_job

    points = _numbers(checkpoints)
    job = Job(
        editors=tuple(part.strip() for part in editors.split(",")),
        data=data,
        n=n,
        locality=locality,
        target=zsre_target,
        sources=tuple(_parts(sources)),
        model=model,
        encoder=encoder,
        settings={
            "protocol": protocol or ("sequential" if points else "batch"),
            "batch_edits": batch_edits,
            "checkpoints": points,
            "families": tuple(_parts(families)),
            "tokens": max_new_tokens,
            "frame": frame,
            "seed": seed,
            "recheck": recheck,
        },
    )
    folder = run or (json.with_name(f"{json.name}.run") if json else None)
    with _render.measuring() as heard:
        comparison = run_job(job, folder, progress=heard, workers=workers, ray=ray)
    _show(comparison, json, html, markdown, csv, timings=timings)


def evaluate(
    data: Data,
    editor: Annotated[str, typer.Option("--editor", metavar="NAME", help="As in compare.")] = "ike",
    n: Count = None,
    protocol: Protocol = None,
    batch_edits: BatchEdits = None,
    checkpoints: Checkpoints = "",
    families: Families = "gen,tf,kl",
    locality: Locality = 2,
    zsre_target: Target = "alt",
    sources: Sources = "",
    max_new_tokens: Tokens = 16,
    frame: Frame = "plain",
    seed: Seed = 0,
    recheck: Recheck = False,
    model: Model = None,
    encoder: EncoderName = None,
    run: Run = None,
    json: Out = None,
    html: Html = None,
    markdown: Markdown = None,
    csv: Csv = None,
) -> None:
    """Measure one editor, beside the unedited model."""
    both = editor if editor.strip() == "none" else f"{editor},none"
    compare(
        both, data, n, protocol, batch_edits, checkpoints, families, locality, zsre_target,
        sources, max_new_tokens, frame, seed, recheck, model, encoder, run, json, html,
        markdown, csv,
    )  # fmt: skip


def report(
    run: Annotated[Path, typer.Argument(help="The folder of a run.")],
    json: Out = None,
    html: Html = None,
    markdown: Markdown = None,
    csv: Csv = None,
    timings: Timings = True,
    downstream: Annotated[
        Path | None,
        typer.Option("--downstream", metavar="FILE", help="For the page: downstream's JSON."),
    ] = None,
) -> None:
    """Show a run again, finished or not, from its rows."""
    from memedit.evaluation.compare import load

    _show(load(run), json, html, markdown, csv, timings=timings, downstream=downstream)


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
    families: Families = "gen,tf,kl",
    max_new_tokens: Tokens = 16,
    encoder: EncoderName = None,
    json: Out = None,
    workers: Workers = 1,
    ray: Ray = None,
) -> None:
    """Compare on several models and numbers of cases: cells (editor x model x N), on workers.

    OUT has {model: {N: {editor: {checkpoint: {metric: ...}}}}}.
    """
    from memedit.evaluation import jobs, tables

    job = jobs.Job(
        editors=tuple(part.strip() for part in editors.split(",")),
        data=data,
        locality=locality,
        encoder=encoder,
        settings={
            "protocol": protocol or "batch",
            "families": tuple(_parts(families)),
            "tokens": max_new_tokens,
        },
    )
    names = [None if name == "default" else name for name in _parts(models)]
    with _render.measuring() as heard:
        made = jobs.sweep(job, names, _numbers(n), run, progress=heard, workers=workers, ray=ray)
    for name, each in made.items():
        for comparison in each.values():
            _render.say(name, style="bold")
            for table in tables.rich_tables(comparison):
                _render.stdout().print(table)
    if json is not None:
        plain = {m: {c: done.to_dict() for c, done in each.items()} for m, each in made.items()}
        _write(json, _render.json_text(plain))


def downstream(
    edits: Annotated[
        Path, typer.Option("--edits", metavar="FILE", help="Cases whose edits are made.")
    ],
    editor: Annotated[str, typer.Option("--editor", metavar="NAME", help="As in compare.")] = "ike",
    n_edits: Annotated[
        int | None, typer.Option("--n-edits", min=1, metavar="N", help="[default: all]")
    ] = None,
    tasks: Annotated[
        str | None, typer.Option("--tasks", metavar="A,B", help="[default: all there are]")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, metavar="K", help="Items per task.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            envvar="MEMEDIT_DOWNSTREAM",
            help="Folder of the tasks' data. [default: 'downstream' beside FILE]",
        ),
    ] = None,
    shots: Annotated[
        int, typer.Option("--shots", min=0, help="Worked examples, where a task has some.")
    ] = 0,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Items per model call.")] = 8,
    seed: Seed = 0,
    model: Model = None,
    encoder: EncoderName = None,
    json: Out = None,
) -> None:
    """Score standard tasks before and after N edits: what does editing damage?"""
    from memedit.evaluation import downstream as measure
    from memedit.evaluation import load_cases, tables
    from memedit.evaluation.specs import parse

    chosen = _parts(tasks) if tasks is not None else measure.available()
    measure.check(chosen)
    spec = parse(editor)
    cases = load_cases(edits, n_edits).cases
    with _render.working(f"Making the edits of {len(cases):,} cases"):
        from memedit.model import EditableModel

        lm = spec.build(EditableModel.from_pretrained(model, encoder=encoder), None)
        if spec.editor is not None:
            lm.edit_many(list(dict.fromkeys(e for case in cases for e in case.edits)))
    with _render.working(f"Running {', '.join(chosen)}"):
        results = measure.downstream(
            lm,
            chosen,
            data or edits.parent / "downstream",
            limit=limit,
            batch=batch,
            shots=shots,
            seed=seed,
        )
    _render.stdout().print(tables.downstream_table(results))
    if json is not None:
        _write(json, _render.json_text(results))


def _show(
    comparison: Comparison,
    json: Path | None,
    html: Path | None,
    markdown: Path | None,
    csv: Path | None,
    *,
    timings: bool,
    downstream: Path | None = None,
) -> None:
    from memedit.evaluation import tables

    for table in tables.rich_tables(comparison):
        _render.stdout().print(table)
    _render.note(tables.provenance(comparison).strip())
    if json is not None:
        _write(json, _render.json_text(comparison.to_dict(timings=timings)))
    if markdown is not None:
        _write(markdown, tables.markdown(comparison))
    if csv is not None:
        _write(csv, tables.as_csv(comparison))
    if html is not None:
        from memedit.evaluation.downstream import read
        from memedit.evaluation.page import page

        _write(html, page(comparison, read(downstream) if downstream else None))


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise InvalidInputError(f"{file} cannot be written: {error.strerror}.") from error
    _render.note(f"Wrote {file}.")


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in _parts(text))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a list of numbers such as 1,10,100.") from None
