from __future__ import annotations

import numpy as np
import pytest

from memedit.core.types import Vectors
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
    np.testing.assert_allclose(similarities, expected, atol=1e-5)
    for row in range(20):
        truth = vectors[row] @ vectors[np.array(found[row]) // 7].T
        np.testing.assert_allclose(similarities[row], truth, atol=1e-5)
    assert np.array_equal(index.reconstruct([7, 14]), vectors[[1, 2]])


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
