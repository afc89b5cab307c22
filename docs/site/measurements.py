"""The benchmark page: every measurement that is kept in ``benchmarks/results``, by topic, the newest
of each title as a table beside the one before, the older ones folded away."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import intervals  # beside this file

Entry = Mapping[str, Any]
TITLES = {
    "counterfact": "CounterFact", "zsre": "zsRE", "halluedit": "HalluEditBench", "qaedit": "QAEdit",
    "everyday": "Everyday requests", "facts": "Consequences of facts", "scale": "Scale",
    "peers": "Beside other methods", "cost": "What editing costs",
}  # fmt: skip
_DRAWN = {"scale": ("RAM, disk and time against the number of edits", "pictures/scale.svg")}
"""Pictures of a topic that a script of ``benchmarks`` draws."""
_FOLDED = 24
"""Rows of a picture above which it is folded away."""
_ABOUT = """# Benchmarks

Built from `benchmarks/results` with the site (`make docs`); nothing here is written by hand. Each table says when, with which
command, model and code it was measured. `n` counts cases, intervals are 95% (of runs: bootstraps over records; of scripts:
Wilson's), and *before* is the same figure the last time; in the pictures a dot is the share, the line its interval, a ring the share
before. A measurement is added with

```sh
python -m benchmarks.record SOURCE --topic TOPIC --title TITLE
```
"""


def page(folder: Path) -> str:
    """Markdown of the page."""
    kept = _read(folder)
    lines = [_ABOUT]
    for topic, title in TITLES.items():
        mine = [same for (of, _), same in kept.items() if of == topic]
        if not mine:
            continue
        lines += [f"## {title}", ""]
        if topic in _DRAWN:
            lines += ["![{}]({})".format(*_DRAWN[topic]), ""]
        for same in mine:
            lines += _titled(same)
    return "\n".join(lines)


def pictures(folder: Path) -> dict[str, str]:
    """The page's pictures that are made from what it shows: SVG by path."""
    return {
        _picture_of(newest): intervals.draw(newest["title"], newest["figures"], _before(older))
        for newest, *older in _read(folder).values()
        if _is_drawn(newest)
    }


def _read(folder: Path) -> dict[tuple[str, str], list[Entry]]:
    """The states of every measurement, by topic and title, the newest first."""
    entries = [json.loads(file.read_text("utf-8")) for file in sorted(folder.glob("*.json"))]
    found: dict[tuple[str, str], list[Entry]] = {}
    for each in entries:
        found.setdefault((each["topic"], each["title"]), []).append(each)
    for same in found.values():
        same.sort(key=lambda each: each["date"], reverse=True)
    return found


def _before(older: Sequence[Entry]) -> Sequence[Mapping[str, Any]]:
    return older[0]["figures"] if older else ()


def _is_drawn(entry: Entry) -> bool:
    return len(intervals.shares_of(entry["figures"])) > 1 and entry["topic"] not in _DRAWN


def _picture_of(entry: Entry) -> str:
    slug = re.sub(r"\W+", "-", f"{entry['topic']} {entry['title']}".casefold()).strip("-")
    return f"pictures/benchmarks/{slug}.svg"


def _titled(entries: Sequence[Entry]) -> Iterator[str]:
    """One measurement: its newest state, drawn and as a table, then the older ones."""
    newest, *older = entries
    yield from (f"### {newest['title']}", "")
    if _is_drawn(newest):
        long = len(intervals.shares_of(newest["figures"])) > _FOLDED
        if long:
            yield from ('??? note "The same, drawn"', "")
        alt = f"{newest['title'].replace('[', '(').replace(']', ')')}: shares with their intervals"
        yield from ("    " * long + f"![{alt}]({_picture_of(newest)})", "")
    yield from _table(newest, older[0] if older else None)
    for entry in older:
        yield from (f'??? note "As of {entry["date"][:10]}"', "")
        yield from ("    " + line for line in _table(entry, None))


def _table(entry: Entry, before: Entry | None) -> Iterator[str]:
    if entry.get("about"):
        yield from (entry["about"], "")
    yield f"{entry['date'][:10]}, {entry['model']}, memedit {entry['code']}: `{entry['command']}`"
    yield ""
    known = {each["name"]: each for each in before["figures"]} if before else {}
    columns = ["", "", "interval", "n"] + ([f"before ({before['date'][:10]})"] if before else [])
    yield "| " + " | ".join(columns) + " |"
    yield "|---" * len(columns) + "|"  # without places: each cell would say its own, in 28 bytes
    for each in entry["figures"]:
        cells = [escape(each["name"]), _shown(each, "value"), _interval(each), f"{each['n']:,}"]
        if before:
            cells.append(_shown(known[each["name"]], "value") if each["name"] in known else "")
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _interval(figure: Mapping[str, Any]) -> str:
    if figure["low"] is None:
        return ""
    return f"{_shown(figure, 'low', bare=True)}–{_shown(figure, 'high', bare=True)}"


def _shown(figure: Mapping[str, Any], name: str, *, bare: bool = False) -> str:
    value, unit = figure[name], figure["unit"]
    if unit == "%":
        return f"{100 * value:.1f}" + ("" if bare else "%")
    told = f"{value:.3g}" if abs(value) < 1_000 else f"{value:,.0f}"
    return told + (f" {unit}" if unit and not bare else "")
