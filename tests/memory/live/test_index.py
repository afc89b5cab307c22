from __future__ import annotations

import numpy as np
import pytest

from memedit.core.types import Vectors
from memedit.memory.live.ids import IdSet
from memedit.memory.live.index import VectorIndex


def clustered(count: int, dimension: int, seed: int) -> Vectors:
    """Unit vectors like those of texts: topics, clusters in them, and noise."""
    rng = np.random.default_rng(seed)

    def unit(*shape: int) -> Vectors:
        vectors = rng.normal(size=shape).astype(np.float32)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32)

    clusters = (
        unit(count // 20, dimension) + unit(40, dimension)[rng.integers(40, size=count // 20)]
    )
    clusters /= np.linalg.norm(clusters, axis=1, keepdims=True)
    vectors = clusters[rng.integers(len(clusters), size=count)] + 0.8 * unit(count, dimension)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@pytest.fixture(params=[10_000, 40], ids=["flat", "cells"])
def limit(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_found_equals_brute_force_after_adding_and_removing(limit: int) -> None:
    vectors = clustered(300, 16, seed=1)
    index = VectorIndex(16, flat_limit=limit)
    for start in range(0, 300, 50):
        index.add(np.arange(start, start + 50) * 7, vectors[start : start + 50])
    gone = [7 * i for i in range(0, 300, 3)]
    index.remove([*gone, 1_000_000])
    left = np.array([i for i in range(300) if i % 3])
    assert index.ids.tolist() == (left * 7).tolist() and len(index) == 200
    assert index.exact is (limit == 10_000)
    found, similarities = index.search(vectors[:20], 200)  # everything: exact in any case
    expected = -np.sort(-(vectors[:20] @ vectors[left].T), axis=1)
    np.testing.assert_allclose(similarities, expected, atol=5e-4)
    for row in range(20):
        truth = vectors[row] @ vectors[np.array(found[row]) // 7].T
        np.testing.assert_allclose(similarities[row], truth, atol=5e-4)
    kept = vectors if index.exact else vectors.astype(np.float16)
    assert np.array_equal(index.reconstruct([7, 14]), kept[[1, 2]])


def test_arrays_bring_everything_back(limit: int) -> None:
    vectors = clustered(200, 8, seed=2)
    index = VectorIndex(8, flat_limit=limit)
    index.add(np.arange(200), vectors)
    copy = VectorIndex.from_arrays(index.arrays(), trained_on=index.trained_on, flat_limit=limit)
    copy.remove([5])
    copy.add([500], vectors[5:6])
    index.remove([5])
    index.add([500], vectors[5:6])
    ids, similarities = index.search(vectors, 9)
    copied_ids, copied_similarities = copy.search(vectors, 9)
    assert np.array_equal(ids, copied_ids) and np.array_equal(similarities, copied_similarities)
    assert copy.ids.tolist() == index.ids.tolist()


def test_arrays_in_any_order_of_cells() -> None:
    """They may be written by whomever."""
    index = VectorIndex(8, flat_limit=40)
    vectors = clustered(200, 8, seed=2)
    index.add(np.arange(200), vectors)
    arrays, order = index.arrays(), np.random.default_rng(0).permutation(200)
    mixed = {name: arrays[name][order] for name in ("ids", "vectors", "cells")}
    copy = VectorIndex.from_arrays(arrays | mixed, trained_on=200)
    assert np.array_equal(copy.search(vectors, 9)[1], index.search(vectors, 9)[1])
    assert np.array_equal(copy.reconstruct(range(200)), index.reconstruct(range(200)))


def test_cosines_of_cells_are_those_of_the_vectors() -> None:
    """They are kept in float16: what a scope compares moves less than by the encoder's batches."""
    vectors = clustered(2_000, 384, seed=5)
    index = VectorIndex(384, flat_limit=100)
    index.add(np.arange(2_000), vectors)
    ids, cosines = index.search(vectors[:50], 2_000)
    truth = np.take_along_axis(vectors[:50] @ vectors.T, ids, axis=1)
    assert np.abs(cosines - truth).max() < 1e-4


def test_many_at_once_and_one_by_one_are_the_same_set() -> None:
    kept, rng = set[int](), np.random.default_rng(6)
    ids = IdSet()
    for count in (3, 1_500, 7, 2_000, 40):
        fresh = np.setdiff1d(rng.integers(10_000, size=count), list(kept))
        ids.add(fresh)
        kept |= set(fresh.tolist())
        gone = rng.permutation(sorted(kept))[: count // 3]
        ids.discard(gone)
        kept -= set(gone.tolist())
        back = gone[:2]
        ids.add(back)  # what was there before, and may not be sorted out yet
        kept |= set(back.tolist())
        assert len(ids) == len(kept) and all(
            (id in ids) == (id in kept) for id in range(0, 10_000, 7)
        )
        assert ids.have(np.arange(10_000)).sum() == len(kept)
        assert ids.have(np.arange(100)).tolist() == [id in kept for id in range(100)]
    assert ids.array().tolist() == sorted(kept)
    assert ids.take_first(5).tolist() == sorted(kept)[:5] and len(ids) == len(kept) - 5
    assert ids.take_first(None).tolist() == sorted(kept)[5:] and not len(ids)


def test_recall_of_cells_against_brute_force() -> None:
    vectors = clustered(24_300, 96, seed=3)
    queries, vectors = vectors[:300], vectors[300:]
    index = VectorIndex(96)
    index.add(np.arange(len(vectors)), vectors)
    assert not index.exact
    truth = np.argsort(-(queries @ vectors.T), axis=1)[:, :10]
    found, _ = index.search(queries, 10)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, truth, strict=True)])
    assert recall >= 0.98


def test_shrinking_makes_it_exact_again_and_empty_is_fine() -> None:
    vectors = clustered(400, 8, seed=4)
    index = VectorIndex(8, flat_limit=100)
    assert index.search(vectors[:2], 3)[0].shape == (2, 0)
    index.add(np.arange(400), vectors)
    assert not index.exact
    index.remove(np.arange(20, 400))
    assert index.exact and index.ids.tolist() == list(range(20))
    index.remove(np.arange(20))
    assert len(index) == 0 and index.reconstruct([]).shape == (0, 8)


def test_misuse_is_refused_and_changes_nothing() -> None:
    index = VectorIndex(4)
    index.add([1], np.eye(4, dtype=np.float32)[:1])
    with pytest.raises(ValueError, match="already"):
        index.add([2, 1], np.eye(4, dtype=np.float32)[:2])
    with pytest.raises(ValueError, match="already"):
        index.add([2, 2], np.eye(4, dtype=np.float32)[:2])
    with pytest.raises(ValueError, match="is not"):
        index.add([3], np.ones((1, 5), np.float32))
    with pytest.raises(KeyError):
        index.reconstruct([9])
    assert index.ids.tolist() == [1]
