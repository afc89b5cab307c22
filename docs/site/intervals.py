"""Shares with their intervals, drawn: what the benchmark page shows beside its tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

Figure = Mapping[str, Any]
_GREY, _NEW, _OLD = "#7a7a7a", "#4a86e8", "#b4691f"  # readable on white and on black
_ROW, _WIDE, _PLOT, _LETTER = 18, 860, 380, 6.4
"""Points: a row's height, the picture's width, the axis's, and a letter's."""
_TICKS = (0, 25, 50, 75, 100)


def shares_of(figures: Sequence[Figure]) -> list[Figure]:
    """Those of a measurement that can be drawn on one axis."""
    return [each for each in figures if each["unit"] == "%"]


def draw(title: str, figures: Sequence[Figure], before: Sequence[Figure] = ()) -> str:
    """An SVG, complete in itself: a row a share, its interval as a line, and the share that was
    measured before as a ring.

    Args:
        title: What was measured, for who does not see it.
        figures: Of the newest measurement.
        before: Of the one before.
    """
    rows, known = shares_of(figures), {each["name"]: each for each in shares_of(before)}
    high = (len(rows) + 2) * _ROW
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {high}" role="img" '
        f'font-family="sans-serif" font-size="11" fill="{_GREY}">',
        f"<title>{escape(title)}</title>",
        *_draw_axis(high),
    ]
    for number, each in enumerate(rows):
        parts += _draw_row(each, known.get(each["name"]), (number + 1) * _ROW)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _place(share: float) -> float:
    return round(_WIDE - _PLOT - 24 + _PLOT * min(max(share, 0.0), 1.0), 1)


def _draw_axis(high: int) -> Iterator[str]:
    for percent in _TICKS:
        x = _place(percent / 100)
        yield f'<path d="M{x} {_ROW - 4}V{high - _ROW}" stroke="{_GREY}" stroke-opacity=".3"/>'
        yield f'<text x="{x}" y="{high - 5}" text-anchor="middle">{percent}%</text>'


def _draw_row(figure: Figure, before: Figure | None, y: int) -> Iterator[str]:
    end, most = _WIDE - _PLOT - 36, int((_WIDE - _PLOT - 40) / _LETTER)
    name = figure["name"] if len(figure["name"]) <= most else figure["name"][: most - 1] + "…"
    yield f'<text x="{end}" y="{y + 4}" text-anchor="end">{escape(name)}</text>'
    if figure["low"] is not None:
        reach = f"M{_place(figure['low'])} {y}H{_place(figure['high'])}"
        yield f'<path d="{reach}" stroke="{_NEW}" stroke-width="3" stroke-opacity=".45"/>'
    if before is not None:
        ring = f'cx="{_place(before["value"])}" cy="{y}" r="4"'
        yield f'<circle {ring} fill="none" stroke="{_OLD}" stroke-width="1.5"/>'
    yield f'<circle cx="{_place(figure["value"])}" cy="{y}" r="3.5" fill="{_NEW}"/>'
