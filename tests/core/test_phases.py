from __future__ import annotations

from types import SimpleNamespace

import pytest

from memedit.core import phases
from memedit.core.phases import hearing_phases, phase, tell


def test_a_phase_is_told_without_those_within_it(monkeypatch: pytest.MonkeyPatch) -> None:
    heard, now = list[tuple[str, float]](), [5.0]
    monkeypatch.setattr(phases, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    with hearing_phases(lambda name, seconds: heard.append((name, seconds))):
        with phase("decide"):
            now[0] += 2
            with phase("search"):
                now[0] += 0.5
                with phase("encode"):
                    now[0] += 6
        tell("prefill", 1.5)
    assert heard == [("encode", 6), ("search", 0.5), ("decide", 2), ("prefill", 1.5)]


def test_nobody_listens_and_errors_are_told_too() -> None:
    heard: list[str] = []
    with phase("decide"):  # costs nothing, tells nobody
        tell("decode", 1)
    with pytest.raises(ValueError, match="here"):
        with hearing_phases(lambda name, seconds: heard.append(name)), phase("search"):
            raise ValueError("here")
    assert heard == ["search"]
    with phase("encode"):
        pass
    assert heard == ["search"]
