"""Where a server listens: what is taken, what is none, and that nobody waits for it."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from memedit.cli.commands import app
from memedit.core.errors import InvalidInputError
from memedit.serving.address import bind, listen


def test_a_port_in_use_is_told_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault: after the model had been loaded, which takes minutes where it is large."""
    monkeypatch.setenv("COLUMNS", "200")
    with closing(listening()) as other:
        port = str(other.getsockname()[1])
        words = ["serve", "--port", port, "--model", "nowhere", "--memory", str(tmp_path / "m")]
        done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert f"Cannot listen on 127.0.0.1:{port}: Address already in use." in done.output
    assert "another memedit serve" in done.output and "--port (MEMEDIT_PORT)" in done.output
    assert not (tmp_path / "m").exists()


def test_of_two_that_start_at_once_one_is_told() -> None:
    with closing(bind("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        with closing(bind("127.0.0.1", port)) as second:
            assert listen(first) == f"http://127.0.0.1:{port}"
            with pytest.raises(InvalidInputError, match="another memedit serve"):
                listen(second)


@pytest.mark.parametrize("host", ["203.0.113.7", "http://127.0.0.1", "a..b", "x" * 70 + ".org"])
def test_a_host_that_is_none_is_not_blamed_on_the_port(host: str) -> None:
    with pytest.raises(InvalidInputError, match=r"Cannot listen on .*--host") as told:
        bind(host, 0)
    assert "another --port" not in str(told.value)


def listening() -> socket.socket:
    other = socket.socket()
    other.bind(("127.0.0.1", 0))
    other.listen()
    return other
