"""A statement takes an older one's place where the reader is sure of it; else it is told."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import save_file

from memedit.core import found as keeping
from memedit.core.files import sha256
from memedit.core.types import Decision, Edit, Record
from memedit.core.untrusted import load_tensors
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.model import succession
from memedit.model.correcting import find_corrections
from memedit.model.deciding import Decider
from memedit.scope import adapted
from memedit.scope.adapted import DIGEST, REPEATS, REPLACES, STAYS, SUCCESSION, load_adapted
from memedit.scope.classifier import load_cross, locate_folder
from memedit.scope.cross import FILE as CROSS
from memedit.scope.reading import TextPair

OLD = "Customers may return goods within 30 days."
NEW = "Our refund window is 45 days."


class Reads:
    """Every pair is as probable; with ``beside`` the old ones stand beside each other."""

    def __init__(self, chance: float, new: str, beside: bool) -> None:
        self.chance, self.new, self.beside = chance, new, beside
        self.pairs = list[TextPair]()

    def rate(self, pairs: Sequence[TextPair]) -> npt.NDArray[np.float32]:
        self.pairs += pairs
        chances = [0 if self.beside and new != self.new else self.chance for _, new in pairs]
        return np.array([[1 - p, 0, p] for p in chances], np.float32).reshape(-1, 3)


class Near:
    """Gives every candidate, unread."""

    name = "near"

    def decide(self, prompts: Any, candidates: Any) -> list[Decision]:
        return [Decision(candidates=tuple(hits)) for hits in candidates]


def decide(
    monkeypatch: pytest.MonkeyPatch,
    chance: float,
    new: str | Edit,
    *olds: str | Edit,
    beside: bool = False,
) -> tuple[list[str], list[str], Reads]:
    memory = EditMemory(None, HashingEncoder(256))
    reads = Reads(chance, stated(new).statement, beside)
    memory.add_many([stated(old) for old in olds or (OLD,)])
    decider = Decider(memory, "mention")
    decider.use(Near(), given=True)
    monkeypatch.setattr(succession, "_load_reader", lambda decider: reads)
    monkeypatch.setattr(succession, "_ALIKE", -1.0)
    found = find_corrections(decider, stated(new), "default")
    return told(found.replaces), told(found.perhaps), reads


def stated(fact: str | Edit) -> Edit:
    return Edit.from_statement(fact) if isinstance(fact, str) else fact


def told(records: Sequence[Record]) -> list[str]:
    return [record.edit.prompt for record in records]


def test_what_is_surely_corrected_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    gone, perhaps, reads = decide(monkeypatch, 0.99, NEW)
    assert (gone, perhaps) == ([OLD], []) and reads.pairs == [(OLD, NEW)]


def test_what_is_likely_corrected_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert decide(monkeypatch, 0.7, NEW)[:2] == ([], [OLD])
    assert decide(monkeypatch, 0.1, NEW)[:2] == ([], [])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Goods go back within 30 days. Send them to Graz.", NEW),  # the second sentence stays
        (OLD, "Our refund window is going to be 45 days."),
        (OLD, "This week our refund window is 45 days."),
        ("Goods go back within 30 days\nShipping is free", NEW),
        ("Goods go back within 30 days. send them to Graz.", NEW),
        (OLD, "Until further notice our refund window is 45 days."),
        (OLD, "This weekend our refund window is 45 days."),
        (OLD, "We'll give you 45 days for a refund."),
        (OLD, "Our refund window is 45 days soon."),
        (OLD, "Our refund window was 45 days."),
        ("Sara speaks Portuguese.", "Sara speaks Finnish."),  # may be both
        ("Our workshop is open from 9 am to 5.30 pm.", "Our workshop shuts at 7 pm now."),
        ("The library is open 9:00–18:00.", "The library opens its doors at 10:00 these days."),
    ],
)
def test_what_says_more_or_holds_later_is_told_only(
    old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert decide(monkeypatch, 0.99, new, old)[:2] == ([], [old])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Our office is at e.g. 5 Main St. Graz", "We sit at 7 Elm Road."),
        ("Dr. Smith is head of the clinic.", "The clinic's head is Dr. Jones."),
        ("Room No. 5 costs approx. 9.50 euros.", "One pays 12.50 euros for that room."),
        (OLD, "Returns are possible until 8 pm."),
        (OLD, "Goods go back from 9 to 18."),
        (OLD, "We take goods back on Tuesdays as of today."),
        (OLD, "We take goods back once a month."),
        (OLD, "Goods go back within 45 days after the move from Marburg."),
    ],
)
def test_neither_an_abbreviation_nor_an_hour_keeps_the_old(
    old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert decide(monkeypatch, 0.99, new, old)[:2] == ([old], [])


def test_of_two_that_hold_side_by_side_none_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen with the packaged reader: both numbers were gone."""
    olds = ["Mia's mobile number is 555-1234.", "One rings Mia's office under 555-4321."]
    new = "You can reach Mia under 555-9999."
    gone, perhaps, reads = decide(monkeypatch, 0.99, new, *olds, beside=True)
    assert gone == [] and sorted(perhaps) == olds and tuple(olds) in reads.pairs
    assert sorted(decide(monkeypatch, 0.99, new, *olds)[0]) == olds


def test_opening_hours_are_replaced_by_both_their_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    old = "Our workshop is open from 9 am to 5.30 pm."
    for new in ("You find us at work between 8 and 6.", "Hours of the workshop: 24 hours a day."):
        assert decide(monkeypatch, 0.99, new, old)[:2] == ([old], [])


def test_a_statement_takes_the_place_of_an_object(monkeypatch: pytest.MonkeyPatch) -> None:
    old = Edit("The refund window is", "30 days")
    gone, _, reads = decide(monkeypatch, 0.99, NEW, old)
    assert gone == [old.prompt] and reads.pairs == [("The refund window is 30 days", NEW)]


def test_of_an_object_only_what_is_sure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = Edit("Acme bought", "Larch Ltd", "Acme"), "The CEO of Acme is Ada and lives in Lyon."
    assert decide(monkeypatch, 0.7, new, old)[:2] == ([], [])


def test_what_names_the_old_object_is_told_only(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = Edit("The refund window is", "30 days"), "Our refund window was 30 days in May."
    assert decide(monkeypatch, 0.99, new, old)[:2] == ([], [old.prompt])


def test_two_prompts_are_the_scopes_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = Edit("The refund window is", "30 days"), Edit("Goods go back within", "45 days")
    assert decide(monkeypatch, 0.99, new, old)[2].pairs == []


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
    (tmp_path / SUCCESSION).write_bytes(content)
    monkeypatch.setattr(adapted, "locate_folder", lambda model: tmp_path)
    monkeypatch.setattr(adapted, "load_cross", lambda model: object())
    assert load_adapted(str(tmp_path), SUCCESSION) is None
    assert "cannot be used" in caplog.text


@pytest.mark.parametrize("shape", [(2, 384), (3, 5)])
def test_a_head_of_another_size_loses_no_edit(
    minilm: Any, shape: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = locate_folder("")
    stored = load_tensors(folder / SUCCESSION)
    stored |= {"head.weight": torch.zeros(shape), "head.bias": torch.zeros(shape[0])}
    save_file(stored, tmp_path / SUCCESSION)
    (tmp_path / CROSS).symlink_to(folder / CROSS)
    cross = load_cross("")
    monkeypatch.setattr(adapted, "locate_folder", lambda model: tmp_path)
    monkeypatch.setattr(adapted, "load_cross", lambda model: cross)
    assert load_adapted(str(tmp_path), SUCCESSION) is None


def test_a_reader_that_was_being_replaced_is_tried_again(
    minilm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, model, now = locate_folder(""), str(tmp_path), [0.0]
    monkeypatch.setattr(keeping, "time", SimpleNamespace(monotonic=lambda: now[0]))
    for file in folder.iterdir():
        if file.name != SUCCESSION:
            shutil.copy(file, tmp_path)
    (tmp_path / SUCCESSION).write_bytes(b"the beginning")
    cross = tmp_path / CROSS
    cross.rename(tmp_path / "away")
    assert load_cross(model) is None
    (tmp_path / "away").rename(cross)
    assert load_cross(model) is load_cross(model) is not None
    assert load_adapted(model, SUCCESSION) is None
    shutil.copy(folder / SUCCESSION, tmp_path)
    assert load_adapted(model, SUCCESSION) is None  # not read with every edit
    now[0] += 60
    assert load_adapted(model, SUCCESSION) is load_adapted(model, SUCCESSION) is not None


def test_a_reader_is_of_the_cross_encoder_in_use(minilm: Any, tmp_path: Path) -> None:
    """Both were replaced beneath a running process, which has the old cross-encoder."""
    folder, model = locate_folder(""), str(tmp_path)
    for file in folder.iterdir():
        shutil.copy(file, tmp_path)
    assert load_cross(model) is not None
    (tmp_path / CROSS).write_bytes(b"a newer one")
    stored = load_tensors(folder / SUCCESSION)
    save_file(stored | {DIGEST: adapted.stored_digest(tmp_path / CROSS)}, tmp_path / SUCCESSION)
    assert load_adapted(model, SUCCESSION) is None


def test_few_pairs_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    olds = [f"Goods of sort {letter} go back within 30 days." for letter in "BCDEFGHJKL"]
    *_, reads = decide(monkeypatch, 0.0, "Our refund window for sort B is 45 days.", *olds)
    assert 0 < len(reads.pairs) <= 6


def test_the_packaged_reader(minilm: Any) -> None:
    """It belongs to the packaged cross-encoder: train it anew where that was trained anew."""
    folder = locate_folder("")
    stored = load_tensors(folder / SUCCESSION)
    assert bytes(stored[DIGEST].tolist()).hex() == sha256(folder / CROSS)
    reader = load_adapted("", SUCCESSION)
    assert reader is not None
    old = "Uploads can be up to 20 MB."
    news = ["Files of up to 50 MB may be uploaded now.", "Logs are rotated every day."]
    rated = reader.rate([(old, new) for new in (*news, "You may upload files of up to 20 MB.")])
    assert rated.argmax(1).tolist() == [REPLACES, STAYS, REPEATS]
    assert rated[0, REPLACES] > succession.SURE


def test_nothing_to_read(minilm: Any) -> None:
    reader = load_adapted("", SUCCESSION)
    assert reader is not None and reader.rate([]).shape == (0, 3)
