"""What people report of an edit: it should have fired, or should not have."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from memedit import Edit, EditMemory, Record
from memedit.core.errors import InvalidEditError, UnknownEditError
from memedit.memory.store import Store
from tests.memory.helpers import CountingEncoder

WINDOW = Edit.from_statement("Our refund window is 60 days.")
OTHER = Edit.from_statement("Our refund desk opens at nine.")
MISSED, FALSE = "how long may i keep it before sending it back", "What is Zanto's refund window?"


@pytest.fixture
def memory(tmp_path: Path) -> EditMemory:
    memory = EditMemory(tmp_path / "memory", CountingEncoder())
    memory.add_many([WINDOW, OTHER])
    memory.add(WINDOW, namespace="elsewhere")
    return memory


def found(memory: EditMemory, query: str, namespace: str = "default") -> dict[str, float]:
    (hits,) = memory.search([query], namespace=namespace)
    return {hit.record.id: hit.similarity for hit in hits}


def test_a_miss_becomes_a_key_of_that_edit_alone(memory: EditMemory) -> None:
    before = found(memory, MISSED)
    receipt = memory.report(WINDOW.id, MISSED, concerns=True)
    assert receipt.id == WINDOW.id and receipt.record.edit.queries == (MISSED,)
    after = found(memory, MISSED)
    assert after[WINDOW.id] == pytest.approx(1.0) and before[WINDOW.id] < 0.9
    assert after[OTHER.id] == before[OTHER.id]
    assert found(memory, MISSED, "elsewhere") == {WINDOW.id: before[WINDOW.id]}


def test_a_false_fire_no_longer_finds_that_edit_and_finds_the_others(memory: EditMemory) -> None:
    before = found(memory, FALSE)
    memory.report(WINDOW.id, FALSE, concerns=False)
    assert found(memory, FALSE) == {OTHER.id: before[OTHER.id]}
    assert found(memory, f"  {FALSE.upper()} ") == {OTHER.id: pytest.approx(before[OTHER.id])}
    assert WINDOW.id in found(memory, "What is our refund window?")
    assert WINDOW.id in found(memory, FALSE, "elsewhere")


def test_what_is_as_good_as_a_false_fire_finds_nothing_unless_the_edit_is_nearer(
    memory: EditMemory,
) -> None:
    memory.report(WINDOW.id, "Our refund window is 60 days. Really", concerns=False)
    assert WINDOW.id in found(memory, WINDOW.prompt)  # its own words are nearer still
    memory.report(WINDOW.id, "zebra crossing in the rain", concerns=False)
    assert WINDOW.id not in found(memory, "in the rain zebra crossing")


def test_reports_last_are_undone_and_are_told(memory: EditMemory, tmp_path: Path) -> None:
    version = memory.version
    memory.report(WINDOW.id, FALSE, concerns=False)
    memory.report(WINDOW.id, MISSED, concerns=True)
    memory.close()
    with EditMemory(tmp_path / "memory", CountingEncoder()) as again:
        edit = again.get(WINDOW.id).edit
        assert (edit.queries, edit.excluded) == ((MISSED,), (FALSE,))
        assert WINDOW.id not in found(again, FALSE) and again.verify().ok
        assert len(again) == 3 and len(again.history(WINDOW.id, namespace="default")) == 5
        again.report(WINDOW.id, FALSE, concerns=True)  # the opposite undoes it
        assert again.get(WINDOW.id).edit.excluded == () and WINDOW.id in found(again, FALSE)
        again.restore(version)
        assert again.get(WINDOW.id).edit == WINDOW and WINDOW.id in found(again, FALSE)


def test_a_report_keeps_payloads_dates_and_survives_a_file(
    memory: EditMemory, tmp_path: Path
) -> None:
    added = memory.add(Edit("The capital of France is", "Lyon", "France"), source="me",
                       payloads={"ike": {"fact": "x"}})  # fmt: skip
    memory.report(added.id, "Where is France's parliament?", concerns=False)
    record = memory.get(added.id)
    assert record.payloads["ike"]["fact"] == "x" and record.source == "me"
    memory.export(tmp_path / "out.jsonl")
    copy = EditMemory(None, CountingEncoder())
    copy.import_file(tmp_path / "out.jsonl")
    assert copy.get(added.id).edit == record.edit


def test_reports_at_the_same_time_are_all_kept(memory: EditMemory) -> None:
    """The fault: each was made of the record as it was read, before the others had been stored."""
    told = [f"question {i} of somebody" for i in range(8)]

    def report(query: str) -> None:
        memory.report(WINDOW.id, query, concerns=False)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(report, told))
    assert sorted(memory.get(WINDOW.id).edit.excluded) == told and memory.verify().ok


def test_others_reports_meanwhile_are_kept(
    memory: EditMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Store.known

    def overtaken(self: Store, id: str, namespace: str) -> Record:
        record = known(self, id, namespace)
        monkeypatch.setattr(Store, "known", known)
        with EditMemory(tmp_path / "memory", CountingEncoder()) as other:
            other.report(WINDOW.id, MISSED, concerns=True)
        return record

    monkeypatch.setattr(Store, "known", overtaken)
    record = memory.report(WINDOW.id, FALSE, concerns=False).record
    assert (record.edit.queries, record.edit.excluded) == ((MISSED,), (FALSE,))


def test_what_an_edit_shall_leave_alone_conflicts_with_nothing(memory: EditMemory) -> None:
    memory.report(WINDOW.id, "Zanto's refund window is ninety days long.", concerns=False)
    receipt = memory.add(Edit.from_statement("Zanto's refund window is ninety days long."))
    assert [record.id for record in receipt.conflicts] == []


def test_a_report_encodes_what_it_needs_at_once(memory: EditMemory) -> None:
    encoder = memory.encoder
    assert isinstance(encoder, CountingEncoder)
    encoder.calls.clear()
    memory.report(WINDOW.id, FALSE, concerns=False)
    assert len(encoder.calls) == 1 and FALSE in encoder.calls[0]


def test_a_report_on_nothing_is_refused(memory: EditMemory) -> None:
    with pytest.raises(UnknownEditError):
        memory.report("nothing", FALSE, concerns=False)
    with pytest.raises(InvalidEditError):
        memory.report(WINDOW.id, "  ", concerns=True)
