"""Nearest neighbours by inner product. Derived from the journal: losing an index loses nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import faiss as _faiss  # type: ignore[import-untyped, unused-ignore]
import numpy as np
import numpy.typing as npt

faiss: Any = _faiss  # stubs, where FAISS ships them, lack half of what is used here

Vectors = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

FLAT_LIMIT = 20_000
"""Up to this many keys every vector is compared; beyond, only those in the nearest cells."""
_GROWTH = 4  # cells are learnt anew when the index has grown by this factor
_PROBES = 1 / 14  # share of the cells searched; recall@10 is tested against brute force
_SAMPLE = 40  # training vectors per cell


class VectorIndex:
    """Vectors by id. Exact up to ``flat_limit`` ids, inverted lists (IVF) beyond.

    Raises:
        ValueError: vectors of another dimension, or an id added twice.
    """

    def __init__(self, dimension: int, *, flat_limit: int = FLAT_LIMIT) -> None:
        self.dimension, self.flat_limit = dimension, flat_limit
        self._ids: set[int] = set()
        self._trained_on = 0  # 0: flat
        self._index: Any = _flat(dimension)

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, id: object) -> bool:
        return id in self._ids

    @property
    def ids(self) -> Ids:
        """Every id, ascending."""
        return np.array(sorted(self._ids), dtype=np.int64)

    @property
    def exact(self) -> bool:
        """Whether every vector is compared."""
        return not self._trained_on

    def add(self, ids: Sequence[int] | Ids, vectors: Vectors) -> None:
        """Add ``vectors`` [n, dimension] under new ids."""
        chosen = np.asarray(ids, dtype=np.int64)
        fresh = set(chosen.tolist())
        if len(fresh) < len(chosen) or fresh & self._ids:
            raise ValueError("an id is in the index already")
        if vectors.shape != (len(chosen), self.dimension):
            raise ValueError(f"{vectors.shape} is not ({len(chosen)}, {self.dimension})")
        if not len(chosen):
            return
        if len(self) + len(chosen) > max(self.flat_limit, _GROWTH * self._trained_on):
            old = self.ids
            vectors = np.concatenate([self.reconstruct(old), vectors])
            chosen = np.concatenate([old, chosen])
            self._index = _inverted(vectors)
            self._trained_on = len(chosen)
        self._index.add_with_ids(np.ascontiguousarray(vectors, dtype=np.float32), chosen)
        self._ids |= fresh

    def remove(self, ids: Sequence[int] | Ids) -> None:
        """Take ids out; unknown ones are ignored."""
        known = self._ids.intersection(np.asarray(ids, dtype=np.int64).tolist())
        if not known:
            return
        left = self._ids - known
        if not left or (not self.exact and len(left) < self.flat_limit // 4):
            self._flatten(left)
            return
        chosen = np.array(sorted(known), dtype=np.int64)
        self._index.remove_ids(chosen if self.exact else faiss.IDSelectorArray(chosen))
        self._ids = left

    def _flatten(self, left: set[int]) -> None:
        kept = np.array(sorted(left), dtype=np.int64)
        vectors = self.reconstruct(kept)
        self._index, self._ids, self._trained_on = _flat(self.dimension), left, 0
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
        """[n, dimension] vectors of known ids, bit for bit.

        Raises:
            KeyError: an unknown id.
        """
        chosen = np.asarray(ids, dtype=np.int64)
        if not self._ids.issuperset(chosen.tolist()):
            raise KeyError("an id is not in the index")
        if not len(chosen):
            return np.empty((0, self.dimension), np.float32)
        vectors: Vectors = self._index.reconstruct_batch(chosen)
        return vectors

    def to_bytes(self) -> npt.NDArray[np.uint8]:
        """Everything :meth:`from_bytes` needs; FAISS's own format."""
        content: npt.NDArray[np.uint8] = faiss.serialize_index(
            self._index.mapped() if self.exact else self._index
        )
        return content

    @classmethod
    def from_bytes(
        cls, content: npt.NDArray[np.uint8], *, trained_on: int = 0, flat_limit: int = FLAT_LIMIT
    ) -> VectorIndex:
        """The index of :meth:`to_bytes`; the caller vouches that the bytes are whole."""
        index = faiss.deserialize_index(content)
        restored = cls(index.d, flat_limit=flat_limit)
        restored._index, restored._trained_on = _unmapped(index), trained_on
        restored._ids = set(_stored_ids(index).tolist())
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
        if len(self._places) != len(self._ids):
            self._places = {id: place for place, id in enumerate(self._ids.tolist())}
        places = np.array([self._places[id] for id in ids.tolist()], dtype=np.int64)
        vectors: Vectors = self._index.reconstruct_batch(places)
        return vectors

    def mapped(self) -> Any:
        """The same as an ``IndexIDMap2``, FAISS's format on disk."""
        index = faiss.IndexIDMap2(faiss.IndexFlatIP(self._index.d))
        if len(self._ids):
            index.add_with_ids(self._index.reconstruct_n(0, len(self._ids)), self._ids)
        return index


def _flat(dimension: int) -> _Flat:
    return _Flat(faiss.IndexFlatIP(dimension), np.empty(0, np.int64))


def _unmapped(index: Any) -> Any:
    if not hasattr(index, "id_map"):
        return index
    ids: Ids = faiss.vector_to_array(index.id_map)
    return _Flat(faiss.clone_index(faiss.downcast_index(index.index)), ids)


def _inverted(vectors: Vectors) -> Any:
    """An empty index whose 2·sqrt(n) cells are learnt from a sample of ``vectors``."""
    count, dimension = vectors.shape
    cells = max(1, min(round(2 * count**0.5), count // _SAMPLE))
    quantizer = faiss.IndexFlatIP(dimension)
    index = faiss.IndexIVFFlat(quantizer, dimension, cells, faiss.METRIC_INNER_PRODUCT)
    index.own_fields = True
    quantizer.this.disown()
    index.cp.niter, index.cp.spherical = 6, True
    index.cp.max_points_per_centroid, index.cp.min_points_per_centroid = _SAMPLE, 1
    index.train(np.ascontiguousarray(vectors, dtype=np.float32))
    index.set_direct_map_type(faiss.DirectMap.Hashtable)
    return index


def _stored_ids(index: Any) -> Ids:
    if hasattr(index, "id_map"):
        flat: Ids = faiss.vector_to_array(index.id_map)
        return flat
    lists = index.invlists
    parts = [
        faiss.rev_swig_ptr(lists.get_ids(cell), lists.list_size(cell)).copy()
        for cell in range(index.nlist)
        if lists.list_size(cell)
    ]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)
