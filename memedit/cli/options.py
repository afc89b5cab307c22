"""The options that commands share, above all those that measure."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from memedit.cli import render
from memedit.core.errors import InvalidInputError, MemoryStoreError, MissingExtraError

if TYPE_CHECKING:
    from memedit.memory import EditMemory
    from memedit.model.editable import EditableModel

Namespace = Annotated[
    str, typer.Option("--namespace", metavar="NAME", help="Part of the memory: a tenant, a topic.")
]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]

Data = Annotated[
    str, typer.Option("--data", metavar="FILE", help="Cases; the format is told by the content.")
]
Count = Annotated[
    int | None, typer.Option("--n", min=1, metavar="N", help="How many cases.", show_default="all")
]
Protocol = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        help="batch, batch-sequential, instance, sequential or single.",
        show_default="batch; sequential with checkpoints",
    ),
]
BatchEdits = Annotated[
    int | None,
    typer.Option("--batch-edits", min=1, metavar="N", help="Cases per operation of batch-*."),
]
Checkpoints = Annotated[
    str, typer.Option("--checkpoints", metavar="1,10,...", help="Evaluate after so many cases.")
]
Families = Annotated[
    str, typer.Option("--families", help="Of gen, tf, kl, fluency (slow), which to measure.")
]
Locality = Annotated[
    int, typer.Option("--locality", min=0, metavar="N", help="Locality probes of a kind per case.")
]
Target = Annotated[
    str, typer.Option("--zsre-target", help="zsRE: alt (MEND, EasyEdit) or answers (ROME, MEMIT).")
]
Sources = Annotated[
    str, typer.Option("--sources", metavar="A,B", help="Only records of these sources.")
]
PartName = Annotated[
    str | None,
    typer.Option(
        "--part",
        metavar="PART",
        help="Only cases whose subjects memedit's own training left out (evaluation), chose "
        "thresholds on (calibration), or learnt from (train).",
    ),
]
Tokens = Annotated[
    int, typer.Option("--max-new-tokens", min=1, metavar="N", help="Budget of a free answer.")
]
Frame = Annotated[
    str,
    typer.Option(
        "--frame", help="How prompts are put: plain, qa, shots, instruction, dialogue or chat."
    ),
]
Hard = Annotated[
    bool,
    typer.Option(
        "--hard", help="Ask reversed, negated, hypothetical and dated forms of each edit, too."
    ),
]
References = Annotated[
    Path | None,
    typer.Option(
        "--references",
        metavar="FILE",
        help="ROME's attribute_snippets.json, for consistency and essence (family fluency).",
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="Of sampled texts.")]
Recheck = Annotated[
    bool,
    typer.Option("--recheck", help="Ask also where no edit fires, instead of taking the base's."),
]
Method = Annotated[
    str | None,
    typer.Option(
        "--editor",
        metavar="NAME",
        help="See memedit editors.",
        show_default="what the memory was saved with, else auto",
    ),
]
ScopeName = Annotated[
    str | None,
    typer.Option(
        "--scope",
        metavar="NAME",
        help="Decides which edit applies: classifier, mention, threshold, nearest, everything.",
        show_default="what the memory was saved with, else classifier",
    ),
]
DEFAULT_MEMORY = "memory"
Memory = Annotated[
    str,
    typer.Option(
        "--memory",
        metavar="DIR|URL",
        envvar="MEMEDIT_MEMORY",
        help="Where edits are kept: a directory, or postgresql://user@host/db.",
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        envvar="MEMEDIT_MODEL",
        help="Hub id, folder or GGUF file of the language model.",
        show_default="SmolLM2-135M-Instruct",
    ),
]
Unused = Annotated[
    str | None, typer.Option("--model", hidden=True, help="Accepted everywhere; not needed here.")
]
EncoderName = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        metavar="NAME",
        envvar="MEMEDIT_ENCODER",
        help="Sentence encoder of the memory.",
        show_default="all-MiniLM-L6-v2",
    ),
]
Run = Annotated[
    Path | None,
    typer.Option(
        "--run",
        metavar="DIR",
        help="Keep the run here and go on with it.",
        show_default="beside OUT, else the cache",
    ),
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="OUT", help="Write the figures here, as JSON.")
]
Html = Annotated[
    Path | None, typer.Option("--html", metavar="OUT", help="Write a page with plots here.")
]
Markdown = Annotated[Path | None, typer.Option("--markdown", metavar="OUT", help="Tables.")]
Csv = Annotated[Path | None, typer.Option("--csv", metavar="OUT", help="Every figure, one a line.")]
Timings = Annotated[
    bool, typer.Option(help="Write seconds too; without them OUT is the same in every run.")
]
Workers = Annotated[
    int, typer.Option("--workers", min=1, metavar="N", help="Editors measured at once.")
]
Ray = Annotated[
    str | None,
    typer.Option("--ray", metavar="ADDRESS", help="Measure on a Ray cluster ('local': start one)."),
]
Editors = Annotated[
    str,
    typer.Option(
        "--editors",
        metavar="A,B",
        help="NAME, NAME@SCOPE, NAME-ungated (the nearest edit always fires), "
        "'NAME(setting=value)', none.",
    ),
]
Editor = Annotated[str, typer.Option("--editor", metavar="NAME", help="As in compare.")]
DownstreamEdits = Annotated[
    Path, typer.Option("--edits", metavar="FILE", help="Cases whose edits are made.")
]
DownstreamCount = Annotated[
    int | None,
    typer.Option("--n-edits", min=1, metavar="N", help="How many edits.", show_default="all"),
]
Tasks = Annotated[
    str | None,
    typer.Option("--tasks", metavar="A,B", help="Which tasks.", show_default="all there are"),
]
Items = Annotated[
    int | None,
    typer.Option("--limit", min=1, metavar="K", help="Items per task.", show_default="all"),
]
DownstreamData = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        envvar="MEMEDIT_DOWNSTREAM",
        help="Folder of the tasks' data.",
        show_default="'downstream' beside FILE",
    ),
]
Shots = Annotated[
    int, typer.Option("--shots", min=0, help="Worked examples, where a task has some.")
]
Batch = Annotated[int, typer.Option("--batch", min=1, help="Items per model call.")]


@dataclass(frozen=True, slots=True)
class Reports:
    """The files to write; ``json``: the figures instead of tables, where a program reads."""

    out: Path | None = None
    html: Path | None = None
    markdown: Path | None = None
    csv: Path | None = None
    json: bool = False
    pictures: Path | None = None

    def check(self) -> None:
        """Refuse, before anything is measured, a file that cannot be written afterwards.

        Raises:
            InvalidInputError: its folder does not exist, it is a folder, or a part of a memory.
            MissingExtraError: nothing is here that draws the page's plots.
        """
        drawn = self.html or self.pictures
        if drawn is not None and find_spec("matplotlib") is None:
            raise MissingExtraError("matplotlib", extra="eval")
        from memedit.memory.address import check_output

        for file in filter(None, (self.out, self.html, self.markdown, self.csv)):
            check_output(file)


@dataclass(frozen=True, slots=True)
class Measured:
    """What ``eval`` and ``compare`` ask for alike: fields of a job, its folder, its reports."""

    job: Mapping[str, Any]
    folder: Path | None
    reports: Reports


def build_measured(
    data: Data,
    n: Count = None,
    protocol: Protocol = None,
    batch_edits: BatchEdits = None,
    checkpoints: Checkpoints = "",
    families: Families = "gen,tf,kl",
    locality: Locality = 2,
    hard: Hard = False,
    zsre_target: Target = "alt",
    sources: Sources = "",
    part: PartName = None,
    references: References = None,
    max_new_tokens: Tokens = 24,
    frame: Frame = "plain",
    seed: Seed = 0,
    recheck: Recheck = False,
    model: Model = None,
    encoder: EncoderName = None,
    run: Run = None,
    out: Out = None,
    html: Html = None,
    markdown: Markdown = None,
    csv: Csv = None,
    json: Json = False,
) -> Measured:
    """The options of a measurement, put together."""
    points = numbers(checkpoints)
    settings = {
        "protocol": protocol or ("sequential" if points else "batch"),
        "batch_edits": batch_edits,
        "checkpoints": points,
        "families": tuple(parts(families)),
        "tokens": max_new_tokens,
        "frame": frame,
        "seed": seed,
        "recheck": recheck,
    }
    job = {
        "data": data,
        "n": n,
        "locality": locality,
        "hard": hard,
        "target": zsre_target,
        "sources": tuple(parts(sources)),
        "part": part,
        "references": references and str(references),
        "model": model,
        "encoder": encoder,
        "settings": settings,
    }
    reports = Reports(out, html, markdown, csv, json)
    reports.check()
    return Measured(job, run or (out.with_name(f"{out.name}.run") if out else None), reports)


def with_options(made: Callable[..., Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the options of ``made``, whose result it takes as ``asked``."""

    def add_options(command: Callable[..., None]) -> Callable[..., None]:
        own, more = inspect.signature(command).parameters, inspect.signature(made).parameters

        @wraps(command)
        def run(**given: Any) -> None:
            asked = made(**{name: given.pop(name) for name in more})
            command(asked=asked, **given)

        # Annotations are texts here: Typer needs what they stand for, its options included.
        hints = get_type_hints(made, include_extras=True) | get_type_hints(
            command, include_extras=True
        )
        names = {n: p for n, p in own.items() if n != "asked"} | dict(more)
        # Python wants what has no default first.
        ordered = sorted(names.values(), key=lambda p: p.default is not inspect.Parameter.empty)
        return show_parameters(run, [p.replace(annotation=hints[p.name]) for p in ordered])

    return add_options


def show_parameters(
    run: Callable[..., None], parameters: Iterable[inspect.Parameter]
) -> Callable[..., None]:
    """A command that says it takes these, all by name: Typer makes its options of what it reads."""
    kept = [each.replace(kind=each.KEYWORD_ONLY) for each in parameters]
    vars(run)["__signature__"] = inspect.Signature(kept)
    run.__annotations__ = {each.name: each.annotation for each in kept}
    return run


def parts(text: str) -> list[str]:
    """What stands between the commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def numbers(text: str) -> tuple[int, ...]:
    """Numbers between commas.

    Raises:
        BadParameter: something else.
    """
    try:
        return tuple(int(part) for part in parts(text))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a list of numbers such as 1,10,100.") from None


def hide_password(memory: str) -> str:
    """A memory's address as it may be told: without a password."""
    from memedit.memory.address import hide_password as told

    return told(memory)


def parse_moment(text: str) -> date:
    """A date, or a datetime; one that names no zone is in UTC."""
    from memedit.core.moments import UTC, read_moment, set_zone

    try:
        return set_zone(read_moment(text, "date"), UTC)
    except InvalidInputError:
        raise typer.BadParameter(f"{text!r} is not a date such as 2026-05-01.") from None


def open_memory(path: str, encoder: str | None = None, *, write: bool = True) -> EditMemory:
    """The memory alone, not the language model."""
    from memedit.memory import EditMemory

    if encoder is None:
        # Imported here, as in all commands: --help shall not wait for numpy and torch.
        return EditMemory(path, read_only=not write)
    from memedit.engine.encoders import load_encoder

    with render.working(f"Loading encoder {encoder}"):
        return EditMemory(path, load_encoder(encoder), read_only=not write)


def require_existing(path: str) -> str:
    """``path`` if there is something at it: only adding makes a new memory."""
    from memedit.memory.address import is_url

    if not is_url(path) and not Path(path).exists():
        raise MemoryStoreError(
            f"There is no memory at {path!r}.",
            hint="Name another with --memory DIR, or add an edit: memedit edit add --help",
        )
    return path


def open_model(name: str | None, memory: Any, **options: Any) -> EditableModel:
    with render.working(f"Loading {name or 'the default language model'}"):
        from memedit.model.editable import EditableModel

        return EditableModel.from_pretrained(name, memory=memory, **options)


def name_place(memory: str, namespace: str | None, match: str | None = None) -> str:
    """Where was looked for edits, and for what."""
    where = hide_password(memory)
    if namespace is not None:
        where = f"namespace {namespace!r} of {where}"
    return f"{where} with {match!r}" if match else where
