"""What an error says to a client, and what it keeps for the server's log."""

from __future__ import annotations

import logging

import pytest

from memedit.core.errors import MemoryStoreError
from memedit.serving.errors import api_error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            "Memory 'postgresql://ann@db.internal:5432/facts': connection to server at "
            '"db.internal" (10.0.0.3), port 5432 failed: FATAL: password authentication failed '
            'for user "ann".',
            "Memory …: connection to server at … …, port … failed: FATAL: password "
            "authentication failed for user ….",
        ),
        (
            "Memory '/srv/facts': database or disk is full.",
            "Memory …: database or disk is full.",
        ),
        ("It's the server's day: isn't it?", "It's the server's day: isn't it?"),
    ],
)
def test_where_a_memory_lies_is_for_the_log(
    error: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "memedit.serving.errors"):
        answer = api_error(MemoryStoreError(error, hint="Check it."))
    assert answer.message == f"{told} Check it."
    assert (answer.status, answer.headers) == (503, {"Retry-After": "1"})
    assert error in caplog.text
