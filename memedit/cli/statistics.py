"""``memedit statistics``: what the weight editors measure of a model beforehand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memedit.cli import render
from memedit.cli.options import Model
from memedit.cli.training import Device, Json, make_bar


def statistics(
    text: Annotated[
        list[Path],
        typer.Option(
            "--text",
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="Ordinary text (.txt, or JSONL with a text). Repeatable.",
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
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Where they are kept.", show_default="memedit's cache"
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Measure second moments of a model's keys over text: what ROME, MEMIT and AlphaEdit divide by.

    memedit statistics --layers 3-9 --tokens 100000 --text wikipedia.jsonl.gz

    Interrupted, it goes on when run again with the same options.
    """
    from memedit.engine import loading
    from memedit.engine.engine import Engine
    from memedit.training.statistics import collect_statistics, layers_of

    wanted = layers_of(layers)
    with render.working(f"Loading {model or 'the default language model'}"):
        lm = Engine(*loading.load(model, device=device))
    with make_bar() as bar:
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
