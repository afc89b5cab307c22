"""``memedit train``: what is trained in advance."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from memedit.cli import render
from memedit.cli.options import Model

if TYPE_CHECKING:
    from memedit.training.loop import Report, Schedule

train_app = typer.Typer(
    help="Train what editors and scopes need in advance, on your own data.",
    no_args_is_help=True,
)
Data = Annotated[
    list[Path],
    typer.Option(
        "--data",
        metavar="FILE",
        help="CounterFact, zsRE or KnowEdit records, JSONL or JSONL.gz. Repeatable.",
    ),
]
Texts = Annotated[
    list[Path],
    typer.Option(
        "--texts", metavar="FILE", help="Ordinary text (.txt, or JSONL with a text). Repeatable."
    ),
]
Out = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Where the result goes; resumes from there.")
]
Steps = Annotated[int, typer.Option("--steps", min=1, help="Optimiser steps.")]
Batch = Annotated[int, typer.Option("--batch", min=1, help="Examples a step.")]
Rate = Annotated[float, typer.Option("--rate", help="Highest learning rate.")]
SaveEvery = Annotated[int, typer.Option("--save-every", min=1, help="Steps.")]
Device = Annotated[str | None, typer.Option("--device", metavar="NAME", help="cpu, cuda, cuda:1 …")]
Dtype = Annotated[str | None, typer.Option("--dtype", metavar="NAME", help="float32, bfloat16 …")]
Seed = Annotated[int, typer.Option("--seed", help="Of everything that is random.")]
Json = Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")]


@train_app.command("scope")
def scope(
    data: Data,
    texts: Texts,
    out: Out,
    encoder: Annotated[
        str | None, typer.Option("--encoder", metavar="NAME", help="Sentence encoder.")
    ] = None,
    most: Annotated[
        int | None, typer.Option("--most", min=50, help="At most so many facts of each part.")
    ] = None,
    cross_steps: Annotated[
        int, typer.Option("--cross-steps", min=0, help="Steps of the cross-encoder; 0: without.")
    ] = 1_500,
    requests: Annotated[
        Path | None,
        typer.Option(
            "--requests",
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="Requests with roles, as python -m memedit.training.requests writes them.",
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="Where it trains: cpu, cuda.")
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Train and calibrate the scope: whether a query asks what an edit answers.

    memedit train scope --data counterfact.jsonl.gz --texts wikipedia.jsonl.gz --out my-scope
    """
    from memedit.training.jobs import train_scope

    with _bar() as bar:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            # What stands in brackets changes from step to step: it is one bar.
            name = what.split(" (")[0]
            if name not in tasks:
                tasks[name] = bar.add_task(what, total=total)
            bar.update(tasks[name], completed=done, description=what)

        manifest = train_scope(
            data,
            texts,
            out,
            encoder=encoder,
            seed=seed,
            most=most,
            cross_steps=cross_steps,
            requests=requests,
            device=device,
            progress=show,
        )
    _finish(manifest, f'ClassifierScope(model="{out}")', json=json)


@train_app.command("counterfactual")
def counterfactual(
    data: Data,
    texts: Texts,
    out: Out,
    model: Model = None,
    steps: Steps = 900,
    batch: Batch = 16,
    rate: Rate = 6e-4,
    save_every: SaveEvery = 50,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="DIR", exists=True, help="An adapter to begin with. [default: none]"
        ),
    ] = None,
    device: Device = None,
    dtype: Dtype = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Train the adapter with which SERAC answers from the edits, for one base model.

    Interrupted, it goes on from the last checkpoint when run again with the same options.

    memedit train counterfactual --data facts.jsonl.gz --out my-adapter
    """
    import torch

    from memedit.training.jobs import train_adapter
    from memedit.training.loop import Schedule

    schedule = Schedule(steps=steps, batch=batch, rate=rate, save_every=save_every, seed=seed)
    with _training(steps) as show:
        manifest = train_adapter(
            data,
            texts,
            out,
            model=model,
            device=device,
            dtype=None if dtype is None else getattr(torch, dtype, None),
            schedule=schedule,
            start=start,
            report=show,
        )
    _finish(manifest, f'Serac(counterfactual="{out}")', json=json)


@train_app.command("decomposer")
def decomposer(
    data: Annotated[
        list[Path],
        typer.Option("--data", metavar="FILE", help="MQuAKE records. Repeatable."),
    ],
    out: Out,
    facts: Annotated[
        list[Path] | None,
        typer.Option(
            "--facts", metavar="FILE", help="CounterFact, zsRE or KnowEdit records: more subjects."
        ),
    ] = None,
    texts: Annotated[
        list[Path] | None,
        typer.Option("--texts", metavar="FILE", help="Ordinary text: no chains. Repeatable."),
    ] = None,
    model: Model = None,
    steps: Steps = 150,
    batch: Batch = 16,
    rate: Rate = 1.5e-3,
    save_every: SaveEvery = 10,
    device: Device = None,
    dtype: Dtype = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Train the adapter with which MeLLo splits questions over several facts, for one base model.

    Interrupted, it goes on from the last checkpoint when run again with the same options.

    memedit train decomposer --data mquake.jsonl.gz --out my-decomposer
    """
    import torch

    from memedit.training.jobs import train_chains
    from memedit.training.loop import Schedule

    schedule = Schedule(
        steps=steps, batch=batch, rate=rate, warmup=10, save_every=save_every, seed=seed
    )
    with _training(steps) as show:
        manifest = train_chains(
            data,
            facts or [],
            texts or [],
            out,
            model=model,
            device=device,
            dtype=None if dtype is None else getattr(torch, dtype, None),
            schedule=schedule,
            report=show,
        )
    _finish(manifest, f'Mello(decomposer="{out}")', json=json)


Place = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="[default: where the editor looks by itself]"),
]


End = Annotated[
    bool, typer.Option("--end", help="Train the end of the answer, too, as the papers' models do.")
]


@train_app.command("mend")
def mend(
    data: Data,
    texts: Texts,
    out: Place = None,
    model: Model = None,
    steps: Steps = 2_000,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Edits a step.")] = 5,
    rate: Rate = 1e-4,
    rank: Annotated[int, typer.Option("--rank", min=1, help="Of the transforms.")] = 256,
    end: End = False,
    device: Device = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Train MEND's network for one base model: gradients of edits to better ones.

    memedit train mend --data zsre.jsonl.gz --out my-mend
    """
    schedule = _hypernetwork_schedule(steps, batch, rate, seed)
    how = {"model": model, "device": device, "rank": rank, "end": end}
    _hypernetwork("mend", data, texts, out, schedule, json=json, **how)


@train_app.command("ke")
def ke(
    data: Data,
    texts: Texts,
    out: Place = None,
    model: Model = None,
    steps: Steps = 20_000,
    rate: Rate = 3e-4,
    retained: Annotated[
        int, typer.Option("--retained", min=1, help="Prompts a step must leave alone (paper: 62).")
    ] = 7,
    end: End = False,
    device: Device = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Train KE's network for one base model: from an edit's text to an update of the weights.

    memedit train ke --data zsre.jsonl.gz --out my-ke
    """
    schedule = _hypernetwork_schedule(steps, 1, rate, seed)
    how = {"model": model, "device": device, "retained": retained, "end": end}
    _hypernetwork("ke", data, texts, out, schedule, json=json, **how)


def _hypernetwork_schedule(steps: int, batch: int, rate: float, seed: int) -> Schedule:
    from memedit.training.loop import Schedule

    # As MEND's authors clip: gradients through a changed model are large.
    return Schedule(steps=steps, batch=batch, rate=rate, clip=100.0, seed=seed)


def _hypernetwork(
    kind: str,
    data: list[Path],
    texts: list[Path],
    out: Path | None,
    schedule: Schedule,
    *,
    json: bool,
    **how: Any,
) -> None:
    from memedit.training.jobs import train_hypernetwork

    with _training(schedule.steps) as show:
        manifest = train_hypernetwork(kind, data, texts, out, schedule=schedule, report=show, **how)
    use = f'{kind.capitalize()}(hypernetwork="{manifest["folder"]}")'
    _finish(manifest, use, json=json)


def statistics(
    text: Annotated[
        list[Path],
        typer.Option(
            "--text", metavar="FILE", help="Ordinary text (.txt, or JSONL with a text). Repeatable."
        ),
    ],
    layers: Annotated[str, typer.Option("--layers", metavar="3-9", help="Which: 3-9 or 3,5,7.")],
    tokens: Annotated[
        int, typer.Option("--tokens", min=1, metavar="N", help="How many.")
    ] = 100_000,
    length: Annotated[int, typer.Option("--length", min=2, help="Tokens in a sequence.")] = 128,
    model: Model = None,
    device: Device = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="[default: memedit's cache]")
    ] = None,
    json: Json = False,
) -> None:
    """Measure second moments of a model's keys over text: what ROME, MEMIT and AlphaEdit divide by.

    memedit statistics --layers 3-9 --tokens 100000 --text wikipedia.jsonl.gz

    Interrupted, it goes on when run again with the same options.

    memedit statistics --layers 3-7 --text wikipedia.jsonl.gz --tokens 100000
    """
    from memedit.engine import loading
    from memedit.engine.engine import Engine
    from memedit.training.statistics import collect_statistics, layers_of

    wanted = layers_of(layers)
    with render.working(f"Loading {model or 'the default language model'}"):
        lm = Engine(*loading.load(model, device=device))
    with _bar() as bar:
        task = bar.add_task("Reading", total=tokens)
        found = collect_statistics(
            lm,
            wanted,
            text,
            tokens=tokens,
            length=length,
            folder=out,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if json:
        names = ("layer", "tokens", "trace", "trace_without_first", "ratio")
        plain = [{name: getattr(each, name) for name in names} for each in found]
        for row, each in zip(plain, found, strict=True):
            row |= {"path": str(each.path), "sink": each.is_sink}
        render.as_json(plain)
        return
    for each in found:
        sink = "  attention sink: do not edit here" if each.is_sink else ""
        render.say(
            f"layer {each.layer}: {each.tokens:,} tokens, trace {each.trace:.1f} "
            f"({each.trace_without_first:.1f} without first tokens, whose norm is "
            f"{each.ratio:.1f} times the others'){sink}"
        )


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=render.stderr(),
    )


@contextmanager
def _training(steps: int) -> Iterator[Report]:
    """A bar for a training; yields what is told each step."""
    with _bar() as bar:
        task = bar.add_task("Training", total=steps)

        def show(step: int, values: dict[str, float]) -> None:
            bar.update(task, completed=step, description=f"Training (loss {values['loss']:.3f})")

        yield show


def _finish(manifest: dict[str, Any], use: str, *, json: bool) -> None:
    if json:
        render.as_json(manifest)
        return
    for name, value in manifest["metrics"].items():
        render.note(f"{name}: {value:.4f}")
    render.note(f"Saved. Use it as {use}.")
