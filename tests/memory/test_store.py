"""The store: what is encoded, when others' changes are taken in, and what a failure leaves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from memedit.core.errors import EncoderMismatchError, MemoryStoreError
from memedit.core.types import mask_prompt
from memedit.engine.encoders import HashingEncoder
from memedit.memory import changing
from memedit.memory.encoding import VectorTable
from memedit.memory.journal.rows import Entry, Head
from memedit.memory.requests import Request, check_request
from memedit.memory.store import Store
from tests.memory.helpers import CountingEncoder, capital


@pytest.fixture
def encoder() -> CountingEncoder:
    return CountingEncoder()


@pytest.fixture
def store(tmp_path: Path, encoder: CountingEncoder) -> Iterator[Store]:
    opened = Store(tmp_path / "memory", encoder, read_only=False)
    yield opened
    opened.close()


def asked(*countries: str) -> list[Request]:
    return [check_request(Request(capital(country))) for country in countries]


def test_only_what_is_new_is_encoded(store: Store, encoder: CountingEncoder) -> None:
    changing.add(store, asked("France", "Spain"))
    encoder.calls.clear()
    assert dict(store.vectors_for(asked("France", "Spain"))) == {} and encoder.calls == []
    table = store.vectors_for(asked("France", "Chad"))
    (prompt, template) = (capital("Chad").prompt, mask_prompt(capital("Chad")))
    assert encoder.calls == [[prompt]]  # the masked prompt is the others' too
    assert set(table) == {prompt, template}


def test_progress_is_told_in_order_up_to_the_end(store: Store) -> None:
    told: list[int] = []
    store.vectors_for(asked(*(f"Land {i}" for i in range(1_500))), told.append)
    assert told == sorted(told) and told[-1] == 1_500 and len(told) > 1


def test_a_table_encodes_what_was_not_foreseen() -> None:
    calls = CountingEncoder()
    table = VectorTable(lambda texts: dict(zip(texts, calls.encode(texts), strict=True)))
    table.foresee(["a", "b"])
    assert table["a"].shape == (64,) and table["c"].shape == (64,)
    table.foresee(["a", "b", "c"])
    assert calls.calls == [["a", "b"], ["c"]]


def test_a_text_is_encoded_once_within_and_anew_behind(
    store: Store, encoder: CountingEncoder
) -> None:
    texts = store.encoding
    with texts.once():
        first, again = texts.encode_checked(["a", "b", "a"]), texts.encode_checked(["b", "c"])
        assert encoder.calls == [["a", "b"], ["c"]] and (first["b"] == again["b"]).all()
        texts.change(other := CountingEncoder(32))
        assert texts.encode_checked(["a"])["a"].shape == (32,) and other.calls == [["a"]]
    texts.encode_checked(["a"])
    assert other.calls == [["a"], ["a"]]


def test_a_change_begins_with_what_others_wrote(store: Store, tmp_path: Path) -> None:
    changing.add(store, asked("France"))
    other = Store(tmp_path / "memory", CountingEncoder(), read_only=False)
    changing.add(other, asked("Spain"))
    other.close()
    with store.lock, store.change() as head:
        assert head == Head(2, 2, 2, 2, 1, head.at)
        assert len(store.live) == 2
    assert store.live.version == 2


def test_a_change_that_fails_is_undone(store: Store) -> None:
    changing.add(store, asked("France"))
    with store.lock:
        with pytest.raises(ZeroDivisionError), store.change() as head:
            store.journal.log(head, [Entry("forget", 1)])
            raise ZeroDivisionError
        with store.change() as head:
            assert (head.version, head.event) == (1, 1)
    assert len(store.live) == 1
    changing.forget(store, [capital("France").id], "default", "")
    assert len(store.live) == 0


def test_a_change_that_cannot_be_read_back_is_stored(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    changing.add(store, asked("France"))
    with monkeypatch.context() as patch:
        patch.setattr(store.replica, "_take", lambda journal: 1 / 0)
        changing.add(store, asked("Spain"))
    assert "reading it back failed" in caplog.text
    with store.reading() as live:
        assert len(live) == 2


def test_another_encoder_is_refused_before_anything_is_encoded(
    store: Store, tmp_path: Path
) -> None:
    changing.add(store, asked("France"))
    with pytest.raises(EncoderMismatchError, match="reembed"):
        Store(tmp_path / "memory", HashingEncoder(16), read_only=False)


def test_one_thread_at_a_time_has_the_connection(store: Store) -> None:
    changing.add(store, asked("France"))
    assert store.turns.acquire()  # and again, by the thread that has it
    assert store.turns.acquire()
    went: list[bool] = []
    store.turns.write_waits = True
    reader = threading.Thread(target=lambda: went.append(store.turns.acquire()))
    reader.start()
    reader.join()
    store.turns.write_waits = False
    store.lock.release()
    store.lock.release()
    assert went == [False]


def test_a_closed_store_answers_nothing(store: Store) -> None:
    store.close()
    store.close()
    with pytest.raises(MemoryStoreError, match="closed"), store.reading():
        pass
