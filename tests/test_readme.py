"""The README's code runs as it stands, on the real model."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from memedit.cli.main import app

README = Path(__file__).resolve().parents[1] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text("utf-8"), re.DOTALL)


def test_python_blocks(
    smollm: Any, minilm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {}
    for block in blocks("python"):
        exec(compile(block, str(README), "exec"), scope)
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "What is the capital city of France? Lyon"
    assert "60 days" in shown[1]
    assert shown[2].startswith("Lyon | the base says:")
    assert shown[3].startswith("The capital of France is Lyon ")
    assert "Lyon" not in shown[4]


def test_command_lines(
    smollm: Any, minilm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [line for block in blocks("console") for line in block.splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("memedit ")]
    assert len(commands) >= 5
    for words in commands:
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, (words, result.output)
        if words[0] == "ask":
            assert "Lyon" in result.output
