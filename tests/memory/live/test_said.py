from __future__ import annotations

import random
from zlib import crc32

import numpy as np
import pytest

from memedit.core.text import words_of
from memedit.memory.live.said import Said


def test_finds_words_whatever_their_case() -> None:
    said = Said()
    said.add_many([
        (7, "The press contact of ACME is Ada"),
        (3, "Der Straße nach: Ａcme"),  # folded as words are: ss, and wide letters
        (9, "Nothing here\nbut two lines of acmes, acme's"),
    ])  # fmt: skip
    assert said.find(["acme"]) == {7, 3, 9} and said.find(["strasse"]) == {3}
    assert said.find(["lines"]) == {9} and said.find(["acmes"]) == {9}
    for word in ("line", "cme", "bob", "", "\ud800"):
        assert said.find([word]) == set()
    assert said.find(["acme", "press"]) == {7}  # the rarest word is looked for


def test_what_is_added_and_removed_by_turns_is_what_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("memedit.memory.live.said._FEW", 40)
    monkeypatch.setattr("memedit.memory.live.said._PARTS", 3)
    rng, said = random.Random(5), Said()
    texts = {n: f"Land {n} has the word{n % 7} and word{n % 11}" for n in range(300)}
    there = set[int]()
    for _ in range(400):
        some = set(rng.sample(sorted(texts), rng.randint(1, 6)))
        if rng.random() < 0.6:
            said.add_many((n, texts[n]) for n in sorted(some - there))
            there |= some
        else:
            for n in some & there:
                said.remove(n, texts[n])
            there -= some
        word = f"word{rng.randint(0, 10)}"
        assert said.find([word]) == {n for n in there if word in texts[n].split()}
    codes = said.array()
    assert Said(codes).find(["land"]) == there and len(Said(codes)) == len(said) == len(codes)
    fresh = Said()
    fresh.add_many((n, texts[n]) for n in sorted(there))
    assert np.array_equal(fresh.array(), codes)


def test_words_of_ascii_are_those_of_the_text() -> None:
    every = "".join(map(chr, range(32, 127)))
    text = f"C++ c# Acme's x_y it's 3.5-7 {every} {every[::2]} R2-D2+x #no"
    said = Said()
    said.add_many([(1, text)])
    assert all(said.find([word]) == {1} for word in words_of(text))


def test_the_largest_hash_and_number() -> None:
    word = next(w for w in map(str, range(100_000)) if crc32(w.encode()) > (1 << 32) - (1 << 17))
    said = Said()
    said.add_many([((1 << 31) - 1, word), (0, word)])
    assert said.find([word]) == {(1 << 31) - 1, 0}


@pytest.mark.parametrize("codes", [[3, 2], [2, 2], [-1, 2]])
def test_codes_that_do_not_ascend_are_refused(codes: list[int]) -> None:
    with pytest.raises(ValueError, match="ascend"):
        Said(np.array(codes, np.int64))
