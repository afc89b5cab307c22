"""What a run depends on, so that a run that goes on is the run that began."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from numbers import Integral
from pathlib import Path
from typing import Any

import memedit
from memedit.core.errors import InvalidInputError
from memedit.evaluation import framing
from memedit.evaluation.schedule import accumulates, checkpoints_of

FAMILIES = ("gen", "tf", "kl", "fluency")
_NUMBER = "a whole number"
_KINDS: tuple[tuple[str, Any, str], ...] = (
    ("protocol", str, "a name"), ("frame", str, "a name"),
    ("checkpoints", Integral, "whole numbers"), ("batch_edits", Integral | None, _NUMBER),
    ("tokens", Integral, _NUMBER), ("batch", Integral, _NUMBER), ("group", Integral, _NUMBER),
    ("seed", Integral, _NUMBER), ("immediate", bool, "true or false"),
    ("recheck", bool, "true or false"),
)  # fmt: skip
_PACKAGES = ("torch", "transformers", "numpy", "faiss-cpu", "sentence-transformers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How cases are edited and asked.

    Attributes:
        protocol: As in :mod:`memedit.evaluation.schedule`.
        batch_edits: Cases per operation of the batch protocols; None for all.
        checkpoints: Numbers of edited cases after which all so far are evaluated.
        families: ``gen`` free generation, ``tf`` teacher forcing and probabilities, ``kl`` of the
            next token on locality probes, ``fluency`` sampled texts (slow).
        tokens: Budget of a free answer.
        frame: As in :func:`memedit.evaluation.framing.put_in_frame`.
        immediate: Ask for each edit just after it is made, where edits accumulate.
        recheck: Ask also where no edit fires. Otherwise the unedited model's answer is taken, which
            is what it is: such rows go to the base model untouched.
        batch: Rows per model call.
        group: Cases per unit of work; a unit is asked and written at once.
        seed: Of sampled texts.

    Raises:
        InvalidInputError: a number below 1 or none, an unknown family.
        UnknownNameError: no such protocol or frame.
    """

    protocol: str = "batch"
    batch_edits: int | None = None
    checkpoints: tuple[int, ...] = ()
    families: tuple[str, ...] = ("gen", "tf", "kl")
    tokens: int = 24
    frame: str = "plain"
    immediate: bool = True
    recheck: bool = False
    batch: int = 16
    group: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        self._check_kinds()
        accumulates(self.protocol)  # refuses a protocol that there is not
        for name in ("tokens", "batch", "group"):
            if getattr(self, name) < 1:
                raise InvalidInputError(f"{name} must be at least 1.")
        checkpoints_of(1, self.checkpoints)  # refuses one below 1
        if self.batch_edits is not None:
            if self.batch_edits < 1 or not self.protocol.startswith("batch"):
                raise InvalidInputError(
                    f"Protocol {self.protocol!r} makes no batches of {self.batch_edits} cases.",
                    hint="Use batch or batch-sequential, and at least 1 case.",
                )
        if self.checkpoints and not accumulates(self.protocol):
            raise InvalidInputError(
                f"Protocol {self.protocol!r} takes its edits back: it has no checkpoints.",
                hint="Use sequential or batch-sequential.",
            )
        if unknown := [family for family in self.families if family not in FAMILIES]:
            raise InvalidInputError(
                f"Unknown families of metrics: {', '.join(sorted(map(str, unknown)))}.",
                hint=f"There are: {', '.join(FAMILIES)}.",
            )
        framing.check(self.frame)

    def _check_kinds(self) -> None:
        for name, kind, said in _KINDS:
            value = getattr(self, name)
            for each in value if name == "checkpoints" else [value]:
                # To Python True is a number.
                if not isinstance(each, kind) or (isinstance(each, bool) and kind is not bool):
                    raise InvalidInputError(f"{name} must be {said}, not {each!r:.40}.")

    @property
    def asked(self) -> dict[str, Any]:
        """The part that what the unedited model answers depends on."""
        names = ("families", "tokens", "frame", "batch", "seed")
        return {name: getattr(self, name) for name in names}


def key_of(value: Mapping[str, Any]) -> str:
    """16 hex digits over plain data."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=list)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def identity(
    settings: Settings, *, model: str, data: str, editors: list[str], place: Mapping[str, str]
) -> dict[str, Any]:
    """What must be the same for rows to belong together.

    Args:
        model: Fingerprint of the base model.
        place: ``device`` and ``dtype`` that it computes with: its last bits depend on them.
        data: Digest of the cases.
        editors: What is compared.
    """
    # Another version of torch may give other last bits, and another argmax with them.
    versions = {name: _version(name) for name in _PACKAGES}
    return {
        # As a manifest reads back: its tuples are lists, and unequal to tuples.
        "settings": json.loads(json.dumps(asdict(settings))),
        "model": model,
        **place,
        "data": data,
        "editors": editors,
        "memedit": memedit.__version__,
        "code": code(),
        "versions": versions,
    }


def code() -> str:
    """16 hex digits over memedit's own source: rows of two versions of it do not mix."""
    digest = hashlib.sha256()
    root = Path(memedit.__file__).parent
    # Sorted: file systems list in an order of their own.
    for file in sorted(root.rglob("*.py")):
        digest.update(str(file.relative_to(root)).encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def surroundings() -> dict[str, Any]:
    """What a run does not depend on, but a reader may want to know."""
    import torch

    cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": cuda,
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
