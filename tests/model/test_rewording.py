"""A statement in other words may correct, and is told; nothing is retired for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from memedit.core.types import Decision, Edit, Record
from memedit.core.untrusted import load_tensors
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.model import rewording
from memedit.model.correcting import find_corrections
from memedit.model.deciding import Decider
from memedit.scope import rewording as reading
from memedit.scope.classifier import locate_folder
from memedit.scope.cross import FILE as CROSS
from memedit.scope.reading import TextPair
from memedit.scope.rewording import DIGEST, FILE, digest, load_rewording

OLD = "Customers may return goods within 30 days."


class Reads:
    """Every pair is as probable."""

    def __init__(self, chance: float) -> None:
        self.chance, self.pairs = chance, list[TextPair]()

    def rate(self, pairs: Sequence[TextPair]) -> list[float]:
        self.pairs += pairs
        return [self.chance] * len(pairs)


class Near:
    """Gives every candidate, unread."""

    name = "near"

    def decide(self, prompts: Any, candidates: Any) -> list[Decision]:
        return [Decision(candidates=tuple(hits)) for hits in candidates]


def decide(
    monkeypatch: pytest.MonkeyPatch, chance: float, new: str, *olds: str
) -> tuple[list[str], list[str], Reads]:
    memory, reads = EditMemory(None, HashingEncoder(256)), Reads(chance)
    memory.add_many([Edit.from_statement(old) for old in olds or (OLD,)])
    decider = Decider(memory, "mention")
    decider.use(Near(), given=True)
    monkeypatch.setattr(rewording, "_load_reader", lambda decider: reads)
    monkeypatch.setattr(rewording, "_ALIKE", -1.0)
    found = find_corrections(decider, Edit.from_statement(new), "default")
    return told(found.replaces), told(found.perhaps), reads


def told(records: Sequence[Record]) -> list[str]:
    return [record.edit.prompt for record in records]


def test_the_reader_sees_the_old_value_and_nothing_is_retired_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone, perhaps, reads = decide(monkeypatch, 0.99, "Our refund window is 45 days.")
    assert (gone, perhaps) == ([], [OLD])
    assert reads.pairs == [(OLD, "Our refund window is 30 days.")]


def test_what_is_hardly_the_same_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert decide(monkeypatch, 0.1, "Our refund window is 45 days.")[:2] == ([], [])


def test_a_copy_with_something_changed_is_told_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rooms of one template are no corrections of each other."""
    form = (
        "Room {} has a projector and a whiteboard, and whoever wants to use it for longer than two "
        "hours must book it with the front desk on the day before, by mail or by telephone."
    )
    olds = [form.format(number) for number in (11, 12, 13)]
    gone, perhaps, _ = decide(monkeypatch, 0.0, form.format(99), *olds)
    assert gone == [] and sorted(perhaps) == olds


@pytest.mark.parametrize(
    "content", [b"", b"no tensors", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "]
)
def test_a_reader_that_cannot_be_read_loses_no_edit(
    content: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / FILE).write_bytes(content)
    monkeypatch.setattr(reading, "locate_folder", lambda model: tmp_path)
    monkeypatch.setattr(reading, "load_cross", lambda model: object())
    assert reading.load_rewording.__wrapped__("there") is None
    assert "cannot be used" in caplog.text


def test_few_pairs_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    olds = [f"Goods of sort {letter} go back within 30 days." for letter in "BCDEFGHJKL"]
    *_, reads = decide(monkeypatch, 0.0, "Our refund window for sort B is 45 days.", *olds)
    assert 0 < len(reads.pairs) <= 3


def test_the_packaged_reader(minilm: Any) -> None:
    """It belongs to the packaged cross-encoder: train it anew where that was trained anew."""
    folder = locate_folder("")
    stored = load_tensors(folder / FILE)
    assert bytes(stored[DIGEST].tolist()).hex() == digest(folder / CROSS)
    reader = load_rewording("")
    assert reader is not None
    old = "Uploads can be up to 20 MB."
    same, other = reader.rate(
        [(old, "Files of up to 20 MB may be uploaded."), (old, "Logs are rotated every day.")]
    )
    assert same > 0.9 and other < rewording.POSSIBLE
