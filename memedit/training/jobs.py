"""The trainings as a user runs them: from data files to a folder with a manifest."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memedit.core.errors import InvalidInputError
from memedit.core.protocols import IsTransformer
from memedit.data.facts import Fact, read_facts
from memedit.data.split import part_of
from memedit.data.texts import sentences
from memedit.training.inputs import begin_with, provenance, sha256_of
from memedit.training.loop import BEST, CHECKPOINT, Report, Schedule, check_checkpoint

if TYPE_CHECKING:
    from memedit.core.protocols import Encoder
    from memedit.engine.engine import Engine
    from memedit.scope.classifier import PairModel
    from memedit.scope.cross import CrossEncoder
    from memedit.training.pairs import Pairs

Progress = Callable[[str, int, int], None]


def _tell_nothing(what: str, done: int, total: int) -> None:
    pass


def split_facts(facts: Sequence[Fact]) -> dict[str, list[Fact]]:
    """Facts by part (:mod:`memedit.data.split`).

    Raises:
        InvalidInputError: nothing to train or to calibrate on.
    """
    found: dict[str, list[Fact]] = {"train": [], "calibration": [], "evaluation": []}
    for fact in facts:
        found[part_of(fact.subject)].append(fact)
    if not found["train"] or not found["calibration"]:
        raise InvalidInputError(
            f"{len(facts)} facts are too few to split by subject.", hint="Give more data files."
        )
    return found


def train_scope(
    data: Sequence[Path],
    texts: Sequence[Path],
    out: Path,
    *,
    encoder: str | None = None,
    seed: int = 0,
    most: int | None = None,
    cross_steps: int = 1_500,
    requests: Path | None = None,
    device: str | None = None,
    progress: Progress = _tell_nothing,
) -> dict[str, Any]:
    """Train, calibrate and save a scope; returns its manifest.

    First the pair network, then the cross-encoder on what that leaves in doubt. The labelled pairs
    and the cross-encoder's checkpoints are kept in ``out`` while it runs: an interrupted run takes
    them up again.

    Args:
        data: CounterFact, zsRE and KnowEdit files.
        texts: Files of ordinary text.
        out: Folder of the result.
        encoder: Name of the sentence encoder; default the packaged one.
        seed: Of queries and weights.
        most: At most so many facts of each part; None for all.
        cross_steps: Optimiser steps of the cross-encoder; 0 for none. An encoder that is no
            transformer (hashing) has none.
        requests: File of requests with roles (``python -m memedit.training.requests``), learnt
            from too; without it the scope knows nothing of edits that only inform.
        device: Where the encoder and the cross-encoder run; None lets torch choose.
        progress: Called with (what, done, in all).

    Raises:
        InvalidInputError: the checkpoint in ``out`` was begun with something else.
    """
    from memedit.engine.encoders import load_encoder
    from memedit.training.cross import chances
    from memedit.training.scope import calibrate, summary, train_pair_model

    encoding = load_encoder(encoder, device)
    files = [*data, *([requests] if requests else [])]
    manifest = {
        "encoder": encoding.id, "encoder_name": encoder, **provenance(files, texts, seed)
    }  # fmt: skip
    schedule = Schedule(
        steps=max(1, cross_steps), batch=32, rate=2e-4, warmup=60, save_every=100, seed=seed
    )
    learnt = {"the data": data, "the texts": texts, "the requests": files[len(data) :]}
    schedule = begin_with(schedule, encoding.id, learnt, most=most)
    if cross_steps and isinstance(encoding, IsTransformer):
        # Before minutes of pairs, and before what stands in ``out`` is written over.
        check_checkpoint(out, schedule)
    pairs = _pairs(data, texts, out, encoding, manifest, seed, most, progress)
    if requests is not None:
        pairs = _add_requests(pairs, requests, encoding, seed, most, progress)
    model = train_pair_model(
        pairs["train"],
        seed=seed,
        manifest=manifest,
        report=lambda epoch, loss, epochs: progress(f"Training ({loss:.3f})", epoch, epochs),
    )
    model = calibrate(model, pairs["calibration"])
    model.save(out)
    model, cross = _add_cross(out, pairs, encoding, schedule if cross_steps else None, progress)
    metrics = summary(pairs["calibration"], chances(model, pairs["calibration"], cross))
    sizes = {name: len(part) for name, part in pairs.items()}
    steps = cross_steps if cross else 0
    model.manifest.update(metrics=metrics, pairs=sizes, cross_steps=steps)
    model.save(out)
    _clear(out, trained=cross is not None)
    return model.manifest


def _clear(out: Path, *, trained: bool) -> None:
    """Remove what was kept for an interrupted run to go on with.

    Args:
        trained: Whether a cross-encoder was. A checkpoint is else another training's: it stays, and
            so do the pairs beside it.
    """
    if not trained and (out / CHECKPOINT).exists():
        return
    for file in (*out.glob("pairs-*.safetensors"), *out.glob("checkpoint.*")):
        file.unlink()


def _pairs(
    data: Sequence[Path],
    texts: Sequence[Path],
    out: Path,
    encoder: Encoder,
    manifest: dict[str, Any],
    seed: int,
    most: int | None,
    progress: Progress,
) -> dict[str, Pairs]:
    """Labelled pairs of the training and the calibration part."""
    from memedit.training.pairs import cache_pairs

    # Of CounterFact only records with paraphrases: the others do not show what asks the same.
    parts = split_facts([f for f in read_facts(data) if f.source != "counterfact" or f.paraphrases])
    plain = sentences(texts)
    found = {}
    for part in ("train", "calibration"):
        facts = parts[part]
        random.Random(seed).shuffle(facts)
        # Whatever makes other pairs is in the name: data, encoder, seed, versions, how many.
        lists = len(data), len(texts)  # the manifest has both in one
        key = hashlib.sha256(json.dumps([manifest, lists, part, most]).encode()).hexdigest()[:16]
        found[part] = cache_pairs(
            out / f"pairs-{part}-{key}.safetensors",
            facts[:most],
            plain,
            encoder,
            seed=seed,
            progress=partial(progress, f"Pairs to {part}"),
        )
    return found


def _add_requests(
    pairs: dict[str, Pairs],
    file: Path,
    encoder: Encoder,
    seed: int,
    most: int | None,
    progress: Progress,
) -> dict[str, Pairs]:
    """The pairs of both parts with those of the requests, which are quick to make anew."""
    from memedit.training.roles import build, join_pairs, read_requests

    found = {}
    for part, split in (("train", "train"), ("calibration", "calib")):
        read = read_requests(file, split, most=most, seed=seed)
        made = build(read, encoder, progress=partial(progress, f"Requests to {part}"))
        found[part] = join_pairs(pairs[part], made)
    return found


def _add_cross(
    out: Path,
    pairs: dict[str, Pairs],
    encoder: Encoder,
    schedule: Schedule | None,
    progress: Progress,
) -> tuple[PairModel, CrossEncoder | None]:
    """The model as it was saved in ``out``, joined with a cross-encoder if one is wanted."""
    from memedit.scope.classifier import PairModel
    from memedit.scope.cross import CrossEncoder
    from memedit.training.cross import choose_pairs, fit_joints, train_cross

    model = PairModel.load(out)  # as it is shipped: in half precision
    if schedule is None or not isinstance(encoder, IsTransformer):
        return model, None
    train_cross(
        encoder,
        choose_pairs(model, pairs["train"], schedule.seed),
        schedule,
        out,
        report=lambda step, v: progress(f"Cross-encoder ({v['loss']:.3f})", step, schedule.steps),
    )
    cross = CrossEncoder.load(out, encoder)
    asks, bears = fit_joints(model, pairs["calibration"], cross)
    return replace(model, join=asks, bears=bears), cross


def _open_engine(model: str | None, device: str | None, dtype: Any = None) -> Engine:
    """The base to train for."""
    from memedit.engine import loading
    from memedit.engine.engine import Engine

    base, tokenizer = loading.load(model, dtype=dtype, device=device)
    return Engine(base.requires_grad_(False), tokenizer)  # else its gradients are worked out, too


def _describe_training(lm: Engine, schedule: Schedule) -> dict[str, Any]:
    """For which base, how long and how fast."""
    return {
        "base": lm.fingerprint,
        "model": str(getattr(lm.base.config, "_name_or_path", "")).rpartition("/")[2],
        "steps": schedule.steps,
        "batch": schedule.batch,
        "rate": schedule.rate,
    }


def train_adapter(
    data: Sequence[Path],
    texts: Sequence[Path],
    out: Path,
    *,
    model: str | None = None,
    device: str | None = None,
    dtype: Any = None,
    schedule: Schedule,
    start: Path | None = None,
    report: Report = lambda step, values: None,
) -> dict[str, Any]:
    """Train and save SERAC's counterfactual adapter for a base model; returns its manifest.

    Interrupted, it goes on from the last checkpoint in ``out`` when run again with the same
    settings. ``start`` is the folder of an adapter to begin with; it stays as it is.
    """
    from memedit.editors.prompting.adapter import MANIFEST, WEIGHTS
    from memedit.training.counterfactual import targets_of, train_counterfactual

    lm = _open_engine(model, device, dtype)
    about = _describe_training(lm, schedule)  # now: the base's fingerprint without an adapter
    begun = None if start is None else sha256_of(start / WEIGHTS)
    learnt = {"the data": data, "the texts": texts}
    schedule = begin_with(schedule, about["base"], learnt, start=begun)
    parts = split_facts(read_facts(data))
    trained, scores = train_counterfactual(
        lm.base,
        lm.tokenizer,
        targets_of(lm.sites),
        parts["train"],
        parts["calibration"],
        sentences(texts),
        schedule,
        out,
        start=start,
        report=report,
    )
    manifest = {
        **about,
        "start": None if start is None else json.loads((start / MANIFEST).read_text("utf-8")),
        **provenance(data, texts, schedule.seed),
        "metrics": scores,
    }
    _save_adapter(trained, out, manifest)
    return manifest


def train_chains(
    data: Sequence[Path],
    facts: Sequence[Path],
    texts: Sequence[Path],
    out: Path,
    *,
    model: str | None = None,
    device: str | None = None,
    dtype: Any = None,
    schedule: Schedule,
    report: Report = lambda step, values: None,
) -> dict[str, Any]:
    """Train and save MeLLo's decomposer for a base model; returns its manifest.

    Interrupted, it goes on from the last checkpoint in ``out`` when run again with the same
    settings.

    Args:
        data: MQuAKE files; chains of the evaluation part are held out.
        facts: CounterFact, zsRE and KnowEdit files, whose subjects composed questions are about.
        texts: Files of ordinary text.
        out: Folder of the result.
        model, device, dtype: The base.
        schedule: Of the training.
        report: Called after each step.
    """
    from memedit.training import decomposer
    from memedit.training.counterfactual import targets_of

    lm = _open_engine(model, device, dtype)
    about = _describe_training(lm, schedule)
    learnt = {"the data": data, "the facts": facts, "the texts": texts}
    schedule = begin_with(schedule, about["base"], learnt)
    chains = [chain for path in data for chain in decomposer.read_chains(path)]
    parts: dict[decomposer.Part, list[decomposer.Chain]] = {"train": [], "evaluation": []}
    for chain in chains:
        parts[decomposer.chain_part(chain.relations)].append(chain)
    if not parts["train"]:
        raise InvalidInputError("There is no chain to train on.", hint="Give more MQuAKE records.")
    plain = sentences(texts) if texts else []
    subjects = {chain.subject for chain in parts["train"]}
    subjects |= {f.subject for f in read_facts(facts) if part_of(f.subject) == "train"}
    named = sorted(subjects)
    examples = {n: decomposer.Chains(part, n, named, plain) for n, part in parts.items()}
    trained, scores = decomposer.train_decomposer(
        lm.base,
        lm.tokenizer,
        targets_of(lm.sites),
        examples,
        schedule,
        out,
        report=report,
    )
    manifest = {
        **about,
        **provenance([*data, *facts], texts, schedule.seed),
        "split": decomposer.describe(),
        "metrics": scores,
    }
    _save_adapter(trained, out, manifest)
    return manifest


def _save_adapter(trained: Any, out: Path, manifest: dict[str, Any]) -> None:
    """The adapter in half precision with its manifest; the checkpoint is no longer needed."""
    import torch
    from safetensors.torch import load_file, save_file

    from memedit.editors.prompting.adapter import MANIFEST, WEIGHTS

    trained.save_pretrained(out)
    (out / "README.md").unlink(missing_ok=True)  # PEFT's blank model card
    tensors = {n: t.to(torch.bfloat16).contiguous() for n, t in load_file(out / WEIGHTS).items()}
    save_file(tensors, out / WEIGHTS)
    (out / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    (out / CHECKPOINT).unlink(missing_ok=True)


def train_hypernetwork(
    kind: str,
    data: Sequence[Path],
    texts: Sequence[Path],
    out: Path | None,
    *,
    model: str | None = None,
    device: str | None = None,
    schedule: Schedule,
    rank: int = 256,
    retained: int = 7,
    end: bool = False,
    report: Report = lambda step, values: None,
) -> dict[str, Any]:
    """Train and save MEND's or KE's network for a base model; returns its manifest.

    Interrupted, it goes on from the last checkpoint when run again with the same settings.

    Args:
        kind: ``"mend"`` or ``"ke"``.
        data: CounterFact, zsRE or KnowEdit files; their training subjects are learnt from, those
            for calibration choose the state that is kept.
        texts: Files of ordinary text.
        out: Folder of the result; None for where the editor looks by itself.
        model: The base; None for the default.
        device: Where to train.
        schedule: How long and how fast.
        rank: Of MEND's transforms.
        retained: Other prompts in a lesson of KE.
        end: The end of the answer is part of the targets.
        report: Called after every step.
    """
    from memedit.editors.weights.hypernetworks import folder_of
    from memedit.training.hypernetworks import KeTraining, MendTraining

    lm = _open_engine(model, device)
    folder = out or folder_of(kind, lm.fingerprint)
    own = {"rank": rank} if kind == "mend" else {"retained": retained}
    learnt = {"the data": data, "the texts": texts}
    schedule = begin_with(schedule, lm.fingerprint, learnt, kind=kind, end=end, **own)
    parts, plain = split_facts(read_facts(data)), sentences(texts)
    facts, held_out = parts["train"], parts["calibration"]
    training: MendTraining | KeTraining
    if kind == "mend":
        training = MendTraining(
            lm, facts, plain, rank=rank, seed=schedule.seed, held_out=held_out, end=end
        )
    else:
        training = KeTraining(
            lm, facts, plain, seed=schedule.seed, retained=retained, held_out=held_out, end=end
        )
    metrics = training.run(folder, schedule, report)
    manifest = {
        **_describe_training(lm, schedule),
        **provenance(data, texts, schedule.seed),
        "metrics": metrics,
    }
    training.save(folder, manifest)
    for name in (CHECKPOINT, BEST):
        (folder / name).unlink(missing_ok=True)
    return {**manifest, "folder": str(folder)}
