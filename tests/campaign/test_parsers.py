"""Bytes that may be a stranger's, damaged: read, or refused with an error of memedit's."""

from __future__ import annotations

import random
import warnings
from pathlib import Path

import pytest

from memedit.core.errors import MemeditError
from tests.campaign.ledger import LONG, Stage
from tests.campaign.parsing import Target, targets
from tests.campaign.putting import note_error, told

pytestmark = pytest.mark.slow
INPUTS = 250 if LONG else 25  # of each kind
STAGE = Stage("damaged bytes, parsers", bounded=1, long=20, share=0.04)
PARTS = (
    b"", b"\0", b"\xff", b'"', b"'", b"{", b"}", b"[", b"]", b",", b"\n", b"\r", b"\\", b"\\u0000",
    b"\\ud800", b"null", b"NaN", b"1e999", b"-1", b"9" * 400, b"[" * 3_000, b"<div>" * 500,
    b"*" * 300, b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xe2\x80\xae", b"<|im_end|>", b"true",
    b"0001-01-01",
)  # fmt: skip


def damaged(content: bytes, rng: random.Random) -> bytes:
    """With one to five changes: bytes flipped, cut, doubled, put in, swapped."""
    made = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 3, 5))):
        at, size = rng.randrange(len(made) + 1), rng.choice((0, 1, 1, 4, 16, 64))
        kind = rng.randrange(5)
        if kind == 0 and made:
            made[at % len(made)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del made[at:]
        elif kind == 2:
            made[at:at] = made[at : at + size] * rng.choice((1, 3, 50))
        elif kind == 3:
            made[at : at + size] = rng.choice(PARTS)
        else:
            made[at : at + size] = rng.randbytes(size)
    return bytes(made)


def test_every_parser(tmp_path: Path) -> None:
    known, wrong = targets(), dict[str, str]()
    for target in known.values():
        for seed in target.seeds:
            target.parse(seed, tmp_path / "good")  # they are, so that changes reach far
    for made in STAGE.rounds():
        for name, target in known.items():
            for _ in range(INPUTS):
                content = damaged(made.rng.choice(target.seeds), made.rng)
                made.counts["inputs"] += 1
                made.counts["refused"] += _refused(name, target, content, tmp_path / "bad", wrong)
    if wrong:
        pytest.fail(told(wrong))
    assert STAGE.counts["refused"] > STAGE.counts["inputs"] / 10


def _refused(name: str, target: Target, content: bytes, file: Path, wrong: dict[str, str]) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            target.parse(content, file)
    except MemeditError:
        return True
    except Exception as error:
        note_error(wrong, name, error, f" of {content!r:.300}")
    return False
