"""Which subjects belong to training, calibration and evaluation: decided by a hash, so that every
file agrees on it and nothing that is evaluated can have been trained on."""

from __future__ import annotations

import hashlib
from typing import Literal, TypeAlias

from memedit.core.text import subject_key

Part: TypeAlias = Literal["train", "calibration", "evaluation"]
PARTS: tuple[Part, ...] = ("train", "calibration", "evaluation")
_TRAIN, _CALIBRATION = 60, 72
"""Per cent of the subjects: below the first to train, below the second to calibrate."""


def part_of(subject: str) -> Part:
    """The part a subject belongs to, whatever its case, article or data set."""
    digest = hashlib.sha256(subject_key(subject).encode("utf-8", errors="replace")).digest()
    percent = int.from_bytes(digest[:8], "big") % 100
    if percent < _TRAIN:
        return "train"
    return "calibration" if percent < _CALIBRATION else "evaluation"


def describe() -> str:
    """The rule in words, for manifests."""
    return (
        f"sha256(subject_key(subject))[:8] mod 100: < {_TRAIN} train, < {_CALIBRATION} "
        "calibration, else evaluation"
    )
