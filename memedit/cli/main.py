"""Where ``memedit`` begins: before anything that takes long to import."""

from __future__ import annotations

import sys


def main() -> None:
    """The ``memedit`` command. Ctrl-C ends it with a line and exit code 130 while it still loads,
    too."""
    try:
        from memedit.cli.commands import app

        app(prog_name="memedit")
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted.\n")
        sys.exit(130)
