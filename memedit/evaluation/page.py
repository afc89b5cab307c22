"""placeholder"""

from __future__ import annotations

from memedit.evaluation.compare import Comparison


def page(comparison: Comparison) -> str:
    return ""
