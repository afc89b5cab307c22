"""``memedit train``: what is trained in advance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
        exists=True,
        dir_okay=False,
        metavar="FILE",
        help="CounterFact, zsRE or KnowEdit records, JSONL or JSONL.gz. Repeatable.",
    ),
]
Texts = Annotated[
    list[Path],
    typer.Option(
        "--texts",
        exists=True,
        dir_okay=False,
        metavar="FILE",
        help="Ordinary text (.txt, or JSONL with a text). Repeatable.",
    ),
]
Out = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Where the result goes; resumes from there.")
]
Steps = Annotated[int, typer.Option("--steps", min=1, help="Optimiser steps.")]
Batch = Annotated[int, typer.Option("--batch", min=1, help="Examples a step.")]
Rate = Annotated[float, typer.Option("--rate", help="Highest learning rate.")]
SaveEvery = Annotated[int, typer.Option("--save-every", min=1, help="Steps.")]
Device = Annotated[
    str | None, typer.Option("--device", metavar="NAME", help="auto, cpu, cuda:1, mps …")
]
Dtype = Annotated[str | None, typer.Option("--dtype", metavar="NAME", help="float32, bfloat16 …")]
Seed = Annotated[int, typer.Option("--seed", help="Of everything that is random.")]
Requests = Annotated[
    Path | None,
    typer.Option(
        "--requests",
        exists=True,
        dir_okay=False,
        metavar="FILE",
        help="Requests with roles, as python -m memedit.training.requests writes them.",
    ),
]
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
    requests: Requests = None,
    device: Annotated[
        str | None, typer.Option("--device", help="Where it trains: auto, cpu, cuda, mps.")
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Train and calibrate the scope: whether a query asks what an edit answers.

    memedit train scope --data counterfact.jsonl.gz --texts wikipedia.jsonl.gz --out my-scope
    """
    from memedit.training.jobs import train_scope

    with _several_bars() as show:
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


@train_app.command("further")
def further(
    memories: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help='JSON: {"name": {"facts": {"1": ["text", subject or null]}, "requests": '
            '[{"q": "…", "history": ["…"], "asks": ["1"], "informs": []}]}}.',
        ),
    ],
    out: Out,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="DIR",
            exists=True,
            help="A scope to begin with.",
            show_default="the packaged scope",
        ),
    ] = None,
    requests: Requests = None,
    hold_out: Annotated[
        list[str] | None,
        typer.Option(
            "--hold-out",
            metavar="NAME",
            help="Only calibrate on this memory. Repeatable.",
            show_default="every eighth",
        ),
    ] = None,
    steps: Steps = 600,
    batch: Batch = 32,
    rate: Rate = 5e-5,
    save_every: SaveEvery = 50,
    device: Device = None,
    bf16: Annotated[
        bool, typer.Option("--bf16", help="Faster where the processor has bfloat16 instructions.")
    ] = False,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Teach the scope further, from requests to memories of yours, labelled with what they ask.

    Interrupted, it goes on from the last checkpoint when run again with the same options.

    memedit train further requests.json --out my-scope
    """
    from memedit.scope.classifier import load_model, locate_folder
    from memedit.training.further import teach_further
    from memedit.training.loop import Schedule
    from memedit.training.memories import read_memories

    folder = locate_folder(str(start or ""))
    schedule = Schedule(
        steps=steps, batch=batch, rate=rate, save_every=save_every, seed=seed, warmup=30
    )
    with _several_bars() as show:
        manifest = teach_further(
            read_memories(memories),
            out,
            start=folder,
            schedule=schedule,
            encoder=load_model(str(start or "")).manifest.get("encoder_name"),
            requests=requests,
            hold_out=hold_out or (),
            device=device,
            bf16=bf16,
            progress=show,
        )
    use = f'--scope "classifier(model={out})", in Python ClassifierScope(model="{out}")'
    if json:
        render.as_json(manifest)
    else:
        for when, areas in manifest["further"]["areas"].items():
            for name, (asks, bears) in areas.items():
                render.note(f"{when}, {name}: AUC of asking {asks}, of bearing {bears}")
        render.note(f"Saved. Use it as {use}.")


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
            "--from",
            metavar="DIR",
            exists=True,
            help="An adapter to begin with.",
            show_default="none",
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
        typer.Option(
            "--data",
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="MQuAKE records. Repeatable.",
        ),
    ],
    out: Out,
    facts: Annotated[
        list[Path] | None,
        typer.Option(
            "--facts",
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="CounterFact, zsRE or KnowEdit records: more subjects.",
        ),
    ] = None,
    texts: Annotated[
        list[Path] | None,
        typer.Option(
            "--texts",
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="Ordinary text: no chains. Repeatable.",
        ),
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
    typer.Option("--out", metavar="DIR", help="Where it goes.", show_default="the editor's place"),
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


def make_bar() -> Progress:
    """A bar for each task, with what is done and the time left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=render.stderr(),
    )


@contextmanager
def _several_bars() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each part of a training; yields what is told of it."""
    with make_bar() as bar:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            # What stands in brackets changes from step to step: it is one bar.
            name = what.split(" (")[0]
            if name not in tasks:
                tasks[name] = bar.add_task(what, total=total)
            bar.update(tasks[name], completed=done, total=total, description=what)

        yield show


@contextmanager
def _training(steps: int) -> Iterator[Report]:
    """A bar for a training; yields what is told each step."""
    with make_bar() as bar:
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
