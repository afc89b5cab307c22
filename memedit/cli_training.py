"""``memedit train``: what is trained in advance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from memedit import _render

train_app = typer.Typer(
    help="Train the scope's classifier, SERAC's counterfactual model or MeLLo's decomposer.",
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
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Train and calibrate the scope: whether a query asks what an edit answers."""
    from memedit.training.jobs import train_scope

    with _bar() as bar:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
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
            progress=show,
        )
    _finish(manifest, f'ClassifierScope(model="{out}")', json=json)


@train_app.command("counterfactual")
def counterfactual(
    data: Data,
    texts: Texts,
    out: Out,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME", help="The base: hub id, folder or GGUF file."),
    ] = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Optimiser steps.")] = 900,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Examples a step.")] = 16,
    rate: Annotated[float, typer.Option("--rate", help="Highest learning rate.")] = 6e-4,
    save_every: Annotated[int, typer.Option("--save-every", min=1, help="Steps.")] = 50,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="DIR", exists=True, help="An adapter to begin with. [default: none]"
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", metavar="NAME", help="cpu, cuda, cuda:1 …")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option("--dtype", metavar="NAME", help="float32, bfloat16 …")
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Train the adapter with which SERAC answers from the edits, for one base model.

    Interrupted, it goes on from the last checkpoint when run again with the same options.
    """
    import torch

    from memedit.training.jobs import train_adapter
    from memedit.training.loop import Schedule

    schedule = Schedule(steps=steps, batch=batch, rate=rate, save_every=save_every, seed=seed)
    with _bar() as bar:
        task = bar.add_task("Training", total=steps)

        def show(step: int, values: dict[str, float]) -> None:
            bar.update(task, completed=step, description=f"Training (loss {values['loss']:.3f})")

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
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME", help="The base: hub id, folder or GGUF file."),
    ] = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Optimiser steps.")] = 150,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Examples a step.")] = 16,
    rate: Annotated[float, typer.Option("--rate", help="Highest learning rate.")] = 1.5e-3,
    save_every: Annotated[int, typer.Option("--save-every", min=1, help="Steps.")] = 10,
    device: Annotated[
        str | None, typer.Option("--device", metavar="NAME", help="cpu, cuda, cuda:1 …")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option("--dtype", metavar="NAME", help="float32, bfloat16 …")
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Train the adapter with which MeLLo splits questions over several facts, for one base model.

    Interrupted, it goes on from the last checkpoint when run again with the same options.
    """
    import torch

    from memedit.training.jobs import train_chains
    from memedit.training.loop import Schedule

    schedule = Schedule(
        steps=steps, batch=batch, rate=rate, warmup=10, save_every=save_every, seed=seed
    )
    with _bar() as bar:
        task = bar.add_task("Training", total=steps)

        def show(step: int, values: dict[str, float]) -> None:
            bar.update(task, completed=step, description=f"Training (loss {values['loss']:.3f})")

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


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=_render.stderr(),
    )


def _finish(manifest: dict[str, Any], use: str, *, json: bool) -> None:
    if json:
        _render.as_json(manifest)
        return
    for name, value in manifest["metrics"].items():
        _render.note(f"{name}: {value:.4f}")
    _render.note(f"Saved. Use it as {use}.")
