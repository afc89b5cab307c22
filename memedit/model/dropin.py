"""What it takes to be called like a Hugging Face model: budgets, sub-batches, merged results.

With nothing for the editors to read, the caller's own tensors go to the base untouched.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.generation.utils import GenerateDecoderOnlyOutput
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from memedit.core.calls import Row
from memedit.core.errors import InvalidInputError
from memedit.engine.generation import GenerationSettings
from memedit.model.answering import Answering
from memedit.model.options import check_kinds

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
_IDS = (torch.int32, torch.int64)
"""What an embedding takes."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The options for rows in scope: lengths counted from the caller's prompt, not from ours."""

    options: dict[str, Any]
    most: int | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any], default: Any, *, width: int) -> Budget:
        """``options`` of a call whose prompts are ``width`` columns wide, lengths made relative."""
        own = {k: v for k, v in options.items() if k not in _PER_CALL}
        # Rows are joined as ids; the caller's dict is made of them at the very end.
        own.pop("return_dict_in_generate", None)
        config = own.get("generation_config") or default
        for total, new, least in (
            ("max_length", "max_new_tokens", 1),
            ("min_length", "min_new_tokens", 0),
        ):
            length = own.pop(total, None)
            # An edited row's prompt is longer: the caller's total would leave it no room.
            if own.get(new) is None and getattr(config, new, None) is None:
                length = length or getattr(config, total, None)
                if length:
                    own[new] = max(least, int(length) - width)
        most = own.get("max_new_tokens")
        return cls(own, getattr(config, "max_new_tokens", None) if most is None else most)


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
        options.pop("input_ids", None)  # handed over by position
        out = base.generate(self.ids[pick.to(self.ids.device)], **options)
        sequences: Tensor = out if isinstance(out, Tensor) else out.sequences
        return sequences[:, self.width :]

    def result(self, new: Sequence[Tensor], pad: int) -> Tensor | GenerateDecoderOnlyOutput:
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


def generate(way: Answering, inputs: Tensor | None, options: Mapping[str, Any]) -> Any:
    """As the base model's ``generate``, with the edits of the view in force.

    Args:
        way: How prompts are answered.
        inputs: [B, T] int64 token ids; None where they are among ``options``.
        options: Of ``generate``.

    Raises:
        InvalidInputError: an option that cannot be honoured for a row in scope.
        ContextOverflowError: a row in scope does not fit the model's window with its edit.
    """
    base = way.engine.base
    _check_ids("generate", inputs if inputs is not None else options.get("input_ids"))
    request = Request.of(inputs, options, base.generation_config)
    rows = _rows(way, request.ids, request.mask)
    mine = [way.concerns(row) for row in rows]
    # Not even copied: what no edit concerns must be the base's, bit for bit.
    if not any(mine):
        return base.generate(*(() if inputs is None else (inputs,)), **options)
    request.check_supported()
    check_kinds(options, base.generation_config)
    inside = [i for i, yes in enumerate(mine) if yes]
    outside = [i for i, yes in enumerate(mine) if not yes]
    budget = Budget.of(options, base.generation_config, width=request.width)
    answers = way.answer_edited([rows[i] for i in inside], budget.options)
    new: dict[int, Any] = {
        i: way.trim_reply(rows[i], answer.ids, budget.most)
        for i, answer in zip(inside, answers, strict=True)
    }
    if outside:
        tail = request.generate(base, outside)
        # num_return_sequences gives a prompt several lines, one behind the other.
        each = len(tail) // len(outside)
        new |= {i: tail[n * each :][:each] for n, i in enumerate(outside)}
    own, asked = way.engine.codec.pad, GenerationSettings(options, None).pad
    pad = own if asked is None else asked
    if pad != own:
        eos = way.engine.eos()
        new |= {i: _repad(new[i], own, pad, end=own in eos) for i in inside}
    return request.result([new[i] for i in range(len(rows))], pad)


def _repad(ids: Tensor, own: int, pad: int, *, end: bool) -> Tensor:
    """Ids [n, T] with the caller's padding behind each row, where ours is; ``end``: ours is also
    how a row ends, which stays."""
    behind = (ids.flip(-1) == own).cumprod(-1).flip(-1)
    return ids.masked_fill(behind.cumsum(-1) > end, pad) if ids.numel() else ids


def forward(way: Answering, given: Mapping[str, Any]) -> Any:
    """As the base model's ``forward``: logits [B, T, V] of the caller's own tokens.

    Args:
        way: How prompts are answered.
        given: Its arguments by name, those that are not None.

    Raises:
        InvalidInputError: an output other than logits and loss is asked for of a row in scope.
    """
    base, ids, past = way.engine.base, given.get("input_ids"), given.get("past_key_values")
    _check_ids("forward", ids)
    # What continues a cache was decided when the cache was made.
    if ids is None or (past is not None and past.get_seq_length()):
        return base(**given)
    rows = _rows(way, ids, given.get("attention_mask"))
    mine = [way.concerns(row) for row in rows]
    if not any(mine):
        return base(**given)
    logits = merge(base, given, rows, mine, way.logits)
    loss, labels = None, given.get("labels")
    if labels is not None:
        size = base.config.get_text_config().vocab_size
        loss = base.loss_function(logits=logits, labels=labels, vocab_size=size)
    # As transformers reads it: the number of last positions, or positions.
    if keep := given.get("logits_to_keep", 0):
        logits = logits[:, -keep:] if isinstance(keep, int) else logits[:, keep]
    return CausalLMOutputWithPast(loss=loss, logits=logits)


def _check_ids(call: str, ids: Any) -> None:
    if ids is not None and not isinstance(ids, Tensor):
        raise InvalidInputError(
            f"{call} takes token ids [B, T] as a tensor, not {type(ids).__name__}.",
            hint='model.ask(text) answers texts; generate(**tokenizer(text, return_tensors="pt")) '
            "takes what a tokenizer makes of them.",
        )


def _rows(way: Answering, ids: Tensor | None, mask: Tensor | None) -> list[Row]:
    """The rows of a call with their decisions; none while there is nothing in memory, or where the
    ids are none that the base knows: what is to be said of that is the base's to say.

    Raises:
        InvalidInputError: a mask that does not say which of the ids are real.
    """
    if ids is None or ids.dim() != 2 or not way.live or ids.dtype not in _IDS:
        return []
    real = _real(ids, mask)
    size = way.engine.base.get_input_embeddings().weight.shape[0]
    if ((ids < 0) | (ids >= size))[real].any():
        return []
    return way.decide_rows([way.row(i[m]) for i, m in zip(ids, real, strict=True)])


def _real(ids: Tensor, mask: Any) -> Tensor:
    """[B, T] bool, True at the tokens that are no padding."""
    if mask is None:
        return torch.ones_like(ids, dtype=torch.bool)
    shape = tuple(mask.shape) if isinstance(mask, Tensor) else type(mask).__name__
    # One row stands for all, as in the base.
    if shape not in ((len(ids), ids.shape[1]), (1, ids.shape[1])):
        raise InvalidInputError(
            f"attention_mask is {shape}, not {tuple(ids.shape)} as the ids are: which of them are "
            "real, and which padding?",
            hint="Pass a tensor [B, T] as the tokenizer makes it, or call inside model.unedited().",
        )
    real: Tensor = mask.bool().expand_as(ids)
    return real


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
    real = _real(ids, given.get("attention_mask"))
    inside = [i for i, yes in enumerate(mine) if yes]
    outside = [i for i, yes in enumerate(mine) if not yes]
    answers = edited([rows[i] for i in inside])
    logits = answers[0].new_zeros((*ids.shape, answers[0].shape[-1]))
    for i, answer in zip(inside, answers, strict=True):
        # At padding the base has logits, too, which nobody reads: zeros here.
        logits[i, real[i]] = answer
    if outside:
        pick = torch.tensor(outside, device=ids.device)
        own = {
            k: v[pick] if k in _PER_CALL and isinstance(v, Tensor) and len(v) == len(ids) else v
            for k, v in given.items()
            if k not in ("labels", "logits_to_keep")  # of the whole batch: forward's to apply
        }
        logits[pick] = base(**own).logits.to(logits.dtype)
    return logits


class DropIn(nn.Module, ABC):
    """A model that is called like its ``base`` and has whatever the base has.

    Subclasses say how prompts are answered (:attr:`_answering`).

    Args:
        base: A Hugging Face causal LM. It is wrapped, never changed.
    """

    def __init__(self, base: Any) -> None:
        super().__init__()
        self.base = base
        # A pipeline compares a model's class with these names, and prints them where it is none.
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.setdefault("memedit", type(self).__name__)

    @property
    @abstractmethod
    def _answering(self) -> Answering: ...

    def generate(self, inputs: Any = None, **options: Any) -> Any:
        """As the base model's ``generate``, with the edits in memory in force.

        Out of scope the call goes to the base unchanged. The added context of an edited row is
        never part of what is returned; its answer ends where the editor's form ends.

        Raises:
            InvalidInputError: an option that cannot be honoured for a row in scope.
            ContextOverflowError: a row in scope does not fit the model's window with its edit.
        """
        return generate(self._answering, inputs, options)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        **options: Any,
    ) -> Any:
        """As the base model's ``forward``: logits [B, T, V] of the caller's own tokens.

        A call that continues from ``past_key_values``, or that passes embeddings, is the base's.

        Raises:
            InvalidInputError: an output other than logits and loss is asked for of a row in scope.
        """
        known = {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}
        given = {k: v for k, v in known.items() if v is not None} | options
        return forward(self._answering, given)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Neither copied nor pickled: memory, editor and locks would be shared, or lost.

        Raises:
            InvalidInputError: always; the hint says how a second model is made.
        """
        raise InvalidInputError(
            f"An {type(self).__name__} is neither copied nor pickled: its edits are in a memory.",
            hint="A second model with the same edits: EditableModel(copy.deepcopy(model.base), "
            "model.tokenizer, memory=model.memory, editor=model.editor, scope=model.scope). To "
            "keep both on disk: model.save_pretrained(folder).",
        )

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "base":  # not there yet, or asked for by a copy
                raise
            return getattr(self.base, name)

    def __setattr__(self, name: str, value: Any) -> None:
        # Trainers and pipelines set these on what they were given; the base is what reads them.
        if name in ("config", "generation_config"):
            setattr(self.base, name, value)
        else:
            super().__setattr__(name, value)
