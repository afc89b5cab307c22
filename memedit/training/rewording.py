"""Trains the reader of pairs of statements (:mod:`memedit.scope.rewording`).

    python -m memedit.training.rewording --data-dir ../shared/data [--out FOLDER]

Low-rank changes of the two last layers of the scope's cross-encoder, which therefore comes first:
where that is trained anew, this must be, too. What the layers below make of the pairs is read once.
Some minutes on one core.
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor, nn

from memedit.core.files import replacing
from memedit.scope.classifier import load_cross, locate_folder
from memedit.scope.cross import FILE as CROSS
from memedit.scope.cross import CrossEncoder
from memedit.scope.rewording import DIGEST, FILE, RANK, SCALE, TOP, stored_digest
from memedit.training.loop import Schedule
from memedit.training.restating import Labelled, restated

_SAME = 0.4
"""Share of a batch in which the later sentence replaces the earlier one."""
_TOGETHER = 16
"""Batches whose pairs are put together by length."""
_TOKENS = 96
_READ = 32
"""Pairs that are read at once."""


@dataclass(frozen=True, slots=True)
class Read:
    """What the layers that stay make of a pair: [tokens, hidden], and whether it tells the same."""

    states: Tensor
    same: bool


class LowRank(nn.Module):
    """A linear map with a low-rank change."""

    def __init__(self, plain: nn.Linear) -> None:
        super().__init__()
        self.plain = plain
        self.a = nn.Parameter(torch.randn(RANK, plain.in_features) / math.sqrt(plain.in_features))
        self.b = nn.Parameter(torch.zeros(plain.out_features, RANK))

    def forward(self, states: Tensor) -> Tensor:
        found: Tensor = self.plain(states) + SCALE * (states @ self.a.T) @ self.b.T
        return found


class TopLayers(nn.Module):
    """The last layers of a cross-encoder, a copy with low-rank changes, and a head of one logit."""

    def __init__(self, cross: CrossEncoder) -> None:
        super().__init__()
        self.layers = nn.ModuleList(copy.deepcopy(layer) for layer in _layers(cross)[-TOP:])
        self.layers.requires_grad_(requires_grad=False)
        _wrap(self.layers)
        self.head = nn.Linear(cross.head.in_features, 1)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, read: Sequence[Read]) -> Tensor:
        """[n] logits."""
        states = nn.utils.rnn.pad_sequence([each.states.float() for each in read], True)
        lengths = torch.tensor([len(each.states) for each in read])
        there = torch.arange(states.shape[1])[None] < lengths[:, None]
        mask = (~there)[:, None, None] * torch.finfo(states.dtype).min
        for layer in self.layers:
            states = _run(layer, states, mask)
        weight = there[..., None].to(states.dtype)
        logits: Tensor = self.head((states * weight).sum(1) / weight.sum(1))[:, 0]
        return logits

    def changes(self) -> dict[str, Tensor]:
        """As :func:`memedit.scope.rewording.merge` takes them: the changes in float16."""
        found = {f"head.{n}": p.detach().clone() for n, p in self.head.named_parameters()}
        for name, module in self.layers.named_modules():
            if isinstance(module, LowRank):
                found[f"{name}.a"] = module.a.detach().half()
                found[f"{name}.b"] = module.b.detach().half()
        return found


def _layers(cross: CrossEncoder) -> nn.ModuleList:
    layers: nn.ModuleList = cross.body.get_submodule("encoder.layer")  # type: ignore[assignment]
    return layers


def _run(layer: nn.Module, states: Tensor, mask: Tensor) -> Tensor:
    made: Any = layer(states, attention_mask=mask)
    found: Tensor = made if isinstance(made, Tensor) else made[0]
    return found


def _wrap(module: nn.Module) -> None:
    for name, child in list(module.named_children()):
        if isinstance(child, nn.Linear):
            setattr(module, name, LowRank(child))
        else:
            _wrap(child)


@torch.no_grad()
def read_below(cross: CrossEncoder, pairs: Sequence[Labelled]) -> list[Read]:
    """What the layers below the last ones make of each pair, in float16."""
    found = [Read(torch.empty(0), same=False)] * len(pairs)
    order = sorted(range(len(pairs)), key=lambda n: len(pairs[n][0]) + len(pairs[n][1]))
    for start in range(0, len(order), _READ):
        some = order[start : start + _READ]
        inputs = cross.tokenizer(
            [pairs[n][0] for n in some], [pairs[n][1] for n in some], padding=True,
            truncation="longest_first", max_length=_TOKENS, return_tensors="pt",
        )  # fmt: skip
        states = cross.body(**inputs, output_hidden_states=True).hidden_states[-TOP - 1]
        lengths = inputs["attention_mask"].sum(1).tolist()
        for row, n in enumerate(some):
            found[n] = Read(states[row, : lengths[row]].half(), pairs[n][2])
    return found


def train_rewording(
    cross: CrossEncoder,
    read: Sequence[Read],
    schedule: Schedule,
    report: Callable[[int, float, TopLayers], None] = lambda step, loss, top: None,
) -> TopLayers:
    """The layers trained on, with their head; ``report`` hears of every step."""
    torch.manual_seed(schedule.seed)
    top = TopLayers(cross)
    learnt = [p for p in top.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learnt, lr=schedule.rate, weight_decay=0.01)
    batches = _batches(read, schedule)
    top.train()
    for step in range(schedule.steps):
        for group in optimiser.param_groups:
            group["lr"] = schedule.at(step)
        batch = next(batches)
        truth = torch.tensor([float(each.same) for each in batch])
        loss = nn.functional.binary_cross_entropy_with_logits(top(batch), truth)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(learnt, schedule.clip)
        optimiser.step()
        report(step + 1, loss.item(), top)
    return top.eval()


def _batches(read: Sequence[Read], schedule: Schedule) -> Iterator[list[Read]]:
    """Batches of pairs alike in length, of both kinds in one proportion."""
    rng = random.Random(schedule.seed)
    size = round(schedule.batch * _SAME)
    kinds = [(_cycle([r for r in read if r.same], size, rng))]
    kinds.append(_cycle([r for r in read if not r.same], schedule.batch - size, rng))
    while True:
        both = [one + two for one, two in zip(*map(next, kinds), strict=False)]
        rng.shuffle(both)
        yield from both


def _cycle(read: list[Read], size: int, rng: random.Random) -> Iterator[list[list[Read]]]:
    """Batches of one kind, some at a time; every pair comes once before any comes twice."""
    step = size * _TOGETHER
    while True:
        order = rng.sample(read, len(read))
        for start in range(0, max(1, len(order) - step + 1), step):
            some = sorted(order[start : start + step], key=lambda each: len(each.states))
            yield [some[n : n + size] for n in range(0, len(some), size)]


def main(
    data_dir: Annotated[Path, typer.Option(help="Folder with CounterFact.")],
    out: Annotated[Path | None, typer.Option(help="Folder; the packaged one.")] = None,
    steps: Annotated[int, typer.Option(min=1)] = 480,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Train, and write the changes beside the packaged cross-encoder."""
    from safetensors.torch import save_file

    cross = load_cross("")
    if cross is None:
        raise typer.BadParameter("The packaged scope has no cross-encoder.")
    folder = out or locate_folder("")
    folder.mkdir(parents=True, exist_ok=True)  # before the minutes that it takes
    schedule = Schedule(steps=steps, batch=16, rate=1.5e-3, warmup=30, seed=seed)
    read = read_below(cross, restated(data_dir, seed))
    found = train_rewording(cross, read, schedule).changes()
    found[DIGEST] = stored_digest(locate_folder("") / CROSS)
    with replacing(folder / FILE) as new:
        save_file(found, new)


if __name__ == "__main__":
    typer.run(main)
