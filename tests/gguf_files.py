"""Writes the tiny Llama of the tests as a GGUF file, the way llama.cpp does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.helpers import CHATML, EOS, IM_START, PAD, VOCABULARY, byte_tokenizer

_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def write_gguf(base: Any, path: Path) -> Path:
    """``base``: a tiny Llama with a tied head. Weights stay float32, so nothing is rounded."""
    import gguf

    writer = gguf.GGUFWriter(str(path), "llama")
    _write_settings(writer, base.config)
    _write_tokenizer(writer)
    for name, parameter in base.named_parameters():
        array = parameter.detach().numpy()
        for part, heads in (("q_proj", base.config.num_attention_heads), ("k_proj", 2)):
            array = _interleaved(array, heads) if part in name else array
        writer.add_tensor(_gguf_name(name), np.ascontiguousarray(array))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _write_settings(writer: Any, config: Any) -> None:
    writer.add_name("tiny")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(VOCABULARY)


def _write_tokenizer(writer: Any) -> None:
    known = {i: token for token, i in byte_tokenizer().get_vocab().items()}
    first, second = known[0], known[1]  # one merge, as the format wants some
    known[260] = first + second
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([known.get(i, f"<|unused_{i}|>") for i in range(VOCABULARY)])
    writer.add_token_types([1 if i < 256 or i == 260 else 3 for i in range(VOCABULARY)])
    writer.add_token_merges([f"{first} {second}"])
    writer.add_bos_token_id(IM_START)
    writer.add_eos_token_id(EOS)
    writer.add_pad_token_id(PAD)
    writer.add_chat_template(CHATML)


def _gguf_name(name: str) -> str:
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{_NAMES[rest.removesuffix('.weight')]}.weight"


def _interleaved(weight: Any, heads: int) -> Any:
    """llama.cpp rotates neighbouring pairs, transformers halves: rows are reordered per head."""
    split = weight.reshape(heads, 2, weight.shape[0] // heads // 2, weight.shape[1])
    return split.swapaxes(1, 2).reshape(weight.shape)
