"""The benchmark page: every measurement that is kept in ``benchmarks/results``, by topic, the newest
of each title as a table beside the one before, the older ones folded away."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

Entry = Mapping[str, Any]
TITLES = {
    "counterfact": "CounterFact", "zsre": "zsRE", "halluedit": "HalluEditBench", "qaedit": "QAEdit",
    "everyday": "Everyday requests", "facts": "Consequences of facts", "scale": "Scale",
    "peers": "Beside other methods", "cost": "What editing costs",
}  # fmt: skip
_ABOUT = """# Benchmarks

Built from `benchmarks/results` with the site (`make docs`); nothing here is written by hand. Each table says when, with which
command, model and code it was measured. `n` counts cases, intervals are 95% (of runs: bootstraps over records; of scripts:
Wilson's), and *before* is the same figure the last time. A measurement is added with

```sh
python -m benchmarks.record SOURCE --topic TOPIC --title TITLE
```
"""


def page(folder: Path) -> str:
    """Markdown of the page."""
    entries = [json.loads(file.read_text("utf-8")) for file in sorted(folder.glob("*.json"))]
    lines = [_ABOUT]
    for topic, title in TITLES.items():
        mine = [each for each in entries if each["topic"] == topic]
        if not mine:
            continue
        lines += [f"## {title}", ""]
        for name in dict.fromkeys(each["title"] for each in mine):
            same = [each for each in mine if each["title"] == name]
            lines += _titled(sorted(same, key=lambda each: each["date"], reverse=True))
    return "\n".join(lines)


def _titled(entries: Sequence[Entry]) -> Iterator[str]:
    """One measurement: its newest state, then the older ones."""
    newest, *older = entries
    yield from (f"### {newest['title']}", "")
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
    yield "|---" + "|---:" * (len(columns) - 1) + "|"
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
