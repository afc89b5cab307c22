"""``memedit train probes``: what a base is read by beside its words."""

from __future__ import annotations

from typing import Annotated

import typer

from memedit.cli import render
from memedit.cli.options import Model
from memedit.cli.training import Dtype, Json, several_bars


def probes(
    model: Model = None,
    most: Annotated[
        int | None,
        typer.Option(
            "--most",
            min=50,
            metavar="N",
            help="At most so many questions of each kind.",
            show_default="all",
        ),
    ] = None,
    dtype: Dtype = None,
    json: Json = False,
) -> None:
    """Fit what tells, in a base's hidden states, whether a fact is needed and whether it says yes.

    For chat models of at least a billion parameters, which are asked both. Kept on this machine,
    under the model's fingerprint; interrupted, it goes on where it was when run again.

    memedit train probes --model Qwen/Qwen2.5-1.5B-Instruct
    """
    from dataclasses import asdict

    from memedit import EditableModel
    from memedit.training.probing import train_probes

    lm = EditableModel.from_pretrained(model, dtype=dtype)
    with several_bars() as show:
        found = train_probes(lm.engine, most=most, progress=show)
    if json:
        render.as_json({name: asdict(each) for name, each in found.items()})
        return
    for name, each in found.items():
        alone = "" if each.before is None else f", the scope alone {each.before:.3f}"
        render.note(
            f"{name}: {100 * each.right:.1f}% of {each.n} right, AUC {each.area:.3f}{alone} "
            "(of folds that were left out)"
        )
    render.note("Kept for this model: its second look and its yes or no are read by them.")
