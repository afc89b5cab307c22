"""Figures as inline SVG that take their colours from the page: light, dark and on paper.

Series are told apart by colours after Okabe and Ito, which colour-blind readers can tell apart too,
and by marker and line style, which need no colour.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias

from memedit.core.errors import MissingExtraError
from memedit.evaluation.measures.metrics import is_better_low
from memedit.evaluation.measures.summary import Interval, Table
from memedit.evaluation.reports.tables import is_fraction, points_of, unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, GRID = "#010203", "#040506"
"""Stand-ins that the page's own colours replace."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito (2008), without black and yellow, which vanish on one of the backgrounds."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES = ("-", "--", "-.", ":")
_narrow: ContextVar[bool] = ContextVar("memedit_narrow_plots", default=False)
NARROW = 4.6
"""Inches of a plot for a telephone, on which its letters are as large as small print."""
_LEGEND, _MARK = 100, 8
"""Letters of the legend's width, and of what stands before a name."""
_APART = 1.8
"""Least ratio of two points that are both labelled."""
Bars: TypeAlias = "Mapping[str, Mapping[str, Interval]]"
"""{series: {label: interval}}"""
_STYLE: dict[Any, Any] = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "font.size": 10,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text: it can be searched, and read aloud
    "svg.hashsalt": "memedit",  # else ids are others in every run
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


@contextmanager
def draw_narrow() -> Iterator[None]:
    """Plots that are drawn within are for a telephone."""
    token = _narrow.set(True)
    try:
        yield
    finally:
        _narrow.reset(token)


def curves(tables: Mapping[str, Table], metrics: Sequence[str]) -> str:
    """Score against the number of edited cases: a panel per metric, a line per editor; SVG.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    wide = 1 if _narrow.get() else min(len(metrics), 2)
    rows = -(-len(metrics) // wide)
    figure, axes = _grid(rows, wide, width=4.2 * wide, height=2.9 * rows)
    for panel, metric in zip(axes, metrics, strict=False):
        for number, (editor, table) in enumerate(tables.items()):
            points = [p for p in points_of({editor: table}) if metric in table[p]]
            shift = 1.03 ** (number - (len(tables) - 1) / 2)  # equal lines stay visible
            line = [(int(p) * shift, table[p][metric]) for p in points]
            _line(panel, number, editor, line, metric)
        _dress(panel, metric)
        panel.set_xscale("log")
        every = [int(p) for p in points_of(tables)]
        panel.set_xticks(every, _space_labels(every), minor=False)
        panel.minorticks_off()
        panel.set_xlabel("cases edited")
    return _finish(figure, axes, len(metrics), len(tables))


def _space_labels(points: Sequence[int]) -> list[str]:
    """The labels of points on a logarithmic axis; none where the next one's would touch it."""
    labels, last = [""] * len(points), float("inf")
    for i in range(len(points) - 1, -1, -1):
        if points[i] * _APART <= last:
            labels[i], last = f"{points[i]:,}", points[i]
    return labels


def dots(
    tables: Mapping[str, Mapping[str, Interval]],
    metrics: Sequence[str],
    *,
    label: str = "%",
    log: bool = False,
) -> str:
    """One checkpoint: a line per metric, a marker with its interval per editor; SVG.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    tables = {name: each for name, each in tables.items() if any(m in each for m in metrics)}
    line = 0.16 + 0.11 * max(2, len(tables))
    figure, (panel, *_) = _grid(1, 1, width=8.4, height=0.9 + line * len(metrics))
    step, scale = 0.8 / max(1, len(tables)), 100 if label == "%" else 1
    for number, (editor, values) in enumerate(tables.items()):
        there = [(i, values[m]) for i, m in enumerate(metrics) if m in values]
        offset = (number - (len(tables) - 1) / 2) * step
        _errorbar(
            panel, number, editor,
            [scale * v.mean for _, v in there], [i + offset for i, _ in there],
            xerr=_errors([v for _, v in there], scale),
        )  # fmt: skip
    names = [f"{m}\n(less is better)" if is_better_low(m) else m for m in metrics]
    panel.set_yticks(range(len(metrics)), metrics if log else names)
    panel.set_ylim(len(metrics) - 0.5, -0.5)
    if log:
        _plain_log(panel)
    elif label == "%":
        panel.set_xlim(-3, 103)
    panel.set_xlabel(label)
    panel.grid(axis="x")
    return _finish(figure, [panel], 1, len(tables))


def bars(groups: Bars, label: str, *, scale: float = 1.0) -> str:
    """Bars with intervals: a cluster per label, a bar per series; SVG.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    labels = list(dict.fromkeys(name for values in groups.values() for name in values))
    figure, (panel, *_) = _grid(1, 1, width=8.4, height=3.2)
    width = 0.8 / max(1, len(groups))
    for number, (series, values) in enumerate(groups.items()):
        there = [(i, values[name]) for i, name in enumerate(labels) if name in values]
        panel.bar(
            [i + (number - (len(groups) - 1) / 2) * width for i, _ in there],
            [scale * v.mean for _, v in there], width * 0.92, label=series,
            yerr=_errors([v for _, v in there], scale), color=COLOURS[number % len(COLOURS)],
            hatch=("", "//", "..", "xx", "\\\\", "--")[number % 6], edgecolor=INK, linewidth=0.6,
            error_kw={"ecolor": INK, "elinewidth": 1, "capsize": 2},
        )  # fmt: skip
    panel.set_xticks(range(len(labels)), [name.replace(" ", "\n") for name in labels], fontsize=9)
    panel.set_ylabel(label)
    panel.grid(axis="y")
    panel.set_axisbelow(True)
    return _finish(figure, [panel], 1, len(groups))


def _line(
    panel: Axes, number: int, name: str, points: Sequence[tuple[float, Interval]], metric: str
) -> None:
    scale = 100 if is_fraction(metric) else 1
    if points:
        _errorbar(
            panel, number, name, [x for x, _ in points], [scale * v.mean for _, v in points],
            yerr=_errors([v for _, v in points], scale), line=LINES[number % len(LINES)],
        )  # fmt: skip


def _errorbar(
    panel: Axes, number: int, name: str, x: Sequence[float], y: Sequence[float],
    *, line: str = "none", **errors: Any,
) -> None:  # fmt: skip
    panel.errorbar(
        x, y, label=name, color=COLOURS[number % len(COLOURS)], linestyle=line, markersize=5.5,
        marker=MARKERS[number % len(MARKERS)], capsize=3, elinewidth=1.2, **errors,
    )  # fmt: skip


def _plain_log(panel: Axes) -> None:
    """A logarithmic axis of numbers as people write them: 0.05, 0.1, 0.2."""
    from matplotlib.ticker import LogLocator, NullLocator

    panel.set_xscale("log")
    panel.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter("{x:g}")


def _errors(values: Sequence[Interval], scale: float) -> list[list[float]]:
    """[2, n]: how far the interval reaches below and above the mean."""
    return [
        [max(0.0, scale * (v.mean - v.low)) for v in values],
        [max(0.0, scale * (v.high - v.mean)) for v in values],
    ]


def _dress(panel: Axes, metric: str) -> None:
    panel.set_title(metric, loc="left", pad=10)
    panel.set_ylabel(unit(metric))
    panel.grid()
    if is_fraction(metric):
        panel.set_ylim(-4, 104)


def _grid(rows: int, columns: int, *, width: float, height: float) -> tuple[Figure, list[Axes]]:
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", extra="eval") from error
    with matplotlib.rc_context(_STYLE):
        width = min(width, NARROW) if _narrow.get() else width
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def _columns(names: Sequence[str]) -> int:
    """Columns of the legend: so many that the longest name fits."""
    room = _LEGEND // 2 if _narrow.get() else _LEGEND
    return max(1, min(4, len(names), room // (max(map(len, names)) + _MARK)))


def _finish(figure: Figure, axes: Sequence[Axes], used: int, series: int) -> str:
    """The figure as an SVG element whose colours are the page's."""
    import matplotlib

    for spare in axes[used:]:
        spare.set_visible(False)
    text = io.StringIO()
    salt = f"{_STYLE['svg.hashsalt']}{'-narrow' * _narrow.get()}"  # ids of a page are told apart
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": salt}):
        handles, names = axes[0].get_legend_handles_labels()
        if series > 1:
            figure.legend(handles, names, loc="outside upper left", ncols=_columns(names))
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    for name, colour, otherwise in (("ink", INK, "currentColor"), ("grid", GRID, "#8886")):
        svg = svg.replace(colour, f"var(--{name}, {otherwise})")
    for number, colour in enumerate(COLOURS):
        svg = svg.replace(colour, f"var(--series-{number}, {colour})")
    return svg
