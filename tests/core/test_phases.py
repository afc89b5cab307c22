from __future__ import annotations

import time

import pytest

from memedit.core.phases import hearing_phases, phase, tell


def test_a_phase_is_told_without_those_within_it() -> None:
    heard: list[tuple[str, float]] = []
    with hearing_phases(lambda name, seconds: heard.append((name, seconds))):
        with phase("decide"):
            time.sleep(0.02)
            with phase("search"), phase("encode"):
                time.sleep(0.06)
        tell("prefill", 1.5)
    assert [name for name, _ in heard] == ["encode", "search", "decide", "prefill"]
    spent = dict(heard)
    assert spent["encode"] >= 0.06 and spent["search"] < 0.03 and spent["decide"] < 0.06
    assert spent["prefill"] == 1.5


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
