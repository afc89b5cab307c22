"""What a base must be: a decoder that generates, with keys and values of its own per layer."""

from __future__ import annotations

import inspect
from typing import Any

from memedit.core.errors import InvalidInputError, UnsupportedArchitectureError

_STATES = frozenset({"mamba", "mamba2", "linear_attention", "recurrent", "conv", "rwkv", "ssm"})
"""Kinds of layers that keep a running state in place of keys and values."""


def check(base: Any) -> None:
    """See that a Hugging Face model can be a base; what is none of theirs is taken as it is.

    Args:
        base: The model, bare or wrapped by PEFT.

    Raises:
        UnsupportedArchitectureError: an encoder, an encoder-decoder, or a model that keeps a
            running state (Mamba, RWKV, hybrids): what stands before a prompt cannot be kept for it.
    """
    bare = base.get_base_model() if hasattr(base, "get_base_model") else base
    config = getattr(bare, "config", None)
    if config is None or not hasattr(bare, "get_output_embeddings"):
        return
    kind = getattr(config, "model_type", type(bare).__name__)
    if getattr(config, "is_encoder_decoder", False):
        raise _refuse(kind, "an encoder-decoder")
    if bare.get_output_embeddings() is None or not bare.can_generate():
        raise _refuse(kind, "an encoder, or a model without its language head: it does not write")
    layers = set(getattr(config.get_text_config(), "layer_types", None) or ())
    if "past_key_values" not in inspect.signature(bare.forward).parameters or layers & _STATES:
        raise _refuse(kind, "a model with a running state in place of keys and values")


def check_tokenizer(tokenizer: Any) -> None:
    """See that a tokenizer is one, or left out.

    Raises:
        InvalidInputError: it is a name, or a model.
    """
    if tokenizer is not None and not (callable(tokenizer) and hasattr(tokenizer, "decode")):
        raise InvalidInputError(
            f"tokenizer must be a loaded tokenizer, not {type(tokenizer).__name__}.",
            hint="EditableModel(base, AutoTokenizer.from_pretrained(name)); base comes first.",
        )


def _refuse(kind: str, what: str) -> UnsupportedArchitectureError:
    return UnsupportedArchitectureError(
        f"{kind} is {what}; an edited model must be a decoder with a key-value cache.",
        hint="Load a causal language model (AutoModelForCausalLM), such as Llama, Qwen or Gemma; "
        "or serve yours behind --upstream, where edits are put into requests.",
    )
