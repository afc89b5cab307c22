"""What a model makes of a group of cases, the unedited model's part kept on disk."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from memedit.core.calls import Score
from memedit.core.files import write_atomically
from memedit.core.types import Decision
from memedit.data.cases import GENERATION, PORTABILITY, EvalCase, Probe, kind_of
from memedit.evaluation.asking.asker import Asker
from memedit.evaluation.framing import CHAT
from memedit.evaluation.measures import probes as measures
from memedit.evaluation.measures import ripple
from memedit.evaluation.measures.probes import Answer, Outcome
from memedit.evaluation.settings import Settings, key_of

_LOG = logging.getLogger(__name__)
_CONDITION = f"{PORTABILITY}:condition"
"""What the unedited model must know for a test to be executed: asked of it alone."""


def probes_of(cases: Sequence[EvalCase], kinds: Sequence[str] = ()) -> list[Probe]:
    """The probes of these kinds (all but texts to write by default), each once."""
    found = {
        probe: None
        for case in cases
        for probe in case.probes
        if (kind_of(probe.kind) in kinds if kinds else kind_of(probe.kind) != GENERATION)
    }
    return list(found)


def ask(asker: Asker, probes: Sequence[Probe], families: Sequence[str]) -> dict[Probe, Outcome]:
    """The outcome of each probe, in the present view of the model."""
    prompts = list(dict.fromkeys(p.prompt for p in probes))
    said = dict(zip(prompts, asker.answers(prompts), strict=True)) if "gen" in families else {}
    pairs: list[tuple[str, str]] = []
    if "tf" in families:
        wanted = [(p.prompt, t) for p in probes for t in (*p.targets[:1], *p.reject[:1])]
        pairs = list(dict.fromkeys(wanted))
    scored = dict(zip(pairs, asker.scores(pairs), strict=True))
    return {
        p: Outcome(
            said.get(p.prompt),
            scored.get((p.prompt, p.targets[0])) if p.targets else None,
            scored.get((p.prompt, p.reject[0])) if p.reject else None,
        )
        for p in probes
    }


def conditions_of(cases: Sequence[EvalCase]) -> list[Probe]:
    """The conditions of the cases' tests, each once."""
    every = (query for case in cases for test in case.tests for query in test.conditions)
    return [Probe(_CONDITION, prompt) for prompt in dict.fromkeys(q.prompt for q in every)]


@dataclass(slots=True)
class Base:
    """The unedited model's outcomes, computed once per model, settings and group of cases.

    Groups are the same runs of ``settings.group`` cases whoever asks and whenever, so that an
    outcome does not depend on what else was asked.

    Args:
        asker: Asks the model; every question is put with the edits out of force.
        cases: All cases of the run.
        folder: Where outcomes are kept, a file per group; None keeps them in this process only.
        settings: How to ask.
        model: Fingerprint of the base model.
    """

    asker: Asker
    cases: Sequence[EvalCase]
    folder: Path | None
    settings: Settings
    model: str
    _groups: dict[int, dict[Probe, Outcome]] = field(default_factory=dict, init=False)

    def outcomes(self, positions: Sequence[int]) -> dict[Probe, Outcome]:
        """The outcome of every probe and condition of the cases at these positions (and of their
        groups)."""
        # Whole groups: a batch's padding moves the last bits of its logits.
        size = self.settings.group
        found: dict[Probe, Outcome] = {}
        for group in sorted({i // size for i in positions}):
            if group not in self._groups:
                cases = self.cases[group * size :][:size]
                probes = probes_of(cases) + conditions_of(cases)
                self._groups[group] = self._load(probes) or self._compute(probes)
            found |= self._groups[group]
            if self.folder is not None:  # it can be read again: keep little in memory
                self._groups = {group: self._groups[group]}
        return found

    def _file(self, probes: Sequence[Probe]) -> Path | None:
        content = [[p.kind, p.prompt, p.targets, p.reject] for p in probes]
        key = key_of({"model": self.model, "asked": self.settings.asked, "probes": content})
        return self.folder / f"{key}.json" if self.folder else None

    def _compute(self, probes: Sequence[Probe]) -> dict[Probe, Outcome]:
        with self.asker.model.unedited():
            found = ask(self.asker, probes, self.settings.families)
        if (file := self._file(probes)) is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            plain = [_show_outcome(found[p]) for p in probes]
            # Two processes may find the same thing at once.
            kept = {"outcomes": plain, "sealed": key_of({"outcomes": plain})}
            write_atomically(file, json.dumps(kept, ensure_ascii=False))
        return found

    def _load(self, probes: Sequence[Probe]) -> dict[Probe, Outcome] | None:
        """What is kept; None where there is nothing, or where it was damaged."""
        file = self._file(probes)
        if file is None or not file.is_file():
            return None
        try:
            kept = json.loads(file.read_text("utf-8"))
            # Older ones are the list alone.
            listed = kept if isinstance(kept, list) else kept["outcomes"]
            if listed is not kept and kept["sealed"] != key_of({"outcomes": listed}):
                raise ValueError("not as it was written")
            return {p: _outcome(each) for p, each in zip(probes, listed, strict=True)}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            _LOG.warning("%s is damaged (%s): asking the base anew.", file, error)
            return None


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking a group of probes.

    Attributes:
        outcomes: Of the edited model.
        base: Of the unedited model.
        decisions: What the scope said of each probe's prompt, verbatim.
        known: What the unedited model said to the conditions of the cases' tests.
        seconds: Time of one free answer where an edit fired; None where none did.
        edited: Whether there are edits at all, and so a scope to judge.
    """

    outcomes: Mapping[Probe, Outcome]
    base: Mapping[Probe, Outcome]
    decisions: Mapping[Probe, Decision]
    known: Mapping[str, str]
    seconds: float | None = None
    edited: bool = True

    def measures(self, probe: Probe, case: EvalCase) -> dict[str, float]:
        """All measures of a probe but the divergence."""
        own = frozenset(edit.id for edit in case.edits)
        values = measures.measures(probe, self.outcomes[probe], self.base[probe])
        scope = measures.scope(probe, self.decisions[probe], own) if self.edited else {}
        return values | scope

    def verdicts(self, case: EvalCase) -> Iterator[ripple.Verdict]:
        """Of the case's tests, where free answers were asked for."""
        said = {p.prompt: o.answer.text for p, o in self.outcomes.items() if o.answer}
        if said and case.tests:
            yield from ripple.verdicts(case, said, self.known)


def ask_edited(
    asker: Asker, base: Base, positions: Sequence[int], kinds: Sequence[str], *, edited: bool
) -> Asked:
    """Ask the edited model; where no edit fires, its answer is the unedited model's.

    Args:
        positions: The cases to ask about.
        kinds: Only probes of these kinds; empty for all but texts to write.
        edited: False when there are no edits at all.
    """
    probes = probes_of([base.cases[i] for i in positions], kinds)
    every = base.outcomes(positions)
    before = {p: every[p] for p in probes}
    known = {p.prompt: o.answer.text for p, o in every.items() if o.answer}
    if not edited:
        return Asked(before, before, dict.fromkeys(probes, Decision()), known, edited=False)
    settings = base.settings
    plain = dict(zip(probes, asker.decide([p.prompt for p in probes]), strict=True))
    # What no edit concerns is the base's bit for bit, and need not be asked again.
    inside = _choose_touched(asker, probes, plain, settings)
    # Only free answers are timed: they are what a user waits for.
    start = time.perf_counter()
    generating = ask(asker, inside, [f for f in settings.families if f == "gen"])
    seconds = time.perf_counter() - start
    scoring = ask(asker, inside, [f for f in settings.families if f == "tf"])
    now = {p: Outcome(generating[p].answer, scoring[p].target, scoring[p].reject) for p in inside}
    each = seconds / len(inside) if inside and "gen" in settings.families else None
    return Asked({p: now.get(p, before[p]) for p in probes}, before, plain, known, each)


def _choose_touched(
    asker: Asker, probes: Sequence[Probe], plain: Mapping[Probe, Decision], settings: Settings
) -> list[Probe]:
    """The probes whose answer or score may differ from the unedited model's: those of which an
    editor reads an edit, also where it only informs the answer."""
    if settings.recheck or settings.frame == CHAT:  # the template's conversation may fire, too
        return list(probes)
    put, reads = [asker.frame_prompt(p.prompt) for p in probes], asker.model.reads
    if all(text == p.prompt for text, p in zip(put, probes, strict=True)):
        return [p for p in probes if reads(plain[p])]
    both = zip(probes, asker.decide(put), strict=True)
    return [p for p, decision in both if reads(decision) or reads(plain[p])]


def divergences(asker: Asker, asked: Asked, *, recheck: bool = False) -> dict[Probe, float]:
    """KL(unedited || edited) of the next token of each locality probe, in nats."""
    local = [p for p in asked.outcomes if p.local]
    fired = [p for p in local if recheck or asker.model.reads(asked.decisions[p])]
    prompts = [p.prompt for p in fired]
    views: list[Any] = [nullcontext(), asker.model.unedited()]
    found = []
    for view in views:
        with view:
            found.append(asker.rate_next_token(prompts))
    values = [measures.divergence(b, e) for e, b in zip(*found, strict=True)]
    return dict.fromkeys(local, 0.0) | dict(zip(fired, values, strict=True))


def _show_outcome(outcome: Outcome) -> dict[str, Any]:
    scores = {"target": outcome.target, "reject": outcome.reject}
    plain: dict[str, Any] = {
        name: [s.ids, s.logprobs, s.greedy] for name, s in scores.items() if s is not None
    }
    return plain | ({"answer": asdict(outcome.answer)} if outcome.answer else {})


def _outcome(plain: Mapping[str, Any]) -> Outcome:
    def score(name: str) -> Score | None:
        if name not in plain:
            return None
        ids, logprobs, greedy = plain[name]
        return Score(tuple(ids), tuple(logprobs), tuple(greedy))

    answer = Answer(**plain["answer"]) if "answer" in plain else None
    return Outcome(answer, score("target"), score("reject"))
