"""The README's picture: what ``memedit demo`` prints, as an SVG. ``make picture`` calls it."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

WIDTH = 124
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""Fetched from elsewhere by rich's SVG: left out, the reader's own monospaced font is taken."""


def main(file: Path) -> None:
    """Run the demo, and keep its output from the edited answers on, up to where one is taken back."""
    environment = os.environ | {"FORCE_COLOR": "1", "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    done = subprocess.run(
        [sys.executable, "-m", "memedit.cli", "demo"], env=environment, check=True,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    plain = [Text.from_ansi(line).plain for line in lines]
    start = next(i for i, line in enumerate(plain) if line.startswith("3."))
    end = next(i for i, line in enumerate(plain) if line.startswith("5."))
    shown = "\n".join(["\x1b[1m$ memedit demo\x1b[0m", "", *lines[start:end]])
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(shown.rstrip()))
    file.write_text(_FONTS.sub("", console.export_svg(title="memedit demo")), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
