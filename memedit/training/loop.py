"""One training loop: seeded, with checkpoints, resumable, on whatever device the model is on."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from memedit.core.errors import InvalidInputError, UntrustedFileError
from memedit.core.files import replacing
from memedit.core.untrusted import load_tensors, open_tensors, parse_json

CHECKPOINT = "checkpoint.safetensors"
_ANEW = "Remove it, or choose another folder, to begin anew."
BEST = "best.safetensors"
"""The parameters that were best on validation, beside the checkpoint."""
Report = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long and how fast. The rate rises for ``warmup`` steps, then falls as a cosine.

    Attributes:
        steps: Optimiser steps.
        batch: Examples a step.
        rate: Highest learning rate of AdamW.
        warmup: Steps.
        clip: Largest gradient norm.
        save_every: Steps between checkpoints.
        seed: Of the examples and of the weights that start at random.
        inputs: What is learnt from and begun with, as its digest by its name: a checkpoint is of
            the same only.
    """

    steps: int
    batch: int = 16
    rate: float = 5e-4
    warmup: int = 30
    clip: float = 1.0
    save_every: int = 50
    seed: int = 0
    inputs: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.save_every) < 1:
            raise InvalidInputError("steps, batch and save_every must be at least 1.")

    def at(self, step: int) -> float:
        """The learning rate of a step."""
        rise = min(1.0, (step + 1) / max(1, self.warmup))
        fall = 0.5 * (1 + math.cos(math.pi * min(1.0, step / self.steps)))
        return self.rate * rise * max(fall, 0.02)  # the last steps learn, too


@dataclass(frozen=True, slots=True)
class Validate:
    """When the parameters are tried, and how.

    Attributes:
        loss: Lower is better; on examples that are not trained on.
        every: Steps between two trials; the last step is one, too.
    """

    loss: Callable[[], float]
    every: int

    def is_due(self, step: int, steps: int) -> bool:
        """Whether the parameters after so many of the steps are tried."""
        return step % self.every == 0 or step == steps


def train(
    parameters: dict[str, nn.Parameter],
    loss_of: Callable[[int], Tensor],
    schedule: Schedule,
    folder: Path,
    *,
    report: Report = lambda step, values: None,
    faster: Mapping[str, float] | None = None,
    validate: Validate | None = None,
) -> int:
    """Minimise ``loss_of(step)``; the example order must depend on the step alone.

    ``folder`` keeps the last checkpoint: a run that was interrupted goes on from it. ``faster``
    multiplies the learning rate of single parameters. With ``validate`` the parameters end not as
    the last step leaves them but as the best validation found them.

    Returns:
        The step whose parameters these are.

    Raises:
        InvalidInputError: the checkpoint is of a run with other settings or inputs.
    """
    groups = [
        {"params": [parameter], "times": (faster or {}).get(name, 1.0)}
        for name, parameter in parameters.items()
    ]
    optimiser = torch.optim.AdamW(groups, lr=schedule.rate, weight_decay=0.0)
    start = _resume(folder, parameters, optimiser, schedule)
    for step in range(start, schedule.steps):
        for group in optimiser.param_groups:
            group["lr"] = schedule.at(step) * group["times"]
        optimiser.zero_grad(set_to_none=True)
        loss = loss_of(step)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(parameters.values(), schedule.clip)
        optimiser.step()
        report(step + 1, {"loss": loss.item(), "norm": float(norm)})
        if validate is not None and validate.is_due(step + 1, schedule.steps):
            _keep_best(folder, step + 1, parameters, validate.loss())
        if (step + 1) % schedule.save_every == 0 or step + 1 == schedule.steps:
            _save(folder, step + 1, parameters, optimiser, schedule)
    return schedule.steps if validate is None else _take_best(folder, parameters)


def draw_shuffled(step: int, schedule: Schedule, draw: Callable[[random.Random], Any]) -> list[Any]:
    """The examples of a step, alike in length within it.

    Four steps share one draw, sorted by length and dealt out in a random order, so that little of
    a batch is padding.
    """
    group, place = divmod(step, 4)
    # Of the step, no running stream: a run that is resumed sees what it would have seen.
    rng = random.Random(f"{schedule.seed}/{group}")
    drawn = sorted((draw(rng) for _ in range(4 * schedule.batch)), key=_length)
    order = rng.sample(range(4), 4)
    at = order[place] * schedule.batch
    return drawn[at : at + schedule.batch]


def _length(example: Any) -> int:
    return sum(len(tokens) for tokens in example)


def _save(
    folder: Path,
    step: int,
    parameters: dict[str, nn.Parameter],
    optimiser: torch.optim.Optimizer,
    schedule: Schedule,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for name, parameter in parameters.items():
        tensors[f"value/{name}"] = parameter.detach().contiguous()
        for key, value in optimiser.state[parameter].items():
            tensors[f"{key}/{name}"] = torch.as_tensor(value).detach().contiguous()
    metadata = {"step": str(step), "schedule": json.dumps(asdict(schedule), sort_keys=True)}
    with replacing(folder / CHECKPOINT) as new:
        # Clones: safetensors refuses tensors that share memory.
        save_file({k: v.clone() for k, v in tensors.items()}, new, metadata)


def digest(what: object) -> str:
    """Stands for plain data in :attr:`Schedule.inputs`."""
    return sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def check_checkpoint(folder: Path, schedule: Schedule) -> dict[str, str] | None:
    """What is told of the checkpoint in a folder; None: there is none.

    Raises:
        InvalidInputError: it is of a run with other settings or inputs, or cannot be read.
    """
    file = folder / CHECKPOINT
    if not file.is_file():
        return None
    metadata = _read_metadata(file)
    before, now = parse_json(metadata["schedule"], str(file)), asdict(schedule)
    if not isinstance(before, dict):
        raise InvalidInputError(f"{file} is no checkpoint of a training.", hint=_ANEW)
    inputs: dict[str, str] = before.pop("inputs", {})
    wanted: dict[str, str] = now.pop("inputs")
    others = [name for name in now if before.get(name) != now[name]]
    others += sorted(name for name in {*inputs, *wanted} if inputs.get(name) != wanted.get(name))
    if others:
        unsaid = "" if inputs or not wanted else " (it does not say what it was begun with)"
        raise InvalidInputError(
            f"{file} is of a training with other settings: {', '.join(others)}{unsaid}.",
            hint="Go on with what it was begun with; or remove it, or choose another folder, "
            "to begin anew.",
        )
    return metadata


def _read_metadata(file: Path) -> dict[str, str]:
    """What stands beside the tensors of a checkpoint."""
    try:
        with open_tensors(file, "pt") as opened:
            told: dict[str, str] = opened.metadata() or {}
    except UntrustedFileError as error:
        raise InvalidInputError(f"{file} cannot be read: {error}.", hint=_ANEW) from None
    if not {"schedule", "step"} <= told.keys():
        raise InvalidInputError(f"{file} is no checkpoint of a training.", hint=_ANEW)
    return told


def _resume(
    folder: Path,
    parameters: dict[str, nn.Parameter],
    optimiser: torch.optim.Optimizer,
    schedule: Schedule,
) -> int:
    metadata = check_checkpoint(folder, schedule)
    if metadata is None:
        # A best of another run must not be taken for one of this.
        (folder / BEST).unlink(missing_ok=True)
        return 0
    with _told(folder / CHECKPOINT):
        tensors = load_tensors(folder / CHECKPOINT)
        for name, parameter in parameters.items():
            with torch.no_grad():
                parameter.copy_(tensors[f"value/{name}"])
            # Adam's moments too: without them the first steps would be too long.
            keys = ("step", "exp_avg", "exp_avg_sq")  # of what learns
            if f"step/{name}" in tensors:
                optimiser.state[parameter] = {key: tensors[f"{key}/{name}"] for key in keys}
        return int(metadata["step"])


@contextmanager
def _told(file: Path) -> Iterator[None]:
    """Around reading a file that a training left.

    Raises:
        InvalidInputError: it is damaged.
    """
    try:
        yield
    except (UntrustedFileError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise InvalidInputError(f"{file} is damaged: {error!s:.100}.", hint=_ANEW) from None


def _keep_best(folder: Path, step: int, parameters: dict[str, nn.Parameter], loss: float) -> None:
    """Write the parameters down if none before had a lower loss."""
    file = folder / BEST
    if file.is_file() and loss >= _read_best(file)[1]:
        return
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.detach().contiguous().clone() for name, value in parameters.items()}
    with replacing(file) as new:
        save_file(tensors, new, {"step": str(step), "loss": repr(loss)})


def _read_best(file: Path) -> tuple[int, float]:
    """(the step, its loss)."""
    with _told(file):
        with open_tensors(file, "pt") as opened:
            metadata = opened.metadata() or {}
        return int(metadata["step"]), float(metadata["loss"])


def _take_best(folder: Path, parameters: dict[str, nn.Parameter]) -> int:
    """Put the best values into the parameters; returns their step."""
    file = folder / BEST
    with _told(file):
        tensors = load_tensors(file)
        for name, parameter in parameters.items():
            with torch.no_grad():
                parameter.copy_(tensors[name])
    return _read_best(file)[0]


def chunks(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    """Consecutive parts of at most ``size``."""
    return (items[i : i + size] for i in range(0, len(items), size))
