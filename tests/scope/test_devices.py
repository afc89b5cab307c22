"""What is trained for the scope stands where the encoder stands: another device's is of no use."""

from __future__ import annotations

from typing import Any

from transformers import BertConfig, BertModel

from memedit.scope.cross import CrossEncoder


def test_the_head_of_the_cross_encoder_is_where_its_body_is(tiny_tokenizer: Any) -> None:
    config = BertConfig(
        vocab_size=300, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=8,
    )  # fmt: skip
    for device in ("cpu", "meta"):
        body: Any = BertModel(config)
        model = CrossEncoder(body.to(device), tiny_tokenizer)
        assert {p.device.type for p in model.parameters()} == {device}
