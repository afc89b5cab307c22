"""The notebooks' outputs, made anew by running them. ``make notebooks`` calls it.

Standard error (progress bars) and times are left out, so that a run that says the same changes
nothing. A hash of the code is kept beside the outputs: ``tests/test_notebooks.py`` compares them.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

RAN = "memedit_ran"
"""In a notebook's metadata: of which code its outputs are."""


def hash_code(notebook: Any) -> str:
    """16 hex digits of what the code cells hold."""
    codes = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return hashlib.sha256(json.dumps(codes).encode()).hexdigest()[:16]


def run(file: Path) -> None:
    """Run a notebook from top to bottom, and keep what it says.

    Raises:
        CellExecutionError: a cell failed; the file is as it was.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook: Any = nbformat.read(file, as_version=4)  # type: ignore[no-untyped-call]
    client = NotebookClient(notebook, timeout=3_600, kernel_name="python3", record_timing=False)
    client.execute(cwd=str(file.parent))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.metadata[RAN] = hash_code(notebook)
    file.write_text(nbformat.writes(notebook) + "\n", "utf-8")  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    for name in sys.argv[1:]:
        run(Path(name))
        sys.stdout.write(f"{name}\n")
