"""Comparisons as tables: for the terminal, Markdown and CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from memedit.evaluation.measures.metrics import METRICS, OVERALL, is_better_low
from memedit.evaluation.measures.summary import Interval, Table

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from memedit.evaluation.runs.compare import Comparison

HEADLINE = (
    "gen_efficacy", "gen_generality", "gen_locality", "gen_locality_hard", "gen_portability",
    "gen_efficacy_exact",
    "gen_generality_exact", "tf_efficacy", "tf_generality", "tf_locality", "es", "ps", "ns", "s",
    "kl_locality", "edit_wise", "instance_wise", "multihop_any", "multihop_all",
    "multihop_any_em", "ripple", "ripple_executed", "ripple_executed_edited", "knowedit_overall",
    "zsre_efficacy", "zsre_paraphrase", "zsre_specificity", "zsre_score",
    "scope_recall", "scope_right", "scope_false_fires", "scope_false_fires_hard",
    "retrieval_recall", "immediate_gen_efficacy", "retention", "gen_fluency",
    "gen_fluency_full", "gen_consistency",
    "gen_entropy_fixed", "essence", *OVERALL.values(), "seconds_per_edit", "seconds_per_query",
)  # fmt: skip

_AT_BRACKET = re.compile(r" (?=[\[(])")
"""Where a cell of figures, or a metric with its unit, may be broken."""
_BETWEEN = 3
"""Spaces between columns."""
_UNITS = {
    "kl_": "nats", "text_nll": "nats a token", "seconds_": "s",
    "gen_fluency": "bits", "gen_entropy": "bits",
    "essence": "perplexity", "grace_arr": "perplexity", "grace_keys": "keys",
    "edits_held": "edits", "weight_distance": "norm", "weight_step": "norm",
    "weight_relative": "of the original norm",
}  # fmt: skip
"""Beginnings of the names of metrics that are no fractions."""


def is_fraction(name: str) -> bool:
    """Whether a metric is shown in percent."""
    return not name.startswith(tuple(_UNITS))


def format_interval(name: str, interval: Interval | None) -> str:
    """``97.0 [95.1, 98.6]``: percent for fractions, three digits for anything else."""
    if interval is None:
        return ""
    if is_fraction(name):
        low, high = 100 * interval.low, 100 * interval.high
        return f"{100 * interval.mean:.1f} [{low:.1f}, {high:.1f}]"
    return f"{interval.mean:.3g} [{interval.low:.3g}, {interval.high:.3g}]"


def unit(name: str) -> str:
    """What the numbers of a metric are."""
    if is_fraction(name):
        return "%"
    return next((u for prefix, u in _UNITS.items() if name.startswith(prefix)), "")


def family(name: str) -> str:
    """What a metric rests on: figures of two families do not compare."""
    if name in {"es", "ps", "ns", "s", "em", "pm", "nm", "immediate_es"}:
        return "Comparison of probabilities"
    if name.startswith(("scope_", "retrieval_")):
        return "Scope"
    forced = ("tf_", "zsre_", "serac_", "mend_", "ke_", "knowedit_", "immediate_tf_")
    return "Teacher forcing" if name.startswith(forced) else "Free generation"


def label(name: str) -> str:
    """A metric with its unit, and a word where less of it is better."""
    words = [unit(name), "less is better" if is_better_low(name) else ""]
    return f"{name} ({', '.join(filter(None, words))})"


def choose_headline(tables: Mapping[str, Table]) -> list[str]:
    """The metrics to show first: those of :data:`HEADLINE` that some editor has, then groups."""
    there = {name for table in tables.values() for metrics in table.values() for name in metrics}
    groups = sorted(n for n in there if n not in METRICS and n not in HEADLINE)
    return [name for name in HEADLINE if name in there] + [
        n for n in groups if n.startswith(("gen_portability_", "gen_locality_", "ripple_"))
    ]


def points_of(tables: Mapping[str, Table]) -> list[str]:
    """Every checkpoint, in order."""
    return sorted({point for table in tables.values() for point in table}, key=int)


def rich_tables(comparison: Comparison, width: int | None = None) -> Iterable[RichTable]:
    """Tables per checkpoint: a line per metric, a column per editor.

    Args:
        comparison: What is shown.
        width: Columns of the terminal. In one too narrow a cell is broken before its interval, and
            a metric before its unit, never inside a name or a figure; editors that have no place
            beside the others stand in a table below. None: it is wide enough.
    """
    names = choose_headline(comparison.tables)
    for point in points_of(comparison.tables):
        lines = [(label(name), *cells(comparison, point, name)) for name in names]
        lines = [line for line in lines if any(line[1:])]
        columns = list(zip(("metric", *comparison.tables), *lines, strict=True))
        if width is not None and _width(columns) > width:
            columns = [tuple(_AT_BRACKET.sub("\n", cell) for cell in each) for each in columns]
        for together in _group(columns[1:], width, _width(columns[:1], named=False)):
            yield _rich_table(title_of(comparison, point), [columns[0], *together], width)


def _group(
    columns: Sequence[Sequence[str]], width: int | None, metric: int
) -> Iterable[list[Sequence[str]]]:
    """Editors that have a place beside each other, and beside a column of this width."""
    group: list[Sequence[str]] = []
    for each in columns:
        wide = metric + _width([*group, each], named=False)
        if group and width is not None and wide > width:
            yield group
            group = []
        group.append(each)
    yield group


def _rich_table(title: str, columns: Sequence[Sequence[str]], width: int | None) -> RichTable:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable

    table = RichTable(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    narrow = width is not None and _width(columns) > width
    spare = max(0, (width or 0) - _width(columns, named=False)) // len(columns)
    for at, (name, *cells) in enumerate(columns):
        # A name may be broken; a figure is not. (Left to itself, rich takes from both.)
        least = _longest(cells)
        table.add_column(
            name,
            justify="right" if at else "left",
            overflow="fold",
            width=max(least, min(len(name), least + spare)) if narrow else None,
        )
    for line in zip(*(cells for _, *cells in columns), strict=True):
        if any(line[1:]):  # some of these editors have such a figure
            table.add_row(*line)
    return table


def _longest(cells: Iterable[str]) -> int:
    """Letters of the longest line of these."""
    return max((len(part) for cell in cells for part in cell.split("\n")), default=0)


def _width(columns: Iterable[Sequence[str]], *, named: bool = True) -> int:
    """Characters that columns take in which nothing is broken, but their names unless ``named``."""
    return sum(_longest(column if named else column[1:]) + _BETWEEN for column in columns)


_PLAIN = {
    "gen_efficacy": "answers edited questions as edited",
    "gen_generality": "rewordings of them",
    "gen_locality": "leaves other questions as they were",
}
"""What the metrics of free generation say, for people."""


def summary(comparison: Comparison) -> list[str]:
    """A sentence an editor on its answers with the most cases edited; the unedited model last."""
    last = points_of(comparison.tables)[-1]
    lines = []
    for editor in sorted(comparison.tables, key=comparison.unedited):
        held = comparison.tables[editor].get(last, {})
        names = [name for name in _PLAIN if name in held]
        who = f"{editor}, {_count_cases(f'{int(last):,}')} edited"
        if comparison.unedited(editor):  # which is what it is compared with
            who, names = "The unedited model", [n for n in names if n != "gen_locality"]
        if names:
            said = ", ".join(f"{_PLAIN[n]} {100 * held[n].mean:.0f}%" for n in names)
            lines.append(f"{who}: {said}.")
    return lines


def title_of(comparison: Comparison, point: str) -> str:
    runs = [part.manifest for part in comparison.parts()]
    protocols = dict.fromkeys(run["identity"]["settings"]["protocol"] for run in runs)
    where = f"{runs[0]['data']['format']}, {' and '.join(protocols)}"
    return f"{where}: {_count_cases(point)} edited (mean and 95% interval over records)"


def _count_cases(number: object) -> str:
    return f"{number} case{'' if str(number) == '1' else 's'}"


def cells(comparison: Comparison, point: str, name: str) -> list[str]:
    """What a metric's line shows, a cell per editor."""
    return [
        format_interval(name, table.get(point, {}).get(name))
        for table in comparison.tables.values()
    ]


def markdown(comparison: Comparison) -> str:
    """The same tables as Markdown."""
    names = choose_headline(comparison.tables)
    parts = []
    for point in points_of(comparison.tables):
        lines = [("metric", *comparison.tables), ("---", *["---:"] * len(comparison.tables))]
        for name in names:
            line = cells(comparison, point, name)
            if any(line):
                lines.append((label(name), *line))
        table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        parts.append(f"### {title_of(comparison, point)}\n\n{table}\n")
    return "\n".join([*parts, provenance(comparison)])


def provenance(comparison: Comparison) -> str:
    """A line for each run that says what its figures rest on."""
    runs = comparison.parts()
    return "".join(
        (f"{', '.join(run.tables)}: " if len(runs) > 1 else "") + _provenance(run) for run in runs
    )


def _provenance(comparison: Comparison) -> str:
    identity, data = comparison.manifest["identity"], comparison.manifest["data"]
    out = ", ".join(f"{count} {reason}" for reason, count in data["left_out"].items()) or "none"
    asked = data["asked"] if data["asked"] is not None else "all"
    note = "" if comparison.finished else "NOT FINISHED: figures rest on part of the cases. "
    if seen := data.get("trained_on"):
        note += (
            f"{seen} of the cases have subjects that trained scopes and editors may have learnt "
            "from; --part evaluation leaves them out. "
        )
    return (
        f"{note}memedit {identity['memedit']} (code {identity['code']}), "
        f"model {identity['model']}, data {identity['data']}: "
        f"{_count_cases(data['used'])} used of {asked} asked; left out: {out}. "
        f"Seed {identity['settings']['seed']}, at most {identity['settings']['tokens']} new tokens."
        "\n"
    )


def downstream_table(results: Mapping[str, Any]) -> RichTable:
    """Scores before and after editing, and how many items an edit fired on or changed."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable

    table = RichTable(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("task", "metric", "before", "after", "n", "in scope", "changed out of scope"):
        table.add_column(column, justify="left" if column in {"task", "metric"} else "right")
    for task, metrics in results["before"].items():
        scope = results["scope"][task]
        for metric, before in metrics.items():
            pair = (before, results["after"][task][metric])
            cells = [format_interval(_name_metric(metric), Interval(**value)) for value in pair]
            counts = (before["n"], scope["in_scope"], scope["changed_out_of_scope"])
            table.add_row(task, metric, *cells, *(str(count) for count in counts))
    return table


def _name_metric(metric: str) -> str:
    """A name that :func:`is_fraction` knows: perplexity is shown as it is."""
    return "kl_" if metric.endswith("perplexity") else metric


COLUMNS = ("editor", "checkpoint", "metric", "mean", "low", "high", "n", "p5", "worst")


def as_csv(comparison: Comparison) -> str:
    """Every metric of every editor at every checkpoint, one a line; fractions, not percent."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(COLUMNS)
    for editor, table in comparison.tables.items():
        for point in points_of({editor: table}):
            for name, interval in table[point].items():
                out.writerow([editor, point, name, *_numbers(interval)])
    return text.getvalue()


def _numbers(interval: Interval) -> Sequence[object]:
    values = interval.to_dict()
    return ["" if values[name] is None else values[name] for name in COLUMNS[3:]]
