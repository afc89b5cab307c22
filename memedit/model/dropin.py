"""What it takes to be called like a Hugging Face model: budgets, sub-batches, merged results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.generation.utils import GenerateDecoderOnlyOutput

from memedit.core.errors import InvalidInputError
from memedit.core.types import Row

_PER_CALL = ("input_ids", "attention_mask", "position_ids", "token_type_ids", "inputs")
_ONLY_BASE = (
    "assistant_model",
    "inputs_embeds",
    "past_key_values",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "output_logits",
    "prompt_lookup_num_tokens",
    "custom_generate",
)


@dataclass(frozen=True, slots=True)
class Budget:
    """The options for rows in scope: lengths counted from the caller's prompt, not from ours."""

    options: dict[str, Any]

    @classmethod
    def of(cls, options: Mapping[str, Any], default: Any, *, width: int) -> Budget:
        """``options`` of a call whose prompts are ``width`` columns wide, lengths made relative."""
        own = {k: v for k, v in options.items() if k not in _PER_CALL}
        own.pop("return_dict_in_generate", None)
        config = own.get("generation_config") or default
        for total, new, least in (
            ("max_length", "max_new_tokens", 1),
            ("min_length", "min_new_tokens", 0),
        ):
            length = own.pop(total, None)
            if own.get(new) is None and getattr(config, new, None) is None:
                length = length or getattr(config, total, None)
                if length:
                    own[new] = max(least, int(length) - width)
        return cls(own)


@dataclass(frozen=True, slots=True)
class Request:
    """One call of ``generate``: the caller's tensors and options."""

    ids: Tensor | None
    mask: Tensor | None
    options: Mapping[str, Any]
    wants_dict: bool

    @classmethod
    def of(cls, inputs: Tensor | None, options: Mapping[str, Any], default: Any) -> Request:
        ids = inputs if inputs is not None else options.get("input_ids")
        config = options.get("generation_config") or default
        wants = options.get("return_dict_in_generate")
        if wants is None:
            wants = getattr(config, "return_dict_in_generate", False)
        return cls(ids, options.get("attention_mask"), options, bool(wants))

    @property
    def width(self) -> int:
        assert self.ids is not None
        return self.ids.shape[1]

    def check_supported(self) -> None:
        """Refuse, before the model runs, what an edited answer cannot come with."""
        bad = [name for name in _ONLY_BASE if self.options.get(name)]
        if bad:
            raise InvalidInputError(
                f"{', '.join(bad)}: not available for a prompt that an edit concerns.",
                hint="Call inside model.unedited(), or without it.",
            )

    def generate(self, base: Any, rows: Sequence[int]) -> Tensor:
        """[n * len(rows), T] new tokens of the base for these rows of the caller's tensors."""
        assert self.ids is not None
        size, pick = len(self.ids), torch.tensor(rows)
        options = {
            k: v[pick.to(v.device)]
            if k in _PER_CALL and isinstance(v, Tensor) and len(v) == size
            else v
            for k, v in self.options.items()
        }
        options.pop("input_ids", None)
        out = base.generate(self.ids[pick.to(self.ids.device)], **options)
        sequences: Tensor = out if isinstance(out, Tensor) else out.sequences
        return sequences[:, self.width :]

    def result(self, new: Sequence[Tensor], pad: int) -> Any:
        """The caller's ids followed by each row's new tokens ([n, T_i]), padded on the right."""
        assert self.ids is not None
        width = max(tokens.shape[1] for tokens in new)
        lines = []
        for prompt, tokens in zip(self.ids, new, strict=True):
            tail = prompt.new_full((len(tokens), width), pad)
            tail[:, : tokens.shape[1]] = tokens
            lines.append(torch.cat([prompt.expand(len(tokens), -1), tail], dim=1))
        sequences: Any = torch.cat(lines)
        return GenerateDecoderOnlyOutput(sequences=sequences) if self.wants_dict else sequences


def merge(
    base: Any,
    given: Mapping[str, Any],
    rows: Sequence[Row],
    mine: Sequence[bool],
    edited: Callable[[Sequence[Row]], list[Tensor]],
) -> Tensor:
    """[B, T, V] logits: rows that are ``mine`` from ``edited``, the others from the base.

    Raises:
        InvalidInputError: hidden states or attentions are asked for.
    """
    wanted = [k for k in ("output_hidden_states", "output_attentions") if given.get(k)]
    if wanted:
        raise InvalidInputError(
            f"{', '.join(wanted)}: not available for a prompt that an edit concerns.",
            hint="Call inside model.unedited().",
        )
    ids: Tensor = given["input_ids"]
    mask = given.get("attention_mask")
    real = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask.bool()
    inside = [i for i, yes in enumerate(mine) if yes]
    outside = [i for i, yes in enumerate(mine) if not yes]
    answers = edited([rows[i] for i in inside])
    logits = answers[0].new_zeros((*ids.shape, answers[0].shape[-1]))
    for i, answer in zip(inside, answers, strict=True):
        logits[i, real[i]] = answer
    if outside:
        pick = torch.tensor(outside, device=ids.device)
        own = {
            k: v[pick] if k in _PER_CALL and isinstance(v, Tensor) and len(v) == len(ids) else v
            for k, v in given.items()
            if k not in ("labels", "logits_to_keep")
        }
        logits[pick] = base(**own).logits.to(logits.dtype)
    return logits
