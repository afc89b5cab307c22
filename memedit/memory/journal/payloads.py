"""Payloads as bytes: tensors as safetensors, text and numbers as JSON. Never pickle."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import save as save_arrays

from memedit.core.errors import InvalidInputError, MemoryStoreError
from memedit.core.types import Payload
from memedit.core.untrusted import parse_json

if TYPE_CHECKING:
    from torch import Tensor


def dump(payload: Payload) -> tuple[bytes, str]:
    """(safetensors bytes, JSON) of a flat payload of torch tensors or arrays, text and numbers.

    Raises:
        InvalidInputError: a value of another type.
    """
    tensors: dict[str, Any] = {}
    values: dict[str, str | float] = {}
    for name, value in payload.items():
        if isinstance(value, (str, float, int)):
            values[name] = value
        # Known as a tensor without importing torch, which takes a second.
        elif isinstance(value, np.ndarray) or hasattr(value, "untyped_storage"):
            tensors[name] = value
        else:
            raise InvalidInputError(
                f"Payload value {name!r} is a {type(value).__name__}.",
                hint="A payload is flat: tensors, arrays, strings and numbers.",
            )
    return _tensor_bytes(tensors), json.dumps(values, ensure_ascii=False)


def _tensor_bytes(tensors: Mapping[str, Any]) -> bytes:
    if all(isinstance(value, np.ndarray) for value in tensors.values()):
        return save_arrays({k: np.ascontiguousarray(v) for k, v in tensors.items()})
    import torch
    from safetensors.torch import save

    # Cloned, since safetensors refuses tensors that share their memory.
    plain = {k: torch.as_tensor(v).detach().cpu().contiguous().clone() for k, v in tensors.items()}
    return save(plain)


def load(tensors: bytes, values: str) -> dict[str, Tensor | str | float]:
    """The payload of :func:`dump`; every array comes back as a torch tensor of its dtype.

    Raises:
        MemoryStoreError: these bytes are no payload.
    """
    try:
        payload = _values(values)
        if len(tensors) > 16:  # an empty safetensors file is a header of length 8 and no data
            payload.update(_tensors(tensors))
    except (ValueError, TypeError) as error:
        raise MemoryStoreError(
            f"A payload in this memory is damaged: {error}.",
            hint="memedit verify names the record. Forget the edit and add it again.",
        ) from None
    return payload


def _values(text: str) -> dict[str, Tensor | str | float]:
    found = parse_json(text, "It")
    if not isinstance(found, dict) or not all(
        isinstance(value, (str, float, int)) for value in found.values()
    ):
        raise ValueError("its values are not flat")
    return found


def _tensors(content: bytes) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load as load_tensors

    try:
        return load_tensors(content)
    except (SafetensorError, KeyError, RuntimeError) as error:
        raise ValueError(f"its tensors: {error}") from None


class LazyReader:
    """Reads payloads of one record at a time and keeps the last few hundred."""

    def __init__(self, read: Callable[[int], Mapping[str, Payload]], size: int = 1_024) -> None:
        self._read, self._size = read, size
        self._kept: dict[int, Mapping[str, Payload]] = {}

    def __call__(self, sequence: int) -> Mapping[str, Payload]:
        found = self._kept.get(sequence)
        if found is None:
            found = self._read(sequence)
            if len(self._kept) >= self._size:
                # All at once: an order of use would need a lock around every look.
                self._kept.clear()
            self._kept[sequence] = found
        return found  # which another thread may have made forgotten already

    def clear(self) -> None:
        """Forget what was read: it may have changed."""
        self._kept.clear()


class LazyPayloads(Mapping[str, Payload]):
    """A record's payloads by editor name, read from the journal when first looked at."""

    __slots__ = ("_read", "_sequence")

    def __init__(self, sequence: int, read: LazyReader) -> None:
        self._sequence, self._read = sequence, read

    def __getitem__(self, editor: str) -> Payload:
        return self._read(self._sequence)[editor]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read(self._sequence))

    def __len__(self) -> int:
        return len(self._read(self._sequence))
