"""SERAC's ``cross`` form: one encoder reads request and edit together (Mitchell et al. 2022, §3).

The sentence encoder, its layers trained on, with a linear head of two logits on the mean of its
last states: does the request *ask* what the edit says, and does the edit *bear* on the answer. It
is slower than the pair network and reads better: the classifier scope asks it about the few
candidates that come into question.

What is stored is what the training changed, in 8 bits: 8 bits of a small difference are finer than
16 of the whole weight.
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
from memedit.core.files import sha256
from memedit.core.untrusted import load_tensors
from memedit.scope.reading import TextPair

Floats = npt.NDArray[np.float32]
FILE = "cross.safetensors"
_TOKENS = 160
_BATCH = 64
_HEAD = "head."


class CrossEncoder(nn.Module):
    """The encoder's transformer with a head of two logits: asks, bears.

    Args:
        body: A BERT-like model; it is copied.
        tokenizer: Its tokenizer.

    Attributes:
        digest: SHA-256 of the file that it was loaded from, in hexadecimal; "": of none. What
            stands there now may be another one.
    """

    def __init__(self, body: Any, tokenizer: Any) -> None:
        super().__init__()
        # The search goes on with the encoder as it was.
        self.body: nn.Module = copy.deepcopy(body)
        self.tokenizer = tokenizer
        self.head = nn.Linear(body.config.hidden_size, 2).to(body.device)
        nn.init.zeros_(self.head.bias)
        self.digest = ""
        self._lock = threading.Lock()

    def share_with(self, body: nn.Module, head: nn.Linear) -> CrossEncoder:
        """One of another body and head, with this one's tokenizer and its lock."""
        made = CrossEncoder.__new__(CrossEncoder)
        nn.Module.__init__(made)
        made.body, made.head, made.tokenizer, made._lock = body, head, self.tokenizer, self._lock
        made.digest = ""
        return made

    def forward(self, pairs: Sequence[TextPair]) -> Tensor:
        """[n, 2] logits."""
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
        logits: Tensor = self.head(mean)
        return logits

    @torch.inference_mode()
    def logits(self, pairs: Sequence[TextPair]) -> Floats:
        """[n, 2] logits, one for each output of the head; texts of like length together."""
        found = np.empty((len(pairs), self.head.out_features), np.float32)
        order = sorted(range(len(pairs)), key=lambda i: len(pairs[i][0]) + len(pairs[i][1]))
        for start in range(0, len(order), _BATCH):
            some = order[start : start + _BATCH]
            found[some] = self([pairs[i] for i in some]).float().cpu().numpy()
        return found

    @classmethod
    def load(cls, folder: Path, encoder: Any) -> CrossEncoder:
        """The model in ``folder``, what the training changed added to a copy of the encoder.

        Args:
            folder: Holds ``cross.safetensors``, as :func:`changes` gives it.
            encoder: The :class:`~memedit.engine.encoders.SentenceEncoder` it was trained from.

        Raises:
            InvalidInputError: the file cannot be read, or is of another encoder.
        """
        model = cls(*encoder.transformer())
        try:
            model.digest = sha256(folder / FILE)
            apply_changes(model, load_tensors(folder / FILE))
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise InvalidInputError(
                f"The cross-encoder in {folder} cannot be used: {error}.",
                hint="Train it anew: memedit train scope --out DIR.",
            ) from None
        return model.eval().requires_grad_(False)


def changes(model: CrossEncoder, body: nn.Module) -> dict[str, Tensor]:
    """What ``model`` has that ``body``, from which it was trained, has not.

    Returns:
        Of each matrix ``<module>.q`` int8 [out, in] and ``<module>.s`` float16 [out]: the
        difference is ``q * s[:, None]``. Of vectors (biases, norms) the whole in float16, and
        ``head.weight``, ``head.bias`` in float32. Embeddings and the pooler are the encoder's own.
    """
    found = {_HEAD + name: value.detach().clone() for name, value in model.head.named_parameters()}
    original = dict(body.named_parameters())
    for name, parameter in _find_trained(model.body).items():
        own = parameter.detach().float()
        if own.ndim == 2:
            difference = own - original[name].detach().float().to(own.device)
            # At least 1e-7: a row that the training left alone differs by 0, which nothing can be
            # divided by.
            scale = (difference.abs().amax(1) / 127).clamp(min=1e-7).to(torch.float16)
            # By the scale as it is stored: what float16 rounds off it is made up for in the steps.
            steps = (difference / scale.float()[:, None]).round().clamp(-127, 127)
            module = name.removesuffix(".weight")
            found[f"{module}.q"], found[f"{module}.s"] = steps.to(torch.int8), scale
        else:
            found[name] = own.to(torch.float16)
    return {name: value.cpu().contiguous() for name, value in found.items()}


@torch.no_grad()
def apply_changes(model: CrossEncoder, stored: Mapping[str, Tensor]) -> None:
    """Add :func:`changes` to a model whose body is still the encoder's; nothing is broadcast.

    Raises:
        KeyError: a parameter is missing.
        ValueError: one of another shape.
    """
    for name, parameter in model.head.named_parameters():
        parameter.copy_(_check_shape(stored, _HEAD + name, parameter.shape))
    for name, parameter in _find_trained(model.body).items():
        module = name.removesuffix(".weight")
        if parameter.ndim == 2:
            scale = _check_shape(stored, f"{module}.s", parameter.shape[:1])
            change = _check_shape(stored, f"{module}.q", parameter.shape) * scale[:, None]
            parameter.add_(change.to(parameter.device))
        else:
            parameter.copy_(_check_shape(stored, name, parameter.shape))


def _check_shape(stored: Mapping[str, Tensor], name: str, shape: torch.Size) -> Tensor:
    found = stored[name].float()
    if found.shape != shape:
        raise ValueError(f"{name} of shape {tuple(found.shape)}, not {tuple(shape)}")
    return found


def _find_trained(body: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that a training may change."""
    return {
        name: parameter
        for name, parameter in body.named_parameters()
        if not name.startswith("embeddings") and "pooler" not in name
    }
