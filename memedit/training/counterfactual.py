"""SERAC's counterfactual model as a LoRA adapter on the frozen base (Mitchell et al. 2022; Hu et
al. 2021, arXiv 2106.09685).

Trained by likelihood of the answer alone, given the fact (SERAC's L_cf), with two answers: the
object of a fact that answers the query, or the end of the text at once where no fact does. The
second is what the paper leaves to the classifier alone: the base then answers, untouched, so a
false fire does little harm.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import torch
from torch import Tensor, nn

from memedit.core.calls import Row
from memedit.core.chat import ChatFormat, Turn
from memedit.core.errors import InvalidInputError
from memedit.core.sites import Sites
from memedit.data.facts import Fact
from memedit.editors._sequences import Sequenced, places_of
from memedit.editors.prompting.adapter import WEIGHTS
from memedit.editors.prompting.forms import before_query, open_reply, plain, state_fact
from memedit.engine.loading import pad_id
from memedit.engine.tokens import Codec, pad_right
from memedit.training.examples import Example, Examples
from memedit.training.loop import Schedule, chunks, draw_shuffled, train

if TYPE_CHECKING:
    from peft import PeftModel

RANK, ALPHA = 16, 32
Tokens = tuple[list[int], list[int]]


@dataclass(slots=True)
class Renderer:
    """Examples to token ids, exactly as :class:`memedit.editors.serac.Serac` asks at runtime."""

    tokenizer: Any
    codec: Codec
    chat: ChatFormat | None = field(init=False)
    eos: int = field(init=False)

    def __post_init__(self) -> None:
        self.chat = ChatFormat.of(self.tokenizer)
        self.eos = int(self.tokenizer.eos_token_id)

    def row(self, example: Example) -> Row:
        """The row as the runtime builds it, with the answer as target."""
        facts = "".join(state_fact(plain(fact, self.tokenizer)) for fact in example.facts)
        target = example.answer or None
        if example.chat and self.chat is not None:
            chat = self.chat
            query = f"{example.before} {example.query}".strip()
            after = chat.user_close + chat.reply_open + open_reply(facts)
            turn = Turn(chat.opening + chat.user_open, after, chat)
            return Row(query, target=target, turn=turn, rewritten=True)
        return Row(before_query(facts, example.before, example.query), target=target)

    def __call__(self, example: Example) -> Tokens:
        """(prompt ids, target ids with the end)."""
        row = self.row(example)
        if row.target is None:
            return self.codec.prompt(row, prefixed=False).tolist(), [self.eos]
        prompt, target = self.codec.with_target(row, prefixed=False)
        return prompt.tolist(), [*target.tolist(), self.eos]


def adapt(base: Any, targets: Sequence[str], seed: int, start: Path | None = None) -> PeftModel:
    """``base`` in a PEFT model with an adapter; the base's weights are frozen.

    Args:
        base: The model; do not use it otherwise while it is wrapped.
        targets: Last path components of the modules that get one.
        seed: Of the adapter's random half.
        start: Folder of an adapter to begin with; None for a fresh one.

    Raises:
        InvalidInputError: the adapter in ``start`` is of other modules or sizes.
    """
    from peft import (
        LoraConfig,
        get_peft_model,
        get_peft_model_state_dict,
        set_peft_model_state_dict,
    )
    from safetensors.torch import load_file

    config = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=list(targets), lora_dropout=0.0)
    # Whoever calls keeps the random numbers that would have come.
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = cast("PeftModel", get_peft_model(base, config))
    if start is not None:
        # Adapters are kept in half precision, and learnt in float32.
        tensors = {name: tensor.float() for name, tensor in load_file(start / WEIGHTS).items()}
        own = {name: tensor.shape for name, tensor in get_peft_model_state_dict(model).items()}
        if own != {name: tensor.shape for name, tensor in tensors.items()}:
            raise InvalidInputError(
                f"The adapter in {start} does not fit this model.",
                hint="Start from an adapter that was trained for the same base.",
            )
        set_peft_model_state_dict(model, tensors)
    return model


def targets_of(sites: Sites) -> list[str]:
    """Last path components of the modules that get an adapter: attention's maps to queries and
    values and out of the heads, and the one out of the feed-forward layer."""
    adapted = (*sites.query_value(0), sites.attention_out(0), sites.mlp_out(0))
    return sorted({path.rpartition(".")[2] for path in adapted})


class Encoding(Protocol):
    """What turns examples into tokens."""

    codec: Codec


class Objective:
    """Mean over examples of the negative log-likelihood of answer and end, per token."""

    def __init__(self, model: Any, renderer: Encoding) -> None:
        self.model, self.renderer = model, renderer
        self.inner: nn.Module = model.get_base_model()

    def losses(self, tokens: Sequence[Tokens]) -> tuple[Tensor, Tensor]:
        """([B] mean loss of each target, [B] bool: every token of the target is the likeliest)."""
        rows = [
            # Without the last token: what it would predict is not asked.
            Sequenced(torch.tensor((prompt + target)[:-1]), torch.tensor(target), -1)
            for prompt, target in tokens
        ]
        ids, mask = pad_right([row.ids for row in rows], self.renderer.codec.pad)
        device = next(self.inner.parameters()).device
        inner: Any = self.inner
        # Without the head, which is most of the work: it runs where targets are predicted, and only
        # there.
        body = getattr(inner, inner.base_model_prefix)
        hidden = body(input_ids=ids.to(device), attention_mask=mask.to(device)).last_hidden_state
        at, place, gold = places_of(rows).to(device)
        logits = inner.get_output_embeddings()(hidden[at, place]).float()
        each = nn.functional.cross_entropy(logits, gold, reduction="none")
        right = logits.argmax(-1) == gold
        sizes = [len(row.target) for row in rows]
        means = torch.stack([part.mean() for part in torch.split(each, sizes)])
        return means, torch.stack([part.all() for part in torch.split(right, sizes)])


def train_counterfactual(
    base: Any,
    tokenizer: Any,
    targets: Sequence[str],
    facts: Sequence[Fact],
    held_out: Sequence[Fact],
    texts: Sequence[str],
    schedule: Schedule,
    folder: Path,
    *,
    start: Path | None = None,
    report: Callable[[int, dict[str, float]], None] = lambda step, values: None,
) -> tuple[Any, dict[str, float]]:
    """Train an adapter for ``base``; returns the PEFT model and scores on ``held_out`` subjects.

    Interrupted, it goes on from the last checkpoint in ``folder``; ``start`` is the folder of an
    adapter to begin with instead of a fresh one.
    """
    model = adapt(base, targets, schedule.seed, start)
    renderer = Renderer(tokenizer, Codec(tokenizer, pad_id(tokenizer, base.config)))
    objective = Objective(model, renderer)
    examples = Examples(facts, texts)
    parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}

    def loss_of(step: int) -> Tensor:
        batch = draw_shuffled(step, schedule, lambda rng: renderer(examples.draw(rng)))
        return objective.losses(batch)[0].mean()

    model.train()
    train(parameters, loss_of, schedule, folder, report=report)
    model.eval()
    return model, evaluate(objective, Examples(held_out, texts), renderer)


def evaluate(
    objective: Objective, examples: Examples, renderer: Renderer, *, count: int = 400, seed: int = 1
) -> dict[str, float]:
    """Share of whole targets that are each token's likeliest, of answered and declined examples."""
    rng = random.Random(seed)
    drawn = [examples.draw(rng) for _ in range(count)]
    found: dict[str, list[bool]] = {"answered": [], "declined": []}
    for part in chunks(drawn, 16):
        with torch.no_grad():
            _, right = objective.losses([renderer(example) for example in part])
        for example, good in zip(part, right.tolist(), strict=True):
            found["answered" if example.answer else "declined"].append(good)
    return {name: sum(values) / max(1, len(values)) for name, values in found.items()}
