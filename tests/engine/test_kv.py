"""Keys and values that grow in place hold what a joined cache holds."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from memedit.engine.kv import GrowingLayer, fork


def states(length: int, batch: int = 1) -> tuple[Tensor, Tensor]:
    return torch.randn(batch, 2, length, 4), torch.randn(batch, 2, length, 4)


def started() -> Any:
    cache: Any = DynamicCache()
    cache.update(*states(10), 0)
    return cache


def test_growing_equals_joining_and_leaves_the_original_alone() -> None:
    cache = started()
    before = cache.layers[0].keys.clone()
    plain: Any = fork(cache, growing=False)
    growing: Any = fork(cache, growing=True)
    assert type(growing.layers[0]) is GrowingLayer and type(plain.layers[0]) is not GrowingLayer
    for length in (5, *[1] * 150):
        new = states(length)
        for ours, theirs in zip(growing.update(*new, 0), plain.update(*new, 0), strict=True):
            assert torch.equal(ours, theirs)
    assert growing.get_seq_length() == 165
    assert torch.equal(cache.layers[0].keys, before) and cache.get_seq_length() == 10


def test_reordering_cropping_and_repeating_in_between() -> None:
    plain: Any = fork(started(), growing=False)
    growing: Any = fork(plain, growing=True)
    order = torch.tensor([2, 0, 0])
    for step in range(6):
        if step == 0:
            for cache in (plain, growing):
                cache.batch_repeat_interleave(3)
        new = states(2, batch=3)
        for ours, theirs in zip(growing.update(*new, 0), plain.update(*new, 0), strict=True):
            assert torch.equal(ours, theirs)
        for cache in (plain, growing):
            if step % 2:
                cache.reorder_cache(order)
            else:
                cache.crop(-1)
    assert growing.get_seq_length() == plain.get_seq_length() == 19
    assert torch.equal(growing.layers[0].values, plain.layers[0].values)
