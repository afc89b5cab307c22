"""SERAC's ``cross`` form: one encoder reads query and edit together (Mitchell et al. 2022, §3).

The sentence encoder with a low-rank adapter on its layers (Hu et al. 2021) and a linear head on the
mean of its last states. It is slower than the pair network and reads better: the classifier scope
asks it only where the pair network is in doubt.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from memedit.core.errors import InvalidInputError
from memedit.core.untrusted import load_tensors
from memedit.scope.features import TextPair

Floats = npt.NDArray[np.float32]
FILE = "cross.safetensors"
_TOKENS = 128
_BATCH = 64


class CrossEncoder(nn.Module):
    """The encoder's transformer with a head of one logit.

    Args:
        body: A BERT-like model; it is copied.
        tokenizer: Its tokenizer.
    """

    def __init__(self, body: Any, tokenizer: Any) -> None:
        super().__init__()
        self.body: nn.Module = copy.deepcopy(body)
        self.tokenizer = tokenizer
        self.head = nn.Linear(body.config.hidden_size, 1).to(body.device)
        nn.init.zeros_(self.head.bias)
        self._lock = threading.Lock()

    def forward(self, pairs: Sequence[TextPair]) -> Tensor:
        """[n] logits."""
        with self._lock:  # a fast tokenizer is not thread-safe
            inputs = self.tokenizer(
                [a for a, _ in pairs],
                [b for _, b in pairs],
                padding=True,
                truncation="longest_first",
                max_length=_TOKENS,
                return_tensors="pt",
            )
        inputs = inputs.to(self.head.weight.device)
        states = self.body(**inputs).last_hidden_state
        mask = inputs["attention_mask"][..., None].to(states.dtype)
        mean = (states * mask).sum(1) / mask.sum(1)
        logits: Tensor = self.head(mean)[:, 0]
        return logits

    @torch.inference_mode()
    def logits(self, pairs: Sequence[TextPair]) -> Floats:
        """[n] logits, texts of like length together."""
        found = np.empty(len(pairs), np.float32)
        order = sorted(range(len(pairs)), key=lambda i: len(pairs[i][0]) + len(pairs[i][1]))
        for start in range(0, len(order), _BATCH):
            some = order[start : start + _BATCH]
            found[some] = self([pairs[i] for i in some]).float().cpu().numpy()
        return found

    @classmethod
    def load(cls, folder: Path, encoder: Any) -> CrossEncoder:
        """The model in ``folder``, its adapter merged into a copy of ``encoder``'s layers.

        Args:
            folder: Holds ``cross.safetensors``: ``head.*``, and ``<module>.a`` [r, in] and
                ``<module>.b`` [out, r] (scaled) of each adapted module.
            encoder: The :class:`~memedit.encoders.SentenceEncoder` it was trained from.
        """
        model = cls(*encoder.transformer())
        try:
            model._take(load_tensors(folder / FILE))
        except (OSError, ValueError, KeyError, AttributeError, RuntimeError) as error:
            raise InvalidInputError(
                f"The cross-encoder in {folder} cannot be used: {error}.",
                hint="Train it anew: memedit train scope --out DIR.",
            ) from None
        return model.eval().requires_grad_(False)

    def _take(self, tensors: Mapping[str, Tensor]) -> None:
        """The head, and the adapters merged into their modules; nothing may be broadcast."""
        left = {name: tensor.float() for name, tensor in tensors.items()}
        with torch.no_grad():
            for own, given in (
                (self.head.weight, left.pop("head.weight")),
                (self.head.bias, left.pop("head.bias")),
            ):
                if own.shape != given.shape:
                    raise ValueError(f"a head of shape {tuple(given.shape)}")
                own.copy_(given)
            for name in sorted({key.rpartition(".")[0] for key in left}):
                weight: Any = self.body.get_submodule(name).weight
                change = left[f"{name}.b"] @ left[f"{name}.a"]
                if change.shape != weight.shape:
                    raise ValueError(f"{name} of shape {tuple(change.shape)}")
                weight += change.to(weight.device)
