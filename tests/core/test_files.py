"""Files are replaced as a whole or not at all, and opened packed or not."""

from __future__ import annotations

import gzip
import os
import stat
import threading
import time
from pathlib import Path

import pytest

from memedit.core.files import open_text, put, replacing, reserve_path, sha256, write_atomically


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text("old")
    with replacing(file) as new:
        new.write_text("half")
        assert file.read_text() == "old"
        new.write_text("new")
    assert file.read_text() == "new" and os.listdir(tmp_path) == ["settings.json"]


def test_what_fails_leaves_the_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(file) as new:
        new.write_text("half")
        raise ZeroDivisionError
    with pytest.raises(FileNotFoundError), replacing(file):
        pass  # nothing was written
    assert file.read_text() == "old" and os.listdir(tmp_path) == ["settings.json"]


def test_a_link_is_replaced_and_what_it_leads_to_is_left_alone(tmp_path: Path) -> None:
    victim, link = tmp_path / "victim", tmp_path / "link"
    victim.write_text("mine")
    link.symlink_to(victim)
    write_atomically(link, "new")
    assert victim.read_text() == "mine" and link.read_text() == "new" and not link.is_symlink()


def test_readers_meanwhile_find_one_of_both(tmp_path: Path) -> None:
    file, texts = tmp_path / "file", ["a" * 100_000, "b" * 100_000]
    write_atomically(file, texts[0])
    stop, seen = threading.Event(), set[str]()

    def read() -> None:
        while not stop.is_set():
            seen.add(file.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    end, turn = time.monotonic() + 60, 0
    while turn < 50 or (len(seen) < 2 and time.monotonic() < end):
        turn += 1
        write_atomically(file, texts[turn % 2])
    stop.set()
    reader.join()
    assert seen == set(texts)


def test_rights_are_those_of_any_new_file(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("x")
    write_atomically(tmp_path / "ours", "x")
    assert (tmp_path / "ours").stat().st_mode == plain.stat().st_mode
    assert stat.S_ISREG(plain.stat().st_mode)


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    """The fault: an export to /dev/null, as root, left a plain file in its place."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    heard: list[str] = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text()))
    reader.start()
    write_atomically(pipe, "said")
    reader.join(timeout=10)
    assert heard == ["said"] and stat.S_ISFIFO(pipe.stat().st_mode)
    link = tmp_path / "stdout"
    with (tmp_path / "target").open("w+") as target:
        link.symlink_to(f"/proc/self/fd/{target.fileno()}")
        write_atomically(link, "said")
        target.seek(0)
        assert link.is_symlink() and target.read() == "said"


def test_a_file_may_get_its_name_last(tmp_path: Path) -> None:
    with reserve_path(tmp_path) as new:
        new.write_bytes(b"content")
        name = sha256(new)
        put(new, tmp_path / name)
    assert os.listdir(tmp_path) == [name] and (tmp_path / name).read_bytes() == b"content"


def test_texts_open_packed_or_not(tmp_path: Path) -> None:
    for file, opener in ((tmp_path / "a.txt", open), (tmp_path / "a.txt.gz", gzip.open)):
        with opener(file, "wb") as out:
            out.write("é\n一\n".encode())
        with open_text(file) as lines:
            assert list(lines) == ["é\n", "一\n"]
