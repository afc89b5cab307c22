"""Fuzz one parser by coverage: ``python -m tests.campaign.atheris_run NAME FOLDER [-runs=N]``.

Needs Atheris (``pip install atheris``; LLVM's libFuzzer), which memedit does not. NAME is one of
:func:`tests.campaign.parsing.targets`; FOLDER keeps what reached new code from run to run. Ends at
the first input that raises anything but a MemeditError, and writes it to ``crash-...``.
"""

from __future__ import annotations

import importlib
import logging
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

READ = (
    "memedit.core", "memedit.data", "memedit.memory", "memedit.serving.keys",
    "memedit.evaluation.checks", "memedit.model.settings", "json", "csv", "pypdf", "docx", "bs4",
)  # fmt: skip
"""What reads, and is told of by coverage."""


def main() -> None:
    atheris: Any = importlib.import_module("atheris")
    importlib.import_module("transformers")  # instrumenting what comes with it would take minutes
    with atheris.instrument_imports(include=list(READ)):
        from memedit.core.errors import MemeditError
        from tests.campaign.parsing import targets
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    name, corpus, *rest = sys.argv[1:]
    target, place = targets()[name], Path(corpus)
    place.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (place / f"seed-{number}").write_bytes(seed)
    scratch = Path(tempfile.mkdtemp(prefix="memedit-fuzz-")) / "file"

    def one(content: bytes) -> None:
        try:
            target.parse(content, scratch)
        except MemeditError:
            pass

    atheris.Setup([sys.argv[0], *rest, str(place)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
