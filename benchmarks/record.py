"""Keep a measurement for the site's benchmark page: what, when, how, and with which code.

    python -m benchmarks.record scores.json.run --topic counterfact --title "serac, ike, unedited"
    python -m benchmarks.record peak.json --topic facts --title "PEAK" --model SmolLM2-135M-Instruct

The source is the folder of a run of ``memedit eval`` or ``compare``, or the JSON of a script in
this folder. Nothing is overwritten: the page shows the newest of a title, and what was measured
before.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

import typer
from scipy.stats import binomtest

import memedit
from memedit.core.errors import InvalidInputError
from memedit.evaluation.reports.tables import choose_headline, is_fraction, unit

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).with_name("results")
TOPICS = (
    "counterfact",
    "zsre",
    "halluedit",
    "qaedit",
    "everyday",
    "facts",
    "scale",
    "peers",
    "cost",
)
_VALUES = ("share", "mean", "median")
Figure = dict[str, Any]


def figures_of(found: Any, name: str = "") -> Iterator[Figure]:
    """Every figure that says of how many cases it is, wherever it stands; by Wilson's interval
    (95%) where a share comes without one."""
    if not isinstance(found, Mapping):
        return
    count = found.get("n")
    if not isinstance(count, int) or isinstance(count, bool):
        for key, value in found.items():
            yield from figures_of(value, f"{name}, {key}" if name else str(key))
        return
    named = [key for key in _VALUES if isinstance(found.get(key), int | float)]
    if named:
        low, high = found.get("interval") or (found.get("low"), found.get("high"))
        yield _figure(name, found[named[0]], low, high, count)
        return
    for key, value in found.items():
        if isinstance(value, float) and 0 <= value <= 1:
            low, high = binomtest(round(value * count), count).proportion_ci(method="wilson")
            yield _figure(f"{name}, {key}", value, low, high, count)


def _figure(name: str, value: float, low: float | None, high: float | None, n: int) -> Figure:
    of = "%" if 0 <= value <= 1 and "ms_" not in name else ""
    kept = {"value": value, "low": low, "high": high}
    rounded = {key: each if each is None else round(float(each), 4) for key, each in kept.items()}
    return {"name": name} | rounded | {"n": n, "unit": of}


def figures_of_run(aggregates: Mapping[str, Any]) -> Iterator[Figure]:
    """The headline figures of a run's editors at every checkpoint."""
    names = choose_headline(aggregates)
    for editor, points in aggregates.items():
        for point, metrics in points.items():
            for name in names:
                if name not in metrics:
                    continue
                of = metrics[name]
                label = f"{editor}, {int(point):,} edits: {name}"
                figure = _figure(label, of["mean"], of["low"], of["high"], of["n"])
                yield figure | {"unit": "%" if is_fraction(name) else unit(name)}


def entry(source: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a measurement.

    Args:
        source: A run's folder, or a JSON file.
        told: What the caller says of it; what is empty is taken from the source.

    Raises:
        InvalidInputError: nothing in it says of how many cases it is; something is nowhere said.
    """
    if source.is_dir():
        made = json.loads((source / "manifest.json").read_text("utf-8"))
        identity, when = made["identity"], made["surroundings"]["started"]
        known = {"model": identity["model"], "code": f"{identity['memedit']} {identity['code']}"}
        found = figures_of_run(json.loads((source / "aggregates.json").read_text("utf-8")))
    else:
        read = json.loads(source.read_text("utf-8"))
        made = read.pop("manifest", {})
        when = (
            made.get("date")
            or datetime.fromtimestamp(source.stat().st_mtime, timezone.utc).isoformat()
        )
        known = {"command": _plain(made.get("command", "")), "code": _revision()}
        found = figures_of(read)
    kept = known | {name: value for name, value in told.items() if value}
    missing = [name for name in ("command", "model", "code") if not kept.get(name)]
    figures = list(found)
    if missing or not figures:
        raise InvalidInputError(
            f"{source}: {'no figures' if not figures else 'nobody says its ' + missing[0]}.",
            hint="Figures have an n beside them; --command, --model and --code say the rest.",
        )
    return kept | {"date": when[:16], "figures": figures}


def _plain(command: str | Sequence[str]) -> str:
    """A command, in one text or by its words, without this machine's folders."""
    said = command.split() if isinstance(command, str) else [word or "''" for word in command]
    words = (re.sub(r"^/\S*/(?=benchmarks/)", "", word) for word in said)
    return " ".join(re.sub(r"^/\S*/", "", word) if word.startswith("/") else word for word in words)


def _revision() -> str:
    asked = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    done = subprocess.run(asked, capture_output=True, text=True)
    return f"{memedit.__version__} {done.stdout.strip()}".strip()


def main(
    source: Annotated[Path, typer.Argument(exists=True, help="A run's folder, or a JSON file.")],
    topic: Annotated[str, typer.Option("--topic", help=f"One of {', '.join(TOPICS)}.")],
    title: Annotated[str, typer.Option("--title", help="What was measured; the same every time.")],
    about: Annotated[str, typer.Option("--about", help="A sentence: how to read it.")] = "",
    command: Annotated[str, typer.Option("--command", help="That measured it.")] = "",
    model: Annotated[str, typer.Option("--model", help="That was measured.")] = "",
    code: Annotated[str, typer.Option("--code", help="Its version. [default: the source's]")] = "",
    out: Annotated[Path, typer.Option("--out", help="The results' folder.")] = RESULTS,
) -> None:
    """Keep a measurement."""
    if topic not in TOPICS:
        raise typer.BadParameter(f"{topic!r} is none of {', '.join(TOPICS)}.")
    told = {"about": about, "command": command, "model": model, "code": code}
    made = {"topic": topic, "title": title} | entry(source, told)
    slug = re.sub(r"\W+", "-", title.casefold()).strip("-")
    file = out / f"{topic}-{slug}-{made['date'].replace(':', '')}.json"
    if file.exists():
        raise typer.BadParameter(f"{shlex.quote(str(file))} is there already.")
    file.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", "utf-8")
    typer.echo(f"{file}: {len(made['figures'])} figures")


if __name__ == "__main__":
    typer.run(main)
