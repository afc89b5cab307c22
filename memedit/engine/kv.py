"""Keys and values that grow in place.

transformers' dynamic cache joins the new keys to the old ones at every token, which copies all of
them. After a long prefix that costs more than the attention itself. Here they are written into a
buffer with room to spare, and what attention sees is a view of it.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

_ROOM = 64


class GrowingLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A ``DynamicLayer`` whose keys and values are views of larger buffers. Inference only.

    Anything that replaces ``keys`` and ``values`` (reordering beams, cropping) only costs one copy
    at the next token.
    """

    _buffers: tuple[Tensor, Tensor] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """The keys and values [B, heads, T, d] with the new ones appended."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        length = self.get_seq_length()
        end = length + key_states.shape[-2]
        keys, values = self._room(end, key_states, value_states)
        keys[..., length:end, :] = key_states
        values[..., length:end, :] = value_states
        self.keys, self.values = keys[..., :end, :], values[..., :end, :]
        return self.keys, self.values

    def _room(self, end: int, key_states: Tensor, value_states: Tensor) -> tuple[Tensor, Tensor]:
        held, shown = self._buffers, self.keys
        if held is not None and shown is not None and held[0].shape[-2] >= end:
            # Reordered or cropped keys lie elsewhere: the buffer holds what they were before.
            same = shown.data_ptr() == held[0].data_ptr() and len(shown) == len(held[0])
            if same:
                return held
        new = [
            _make_room(old, states, end)
            for old, states in ((self.keys, key_states), (self.values, value_states))
        ]
        self._buffers = (new[0], new[1])
        return self._buffers


def _make_room(old: Tensor | None, states: Tensor, end: int) -> Tensor:
    batch, heads, _, size = states.shape
    buffer = torch.empty(
        # A quarter more, as lists grow: all copies together cost no more than a few times the end.
        (batch, heads, end + max(_ROOM, end // 4), size),
        dtype=states.dtype,
        device=states.device,
    )
    if old is not None and old.numel():
        buffer[..., : old.shape[-2], :] = old
    return buffer


def fork(cache: DynamicCache, *, growing: bool) -> DynamicCache:
    """A cache that begins as ``cache`` and may grow without changing it.

    Tensors are shared, since growing, cropping and reordering replace them. ``growing`` makes its
    plain layers :class:`GrowingLayer`; not for calls that need gradients.
    """
    twin = copy.copy(cache)
    twin.layers = [_copy_layer(layer, growing=growing) for layer in cache.layers]
    return twin


def _copy_layer(layer: Any, *, growing: bool) -> Any:
    twin = copy.copy(layer)
    if growing and type(layer) is DynamicLayer:
        # It adds behaviour, no state: what the layer holds stays as it is.
        twin.__class__ = GrowingLayer
    return twin
