"""The scope's cross-encoder, adapted to another question about two texts.

The scope reads a request and an edit. A question near it (does a statement take an earlier one's
place?) is answered by low-rank changes (LoRA, Hu et al. 2022, arXiv:2106.09685) of its layers and a
head of its own. They belong to the cross-encoder that they were trained on, whose digest stands
beside them.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from memedit.core.errors import MemeditError
from memedit.core.files import sha256
from memedit.core.found import keep_found
from memedit.core.untrusted import load_tensors
from memedit.scope.classifier import load_cross, locate_folder
from memedit.scope.cross import CrossEncoder
from memedit.scope.reading import TextPair

_LOG = logging.getLogger(__name__)
Floats = npt.NDArray[np.float32]
SUCCESSION = "succession.safetensors"
"""What a later statement does to an earlier one."""
STAYS, REPEATS, REPLACES = range(3)
"""Its outputs: the earlier one stays, is said again, or the later one takes its place."""
_OUTPUTS = 3
RANK = 32
SCALE = 2.0
"""What the low-rank product is multiplied by."""
DIGEST = "cross.sha256"


class Adapted:
    """Reads pairs of texts.

    Args:
        reader: The cross-encoder with the changes merged, and its head.
    """

    def __init__(self, reader: CrossEncoder) -> None:
        self._reader = reader

    def rate(self, pairs: Sequence[TextPair]) -> Floats:
        """[n, 3] probabilities of the outputs."""
        if not pairs:
            return np.empty((0, self._reader.head.out_features), np.float32)
        logits = self._reader.logits(pairs)
        powers = np.exp(logits - logits.max(1, keepdims=True))
        found: Floats = powers / powers.sum(1, keepdims=True)
        return found


@keep_found(again=10.0)
def load_adapted(model: str, name: str) -> Adapted | None:
    """The reader in the folder of a scope's model ("": the packaged one); None where there is none,
    it belongs to another cross-encoder, or cannot be read, which is logged: no edit and no answer
    shall be lost for want of it. Ten seconds later it is tried again: an upgrade may just be
    replacing it."""
    folder, cross = locate_folder(model), load_cross(model)
    file = folder / name
    if cross is None or not file.is_file():
        return None
    try:
        stored = load_tensors(file)
        # Of the one in use: beside this reader there may stand a newer one by now.
        if bytes(stored.pop(DIGEST).tolist()).hex() == cross.digest:
            if len(stored["head.bias"]) != _OUTPUTS:
                raise ValueError(f"{len(stored['head.bias'])} outputs, not {_OUTPUTS}")
            return Adapted(merge(cross, stored))
        _LOG.warning(
            "%s belongs to another cross-encoder: after an upgrade begin anew; else train it anew, "
            "or remove it.", file,
        )  # fmt: skip
    except (MemeditError, OSError, ValueError, KeyError, RuntimeError, TypeError, IndexError,
            AttributeError) as error:  # fmt: skip
        _LOG.warning("%s cannot be used (%s): train it anew, or remove it.", file, error)
    return None


@torch.no_grad()
def merge(cross: CrossEncoder, stored: Mapping[str, Tensor]) -> CrossEncoder:
    """A cross-encoder with low-rank changes added; the embeddings are shared with the given one.

    Args:
        stored: Of each changed matrix of the layers ``<module>.a`` [rank, in] and ``<module>.b``
            [out, rank]; ``head.weight`` [k, hidden], ``head.bias`` [k].

    Raises:
        KeyError: no such matrix, or none of the head.
        RuntimeError: one of another shape.
    """
    embeddings = cross.body.get_submodule("embeddings")
    body: nn.Module = copy.deepcopy(cross.body, {id(embeddings): embeddings})
    head = nn.Linear(cross.head.in_features, len(stored["head.bias"]))
    head.weight.copy_(stored["head.weight"].float())
    head.bias.copy_(stored["head.bias"].float())
    matrices = dict(body.get_submodule("encoder.layer").named_parameters())
    for name in sorted(name[:-2] for name in stored if name.endswith(".a")):
        matrix = matrices[f"{name}.weight"]
        change = SCALE * stored[f"{name}.b"].float() @ stored[f"{name}.a"].float()
        matrix.add_(change.to(matrix.device))
    made = cross.share_with(body, head.to(cross.head.weight.device))
    return made.eval().requires_grad_(False)


def stored_digest(file: Path) -> Tensor:
    """[32] uint8: the digest of the cross-encoder that changes belong to, as they hold it."""
    return torch.tensor(list(bytes.fromhex(sha256(file))), dtype=torch.uint8)
