"""Every notebook runs from top to bottom."""

from __future__ import annotations

import json
import os
import runpy
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LONG = frozenset({"02_compare_with_rome"})
"""Of more than a minute: with MEMEDIT_LONG_TESTS."""
SMALLER: dict[str, dict[str, str]] = {
    "03_forgetting_curves": {
        '"ft_m-ungated"': '"ft_m(steps=2)-ungated"',
        '"rome-ungated"': '"rome(steps=2,prefixes=1)-ungated"',
        '["Norway", "Portugal", "Kenya"]': '["Norway", "Portugal"]',
        '["Turku", "Graz", "Lyon"]': '["Turku", "Graz"]',
        "checkpoints=[1, 2, 3]": "checkpoints=[1, 2]",
        "tokens=8": "tokens=3",
    },
}
"""What stands in a notebook, and what is run in its place: every cell, on less. Without
MEMEDIT_LONG_TESTS."""


def make_smaller(notebook: Any, changes: dict[str, str]) -> None:
    """Change the code of a notebook; each text stands in it once."""
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for old, new in changes.items():
        assert sum(cell.source.count(old) for cell in codes) == 1, old
        for cell in codes:
            cell.source = cell.source.replace(old, new)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path: Path, smollm: Any, minilm: Any) -> None:
    long = "MEMEDIT_LONG_TESTS" in os.environ
    if path.stem in LONG and not long:
        pytest.skip("minutes: MEMEDIT_LONG_TESTS")
    import nbformat
    from nbclient import NotebookClient

    notebook: Any = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    if not long:
        make_smaller(notebook, SMALLER.get(path.stem, {}))
    NotebookClient(notebook, timeout=1_200, kernel_name="python3").execute(cwd=str(FOLDER))
    printed = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    assert printed
    assert not any(out.output_type == "error" for out in printed)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_a_notebook_shows_is_what_its_code_said(path: Path) -> None:
    """``make notebooks`` keeps outputs with a hash of the code that gave them."""
    notebook = json.loads(path.read_text("utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert notebook["metadata"].get("memedit_ran") == load_runner()["hash_code"](notebook)
    outputs = [out for cell in code for out in cell["outputs"]]
    assert outputs and not any(out["output_type"] == "error" for out in outputs)
    assert all(isinstance(cell["execution_count"], int) for cell in code)


def load_runner() -> dict[str, Any]:
    """What ``make notebooks`` runs: no module, as all in ``docs/site``."""
    return runpy.run_path(str(FOLDER.parent / "docs" / "site" / "notebooks.py"))


def test_there_is_a_quickstart() -> None:
    assert any(path.stem == "01_quickstart" for path in NOTEBOOKS)
