"""Every row of the architecture table against a tiny real model."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from memedit.core import sites
from memedit.core.errors import InvalidInputError, UnsupportedArchitectureError
from tests.conftest import Tiny
from tests.helpers import ARCHITECTURES, PAD


def test_every_row_is_tested() -> None:
    assert sorted(sites.ARCHITECTURES) == sorted(ARCHITECTURES)


def _captured(base: Any, paths: list[str]) -> dict[str, tuple[Any, Any]]:
    """Input and output of the modules in one pass over three tokens."""
    seen: dict[str, tuple[Any, Any]] = {}
    for path in paths:

        def keep(_: Any, args: Any, output: Any, path: str = path) -> None:
            seen[path] = (args[0] if args else None, output)

        base.get_submodule(path).register_forward_hook(keep)
    with torch.no_grad():
        seen["logits"] = (None, base(torch.tensor([[5, 6, 7]])).logits)
    return seen


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_paths_are_the_parts_they_claim_to_be(tiny: Tiny, arch: str) -> None:
    base = tiny(arch)
    found = sites.find(base)
    assert found.layers == base.config.num_hidden_layers == 3
    seen = _captured(base, [found.head, found.final_norm, found.block(0), found.block(1)])
    assert base.get_submodule(found.embed) is base.get_input_embeddings()
    assert base.get_submodule(found.head) is base.get_output_embeddings()
    assert torch.equal(seen[found.head][0], seen[found.final_norm][1])
    residual = seen[found.block(0)][1]
    residual = residual[0] if isinstance(residual, tuple) else residual
    assert torch.equal(seen[found.block(1)][0], residual)
    for layer in range(3):
        block = dict(base.get_submodule(found.block(layer)).named_modules())
        parts = [found.mlp_out(layer), *found.mlp_in(layer), found.attention(layer)]
        parts += [*found.query_value(layer), found.attention_out(layer)]
        inside = [path.removeprefix(found.block(layer) + ".") for path in parts]
        assert set(inside) <= set(block)
        assert "ttention" in type(base.get_submodule(found.attention(layer))).__name__


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_mlp_out_maps_neurons_to_the_residual_stream(tiny: Tiny, arch: str) -> None:
    base = tiny(arch)
    found = sites.find(base)
    site = found.mlp_out(1)
    (mlp_in, *_), mlp = found.mlp_in(1), found.mlp(1)
    seen = _captured(base, [site, mlp_in, *([mlp] if mlp else [])])
    x, y = seen[site]
    module = base.get_submodule(site)
    weight = module.weight.T if found.is_conv1d(site) else module.weight
    bias = 0 if module.bias is None else module.bias
    torch.testing.assert_close(x @ weight.T + bias, y)
    assert y.shape[-1] == 32 and x.shape[-1] == weight.shape[1] >= 64
    if mlp:
        assert torch.equal(seen[mlp][1], y)
    assert seen[mlp_in][1].shape[-1] % x.shape[-1] == 0


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("arch", ["llama", "gpt2"])
def test_a_peft_base_has_the_same_paths_behind_a_prefix(tiny: Tiny, arch: str) -> None:
    peft = pytest.importorskip("peft")
    target = "down_proj" if arch == "llama" else "c_proj"
    bare = sites.find(tiny(arch))
    fan = arch == "gpt2"
    lora = peft.LoraConfig(target_modules=[target], r=2, fan_in_fan_out=fan)
    adapted = peft.get_peft_model(tiny(arch), lora)
    found = sites.find(adapted)
    assert found.prefix == "base_model.model."
    assert found.mlp_out(1) == f"base_model.model.{bare.mlp_out(1)}"
    site = adapted.get_submodule(found.mlp_out(1))
    assert site.base_layer.weight.shape == (32, 64) if arch == "llama" else (128, 32)
    assert adapted.get_submodule(found.embed) is adapted.get_input_embeddings()
    assert found.is_conv1d(found.mlp_out(1)) is fan


@pytest.mark.slow
def test_a_compiled_base_has_the_same_paths_behind_a_prefix(tiny: Tiny) -> None:
    base = tiny("llama")
    found = sites.find(torch.compile(base, backend="eager"))  # type: ignore[arg-type]
    assert found.mlp_out(0) == "_orig_mod.model.layers.0.mlp.down_proj"


def test_layers_count_like_python(tiny: Tiny) -> None:
    found = sites.find(tiny("llama"))
    assert found.block(-1) == found.block(2) == "model.layers.2"
    for layer in (3, -4):
        with pytest.raises(InvalidInputError, match="0 to 2"):
            found.mlp_out(layer)


def test_opt_has_no_feed_forward_module(tiny: Tiny) -> None:
    assert sites.find(tiny("opt")).mlp(0) is None


def test_unknown_architecture_says_how_to_add_it() -> None:
    class Config:
        model_type = "rwkv9"

    class Model(nn.Module):
        config = Config()

    with pytest.raises(UnsupportedArchitectureError, match=r"rwkv9.*row to ARCHITECTURES"):
        sites.find(Model())
    with pytest.raises(UnsupportedArchitectureError, match="''"):
        sites.find(nn.Linear(2, 2))


def test_the_inner_model_is_refused(tiny: Tiny) -> None:
    with pytest.raises(UnsupportedArchitectureError, match="ForCausalLM"):
        sites.find(tiny("llama").model)


@pytest.mark.parametrize("text", ["The capital of France is", "naïve – 東京 🦜\n\t x", ""])
def test_the_test_tokenizer_round_trips(tiny_tokenizer: Any, text: str) -> None:
    encoded = tiny_tokenizer(text, return_offsets_mapping=True)
    assert encoded.input_ids == tiny_tokenizer(text, add_special_tokens=False).input_ids
    assert len(encoded.input_ids) == len(text.encode())
    assert tiny_tokenizer.decode(encoded.input_ids) == text
    assert all(0 <= i < 256 for i in encoded.input_ids)
    assert encoded.offset_mapping[-1:] == ([(len(text) - 1, len(text))] if text else [])
    chat = [{"role": "user", "content": "Hi"}]
    rendered = tiny_tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert rendered == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert tiny_tokenizer.pad_token_id == PAD
    assert tiny_tokenizer.decode(tiny_tokenizer(rendered).input_ids) == rendered
    assert tiny_tokenizer.decode([257, 72, 258], skip_special_tokens=True) == tiny_tokenizer.decode(
        [72]
    )
