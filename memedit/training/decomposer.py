"""A decomposer as a LoRA adapter on the frozen base: from a question to its chain of relations.

The model learns to go on from ``Question: ...\\nHops:`` with ``subject | relation | relation``, and
to end the text at once where the question is about one fact, or the text is no question. Examples
are MQuAKE's questions and compositions of the relations in ``memedit/editors/relations.json``.
Chains of relations that belong to the evaluation part (:func:`chain_part`) are in neither.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import torch
from torch import Tensor, nn

from memedit.core.calls import Row
from memedit.core.errors import InvalidInputError
from memedit.data.records import read_records
from memedit.editors.prompting.decomposing import MOST_HOPS, relations, write_plan_prompt
from memedit.engine.loading import pad_id
from memedit.engine.tokens import Codec
from memedit.training.counterfactual import ALPHA, RANK, Objective, Tokens
from memedit.training.loop import Report, Schedule, chunks, draw_shuffled, train

if TYPE_CHECKING:
    from peft import PeftModel

Part: TypeAlias = Literal["train", "evaluation"]
_TRAIN = 60
"""Per cent of the chains that are trained on."""
_COMPOSED, _SINGLE = 0.35, 0.17
"""Shares of composed questions, and of texts that are no chain."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A question and what it is made of; no relations: it is no chain.

    Attributes:
        question: Its text.
        subject: What the chain begins with.
        relations: Wikidata's labels, in the order in which they are followed.
    """

    question: str
    subject: str = ""
    relations: tuple[str, ...] = ()

    @property
    def written(self) -> str:
        """What the model shall write; "" to end at once."""
        return " | ".join((self.subject, *self.relations)) if self.relations else ""


def chain_part(labels: Sequence[str]) -> Part:
    """The part a chain of relations belongs to, whatever it begins with and however it is asked."""
    # Not Python's own hash of a text, which is another one in every process.
    digest = hashlib.sha256(" > ".join(labels).encode()).digest()
    return "train" if int.from_bytes(digest[:8], "big") % 100 < _TRAIN else "evaluation"


def read_chains(path: Path) -> list[Chain]:
    """Every question of a MQuAKE file.

    Raises:
        InvalidInputError: a record of another form.
    """
    found = []
    for number, record in enumerate(read_records(path), start=1):
        triples = (record.get("orig") or {}).get("new_triples_labeled")
        if not triples or not record.get("questions"):
            raise InvalidInputError(
                f"{path}, line {number}: not a MQuAKE record.",
                hint="It has questions and orig.new_triples_labeled.",
            )
        labels = tuple(relation for _, relation, _ in triples)
        found += [Chain(question, triples[0][0], labels) for question in record["questions"]]
    # A planner takes no subject that the question does not name: it shall learn none.
    return [chain for chain in found if chain.subject in chain.question]


@dataclass(slots=True)
class Chains:
    """Draws training examples.

    Attributes:
        chains: Questions of one part.
        part: Which part; composed chains belong to it, too.
        subjects: Names to compose questions about.
        texts: Ordinary text.
    """

    chains: Sequence[Chain]
    part: Part
    subjects: Sequence[str]
    texts: Sequence[str]
    _groups: list[list[Chain]] = field(init=False)

    def __post_init__(self) -> None:
        groups: dict[tuple[str, ...], list[Chain]] = {}
        for chain in self.chains:
            groups.setdefault(chain.relations, []).append(chain)
        self._groups = list(groups.values())

    def draw(self, rng: random.Random) -> Chain:
        """One example; frequent chains are drawn less often than they occur."""
        which = rng.random()
        if which < _SINGLE:
            return self.draw_single(rng)
        if which < _SINGLE + _COMPOSED or not self._groups:
            return self.draw_composed(rng)
        weights = [len(group) ** 0.5 for group in self._groups]
        return rng.choice(rng.choices(self._groups, weights)[0])

    def draw_single(self, rng: random.Random) -> Chain:
        """A question about one fact, or a text: no chain."""
        if self.texts and rng.random() < 0.35:
            return Chain(rng.choice(self.texts))
        known = rng.choice(list(relations().values()))
        asks = [known["ask"], *known["asks"]]
        return Chain(rng.choice(asks).replace("{}", rng.choice(self.subjects)))

    def draw_composed(self, rng: random.Random) -> Chain:
        """A question over two to four relations that fit together."""
        while True:
            labels = self._labels(rng)
            if chain_part(labels) == self.part:
                break
        subject = rng.choice(self.subjects)
        text = f'"{subject}"' if rng.random() < 0.15 else subject
        for label in labels[:-1]:
            text = self._phrase(rng, label, text)
        asks = self._pick(rng, labels[-1], "asks")
        if rng.random() < 0.4:
            phrase = self._phrase(rng, labels[-1], text)
            return Chain(f"{rng.choice(_LEADS)} {phrase}?", subject, labels)
        return Chain(asks.replace("{}", text), subject, labels)

    @staticmethod
    def _labels(rng: random.Random) -> tuple[str, ...]:
        known = relations()
        label = rng.choice(list(known))
        labels = [label]
        for _ in range(rng.choice((1, 1, 2, 2, 3, 3))):
            kind = known[labels[-1]]["is"]
            following = [k for k, v in known.items() if kind in v["of"]]
            if not following:
                break
            labels.append(rng.choice(following))
        # nothing follows it: another try
        return tuple(labels) if len(labels) > 1 else Chains._labels(rng)

    def _phrase(self, rng: random.Random, label: str, text: str) -> str:
        """The relation's object as a phrase; only of a name, not of a phrase, in the genitive."""
        while (form := self._pick(rng, label, "phrases")).startswith("{}") and " of " in text:
            pass
        return form.replace("{}", text)

    @staticmethod
    def _pick(rng: random.Random, label: str, what: Literal["asks", "phrases"]) -> str:
        return rng.choice(relations()[label][what])


_LEADS = ("What is", "Who is", "What is the name of", "Can you name", "Tell me:")


@dataclass(slots=True)
class Renderer:
    """Examples to token ids, as :class:`memedit.editors.prompting.decomposing.Planner` asks."""

    tokenizer: Any
    codec: Codec

    def __call__(self, chain: Chain) -> Tokens:
        """(prompt ids, target ids with the end)."""
        eos = int(self.tokenizer.eos_token_id)
        row = Row(write_plan_prompt(chain.question), target=chain.written or None)
        if row.target is None:
            return self.codec.prompt(row, prefixed=False).tolist(), [eos]
        prompt, target = self.codec.with_target(row, prefixed=False)
        return prompt.tolist(), [*target.tolist(), eos]


def add_adapter(base: Any, targets: Sequence[str], layers: int, seed: int) -> PeftModel:
    """``base`` in a PEFT model with an adapter on its upper two thirds; its weights are frozen.

    The lower third then needs no backward pass.
    """
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=RANK, lora_alpha=ALPHA, target_modules=list(targets), lora_dropout=0.0,
        layers_to_transform=list(range(layers // 3, layers)),
    )  # fmt: skip
    # PEFT draws its matrices from the global state, which stays as it was.
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = cast("PeftModel", get_peft_model(base, config))
    return model


def train_decomposer(
    base: Any,
    tokenizer: Any,
    targets: Sequence[str],
    examples: Mapping[Part, Chains],
    schedule: Schedule,
    folder: Path,
    *,
    report: Report = lambda step, values: None,
) -> tuple[Any, dict[str, float]]:
    """Train on ``examples["train"]``; returns the PEFT model and scores on the evaluation part.

    Interrupted, it goes on from the last checkpoint in ``folder``.
    """
    layers = int(base.config.get_text_config().num_hidden_layers)
    model = add_adapter(base, targets, layers, schedule.seed)
    renderer = Renderer(tokenizer, Codec(tokenizer, pad_id(tokenizer, base.config)))
    objective = Objective(model, renderer)
    parameters: dict[str, nn.Parameter] = {
        n: p for n, p in model.named_parameters() if p.requires_grad
    }

    def loss_of(step: int) -> Tensor:
        batch = draw_shuffled(step, schedule, lambda rng: renderer(examples["train"].draw(rng)))
        return objective.losses(batch)[0].mean()

    model.train()
    train(parameters, loss_of, schedule, folder, report=report)
    model.eval()
    return model, evaluate(objective, examples["evaluation"], renderer)


def evaluate(
    objective: Objective, examples: Chains, renderer: Renderer, *, count: int = 160, seed: int = 1
) -> dict[str, float]:
    """Share of examples every token of whose target is the likeliest: MQuAKE's questions, composed
    ones, and texts that are no chain."""
    rng = random.Random(seed)
    mquake = list(examples.chains)
    drawn = {
        "questions": rng.sample(mquake, min(count, len(mquake))),
        "composed": [examples.draw_composed(rng) for _ in range(count // 2)],
        "no_chain": [examples.draw_single(rng) for _ in range(count // 2)],
    }
    scores = {}
    for name, chains in drawn.items():
        right: list[bool] = []
        for part in chunks(chains, 16):
            with torch.no_grad():
                right += objective.losses([renderer(chain) for chain in part])[1].tolist()
        scores[name] = sum(right) / max(1, len(right))
    return scores


def describe() -> str:
    """The split in words, for manifests."""
    return (
        f"by chain: sha256(' > '.join(relation labels))[:8] mod 100 < {_TRAIN} train, else "
        f"evaluation; chains of 2 to {MOST_HOPS} relations"
    )
