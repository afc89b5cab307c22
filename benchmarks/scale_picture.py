"""How cost grows with the number of edits, as a picture of what ``benchmarks.scale`` measured.

python -m benchmarks.scale_picture out.json docs/pictures/scale.svg
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import matplotlib as mpl
import typer
from matplotlib.figure import Figure

PANELS = {
    "milliseconds, beyond the encoder": {
        "search, half of them": "search_ms_p50",
        "search, 99 in 100": "search_ms_p99",
        "add": "add_ms",
        "correct": "correct_ms",
        "forget": "forget_ms",
    },
    "kB an edit": {"RAM": "resident_kb_an_edit_changed", "disk": "disk_kb_an_edit"},
    "seconds to the first answer": {"opening": "open_s"},
}
_GREY = "#7a7a7a"  # readable on white and on black
_STYLE: dict[Any, Any] = {
    "axes.edgecolor": _GREY, "axes.labelcolor": _GREY, "text.color": _GREY, "xtick.color": _GREY,
    "ytick.color": _GREY, "axes.spines.right": False, "axes.spines.top": False, "font.size": 10,
    "legend.frameon": False, "svg.fonttype": "none", "svg.hashsalt": "memedit",
}  # fmt: skip


def draw(sizes: dict[str, dict[str, float]], to: Path) -> None:
    """A panel per unit, a line per figure, both axes logarithmic."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(11, 3.6), layout="constrained")
        panels = figure.subplots(1, len(PANELS))
        for panel, (title, lines) in zip(panels, PANELS.items(), strict=True):
            for label, name in lines.items():
                points = [(int(size), row[name]) for size, row in sizes.items()]
                panel.loglog(*zip(*points, strict=True), marker="o", markersize=4, label=label)
            panel.set_title(title, loc="left")
            panel.set_xlabel("edits")
            panel.grid(visible=True, color=_GREY, alpha=0.3, linewidth=0.5)
            if len(lines) > 1:
                panel.legend(fontsize=8)
        to.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(to, format="svg", transparent=True, metadata={"Date": None})


def main(
    measured: Annotated[Path, typer.Argument(help="What benchmarks.scale wrote.")],
    to: Annotated[Path, typer.Argument(help="The SVG.")],
) -> None:
    """Draw RAM, disk and time against the number of edits."""
    draw(json.loads(measured.read_text("utf-8"))["sizes"], to)


if __name__ == "__main__":
    typer.run(main)
