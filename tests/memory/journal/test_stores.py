"""What an address opens, and a store of a stranger's package."""

from __future__ import annotations

from pathlib import Path

import pytest

from memedit.core.errors import MemoryStoreError, RegistrationError, UnknownNameError
from memedit.core.types import Edit
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from tests import stranger

FRANCE = Edit("The capital of France is", "Lyon", "France")
PERU = Edit("The capital of Peru is", "Cusco", "Peru")


def test_a_strangers_store_keeps_a_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger.install(tmp_path / "site", monkeypatch)
    url, encoder = f"shelf://{tmp_path / 'kept'}", HashingEncoder(32)
    with EditMemory(url, encoder) as memory:
        first = memory.add(FRANCE)
        memory.add(PERU)
        assert memory.path == tmp_path / "kept" and memory.address == url
    with EditMemory(url, encoder) as memory, EditMemory(url, encoder) as other:
        assert [record.edit for record in memory.records()] == [FRANCE, PERU]
        memory.forget(first.id)
        assert [record.edit for record in other.records()] == [PERU]
        other.restore(first.version)
        assert [record.edit for record in memory.records()] == [FRANCE]
        (hits,) = memory.search(["The capital of France is"])
        assert hits[0].record.edit == FRANCE
        assert memory.verify().problems == ()
    with EditMemory(url, encoder, read_only=True) as memory, pytest.raises(MemoryStoreError):
        memory.add(PERU)


def test_a_scheme_that_nobody_registered_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownNameError, match=r"'postgre'.*Did you mean: postgre"):
        EditMemory("postgre://localhost/edits")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_store_is_refused_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "class Drawer:\n    def __init__(self, url, *, read_only): pass\n"
    parts = {"memedit.stores": ("drawer", "Drawer", source)}
    stranger.install(tmp_path / "site", monkeypatch, "broken_store", parts)
    with pytest.raises(RegistrationError, match="store 'drawer' has no address and no path"):
        EditMemory("drawer://x")
