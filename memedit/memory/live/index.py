"""Nearest neighbours by inner product. Derived from the journal: losing an index loses nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import faiss as _faiss  # type: ignore[import-untyped, unused-ignore]
import numpy as np
import numpy.typing as npt

from memedit.core.types import Ids, Vectors
from memedit.memory.live.ids import IdSet

faiss: Any = _faiss  # stubs, where FAISS ships them, lack half of what is used here


FLAT_LIMIT = 20_000
"""Up to this many keys every vector is compared; beyond, only those in the nearest cells."""
_GROWTH = 4  # cells are learnt anew when the index has grown by this factor
_PROBES = 1 / 10  # share of the cells searched; recall@10 is tested against brute force
_SAMPLE = 40  # training vectors per cell
_LARGEST = float(np.finfo(np.float16).max)  # of a unit vector no value is above 1
_SPECIAL = np.uint16(0x7C00)  # the exponent of what is infinite or no number
_BLOCK = 1 << 14  # vectors that lie in float32 at a time

Half: TypeAlias = npt.NDArray[np.float16]
AnyVectors: TypeAlias = "Vectors | Half"


class VectorIndex:
    """Vectors by id. Exact up to ``flat_limit`` ids; inverted lists (IVF) beyond, which keep
    vectors in float16: cosines differ by some 1e-5, and a million takes half of the memory.

    Raises:
        ValueError: vectors of another dimension, or an id added twice.
    """

    def __init__(self, dimension: int, *, flat_limit: int = FLAT_LIMIT) -> None:
        self.dimension, self.flat_limit = dimension, flat_limit
        self._ids = IdSet()
        self._trained_on = 0  # 0: flat
        self._index: Any = _flat(dimension)

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, id: object) -> bool:
        return id in self._ids

    def lacks(self, ids: Sequence[int] | Ids) -> Ids:
        """Those of these ids that are not in it."""
        chosen = np.asarray(ids, dtype=np.int64)
        return chosen[~self._ids.have(chosen)]

    @property
    def ids(self) -> Ids:
        """Every id, ascending."""
        return self._ids.array()

    @property
    def exact(self) -> bool:
        """Whether every vector is compared."""
        return not self._trained_on

    def add(self, ids: Sequence[int] | Ids, vectors: AnyVectors) -> None:
        """Add ``vectors`` [n, dimension], float32 or float16, under new ids."""
        chosen = np.asarray(ids, dtype=np.int64)
        # FAISS itself would take the second one silently.
        if len(np.unique(chosen)) < len(chosen) or self._ids.have(chosen).any():
            raise ValueError("an id is in the index already")
        if vectors.shape != (len(chosen), self.dimension):
            raise ValueError(f"{vectors.shape} is not ({len(chosen)}, {self.dimension})")
        if not len(chosen):
            return
        vectors = without_damaged(vectors)
        # All anew: cells that were learnt from the first vectors fit the later ones badly.
        if len(self) + len(chosen) > max(self.flat_limit, _GROWTH * self._trained_on):
            self._learn_cells(chosen, vectors)
        self._put(chosen, vectors)
        self._ids.add(chosen)

    def _put(self, ids: Ids, vectors: AnyVectors) -> None:
        # Some at a time: all of them in float32 may be as large as the index itself.
        for start in range(0, len(ids), _BLOCK):
            part = vectors[start : start + _BLOCK]
            if not self.exact:
                part = part.astype(np.float16)  # by one rule, whatever FAISS's own is
            part = np.ascontiguousarray(part, dtype=np.float32)
            self._index.add_with_ids(part, ids[start : start + _BLOCK])

    def _learn_cells(self, ids: Ids, vectors: AnyVectors) -> None:
        """Put what is there into cells that are learnt from it and from what comes."""
        old, before = self.ids, self._index
        count = len(old) + len(ids)
        cells = max(1, min(round(2 * count**0.5), count // _SAMPLE))
        # Of so many FAISS would take a sample itself, but then all of them must lie in float32.
        chosen = np.arange(count)
        if count > _SAMPLE * cells:
            chosen = np.random.default_rng(0).permutation(count)[: _SAMPLE * cells]
        here = chosen[chosen < len(old)]
        sample = [self.reconstruct(old[here]), vectors[chosen[chosen >= len(old)] - len(old)]]
        self._index = _train_inverted(np.concatenate(sample, dtype=np.float32), cells)
        self._trained_on = count
        for start in range(0, len(old), _BLOCK):
            part = old[start : start + _BLOCK]
            self._put(part, before.reconstruct_batch(part))

    def remove(self, ids: Sequence[int] | Ids) -> None:
        """Take ids out; unknown ones are ignored."""
        known = np.unique(np.asarray(ids, dtype=np.int64))
        known = known[self._ids.have(known)]
        if not len(known):
            return
        left = len(self._ids) - len(known)
        # A quarter of the limit: an index about as large as it must not change kind at every step.
        if not left or (not self.exact and left < self.flat_limit // 4):
            self._flatten(np.setdiff1d(self.ids, known))
            return
        # With a direct map FAISS removes by an array of ids only.
        self._index.remove_ids(known if self.exact else faiss.IDSelectorArray(known))
        self._ids.discard(known)

    def _flatten(self, kept: Ids) -> None:
        vectors = self.reconstruct(kept)
        self._index, self._ids, self._trained_on = _flat(self.dimension), IdSet(kept), 0
        if len(kept):
            self._index.add_with_ids(vectors, kept)

    def search(self, queries: Vectors, k: int) -> tuple[Ids, Vectors]:
        """(ids, similarities), both [n, min(k, len)], best first; id -1 where a row has fewer."""
        k = min(k, len(self))
        if k <= 0 or not len(queries):
            return np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32)
        similarities, ids = self._index.search(
            np.ascontiguousarray(queries, dtype=np.float32), k, params=self._parameters(k)
        )
        return ids, similarities

    def _parameters(self, k: int) -> Any:
        """Enough cells for the recall, and for ``k`` answers to exist in them."""
        if self.exact:
            return None
        cells = self._index.nlist
        wanted = max(8, round(cells * _PROBES), round(4 * k * cells / len(self)))
        return faiss.SearchParametersIVF(nprobe=min(cells, wanted))

    def reconstruct(self, ids: Sequence[int] | Ids) -> Vectors:
        """[n, dimension] vectors of known ids: bit for bit where the index is exact, rounded to
        float16 where it is not.

        Raises:
            KeyError: an unknown id.
        """
        chosen = np.asarray(ids, dtype=np.int64)
        if not self._ids.have(chosen).all():
            raise KeyError("an id is not in the index")
        if not len(chosen):
            return np.empty((0, self.dimension), np.float32)
        vectors: Vectors = self._index.reconstruct_batch(chosen)
        return vectors

    def arrays(self) -> dict[str, Any]:
        """Everything :meth:`from_arrays` needs: "ids" int64 [n] and "vectors" float32 [n, d]; with
        cells the vectors are float16, and there are also the cells' "centroids" float32 [c, d] and
        the "cells" int32 [n] of the vectors, ascending."""
        ids = _read_ids(self._index)
        if self.exact:
            return {"ids": ids, "vectors": self._index.reconstruct_batch(ids)}
        lists, count = self._index.invlists, self._index.nlist
        sizes = [lists.list_size(cell) for cell in range(count)]
        quantizer = faiss.downcast_index(self._index.quantizer)
        return {
            "ids": ids,
            "vectors": _read_codes(lists, sizes, self.dimension),
            "centroids": quantizer.reconstruct_n(0, count),
            "cells": np.repeat(np.arange(count, dtype=np.int32), sizes),
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, Any], *, trained_on: int = 0, flat_limit: int = FLAT_LIMIT
    ) -> VectorIndex:
        """The index of :meth:`arrays`, built anew in RAM. They may be anyone's: FAISS never reads a
        file, whose bytes could name another.

        Raises:
            ValueError: arrays of other types or shapes, ids that are not unique, cells that are
                not there, values that are not finite.
        """
        ids, vectors = arrays["ids"], arrays["vectors"]
        _check_array("vectors", vectors, np.float16 if trained_on else np.float32, (None, None))
        count, dimension = vectors.shape
        _check_array("ids", ids, np.int64, (count,))
        restored = cls(dimension, flat_limit=flat_limit)
        restored._ids = IdSet(ids)
        # Before FAISS has them: it would keep two of one id.
        if len(restored._ids) < count or (count and ids.min() < 0):
            raise ValueError("ids that are not unique, or negative")
        if trained_on:
            _check_cells(arrays["centroids"], arrays["cells"], count, dimension)
            restored._index = _fill(ids, vectors, arrays["centroids"], arrays["cells"])
            restored._trained_on = trained_on
        elif count:
            restored._index.add_with_ids(vectors, ids)
        return restored

    @property
    def trained_on(self) -> int:
        """How many vectors the cells were learnt from; 0 for an exact index."""
        return self._trained_on


class _Flat:
    """``IndexFlatIP`` under ids. FAISS's own ``IndexIDMap2`` starts its threads to rename a dozen
    results, which on a busy machine costs a hundred times the search itself."""

    def __init__(self, index: Any, ids: Ids) -> None:
        self._index, self._ids = index, ids
        self._places: dict[int, int] = {}

    def add_with_ids(self, vectors: Vectors, ids: Ids) -> None:
        self._index.add(vectors)
        self._ids = np.concatenate([self._ids, ids])

    def remove_ids(self, ids: Ids) -> None:
        places = np.flatnonzero(np.isin(self._ids, ids))
        self._index.remove_ids(places)
        self._ids = np.delete(self._ids, places)
        self._places.clear()

    def search(self, queries: Vectors, k: int, params: None = None) -> tuple[Vectors, Ids]:
        similarities, places = self._index.search(queries, k)
        return similarities, self._ids[places]

    def reconstruct_batch(self, ids: Ids) -> Vectors:
        # Made anew only when asked for: searches, the usual case, do without it.
        if len(self._places) != len(self._ids):
            self._places = {id: place for place, id in enumerate(self._ids.tolist())}
        places = np.array([self._places[id] for id in ids.tolist()], dtype=np.int64)
        vectors: Vectors = self._index.reconstruct_batch(places)
        return vectors

    @property
    def ids(self) -> Ids:
        """In the order of the vectors."""
        return self._ids


def _flat(dimension: int) -> _Flat:
    return _Flat(faiss.IndexFlatIP(dimension), np.empty(0, np.int64))


def _train_inverted(vectors: Vectors, cells: int) -> Any:
    """An empty index whose cells are learnt from a sample."""
    index = _empty_cells(faiss.IndexFlatIP(vectors.shape[1]), cells)
    # A few rounds on a sample do: recall is tested against brute force.
    index.cp.niter, index.cp.spherical = 6, True
    index.cp.max_points_per_centroid, index.cp.min_points_per_centroid = _SAMPLE, 1
    index.train(vectors)
    # Without it no vector can be read back by its id.
    index.set_direct_map_type(faiss.DirectMap.Hashtable)
    return index


def _empty_cells(quantizer: Any, cells: int) -> Any:
    kind, metric = faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    # Not by what is left beside the centroid: of it float16 keeps no more, and two sums are slower.
    index = faiss.IndexIVFScalarQuantizer(quantizer, quantizer.d, cells, kind, metric, False)
    index.own_fields = True
    # The index frees the quantizer; Python must not do it a second time.
    quantizer.this.disown()
    return index


def _fill(ids: Ids, vectors: Half, centroids: Vectors, cells: npt.NDArray[np.int32]) -> Any:
    """An index of these cells that holds the vectors where they say; nothing is learnt anew."""
    quantizer = faiss.IndexFlatIP(vectors.shape[1])
    quantizer.add(centroids)
    index = _empty_cells(quantizer, len(centroids))
    index.is_trained = True
    if (cells[1:] < cells[:-1]).any():
        order = np.argsort(cells, kind="stable")
        ids, vectors, cells = ids[order], vectors[order], cells[order]
    edges = np.searchsorted(cells, np.arange(len(centroids) + 1)).tolist()
    # Cell by cell as they lie: ``add`` would search each one's cell, and let lists grow bit by bit.
    for cell, (start, end) in enumerate(pairwise(edges)):
        if end > start:
            codes = vectors[start:end].view(np.uint8)
            index.invlists.add_entries(
                cell, end - start, faiss.swig_ptr(ids[start:end]), faiss.swig_ptr(codes)
            )
    index.ntotal = len(ids)
    index.set_direct_map_type(faiss.DirectMap.Hashtable)
    return index


def _read_codes(lists: Any, sizes: Sequence[int], dimension: int) -> Half:
    """[n, dimension] the vectors of the lists, one list behind the other."""
    found = np.empty((sum(sizes), dimension), np.float16)
    at = 0
    for cell, size in enumerate(sizes):
        if size:
            codes = faiss.rev_swig_ptr(lists.get_codes(cell), size * lists.code_size)
            found[at : at + size] = codes.view(np.float16).reshape(size, dimension)
        at += size
    return found


def _check_array(name: str, array: Any, dtype: Any, shape: tuple[int | None, ...]) -> None:
    """Refuse an array of another type or shape (None: any size), or with values not finite."""
    fits = len(array.shape) == len(shape) and all(
        wanted in (None, here) for here, wanted in zip(array.shape, shape, strict=True)
    )
    if array.dtype != dtype or not fits or not array.flags.c_contiguous:
        raise ValueError(f"{name} of type {array.dtype} and shape {array.shape}")
    if not all(_is_finite(array[at : at + _BLOCK]) for at in range(0, len(array), _BLOCK)):
        raise ValueError(f"{name} that are not finite")


def _is_finite(array: Any) -> bool:
    if array.dtype == np.float16:  # as numbers they are compared slowly
        return bool(((array.view(np.uint16) & _SPECIAL) < _SPECIAL).all())
    if array.dtype != np.float32 or not array.size:
        return True
    # Both ends are NaN if anything is; unlike isfinite of the whole they need no copy.
    return bool(np.isfinite([array.min(), array.max()]).all())


def without_damaged(vectors: AnyVectors) -> AnyVectors:
    """Vectors [n, d], with zeros for those that none is: nothing is near to them.

    A journal's may be damaged: of one that is not finite FAISS learns no cells, and float16 holds
    none that is so large. The rest is found as before; verify names what is wrong.
    """
    blocks = range(0, len(vectors), _BLOCK)
    damaged = [at for at in blocks if not is_usable(vectors[at : at + _BLOCK])]
    if not damaged:
        return vectors
    mended = vectors.copy()
    for at in damaged:
        part = mended[at : at + _BLOCK]
        part[[not is_usable(row) for row in part]] = 0
    return mended


def is_usable(vectors: AnyVectors) -> bool:
    """Whether all values are finite, and not too large for float16."""
    if vectors.dtype == np.float16 or not vectors.size:
        return _is_finite(vectors)
    # Of NaN neither holds.
    return bool(vectors.min() >= -_LARGEST and vectors.max() <= _LARGEST)


def _check_cells(centroids: Any, cells: Any, count: int, dimension: int) -> None:
    _check_array("centroids", centroids, np.float32, (None, dimension))
    _check_array("cells", cells, np.int32, (count,))
    if cells.min() < 0 or cells.max() >= len(centroids):
        raise ValueError("cells that are not there")


def _read_ids(index: Any) -> Ids:
    if isinstance(index, _Flat):
        return index.ids
    lists = index.invlists
    # Copied: what FAISS points to is its own, and moves when the index grows.
    parts = [
        faiss.rev_swig_ptr(lists.get_ids(cell), lists.list_size(cell)).copy()
        for cell in range(index.nlist)
        if lists.list_size(cell)
    ]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)
