"""What can be no base is refused when it is wrapped, in words that say why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers

from memedit import EditableModel
from memedit.core.errors import UnsupportedArchitectureError
from memedit.engine.bases import check

SMALL: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}


def bert(cls: Any) -> Any:
    return cls(transformers.BertConfig(**SMALL, intermediate_size=16))


def t5() -> Any:
    config = transformers.T5Config(vocab_size=300, d_model=16, d_kv=8, d_ff=16, num_layers=1)
    return transformers.T5ForConditionalGeneration(config)


def mamba() -> Any:
    config = transformers.MambaConfig(vocab_size=300, hidden_size=16, num_hidden_layers=1)
    return transformers.MambaForCausalLM(config)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda: bert(transformers.BertModel), "encoder"),
        (lambda: bert(transformers.BertForMaskedLM), "does not write"),
        (t5, "encoder-decoder"),
        (mamba, "running state"),
    ],
)
def test_what_is_no_decoder_with_keys_and_values_is_refused(
    made: Callable[[], Any], why: str, tiny_tokenizer: Any
) -> None:
    with pytest.raises(UnsupportedArchitectureError, match=why):
        EditableModel(made(), tiny_tokenizer, encoder="hashing")


@pytest.mark.parametrize(("arch", "module"), [("llama", "q_proj"), ("gpt2", "c_attn")])
def test_decoders_pass_bare_and_wrapped(
    arch: str, module: str, tiny: Callable[[str], Any], tiny_tokenizer: Any
) -> None:
    from peft import LoraConfig, get_peft_model

    base = tiny(arch)
    config = LoraConfig(r=2, target_modules=[module], fan_in_fan_out=arch == "gpt2")
    for model in (base, get_peft_model(base, config)):
        assert EditableModel(model, tiny_tokenizer, encoder="hashing").base is model


@pytest.mark.parametrize("base", [object(), torch.nn.Linear(2, 2)])
def test_what_is_not_from_hugging_face_is_taken_as_it_is(base: Any) -> None:
    refused: list[Exception] = []
    try:
        check(base)
    except UnsupportedArchitectureError as error:
        refused.append(error)
    assert refused == []
