"""``memedit train probe``: what a base is read by beside its words."""

from __future__ import annotations

from typing import Annotated

import typer

from memedit.cli import render
from memedit.cli.options import Model
from memedit.cli.training import Dtype, Json


def probe(
    model: Model = None,
    most: Annotated[
        int | None,
        typer.Option(
            "--most",
            min=500,
            metavar="N",
            help="At most so many questions.",
            show_default="all",
        ),
    ] = None,
    dtype: Dtype = None,
    json: Json = False,
) -> None:
    """Fit what tells, in a model's hidden states, whether a fact is needed for a request.

    For chat models of at least a billion parameters, which are asked that (the second look). Kept
    on this machine, for this model; interrupted, it goes on where it was when run again.

    memedit train probe --model Qwen/Qwen2.5-1.5B-Instruct
    """
    from dataclasses import asdict

    from memedit import EditableModel
    from memedit.editors.prompting.choosing import is_able
    from memedit.training.probing import train_probe

    lm = EditableModel.from_pretrained(model, dtype=dtype)
    with render.measuring() as heard:
        found = train_probe(
            lm.engine, most=most, progress=lambda *told: heard("Reading states", *told)
        )
    if json:
        render.as_json(asdict(found))
        return
    render.note(
        f"Of {found.n} questions that were left out {100 * found.right:.1f}% are read rightly; "
        f"AUC {found.area:.3f}, of the scope alone {found.before:.3f}."
    )
    render.note("Kept for this model: its second look is read by it from now on.")
    if not is_able(lm.engine):
        render.note("A model this small is asked only where it must be: model.second_look = True.")
