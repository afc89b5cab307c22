"""Evaluation: cases, metrics, protocols, the runner, downstream tasks, reports.

Figures come in three families whose names cannot be confused: ``gen_*`` (free generation),
``tf_*`` (teacher forcing) and the probability comparisons ``es, ps, ns, s, em, pm, nm``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memedit.data.cases import EvalCase, Probe, Selection, select
    from memedit.data.sources import Dataset, load_cases

__all__ = ["Dataset", "EvalCase", "Probe", "Selection", "load_cases", "select"]

_HOME = {
    "Dataset": "sources",
    "EvalCase": "cases",
    "Probe": "cases",
    "Selection": "cases",
    "load_cases": "sources",
    "select": "cases",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"memedit.data.{_HOME[name]}"), name)
