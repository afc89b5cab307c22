"""Whether two sentences tell the same of one thing, in whatever words: the cross-encoder, adapted.

The scope reads a request and an edit. Whether a statement tells what another one tells is a
question near it: low-rank changes (LoRA, Hu et al. 2022, arXiv:2106.09685) of its last layers and
a head of one logit answer it. They belong to the cross-encoder that they were trained on, whose
digest stands beside them.
"""

from __future__ import annotations

import copy
import hashlib
import logging
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from memedit.core.errors import MemeditError
from memedit.core.untrusted import load_tensors
from memedit.scope.classifier import load_cross, locate_folder
from memedit.scope.cross import FILE as CROSS
from memedit.scope.cross import CrossEncoder
from memedit.scope.reading import TextPair

_LOG = logging.getLogger(__name__)
FILE = "rewording.safetensors"
RANK, TOP = 16, 2
"""Of the changes; and of the last layers that they are made in: those below are shared."""
SCALE = 2.0
"""What the low-rank product is multiplied by."""
DIGEST = "cross.sha256"


class Rewording:
    """Reads pairs of sentences.

    Args:
        reader: The cross-encoder with the changes merged, its head of one logit.
    """

    def __init__(self, reader: CrossEncoder) -> None:
        self._reader = reader

    def rate(self, pairs: Sequence[TextPair]) -> list[float]:
        """Probability that two sentences tell the same: the mean logit of both orders."""
        if not pairs:
            return []
        both = [*pairs, *((two, one) for one, two in pairs)]
        logits = self._reader.logits(both)[:, 0].reshape(2, -1).mean(0)
        found: npt.NDArray[np.float32] = 1 / (1 + np.exp(-logits.clip(-30, 30)))
        return [float(chance) for chance in found]


@lru_cache(maxsize=4)
def load_rewording(model: str) -> Rewording | None:
    """The reader in the folder of a scope's model ("": the packaged one); None where there is none,
    it belongs to another cross-encoder, or cannot be read, which is logged: it only tells, and no
    edit shall be lost for want of it."""
    folder, cross = locate_folder(model), load_cross(model)
    file = folder / FILE
    if cross is None or not file.is_file():
        return None
    try:
        stored = load_tensors(file)
        if bytes(stored.pop(DIGEST).tolist()).hex() == digest(folder / CROSS):
            return Rewording(merge(cross, stored))
        _LOG.warning("%s belongs to another cross-encoder: train it anew, or remove it.", file)
    except (MemeditError, OSError, ValueError, KeyError, RuntimeError, TypeError, IndexError,
            AttributeError) as error:  # fmt: skip
        _LOG.warning("%s cannot be used (%s): train it anew, or remove it.", file, error)
    return None


def digest(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


@torch.no_grad()
def merge(cross: CrossEncoder, stored: Mapping[str, Tensor]) -> CrossEncoder:
    """A cross-encoder with low-rank changes added; the rest is shared with the given one.

    Args:
        stored: Of each changed matrix of the last layers ``<module>.a`` [rank, in] and
            ``<module>.b`` [out, rank]; ``head.weight`` [1, hidden], ``head.bias`` [1].

    Raises:
        KeyError: no such matrix, or none of the head.
        RuntimeError: one of another shape.
    """
    layers: nn.ModuleList = cross.body.get_submodule("encoder.layer")  # type: ignore[assignment]
    shared = [*layers[:-TOP], cross.body.get_submodule("embeddings")]
    body: nn.Module = copy.deepcopy(cross.body, {id(module): module for module in shared})
    weight = stored["head.weight"].float()
    head = nn.Linear(weight.shape[1], weight.shape[0])
    head.weight.copy_(weight)
    head.bias.copy_(stored["head.bias"].float())
    top: nn.ModuleList = body.get_submodule("encoder.layer")[-TOP:]  # type: ignore[index]
    matrices = dict(top.named_parameters())
    for name in sorted(name[:-2] for name in stored if name.endswith(".a")):
        matrix = matrices[f"{name}.weight"]
        change = SCALE * stored[f"{name}.b"].float() @ stored[f"{name}.a"].float()
        matrix.add_(change.to(matrix.device))
    made = cross.share_with(body, head.to(cross.head.weight.device))
    return made.eval().requires_grad_(False)


def stored_digest(file: Path) -> Tensor:
    """[32] uint8: the digest of the cross-encoder that changes belong to, as they hold it."""
    return torch.tensor(list(bytes.fromhex(digest(file))), dtype=torch.uint8)
