"""Edits that come together are compared as if they came one by one, where that is asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from memedit import Edit, EditableModel
from memedit.core.types import Decision, Hit
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.model.deciding import Decider
from memedit.model.importing import compare_with

WINDOW = "Our refund window is {} days."
TEXTS = [WINDOW.format(days) for days in (30, 45, 60)]


@pytest.fixture
def model(tiny: Callable[[str], Any], tiny_tokenizer: Any) -> Iterator[EditableModel]:
    yield EditableModel(
        tiny("llama"), tiny_tokenizer, editor="ike", encoder="hashing", scope="mention"
    )


def said(memory: EditMemory) -> list[str]:
    return [record.edit.statement for record in memory.records()]


def test_many_edits_are_compared_where_that_is_asked(model: EditableModel) -> None:
    edits, done = [Edit.from_statement(text) for text in TEXTS], list[int]()
    receipts = model.edit_many(edits[:2])
    assert [r.compared for r in receipts] == [False, False] and said(model.memory) == TEXTS[:2]
    model.memory.restore(0)
    receipts = model.edit_many(edits, compare=True, progress=done.append)
    assert said(model.memory) == TEXTS[2:] and done == [1, 2, 3]
    assert [[old.edit.prompt for old in r.superseded] for r in receipts] == [
        [], TEXTS[:1], TEXTS[1:2],
    ]  # fmt: skip
    assert all(r.compared is not False for r in receipts)


def test_a_file_is_compared_where_that_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "facts.jsonl"
    dated = {"statement": WINDOW.format(90), "valid_from": "2999-01-01"}
    passage = {"statement": WINDOW.format(15), "source": "document:policy@1#1"}
    lines = [*({"statement": text} for text in TEXTS), {"statement": TEXTS[2]}, dated, passage]
    file.write_text("\n".join(["no JSON", *map(json.dumps, lines)]))
    with EditMemory(None, HashingEncoder(256)) as memory:
        report = memory.import_file(file)
        assert not report.compared and set(TEXTS) < set(said(memory))
    with EditMemory(None, HashingEncoder(256)) as memory:
        done = list[int]()
        compare = compare_with(Decider(memory, "mention"))
        report = memory.import_file(file, compare=compare, progress=done.append)
        assert (report.added, report.duplicate, report.superseded) == (5, 1, 3)
        assert report.compared and report.refused_total == 1 and done == [1, 2, 3, 4, 5, 6, 7]
        now, later = (
            [r.edit.prompt for r in memory.records() if r.holds_at(memory.moment(day))]
            for day in ("2998-01-01", "2999-02-01")
        )
        assert sorted(now) == [WINDOW.format(15), TEXTS[2]]
        assert sorted(later) == [WINDOW.format(15), WINDOW.format(90)]


def test_two_that_are_added_at_once_see_each_other(model: EditableModel) -> None:
    """Each of two threads would compare with what is in force before either has added."""
    meeting = threading.Barrier(2)

    class Scope:
        name = "waits"

        def decide(self, prompts: Any, candidates: Sequence[Sequence[Hit]]) -> list[Decision]:
            try:
                meeting.wait(timeout=0.5)
            except threading.BrokenBarrierError:
                pass
            return [Decision(candidates=tuple(hits)) for hits in candidates]

    model.edit("Tea is served at five.")
    model.scope = Scope()
    threads = [threading.Thread(target=model.edit, args=(text,)) for text in TEXTS[:2]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = said(model.memory)
    assert len(left) == 2 and len({*left} & {*TEXTS[:2]}) == 1


def test_a_line_that_names_its_first_day_begins_on_it_where_lines_are_compared(
    tmp_path: Path,
) -> None:
    file = tmp_path / "fees.jsonl"
    now, later = "The fee is 50 euros.", "From tomorrow the fee is 60 euros."
    alone = "As of tomorrow, the sauna costs 9 euros."
    file.write_text("\n".join(json.dumps({"statement": text}) for text in (now, later, alone)))
    with EditMemory(None, HashingEncoder(256)) as memory:
        report = memory.import_file(file, compare=compare_with(Decider(memory, "mention")))
        assert (report.added, report.superseded) == (3, 1)
        held = {record.edit.prompt: record for record in memory.records()}
        start = held[later].valid_from
        assert start is not None and start == held[now].valid_until
        today = datetime.now(timezone.utc)
        assert timedelta(0) < start - today <= timedelta(days=1)
        assert held[alone].valid_from is None  # it replaces nothing, and holds already
    with EditMemory(None, HashingEncoder(256)) as memory:
        memory.import_file(file)  # as they are: nobody compared them
        assert {r.valid_from for r in memory.records()} == {None} and len(memory) == 3


def test_a_first_day_that_a_line_is_given_counts_more_than_its_words(tmp_path: Path) -> None:
    file = tmp_path / "fees.jsonl"
    line = {"statement": "From tomorrow the fee is 60 euros.", "valid_from": "2999-01-01"}
    file.write_text("\n".join(map(json.dumps, ({"statement": "The fee is 50 euros."}, line))))
    with EditMemory(None, HashingEncoder(256)) as memory:
        memory.import_file(file, compare=compare_with(Decider(memory, "mention")))
        old, new = sorted(memory.records(), key=lambda record: len(record.edit.prompt))
        assert new.valid_from == old.valid_until == memory.moment("2999-01-01")
