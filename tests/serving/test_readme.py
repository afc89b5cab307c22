"""The README's server, on the real model: started, edited, and asked as it says."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.serving.processes import ROOT
from tests.test_readme import blocks


def test_the_readme_serves(smollm: Any, minilm: Any, tmp_path: Path) -> None:
    [shell], [client] = blocks("bash"), blocks("py")
    command = tmp_path / "bin" / "memedit"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m memedit.cli "$@"\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "client.py").write_text(client)
    script = f'set -e\ntrap "kill %1" EXIT\n{shell}\n"{sys.executable}" client.py\n'
    environment = os.environ | {
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, text=True, timeout=600,
        capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()[-1]
    assert said.startswith("Lyon [{'id': "), done.stdout
