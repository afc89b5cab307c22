"""Training MEND's and KE's networks for one base model (Mitchell et al. 2022; De Cao et al. 2021).

Both learn to make an edit hold on a rephrase while an unrelated text is answered as before. The
base's weights never change: an edited model is the base with the terms of the update beside it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from memedit.core.calls import LM
from memedit.core.errors import InvalidInputError
from memedit.core.types import Edit
from memedit.data.facts import Fact
from memedit.editors import ke, mend
from memedit.editors._sequences import Sequenced, sequence_prompt
from memedit.editors.weights.gradients import Factors, factors
from memedit.editors.weights.hypernetworks import (
    block_of,
    divergence,
    find_last_mlps,
    make_hooks,
    save,
    shapes_of,
)
from memedit.engine.passes import Pass, Seen, log_probs
from memedit.training.loop import Report, Schedule, Validate, train

Terms: TypeAlias = "dict[str, tuple[Tensor, Tensor]]"
"""Site -> (U [m, d_in], V [m, d_out]), added as ``V^T U``."""
Run: TypeAlias = "Callable[[Path, Schedule, Report], dict[str, float]]"

EDIT_SHARE = 0.1
"""Weight of MEND's edit loss beside its locality loss (c_e)."""
SMOOTHING = 0.1
MARGIN, LEAST_MARGIN, MARGIN_DECAY = 1e-3, 1e-5, 0.8
MULTIPLIER_RATE, PUBLISHED_STEPS = 0.1, 200_000
"""KE's multiplier learns at this rate over so many steps; over fewer it is slower by as much, or it
would outgrow the loss of the edits before any is learnt."""
EPOCH, ENOUGH = 500, 0.9
"""KE's bound is tightened after so many steps, where so many edits succeed by then."""
# edits that the norms are taken over, and lessons that a validation is
_NORM_EDITS, _VALIDATED = 200, 30
_VALIDATIONS, _LEAST_EVERY = 20, 10  # trials in a training, and steps between two at least
_LONGEST = 48  # tokens of an unrelated text


@dataclass(frozen=True, slots=True)
class Lesson:
    """One step's texts: the edit, a rephrase with the same target, and unrelated texts."""

    edit: Edit
    rephrase: str
    unrelated: tuple[str, ...]


class Lessons:
    """Draws lessons from facts that have rephrases; by step and seed alone.

    Args:
        facts: CounterFact, zsRE or KnowEdit facts.
        texts: Ordinary sentences.
        seed: Of every draw.
        unrelated: How many texts a lesson has besides the edit.

    Raises:
        InvalidInputError: no fact has a rephrase.
    """

    def __init__(
        self, facts: Sequence[Fact], texts: Sequence[str], *, seed: int, unrelated: int
    ) -> None:
        self.facts = [f for f in facts if f.paraphrases or f.questions]
        self.texts, self.seed, self.unrelated = list(texts), seed, unrelated
        if not self.facts:
            raise InvalidInputError("No fact has a rephrase to learn from.")

    def __call__(self, step: int | str) -> Lesson:
        rng = random.Random(f"{self.seed}/{step}")
        fact = rng.choice(self.facts)
        wordings = [text for text in (*fact.paraphrases, *fact.questions) if text.strip()]
        # A text or a neighbour, as likely; without neighbours always a text.
        pool = [rng.choice(self.texts), *rng.sample(fact.neighbours, min(1, len(fact.neighbours)))]
        others = [rng.choice(pool)]
        others += [rng.choice(self.facts).prompt for _ in range(self.unrelated - 1)]
        return Lesson(fact.edit, rng.choice(wordings), tuple(others))


class Student:
    """What the trainings of both methods share: the base, seen with terms beside it.

    Args:
        lm: The base.
        sites: The modules that edits change.
        end: The end of the answer is part of the targets.
    """

    def __init__(self, lm: LM, sites: Sequence[str], *, end: bool = False) -> None:
        self.lm, self.sites, self.end = lm, tuple(sites), end
        # The base is frozen: what enters the first changed block is kept for texts that come again.
        self.over = Seen(lm, block_of(lm, sites))

    def edit_rows(self, lesson: Lesson) -> tuple[Sequenced, Sequenced]:
        """(the edit's own prompt, the rephrase), each with the new target."""
        target = lesson.edit.target_new
        own = sequence_prompt(self.lm, lesson.edit.prompt, target, None, end=self.end)
        return own, sequence_prompt(self.lm, lesson.rephrase, target, None, end=self.end)

    def factors(self, passing: Pass, own: Sequenced) -> dict[str, Factors]:
        """The factors of one edit's gradient, per module, from a pass over its row."""
        return factors(passing, [own], self.sites, answers=False)[0]

    def target_logs(self, rows: Sequence[Sequenced], terms: Terms) -> list[Tensor]:
        """Per row [n, V] log-probabilities where its target's tokens are predicted."""
        hidden = self.over([row.ids for row in rows]).run(after=make_hooks(terms))
        return [log_probs(self.lm, hidden[i, row.places]) for i, row in enumerate(rows)]

    def measure_moved(self, texts: Sequence[str], terms: Terms, *, every: bool) -> Tensor:
        """Mean KL(base || edited) at every token of the texts, or at their last ones."""
        rows = [self.lm.codec.ids(text, special=True)[:_LONGEST] for text in texts]
        passing = self.over(rows)
        place = [
            (i, t)
            for i, row in enumerate(rows)
            for t in range(0 if every else len(row) - 1, len(row))
        ]
        at, column = torch.tensor(place, device=passing.entering.device).T
        with torch.no_grad():
            before = log_probs(self.lm, passing.run()[at, column])
        after = log_probs(self.lm, passing.run(after=make_hooks(terms))[at, column])
        return divergence(before, after)


def nll(logs: Tensor, target: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean NLL of target tokens [n] under logs [n, V]."""
    return F.cross_entropy(logs, target.to(logs.device), label_smoothing=smoothing)


# MEND


class MendTraining:
    """MEND's objective: ``0.1 * NLL of the rephrase + KL on an unrelated text``.

    Args:
        lm: The base.
        facts, texts: What to learn from.
        rank: Of the transforms.
        seed: Of weights and lessons.
        held_out: Facts that the best state is chosen by; none: the same facts.
        end: The end of the answer is part of the targets, as in the paper's models.
    """

    def __init__(
        self,
        lm: LM,
        facts: Sequence[Fact],
        texts: Sequence[str],
        *,
        rank: int,
        seed: int,
        held_out: Sequence[Fact] = (),
        end: bool = False,
    ) -> None:
        sites = find_last_mlps(lm, skip=1)
        self.student, self.rank = Student(lm, sites, end=end), rank
        self.lessons = Lessons(facts, texts, seed=seed, unrelated=1)
        self.validation = Lessons(held_out or facts, texts, seed=seed, unrelated=1)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = mend.Network(shapes_of(lm, sites), rank=rank, rate=1e-4)

    def normalise(self) -> None:
        """Set mean and deviation of every shape's factors over the gradients of some edits."""
        found: dict[str, list[Tensor]] = {}
        for i in range(min(_NORM_EDITS, len(self.lessons.facts))):
            own, _ = self.student.edit_rows(self.lessons(f"norm-{i}"))
            for site, each in self.student.factors(self.student.over([own.ids]), own).items():
                # Tokens that no gradient reaches, and padding, would draw mean and deviation
                # towards zero.
                live = each.inputs.any(-1) & each.gradients.any(-1)
                both = torch.cat([each.inputs, each.gradients], dim=1)[live]
                found.setdefault(self.network.shape_of[site], []).append(both)
        for shape, parts in found.items():
            rows = torch.cat(parts).double()  # sums of thousands of rows
            transform = self.network.transforms[shape]
            assert isinstance(transform, mend.Transform)
            transform.mean.copy_(rows.mean(0).float())
            transform.deviation.copy_(rows.std(0).float())

    def terms(self, own: Sequenced) -> Terms:
        """The update of one edit; differentiable in the network, not in the factors."""
        found = self.student.factors(self.student.over([own.ids]), own)
        return {site: self.network.terms(site, each)[:2] for site, each in found.items()}

    def losses(self, step: int | str) -> tuple[Tensor, Tensor]:
        """(edit loss, locality loss) of a step's lesson, or of a validation's."""
        lesson = (self.lessons if isinstance(step, int) else self.validation)(step)
        own, rephrase = self.student.edit_rows(lesson)
        terms = self.terms(own)
        (logs,) = self.student.target_logs([rephrase], terms)
        return nll(logs, rephrase.target), self.student.measure_moved(
            lesson.unrelated, terms, every=True
        )

    def run(self, folder: Path, schedule: Schedule, report: Report) -> dict[str, float]:
        """Train, and keep the best state; the losses before and after, on held-out lessons."""
        self.normalise()
        before = self._validate()

        def loss_of(step: int) -> Tensor:
            parts = [self.losses(step * schedule.batch + i) for i in range(schedule.batch)]
            total = [EDIT_SHARE * edit + local for edit, local in parts]
            return torch.stack(total).mean()

        faster = {"rates": 10.0}  # the paper: learning rates learn at 1e-4, the network at 1e-6
        best = train(
            _name_parameters(self.network), loss_of, schedule, folder, report=report, faster=faster,
            validate=_validation(self._validate, "locality_kl", schedule),
        )  # fmt: skip
        after = self._validate() | {"best_step": float(best)}
        return {f"{name}_before": value for name, value in before.items()} | after

    def _validate(self, lessons: int = _VALIDATED) -> dict[str, float]:
        with torch.no_grad():
            parts = [self.losses(f"valid-{i}") for i in range(lessons)]
        edit, local = (torch.stack(each).mean().item() for each in zip(*parts, strict=True))
        return {"edit_nll": edit, "locality_kl": local}

    def save(self, folder: Path, manifest: dict[str, Any]) -> None:
        own = {"kind": "mend", "sites": list(self.student.sites), "rank": self.rank}
        own["end"] = self.student.end
        save(self.network, folder, {**own, "base": self.student.lm.fingerprint, **manifest})


# KE


class KeTraining:
    """KE's objective: the edit's NLL under a bound on the KL of other answers (Lagrangian).

    The multiplier climbs where the loss descends: its gradient is turned round. The bound is
    tightened as edits succeed.

    Args:
        lm: The base.
        facts, texts: What to learn from.
        seed: Of weights and lessons.
        retained: Other prompts a lesson must leave as they are (the paper: 62).
        held_out: Facts that the best state is chosen by; none: the same facts.
        end: The end of the answer is part of the targets, as in the paper's models.
    """

    def __init__(
        self,
        lm: LM,
        facts: Sequence[Fact],
        texts: Sequence[str],
        *,
        seed: int,
        retained: int = 7,
        held_out: Sequence[Fact] = (),
        end: bool = False,
    ) -> None:
        sites = find_last_mlps(lm, skip=1)
        self.student = Student(lm, sites, end=end)
        self.lessons = Lessons(facts, texts, seed=seed, unrelated=retained)
        self.validation = Lessons(held_out or facts, texts, seed=seed, unrelated=retained)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = ke.fresh(lm, sites)
        self.multiplier = nn.Parameter(torch.ones(()))
        self.margin = nn.Parameter(torch.tensor(MARGIN), requires_grad=False)

    def terms(self, edit: Edit, own: Sequenced) -> Terms:
        """The update of one edit; differentiable in the network, not in the factors."""
        passing = self.student.over([own.ids])
        found = self.student.factors(passing, own)
        c = self.network.condition(ke.read_text(passing, edit, own))
        return {site: self.network.terms(site, c, each) for site, each in found.items()}

    def losses(self, step: int | str) -> tuple[Tensor, Tensor, bool]:
        """(smoothed NLL of edit and rephrase, KL of the retained answers, is the edit made?)."""
        lesson = (self.lessons if isinstance(step, int) else self.validation)(step)
        rows = self.student.edit_rows(lesson)
        terms = self.terms(lesson.edit, rows[0])
        own, rephrase = self.student.target_logs(rows, terms)
        made = bool((own.argmax(-1).cpu() == rows[0].target.cpu()).all())
        target = torch.cat([row.target for row in rows])
        moved = self.student.measure_moved(lesson.unrelated, terms, every=False)
        return nll(torch.cat([own, rephrase]), target, SMOOTHING), moved, made

    def objective(self, edit: Tensor, moved: Tensor) -> Tensor:
        """What is minimised in the network and, by the sign, maximised in the multiplier."""
        excess, factor = moved - self.margin, self.multiplier.clamp(min=0)
        # Each sees the other as a constant; the sign makes a minimiser climb in the multiplier.
        return edit + factor.detach() * excess - factor * excess.detach()

    def run(self, folder: Path, schedule: Schedule, report: Report) -> dict[str, float]:
        """Train, and keep the best state; the losses before and after, on held-out lessons."""
        before = self._validate()

        def loss_of(step: int) -> Tensor:
            if step and step % EPOCH == 0:
                self.tighten(self._validate()["success"])
            with torch.no_grad():
                self.multiplier.clamp_(min=0)
            edit, moved, _ = self.losses(step)
            return self.objective(edit, moved)

        bound = {"multiplier": self.multiplier, "margin": self.margin}
        parameters = {**_name_parameters(self.network), **bound}
        rate = MULTIPLIER_RATE * min(1.0, schedule.steps / PUBLISHED_STEPS)
        faster = {"multiplier": rate / schedule.rate}
        best = train(
            parameters, loss_of, schedule, folder, report=report, faster=faster,
            validate=_validation(self._validate, "retained_kl", schedule),
        )  # fmt: skip
        after = self._validate() | {"best_step": float(best)}
        return {f"{name}_before": v for name, v in before.items()} | after

    def tighten(self, success: float) -> None:
        """Lower the bound on the KL if enough edits succeed; never below its floor."""
        if success > ENOUGH:
            with torch.no_grad():
                self.margin.mul_(MARGIN_DECAY).clamp_(min=LEAST_MARGIN)

    def _validate(self, lessons: int = _VALIDATED) -> dict[str, float]:
        with torch.no_grad():
            parts = [self.losses(f"valid-{i}") for i in range(lessons)]
        edit, moved, made = zip(*parts, strict=True)
        return {
            "edit_nll": torch.stack(edit).mean().item(),
            "retained_kl": torch.stack(moved).mean().item(),
            "success": sum(made) / lessons,
        }

    def save(self, folder: Path, manifest: dict[str, Any]) -> None:
        own = {"kind": "ke", "sites": list(self.student.sites), "end": self.student.end}
        save(self.network, folder, {**own, "base": self.student.lm.fingerprint, **manifest})


def _validation(
    measure: Callable[[], dict[str, float]], moved: str, schedule: Schedule
) -> Validate:
    """Up to twenty trials on held-out lessons, by MEND's total loss, for KE too: 0.1 NLL + KL.

    (The published trainings validate every 5,000 steps, too, and keep the best.)
    """

    def loss() -> float:
        found = measure()
        return EDIT_SHARE * found["edit_nll"] + found[moved]

    return Validate(loss, max(_LEAST_EVERY, schedule.steps // _VALIDATIONS))


def _name_parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    return dict(module.named_parameters())
