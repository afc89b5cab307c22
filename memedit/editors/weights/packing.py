"""How a second moment stands in a file: whole, as its lower triangle, or as its rounded factor.

A rounded factor takes a quarter of the space. Rounding the matrix itself would make its small
directions negative; of its Cholesky factor it leaves a matrix that can be divided by.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

MOMENT = "moment"
_LOWER, _FACTOR, _SCALE = "lower", "factor", "scale"


def known_shapes(width: int) -> tuple[dict[str, tuple[int, ...]], ...]:
    """Name -> shape of the tensors of each form of a matrix [width, width]."""
    half = width * (width + 1) // 2
    return {MOMENT: (width, width)}, {_LOWER: (half,)}, {_FACTOR: (half,), _SCALE: (width,)}


def unpack(tensors: Mapping[str, Tensor]) -> Tensor:
    """C [f, f] float32 of a file's tensors, in any of the forms."""
    if MOMENT in tensors:
        return tensors[MOMENT]
    if _LOWER in tensors:
        lower = _triangle(tensors[_LOWER])
        return lower + lower.tril(-1).T
    # In float64: a factor in half precision has no more digits than that needs, its product does.
    factor = _triangle(tensors[_FACTOR].double()) * tensors[_SCALE].double()[:, None]
    return (factor @ factor.T).float()


def pack(path: Path, to: Path) -> None:
    """A file with a whole matrix in half the space, bit for bit: its lower triangle, row by row."""
    matrix, metadata = _read(path)
    rows, columns = torch.tril_indices(*matrix.shape)
    save_file({_LOWER: matrix[rows, columns].contiguous()}, to, metadata)


def pack_rounded(path: Path, to: Path) -> None:
    """A file with a whole matrix in a quarter of the space: C = L L^T, each row of L divided by its
    largest entry and rounded to half precision."""
    matrix, metadata = _read(path)
    factor = torch.linalg.cholesky(matrix.double())
    scale = factor.abs().amax(1)
    rows, columns = torch.tril_indices(*matrix.shape)
    rounded = (factor / scale[:, None])[rows, columns].half().contiguous()
    save_file({_FACTOR: rounded, _SCALE: scale.float()}, to, metadata)


def _read(path: Path) -> tuple[Tensor, dict[str, str]]:
    with safe_open(path, "pt") as opened:
        metadata = opened.metadata()
    return load_file(path)[MOMENT], metadata


def _triangle(entries: Tensor) -> Tensor:
    """[n, n] lower triangle of its entries row by row."""
    size = int((2 * len(entries)) ** 0.5)
    rows, columns = torch.tril_indices(size, size)
    matrix = entries.new_zeros(size, size)
    matrix[rows, columns] = entries
    return matrix
