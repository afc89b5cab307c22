"""Trains what reads pairs of statements beside the scope (:mod:`memedit.scope.adapted`).

    python -m memedit.training.adapting [--bf16] [--start FILE] [--out FOLDER]

Low-rank changes of all layers of the scope's cross-encoder, which therefore comes first: where that
is trained anew, these must be, too, or be tried as they are if it is not far from the former one
(``--start FILE --steps 0``). Half an hour of one core with bfloat16 instructions; interrupted, the
same command goes on.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.progress import Progress
from torch import Tensor, nn

from memedit.core.files import replacing, sha256
from memedit.core.untrusted import load_tensors
from memedit.engine.encoders import load_encoder
from memedit.scope.adapted import DIGEST, RANK, SCALE, SUCCESSION, stored_digest
from memedit.scope.classifier import load_cross, locate_folder
from memedit.scope.cross import FILE as CROSS
from memedit.scope.cross import CrossEncoder
from memedit.training.cross import Batches, Labelled
from memedit.training.loop import CHECKPOINT, Schedule, digest, train
from memedit.training.succession import label_pairs

_SMOOTHING = 0.02
"""Of the labels: hand-made ones are wrong now and then."""


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


def adapt(cross: CrossEncoder, outputs: int, seed: int) -> CrossEncoder:
    """A copy whose layers have low-rank changes that learn, as a new head of ``outputs`` does."""
    torch.manual_seed(seed)
    head = nn.Linear(cross.head.in_features, outputs)
    nn.init.normal_(head.weight, std=0.02)
    nn.init.zeros_(head.bias)
    made = cross.share_with(copy.deepcopy(cross.body), head).requires_grad_(False)
    _wrap(made.body.get_submodule("encoder"))
    made.head.requires_grad_(True)
    return made


def _wrap(module: nn.Module) -> None:
    for name, child in list(module.named_children()):
        if isinstance(child, nn.Linear):
            setattr(module, name, LowRank(child))
        else:
            _wrap(child)


@torch.no_grad()
def restore(made: CrossEncoder, stored: Mapping[str, Tensor]) -> None:
    """Put changes that were learnt before, as :func:`changes` gives them, into an adapted copy.

    Raises:
        KeyError: one is missing.
        RuntimeError: one of another shape.
    """
    for name, parameter in made.head.named_parameters():
        parameter.copy_(stored[f"head.{name}"])
    for name, module in made.body.get_submodule("encoder.layer").named_modules():
        if isinstance(module, LowRank):
            module.a.copy_(stored[f"{name}.a"])
            module.b.copy_(stored[f"{name}.b"])


def changes(made: CrossEncoder) -> dict[str, Tensor]:
    """What was learnt, as :func:`memedit.scope.adapted.merge` takes it, in float16."""
    found = {f"head.{n}": p.detach().clone() for n, p in made.head.named_parameters()}
    for name, module in made.body.get_submodule("encoder.layer").named_modules():
        if isinstance(module, LowRank):
            found[f"{name}.a"] = module.a.detach().half()
            found[f"{name}.b"] = module.b.detach().half()
    return found


def train_adapted(
    cross: CrossEncoder,
    labelled: list[Labelled],
    schedule: Schedule,
    folder: Path,
    *,
    start: Mapping[str, Tensor] | None = None,
    bf16: bool = False,
    report: Callable[[int, dict[str, float]], None] = lambda step, values: None,
) -> dict[str, Tensor]:
    """Minimise the cross-entropy of the labels; returns the :func:`changes`.

    Interrupted, it goes on from the checkpoint in ``folder``. ``start``: changes to begin from, as
    this gives them. ``bf16``: passes in bfloat16.
    """
    made = adapt(cross, 1 + max(label for _, label in labelled), schedule.seed)
    if start is not None:
        restore(made, start)
    learnt = {name: p for name, p in made.named_parameters() if p.requires_grad}
    batches = Batches(labelled, schedule)

    def loss_of(step: int) -> Tensor:
        batch = batches.of(step)
        truth = torch.tensor([label for _, label in batch])
        with torch.autocast(made.head.weight.device.type, torch.bfloat16, enabled=bf16):
            logits = made([pair for pair, _ in batch])
        return nn.functional.cross_entropy(logits.float(), truth, label_smoothing=_SMOOTHING)

    made.train()
    train(learnt, loss_of, schedule, folder, report=report)
    return changes(made)


def main(
    out: Annotated[Path | None, typer.Option(help="Folder; the packaged one.")] = None,
    start: Annotated[Path | None, typer.Option(help="Changes to begin from.")] = None,
    steps: Annotated[int, typer.Option(min=0)] = 6000,
    batch: Annotated[int, typer.Option(min=1)] = 32,
    rate: Annotated[float, typer.Option(min=0, help="Highest learning rate.")] = 1e-3,
    seed: Annotated[int, typer.Option()] = 0,
    bf16: Annotated[bool, typer.Option(help="Passes in bfloat16.")] = False,
) -> None:
    """Train, and write the changes beside the packaged cross-encoder."""
    from safetensors.torch import save_file

    cross = load_cross("")
    if cross is None:
        raise typer.BadParameter("The packaged scope has no cross-encoder.")
    folder = out or locate_folder("")
    folder.mkdir(parents=True, exist_ok=True)  # before the minutes that it takes
    own = stored_digest(locate_folder("") / CROSS)
    begun = None if start is None else load_tensors(start)
    if not steps:
        if begun is None:
            raise typer.BadParameter("Nothing is learnt in 0 steps: give --start.")
        with replacing(folder / SUCCESSION) as new:
            save_file(begun | {DIGEST: own}, new)
        return
    labelled = label_pairs(seed, load_encoder())
    told = {"pairs": digest(labelled), "cross": bytes(own.tolist()).hex(), "bf16": str(bf16)}
    told["start"] = "" if start is None else sha256(start)
    schedule = Schedule(
        steps=steps, batch=batch, rate=rate, warmup=100, save_every=100, seed=seed, inputs=told
    )
    kept = folder / "succession.training"
    with Progress() as progress:
        task = progress.add_task(f"{len(labelled):,} pairs", total=steps)
        found = train_adapted(
            cross, labelled, schedule, kept, start=begun, bf16=bf16,
            report=lambda step, values: progress.update(task, completed=step),
        )  # fmt: skip
    with replacing(folder / SUCCESSION) as new:
        save_file(found | {DIGEST: own}, new)
    (kept / CHECKPOINT).unlink()
    kept.rmdir()


if __name__ == "__main__":
    typer.run(main)
