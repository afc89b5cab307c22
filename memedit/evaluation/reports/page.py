"""A comparison as one self-contained HTML page: tables, plots, worst cases with their texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from memedit.evaluation.measures.metrics import METRICS, OVERALL, RELATIVE, TIMINGS
from memedit.evaluation.measures.rows import Row
from memedit.evaluation.reports import plots, tables
from memedit.evaluation.runs.compare import Comparison

CURVES = ("gen_efficacy", "gen_generality", "gen_locality", "gen_portability", "retention",
          "tf_efficacy", "tf_generality", "tf_locality", "es", "ps", "ns", "s",
          OVERALL[RELATIVE])  # fmt: skip
FAMILIES = ("Free generation", "Teacher forcing", "Comparison of probabilities", "Scope")
WORST = 8
# The first three are Okabe and Ito's, lighter on dark paper. Their others are too faint on white:
# dark ones stand for them. A test holds that any two can be told apart with every kind of colour
# blindness and that all have a contrast of 3:1 with the paper.
_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #ffffff; --grid: #d5d5d5; --soft: #555;
  --series-0: #0072b2; --series-1: #d55e00; --series-2: #009e73; --series-3: #732646;
  --series-4: #604b20; --series-5: #002a66; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececec; --paper: #161616; --grid: #444;
  --soft: #aaa; --series-0: #3fa9f5; --series-1: #ff8c42; --series-2: #2fd0a0;
  --series-3: #e79ac4; --series-4: #e6b800; --series-5: #a6d8f5; } }
@media print { :root { color-scheme: light; --ink: #000; --paper: #fff; --grid: #ccc; --soft: #444;
  --series-0: #0072b2; --series-1: #d55e00; --series-2: #009e73; --series-3: #732646;
  --series-4: #604b20; --series-5: #002a66; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.2rem; }
h3 { font-size: 1rem; margin-bottom: 0; }
h2, h3 { break-after: avoid; } figure, tr { break-inside: avoid; }
.wide { overflow-x: auto; } figure { margin: 1rem 0; }
svg { width: 100%; min-width: 36rem; height: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.9rem; }
th, td { text-align: left; padding: 0.25rem 0.8rem 0.25rem 0; vertical-align: top;
  border-bottom: 1px solid var(--grid); }
tbody th { font-weight: normal; } td { overflow-wrap: break-word; }
.texts table { min-width: 44rem; } .texts th { white-space: nowrap; }
td.number span { white-space: nowrap; color: var(--soft); }
figcaption, .soft { color: var(--soft); font-size: 0.9rem; overflow-wrap: anywhere; }
.summary { font-size: 1.05rem; margin: 0.4rem 0; }
.narrow { display: none; } .narrow svg { min-width: 0; }
@media screen and (max-width: 40rem) { .narrow { display: block; } .wide.plot { display: none; } }
@media print { body { font-size: 11pt; margin: 0; max-width: none; }
  svg { min-width: 0; max-height: 23cm; }
  .wide { overflow: visible; } table, .texts table { font-size: 8.5pt; min-width: 0; } }
"""


def page(comparison: Comparison, downstream: Mapping[str, Any] | None = None) -> str:
    """The page, complete in itself: nothing is fetched when it is opened.

    Args:
        comparison: What to show.
        downstream: What ``memedit downstream --out`` wrote, for its bars.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    title = f"memedit: {', '.join(comparison.tables)}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        *(f"<p class='summary'>{escape(line)}</p>" for line in tables.summary(comparison)),
        f"<p class='soft'>{escape(tables.provenance(comparison))}</p>",
        *_plots(comparison),
        *_downstream(downstream or {}),
        *_tables(comparison),
        *_worst_cases(comparison),
        _glossary(comparison),
    ]
    head = (
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style>"
    )
    return head + "\n".join(parts) + "</html>\n"


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot with what stands around it; ``section`` opens a part of the page, where it is one."""

    name: str
    title: str
    caption: str
    svg: str
    section: str = ""
    heading: str = ""


def pictures(comparison: Comparison) -> dict[str, str]:
    """{name: SVG} of the page's plots, each complete in itself."""
    return {each.name: make_standalone(each.svg) for each in figures(comparison)}


def make_standalone(svg: str) -> str:
    """A plot with the page's colours, light and dark, for a document."""
    colours = _STYLE[: _STYLE.index("body {")].replace(":root", "svg")
    svg = svg.replace("<svg", "<svg style='background: var(--paper); color: var(--ink)'", 1)
    return svg.replace(">", f"><style>{colours}</style>", 1)


def _plots(comparison: Comparison) -> Iterator[str]:
    """Each plot twice: for a page, and for a telephone, of which one is shown."""
    with plots.draw_narrow():
        slim = {each.name: each.svg for each in figures(comparison)}
    for each in figures(comparison):
        yield _draw(each, slim[each.name])


def _draw(figure: Figure, slim: str) -> str:
    title = f"<svg role='img' aria-label='{escape(figure.title)}'"
    named, narrow = (svg.replace("<svg", title, 1) for svg in (figure.svg, slim))
    caption = f"<figcaption>{escape(figure.caption)}</figcaption>"
    section = f"<h2>{escape(figure.section)}</h2>" if figure.section else ""
    heading = f"<h3>{escape(figure.heading)}</h3>" if figure.heading else ""
    return f"{section}{heading}<figure><div tabindex='0' class='wide plot'>{named}</div>" + (
        f"<div class='narrow'>{narrow}</div>{caption}</figure>"
    )


def figures(comparison: Comparison) -> Iterator[Figure]:
    """The plots of a comparison, in order.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    held = comparison.tables
    points = tables.points_of(held)
    there = {name for table in held.values() for each in table.values() for name in each}
    last = {editor: table[points[-1]] for editor, table in held.items() if points[-1] in table}
    final = {name for each in last.values() for name in each}
    title = f"Scores with {int(points[-1]):,} {'case' if points[-1] == '1' else 'cases'} edited"
    fractions = [m for m in tables.HEADLINE if m in final and tables.is_fraction(m)]
    section = title
    for family in FAMILIES:  # what does not compare does not stand in one plot
        if shown := [m for m in fractions if tables.family(m) == family]:
            drawn = plots.dots(last, shown)
            caption = "Means with 95% bootstrap intervals over records."
            name = f"scores-{family.lower().replace(' ', '-')}"
            yield Figure(name, f"{title}: {family}", caption, drawn, section, family)
            section = ""
    if len(points) > 1:
        title = "Scores against the number of edits"
        shown = [m for m in CURVES if m in there]
        caption = "All cases edited so far, asked again at each checkpoint; 95% intervals."
        yield Figure("curves", title, caption, plots.curves(held, shown), title)
    if costs := [m for m in TIMINGS if m in final]:
        title = "Seconds per edit and per edited answer"
        drawn = plots.dots(last, costs, label="seconds", log=True)
        yield Figure("seconds", title, "On the machine of this run; log scale.", drawn, title)


def _downstream(results: Mapping[str, Any]) -> Iterator[str]:
    """Bars before and after, from the scores of ``memedit downstream``."""
    if not results:
        return
    from memedit.evaluation.downstream import intervals

    title = "Downstream tasks before and after editing"
    drawn = plots.bars(intervals(results), "%", scale=100)
    with plots.draw_narrow():
        slim = plots.bars(intervals(results), "%", scale=100)
    yield _draw(Figure("downstream", title, "95% intervals over items.", drawn, title), slim)


def _tables(comparison: Comparison) -> Iterator[str]:
    for point in reversed(tables.points_of(comparison.tables)):
        yield f"<h2>{escape(tables.title_of(comparison, point))}</h2>"
        header = ["metric", *comparison.tables]
        lines = []
        for name in tables.choose_headline(comparison.tables):
            cells = tables.cells(comparison, point, name)
            if any(cells):
                numbers = "".join(_number(cell) for cell in cells)
                lines.append(f"<th scope='row'>{escape(tables.label(name))}</th>{numbers}")
        yield _table(header, lines)


def _table(header: Sequence[str], lines: Iterable[str], kind: str = "wide") -> str:
    """A table of lines that are cells already."""
    head = "".join(f"<th scope='col'>{escape(cell)}</th>" for cell in header)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    # one who has no mouse scrolls it by the arrow keys
    return f"<div tabindex='0' class='{kind}'>{table}</div>"


def _number(cell: str) -> str:
    """``54.5 [27.3, 81.8]``, which breaks before its interval only."""
    value, _, interval = cell.partition(" ")
    return f"<td class='number'>{escape(value)} <span>{escape(interval)}</span></td>"


def _texts(name: str, cells: Iterable[str]) -> str:
    said = "".join(f"<td>{escape(cell.strip()) or '(nothing)'}</td>" for cell in cells)
    return f"<th scope='row'>{escape(name)}</th>{said}"


def _worst_cases(comparison: Comparison) -> Iterator[str]:
    """What each editor got wrong, in its own words; edits first, then paraphrases, neighbours."""
    if comparison.folder is None:
        return
    yield "<h2>Worst cases</h2>"
    for editor in comparison.tables:
        if not comparison.unedited(editor):
            rows = worst(comparison.rows(editor))
            yield f"<h3>{escape(editor)}</h3>"
            names = ("prompt", "target", "text", "base")
            lines = [_texts(r["kind"], (str(r.get(name, "")) for name in names)) for r in rows]
            header = ("probe", "asked", "expected", "said", "the unedited model said")
            yield _table(header, lines, "wide texts") if lines else "<p>None.</p>"


def worst(rows: Iterable[Row], count: int = WORST) -> list[Row]:
    """Failed answers at the last checkpoint: of edits, paraphrases and locality, ``count`` each."""
    failed = [
        r
        for r in rows
        if r["phase"] == "checkpoint" and r["value"] == 0 and "text" in r and "prompt" in r
        and (r["measure"] == "gen_same" or r["kind"] in {"efficacy", "paraphrase"})
    ]  # fmt: skip
    last = max((r["edited"] for r in failed), default=0)
    groups: dict[str, list[Row]] = {"efficacy": [], "paraphrase": [], "locality": []}
    for row in failed:
        if row["edited"] == last:
            groups[row["kind"] if row["measure"] == "gen_contains" else "locality"].append(row)
    return [row for group in groups.values() for row in group[:count]]


def _glossary(comparison: Comparison) -> str:
    there = {n for t in comparison.tables.values() for each in t.values() for n in each}
    known = sorted(there & set(METRICS))
    return (
        "<h2>What the names mean</h2><p><code>gen_</code>: free generation with natural stop and a "
        "fixed budget of tokens. <code>tf_</code>: teacher forcing. <code>es ps ns s em pm nm"
        "</code>: comparison of probabilities. The three do not compare. Locality is "
        "agreement with the unedited model. The page shows "
        f"{len(known)} of the metrics that memedit.evaluation.measures.metrics defines.</p>"
    )
