"""``python -m memedit``."""

from __future__ import annotations

from memedit.cli.main import main

main()
