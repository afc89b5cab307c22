"""Days that the texts of edits name, told where the edits were not given them."""

from __future__ import annotations

from memedit.cli.render import note
from memedit.memory import ImportReport, Receipt


def tell_open_days(given: Receipt) -> None:
    """Of an edit that was added."""
    if starts := given.open_start:
        note(f"It says {starts!r}, but holds already: give --valid-from DATE.")
    if ends := given.open_end:
        note(f"It says {ends!r}, but holds after it too: give --valid-until DATE.")


def count_open_days(report: ImportReport) -> None:
    """Of a file."""
    if report.open_start:
        note(f"{report.open_start:,} of them name a first day, but hold already: give valid_from.")
    if report.open_end:
        note(f"{report.open_end:,} of them name a last day, but hold after it: give valid_until.")
