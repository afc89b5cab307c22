"""``memedit check``: the questions and expected answers that an edit file carries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memedit.cli import render
from memedit.cli.options import EncoderName, Json, Model, open_model

if TYPE_CHECKING:
    from memedit.memory import EditMemory


def check(
    file: Annotated[Path, typer.Argument(help="JSON lines: edits, each with its checks.")],
    editor: Annotated[
        str | None, typer.Option("--editor", metavar="NAME", help="Method.", show_default="auto")
    ] = None,
    scope: Annotated[
        str | None, typer.Option("--scope", metavar="NAME", help="Decides which edit applies.")
    ] = None,
    max_new_tokens: Annotated[
        int, typer.Option("--max-new-tokens", min=1, metavar="N", help="Longest answer.")
    ] = 48,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML.")
    ] = None,
    model: Model = None,
    encoder: EncoderName = None,
    json: Json = False,
) -> None:
    """Ask what the edits of a file must answer, before a new model, scope or threshold is deployed.

    Exit code 1: an answer is wrong; 2: the file cannot be used.

    memedit check --model NEW facts.jsonl --junit checks.xml
    """
    from memedit.evaluation import checks as asking
    from memedit.memory import EditMemory
    from memedit.memory.address import check_output

    if junit is not None:
        # Now, not after minutes of asking.
        check_output(junit)
    requests, checks = asking.read(file)
    store = EditMemory(None) if encoder is None else _open_blank_memory(encoder)
    for made in requests:
        store.add(
            made.edit,
            namespace=made.namespace,
            valid_from=made.valid_from,
            valid_until=made.valid_until,
        )
    lm = open_model(model, store, editor=editor, scope=scope)
    with render.counting(f"Asking {len(checks):,} questions", len(checks)) as progress:
        outcomes = asking.run(lm, checks, budget=max_new_tokens, progress=progress)
    if junit is not None:
        junit.write_text(asking.junit(outcomes, file.name), "utf-8")
    _show(outcomes, json=json)
    raise typer.Exit(1 if any(outcome.wrong for outcome in outcomes) else 0)


def _open_blank_memory(encoder: str) -> EditMemory:
    from memedit.engine.encoders import load_encoder
    from memedit.memory import EditMemory

    return EditMemory(None, load_encoder(encoder))


def _show(outcomes: Any, *, json: bool) -> None:
    wrong = sum(bool(outcome.wrong) for outcome in outcomes)
    if json:
        rows = [
            {"line": o.check.edit[0], "fact": o.check.edit[1], "ask": o.check.ask,
             "answer": o.answer, "right": not o.wrong, "wrong": o.wrong}
            for o in outcomes
        ]  # fmt: skip
        render.as_json({"checks": len(rows), "wrong": wrong, "outcomes": rows})
        return
    render.checks(outcomes)
    render.say(f"{len(outcomes) - wrong} of {len(outcomes)} right.", "red" if wrong else "green")
