"""Linear probes: what a base makes of a question, read in its hidden states.

A base asked whether a fact is needed for a request knows better than its next word says. A
direction in the output of a middle layer, fitted on questions whose answers are known, tells the
two apart (linear probes: Alain & Bengio 2016, arXiv 1610.01644; of what is true: Azaria & Mitchell
2023, arXiv 2304.13734). The base stays as it is, and the layers behind that one are not run.

A probe belongs to one base's weights and to the words around the question
(:class:`memedit.engine.polls.Frame`). One that was fitted on this machine (``memedit train probe``)
is kept under the base's fingerprint; one that is shipped is taken where the base's last norm is
its base's, which quantisation leaves alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from memedit.core.calls import LM, Batch, Row
from memedit.core.errors import InvalidInputError, UnsupportedArchitectureError
from memedit.core.files import cache_folder, replacing
from memedit.core.untrusted import open_tensors, parse_json
from memedit.engine.polls import Frame

if TYPE_CHECKING:  # torch, which a server in front of another one begins without
    from torch import Tensor

_SHIPPED = Path(__file__).with_name("probed")
_WEIGHT, _NORM, _TOLD = "weight", "norm", "probe"
_SAME = 4e-3
"""Relative distance from which norms are not the same, rounded to bfloat16 or not."""
_TOGETHER = 8
"""Questions of one pass."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A direction in the output of a layer.

    Attributes:
        layer: From 0.
        weight: [d] float32, for states of length 1.
        bias: Of the log odds.
        frame: Digest of the words around the question.
    """

    layer: int
    weight: Tensor
    bias: float
    frame: str

    def measure(self, asked: Sequence[str], frame: Frame, lm: LM) -> list[float | None]:
        """Log odds of yes to each question; None where the base's window has no room for it.

        Args:
            asked: Questions, without markers of a chat.
            frame: What stands around them.
            lm: The base.
        """
        fit = [at for at, each in enumerate(asked) if frame.has_room(each, lm, 0)]
        found = dict[int, float]()
        if fit:
            states = read_states([asked[at] for at in fit], frame, self.layer, lm)
            found = dict(zip(fit, (states @ self.weight + self.bias).tolist(), strict=True))
        return [found.get(at) for at in range(len(asked))]


def read_states(asked: Sequence[str], frame: Frame, layer: int, lm: LM) -> Tensor:
    """[n, d] float32 states of length 1 behind questions, on the processor.

    Args:
        asked: Questions that the base's window has room for, at least one.
        frame: What stands around them.
        layer: Whose output.
        lm: The base.
    """
    import torch

    found = []
    for start in range(0, len(asked), _TOGETHER):
        rows = tuple(Row(each + frame.closes) for each in asked[start : start + _TOGETHER])
        states = lm.next_states(Batch(rows, prefix=frame.prefix), layer).cpu()
        found.append(states / states.norm(dim=-1, keepdim=True).clamp(min=1e-6))
    return torch.cat(found)


def recall_probe(frame: Frame, lm: LM) -> Probe | None:
    """The probe of a base, read once; None: there is none, or it was fitted behind other words.

    Raises:
        InvalidInputError: a file that was written on this machine holds none.
        UntrustedFileError: it is damaged.
    """
    if _TOLD not in lm.kept:
        lm.kept[_TOLD] = _find_probe(lm)
    found: Probe | None = lm.kept[_TOLD]
    return found if found is not None and found.frame == digest(frame) else None


def digest(frame: Frame) -> str:
    """What names the words around a question."""
    return sha256(f"{frame.prefix}\0{frame.closes}".encode()).hexdigest()[:16]


def file_of(fingerprint: str) -> Path:
    """Where the probe of a base that was fitted on this machine is kept."""
    return cache_folder() / "probes" / f"{fingerprint}.safetensors"


def save_probe(probe: Probe, lm: LM, file: Path) -> None:
    """Write a base's probe to a file; the running model reads it anew."""
    from safetensors.torch import save_file

    told = {"layer": probe.layer, "bias": probe.bias, "frame": probe.frame}
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as new:
        save_file({_WEIGHT: probe.weight, _NORM: _read_norm(lm)}, new, {_TOLD: json.dumps(told)})
    lm.kept.pop(_TOLD, None)


def _find_probe(lm: LM) -> Probe | None:
    try:
        norm = _read_norm(lm)
    except UnsupportedArchitectureError:
        return None
    if (own := file_of(lm.fingerprint)).is_file():
        return _read(own)[0]
    for file in sorted(_SHIPPED.glob("*.safetensors")):
        probe, theirs = _read(file)
        if theirs.shape == norm.shape and (theirs - norm).norm() <= _SAME * theirs.norm():
            return probe
    return None


def _read(file: Path) -> tuple[Probe, Tensor]:
    """The probe of a file, and the norm of its base.

    Raises:
        InvalidInputError: the file does not hold a probe.
        UntrustedFileError: it is damaged.
    """
    with open_tensors(file, "pt") as opened:
        try:
            told = parse_json(opened.metadata()[_TOLD])
            weight, norm = opened.get_tensor(_WEIGHT), opened.get_tensor(_NORM)
            probe = Probe(int(told["layer"]), weight, float(told["bias"]), str(told["frame"]))
            if weight.shape != norm.shape:
                raise ValueError(f"a direction of shape {tuple(weight.shape)}")
        except (TypeError, KeyError, ValueError) as error:
            raise InvalidInputError(
                f"{file} holds no probe ({error!r}).",
                hint="Delete it, or run memedit train probe again.",
            ) from None
    return probe, norm


def _read_norm(lm: LM) -> Tensor:
    """[d] float32 weight of the base's last norm.

    Raises:
        UnsupportedArchitectureError: where the base keeps it is not known.
    """
    weight: Tensor = lm.base.get_submodule(lm.sites.final_norm).weight
    return weight.detach().float().cpu().clone()
