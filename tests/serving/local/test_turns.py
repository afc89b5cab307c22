"""Turns: nobody keeps others out, and everybody's first comes before anybody's second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from memedit.serving.local.turns import Asker, CrowdedError, Turns


@contextmanager
def crowding(turns: Turns, askers: Sequence[Asker]) -> Iterator[list[tuple[str, Asker]]]:
    """The first has its turn and the others wait, in their order; told is what becomes of each:
    it is had, once the context has ended, or lost."""
    go, told = threading.Event(), list[tuple[str, Asker]]()

    def ask(asker: Asker) -> None:
        try:
            with turns.take(asker):
                assert go.wait(60)
                told.append(("had", asker))
        except CrowdedError:
            told.append(("lost", asker))

    threads = [threading.Thread(target=ask, args=(asker,)) for asker in askers]
    for number, thread in enumerate(threads, start=1):
        thread.start()
        wait_until(lambda: len(turns) == number)  # noqa: B023
    try:
        yield told
    finally:
        go.set()
        for thread in threads:
            thread.join(60)


@contextmanager
def asking(turns: Turns, asker: Asker) -> Iterator[list[Asker]]:
    """One more; told is whether it has had its turn."""
    had = list[Asker]()

    def ask() -> None:
        with turns.take(asker):
            had.append(asker)

    threading.Thread(target=ask).start()
    yield had


def wait_until(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not ready() and time.monotonic() < end:
        time.sleep(0.001)
    assert ready()


LOUD, SHY = ("loud", ""), ("shy", "")


def test_one_who_fills_the_room_keeps_nobody_out() -> None:
    turns = Turns(4)
    with crowding(turns, [LOUD] * 4) as told:
        with pytest.raises(CrowdedError), turns.take(LOUD):
            raise AssertionError("a fifth of one's own has no room")
        with asking(turns, SHY) as had:
            wait_until(lambda: bool(told))
            assert told == [("lost", LOUD)]
    wait_until(lambda: had == [SHY])
    assert told.count(("had", LOUD)) == 3


def test_turns_go_round() -> None:
    with crowding(Turns(8), [LOUD, LOUD, LOUD, SHY, SHY]) as told:
        pass
    assert [asker for _, asker in told] == [LOUD, SHY, LOUD, SHY, LOUD]


def test_where_all_have_as_many_a_newcomer_waits_outside() -> None:
    turns = Turns(3)
    with crowding(turns, [("a", ""), ("b", ""), ("c", "")]) as told:
        with pytest.raises(CrowdedError), turns.take(("d", "")):
            raise AssertionError("there is no room")
    assert {what for what, _ in told} == {"had"}


@pytest.mark.parametrize("key", ["k", "other"])
def test_namespaces_of_one_key_share_its_room(key: str) -> None:
    """A key that may name any namespace is one asker to other keys, and several to itself."""
    turns = Turns(4)
    askers = [("k", "many"), ("k", "many"), ("k", "one"), ("k", "many")]
    with crowding(turns, askers) as told:
        with asking(turns, (key, "new")) as had:
            wait_until(lambda: bool(told))
            assert told == [("lost", ("k", "many"))]
    wait_until(lambda: had == [(key, "new")])
