"""Every notebook runs from top to bottom."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LONG = frozenset({"02_compare_with_rome"})
"""Of more than a minute: with MEMEDIT_LONG_TESTS."""


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path: Path, smollm: Any, minilm: Any) -> None:
    if path.stem in LONG and "MEMEDIT_LONG_TESTS" not in os.environ:
        pytest.skip("minutes: MEMEDIT_LONG_TESTS")
    import nbformat
    from nbclient import NotebookClient

    notebook: Any = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute(cwd=str(FOLDER))
    printed = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    assert printed
    assert not any(out.output_type == "error" for out in printed)


def test_there_is_a_quickstart() -> None:
    assert any(path.stem == "01_quickstart" for path in NOTEBOOKS)
