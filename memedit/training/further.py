"""Teaching a trained scope further, from memories whose requests are labelled in full.

The cross-encoder is trained on from its weights, the new pairs mixed with others so that it does
not forget; kept is the mean of the weights before and after that reads best what was held out
(weight averaging keeps what fine-tuning forgets: Wortsman et al. 2022, "Robust fine-tuning of
zero-shot models"). Then the probabilities are fitted anew.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from memedit.core.errors import InvalidInputError
from memedit.core.files import check_file, sha256
from memedit.core.protocols import IsTransformer
from memedit.training.memories import Memories, pair_memories
from memedit.training.requests.banks import bank
from memedit.training.requests.noise import add_noise

if TYPE_CHECKING:
    from memedit.core.protocols import Encoder
    from memedit.scope.cross import CrossEncoder
    from memedit.training.cross import Labelled
    from memedit.training.loop import Schedule
    from memedit.training.pairs import Pairs

Progress = Callable[[str, int, int], None]
MISSPELT = 0.44
"""Share of the requests that are learnt from misspelt beside as they are written."""
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""How much of the weights after the training is tried in the mean; 0 leaves them as they were."""
_HELD_OUT = 8
"""One memory of so many is held out where none is named."""
_PAIRS, _OTHER_PAIRS = 5, 3
"""Pairs of one request to a memory, and of one of a file, about."""
_CALIBRATING = 700
"""Requests of other data that calibrate, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """What a batch is drawn from, as shares that add up to 1.

    Attributes:
        new: Of the new memories.
        own: Of the packaged ones (``assistants.json``).
        other: Of a file of requests (``python -m memedit.training.requests``); without a file
            theirs goes to the packaged ones.
    """

    new: float = 0.4
    own: float = 0.25
    other: float = 0.35


def teach_further(
    memories: Memories,
    out: Path,
    *,
    start: Path,
    schedule: Schedule,
    encoder: str | None = None,
    requests: Path | None = None,
    hold_out: Collection[str] = (),
    mixture: Mixture = Mixture(),
    device: str | None = None,
    bf16: bool = False,
    progress: Progress = lambda what, done, total: None,
) -> dict[str, Any]:
    """Train the scope in ``start`` further and save it in ``out``; returns its manifest.

    Interrupted, it goes on from the last checkpoint in ``out`` when called again with the same;
    with something else it is refused.

    Args:
        memories: As :func:`memedit.training.memories.check_memories` gives them.
        out: Folder of the result.
        start: Folder of a scope with a cross-encoder.
        schedule: Steps, batch and rate.
        encoder: Name of its sentence encoder; default the packaged one.
        requests: File of requests with roles, learnt from and calibrated on too.
        hold_out: Names of memories that are only calibrated on; default every eighth.
        mixture: What the batches are of.
        device: Where it trains; None lets torch choose.
        bf16: As in :func:`memedit.training.cross.train_cross`.
        progress: Called with (what, done, in all).

    Raises:
        InvalidInputError: the scope has no cross-encoder, nothing is left to learn from, or the
            checkpoint in ``out`` was begun with something else.
    """
    from memedit.engine.encoders import load_encoder
    from memedit.scope.classifier import PairModel
    from memedit.scope.cross import FILE, CrossEncoder
    from memedit.training.cross import fit_joints, save_cross, train_cross
    from memedit.training.loop import CHECKPOINT, check_checkpoint, digest

    encoding = load_encoder(encoder, device)
    model = PairModel.load(start)
    if not isinstance(encoding, IsTransformer) or not (start / FILE).is_file():
        raise InvalidInputError(
            f"The scope in {start} has no cross-encoder to train further.",
            hint="Train one: memedit train scope --out DIR.",
        )
    if out.resolve() == start.resolve():
        raise InvalidInputError(
            f"{out} holds the scope that is trained further.", hint="Give another folder as --out."
        )
    new, held = split_memories(memories, hold_out)
    _check_roles(held)
    told = {"the memories": memories, "what is held out": sorted(held), "bf16": bf16}
    told |= {"the scope it starts from": sha256(start / FILE), "the encoder": encoding.id}
    told |= _describe_others(requests, mixture)
    schedule = replace(schedule, inputs={name: digest(what) for name, what in told.items()})
    check_checkpoint(out, schedule)  # before pairs are made, which takes minutes
    with _coarsely(before := CrossEncoder.load(start, encoding), bf16):
        learnt = _draw(new, requests, encoding, schedule, mixture, progress)
    judged = _pair_held_out(held, requests, encoding, schedule.seed, progress)
    after = train_cross(
        encoding, learnt, schedule, out, start=_copy(before), bf16=bf16,
        report=lambda step, v: progress(f"Cross-encoder ({v['loss']:.3f})", step, schedule.steps),
    )  # fmt: skip
    share, losses = _choose_share(before, after, judged, progress)
    save_cross(mix(before, after, share), encoding, out / FILE)
    cross = CrossEncoder.load(out, encoding)
    asks, bears = fit_joints(model, _gather(judged), cross)
    model = replace(model, join=asks, bears=bears, manifest=dict(model.manifest))
    model.manifest["further"] = {
        "memories": len(new), "held_out": sorted(held), "steps": schedule.steps,
        "share": share, "losses": losses, "pairs": len(learnt),
        "areas": {"before": _rate_areas(judged, before), "after": _rate_areas(judged, cross)},
    }  # fmt: skip
    model.save(out)
    (out / CHECKPOINT).unlink(missing_ok=True)
    return model.manifest


def _coarsely(cross: CrossEncoder, bf16: bool) -> AbstractContextManager[object]:
    """With passes in bfloat16 where wanted: of pairs that are learnt, the texts stay the same, and
    only which of the near edits are among them may differ."""
    import torch

    return torch.autocast(cross.head.weight.device.type, torch.bfloat16, enabled=bf16)


def _describe_others(requests: Path | None, mixture: Mixture) -> dict[str, Any]:
    """What is learnt from beside the new memories."""
    if requests is not None:
        check_file(requests)
    return {
        "the requests": requests and sha256(requests),
        "the packaged memories": bank("assistants"),
        "the mixture": asdict(mixture),
    }


def split_memories(
    memories: Memories, hold_out: Collection[str] = ()
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what is learnt from, what is held out); every eighth by name where ``hold_out`` is empty.

    Raises:
        InvalidInputError: a name there is not, or nothing is left on one side.
    """
    if unknown := [name for name in hold_out if name not in memories]:
        raise InvalidInputError(
            f"There is no memory called {unknown[0]!r} to hold out.",
            hint=f"There are {', '.join(memories)}.",
        )
    named = set(hold_out or sorted(memories)[::_HELD_OUT])
    held = {name: told for name, told in memories.items() if name in named}
    new = {name: told for name, told in memories.items() if name not in named}
    if not new or not held:
        raise InvalidInputError(
            f"{len(memories)} memories are too few to learn from some and calibrate on others.",
            hint="Give at least two, and do not hold out all.",
        )
    return new, held


def _check_roles(held: Memories) -> None:
    """
    Raises:
        InvalidInputError: not every role comes in what is held out: nothing can be fitted on it.
    """
    asked = [request for told in held.values() for request in told["requests"]]
    found = {
        "asks": any(request.get("asks") for request in asked),
        "informs": any(request.get("informs") for request in asked),
        "neither": any(not (r.get("asks") or r.get("informs")) for r in asked),
    }
    if missing := [role for role, there in found.items() if not there]:
        raise InvalidInputError(
            f"The memories that are held out ({', '.join(held)}) have no request of the kind "
            f"{missing[0]!r}: the probabilities cannot be fitted on them.",
            hint="Hold out others, or more of them, or write such requests.",
        )


def mix(before: CrossEncoder, after: CrossEncoder, share: float) -> CrossEncoder:
    """``share`` of the weights after and the rest of those before."""
    import torch

    mixed = _copy(before)
    others = dict(after.named_parameters())
    with torch.no_grad():
        for name, parameter in mixed.named_parameters():
            parameter.lerp_(others[name].to(parameter.device), share)
    return mixed.eval()


def _copy(cross: CrossEncoder) -> CrossEncoder:
    return cross.share_with(copy.deepcopy(cross.body), copy.deepcopy(cross.head))


def _draw(
    new: Memories,
    requests: Path | None,
    encoder: Encoder,
    schedule: Schedule,
    mixture: Mixture,
    progress: Progress,
) -> list[Labelled]:
    """As many pairs as the schedule reads, in the shares of the mixture."""
    rng = random.Random(schedule.seed)
    sources = [(mixture.new, _pair_twice(new, encoder, rng, progress))]
    if requests is None:
        mixture = replace(mixture, own=mixture.own + mixture.other)
    else:
        most = int(mixture.other * schedule.steps * schedule.batch / _OTHER_PAIRS)
        other = _read(requests, "train", most, encoder, schedule.seed, progress)
        sources.append((mixture.other, _label(other)))
    wanted = schedule.steps * schedule.batch
    own = _sample(bank("assistants"), int(mixture.own * wanted / (2 * _PAIRS)) + 1, rng)
    sources.append((mixture.own, _pair_twice(own, encoder, rng, progress)))
    drawn = [pair for share, pairs in sources for pair in _take(pairs, int(share * wanted), rng)]
    rng.shuffle(drawn)
    return drawn


def _sample(memories: Memories, size: int, rng: random.Random) -> Memories:
    """The memories with so many of their requests in all: more would be read for nothing."""
    every = [(name, asked) for name, told in memories.items() for asked in told["requests"]]
    chosen: dict[str, list[Any]] = {}
    for name, asked in rng.sample(every, min(size, len(every))):
        chosen.setdefault(name, []).append(asked)
    return {
        name: {"facts": memories[name]["facts"], "requests": requests}
        for name, requests in chosen.items()
    }


def _take(pairs: Sequence[Labelled], size: int, rng: random.Random) -> list[Labelled]:
    """So many of the pairs; every one before one comes twice."""
    whole, rest = divmod(size, max(1, len(pairs)))
    return [*pairs] * whole + rng.sample(pairs, rest if pairs else 0)


def _pair_twice(
    memories: Memories, encoder: Encoder, rng: random.Random, progress: Progress
) -> list[Labelled]:
    """Pairs of the requests as they are written, and of them with some misspelt."""

    def dress(text: str) -> str:
        return add_noise(text, rng) if rng.random() < MISSPELT else text

    found: list[Labelled] = []
    for form in (str, dress):
        pairs = pair_memories(
            memories, encoder, dress=form,
            progress=lambda done, total: progress("Memories", done, total),
        )  # fmt: skip
        found += _label(pairs)
    return list(dict.fromkeys(found))


def _label(pairs: Pairs) -> list[Labelled]:
    return list(zip(pairs.texts, pairs.labels.tolist(), strict=True))


def _read(
    requests: Path, split: str, most: int, encoder: Encoder, seed: int, progress: Progress
) -> Pairs:
    """Pairs of the requests of a split, every kind of them as often as any other."""
    from memedit.training.roles import build, read_requests

    found = read_requests(requests, split, seed=seed)
    turns: dict[str, int] = {}
    places = []
    for request in found:
        kind = f"{request['set']}/{request['kind']}"
        turns[kind] = turns.get(kind, 0) + 1
        places.append(turns[kind])
    order = sorted(range(len(found)), key=places.__getitem__)
    chosen = [found[i] for i in order[:most]]
    return build(chosen, encoder, progress=lambda d, n: progress(f"Requests ({split})", d, n))


def _pair_held_out(
    held: Memories, requests: Path | None, encoder: Encoder, seed: int, progress: Progress
) -> dict[str, Pairs]:
    """What the result is judged by and calibrated on."""
    found = {"held out": pair_memories(held, encoder)}
    if requests is not None:
        found["other"] = _read(requests, "calib", _CALIBRATING, encoder, seed, progress)
    return found


def _gather(judged: Mapping[str, Pairs]) -> Pairs:
    from memedit.training.roles import join_pairs

    first, *others = judged.values()
    return join_pairs(first, others[0]) if others else first


def _choose_share(
    before: CrossEncoder, after: CrossEncoder, judged: Mapping[str, Pairs], progress: Progress
) -> tuple[float, dict[str, float]]:
    """(the share with the least loss in the mean over what it is judged by, the loss of each)."""
    losses = {}
    for number, share in enumerate(SHARES, start=1):
        mixed = mix(before, after, share)
        losses[str(share)] = float(np.mean([_measure(mixed, pairs) for pairs in judged.values()]))
        progress("Trying means of the weights", number, len(SHARES))
    return float(min(losses, key=losses.__getitem__)), losses


def _measure(cross: CrossEncoder, pairs: Pairs) -> float:
    """Binary cross-entropy of both logits."""
    from memedit.training.cross import ASKS, NONE

    logits = cross.logits(pairs.texts).astype(np.float64)
    truth = np.stack((pairs.labels == ASKS, pairs.labels != NONE), axis=1)
    return float(np.mean(np.logaddexp(0.0, np.where(truth, -logits, logits))))


def _rate_areas(judged: Mapping[str, Pairs], cross: CrossEncoder) -> dict[str, tuple[float, float]]:
    """Area under the ROC curve of asking and of bearing, for each of what it is judged by."""
    from sklearn.metrics import roc_auc_score

    from memedit.training.cross import ASKS, NONE

    found = {}
    for name, pairs in judged.items():
        logits = cross.logits(pairs.texts)
        truths = (pairs.labels == ASKS, pairs.labels != NONE)
        areas = [roc_auc_score(t, column) for t, column in zip(truths, logits.T, strict=True)]
        found[name] = (round(float(areas[0]), 4), round(float(areas[1]), 4))
    return found
