"""Evaluation cases: what is edited, what is asked afterwards, and which of it can be believed.

A probe's ``kind`` says what it tests; a suffix after a colon names a group of it:

- ``efficacy``: the edit's own prompt; ``paraphrase``: the same asked otherwise;
- ``neighbourhood``: another subject of the same relation; ``locality:<group>``: anything else that
  shall stay as it was;
- ``portability:<group>``: what follows from the edit; ``multihop``: a question over several facts;
  ``hop``: one fact of such a chain;
- ``hard:<form>``: looks like the edit's question and does not ask it (reversed, negated, ...): it
  shall stay as it was, and is counted apart from the others of that sort;
- ``reply``: a reply of the desired sentiment (target) and one of the opposite (reject);
- ``generation``: a prompt for longer text, for fluency and consistency.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import TypeAlias

from memedit.core.errors import InvalidInputError
from memedit.core.types import Edit
from memedit.data.split import PARTS, part_of

EFFICACY = "efficacy"
PARAPHRASE = "paraphrase"
NEIGHBOURHOOD = "neighbourhood"
LOCALITY = "locality"
PORTABILITY = "portability"
MULTIHOP = "multihop"
HOP = "hop"
HARD = "hard"
REPLY = "reply"
GENERATION = "generation"
_TOLD = 5
"""So many unusable records are told with their reasons."""
KINDS = (
    EFFICACY, PARAPHRASE, NEIGHBOURHOOD, LOCALITY, PORTABILITY, MULTIHOP, HOP, HARD, REPLY,
    GENERATION,
)  # fmt: skip


def kind_of(kind: str) -> str:
    """``"locality:relation_specificity"`` -> ``"locality"``."""
    return kind.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Probe:
    """One question after the edit.

    Attributes:
        kind: One of :data:`KINDS`, with an optional ``:<group>``.
        prompt: What is asked, verbatim.
        targets: Right answers, any of which will do; the first is the one that is scored.
        reject: Answers that must be less likely than the target (the old object after an edit).
        form: The form that is asked for, as JSON (see :mod:`memedit.evaluation.measures.forms`);
            "" for none. A target may then stand anywhere in the answer, not in its first sentence
            alone.

    Raises:
        InvalidInputError: an unknown kind or an empty prompt.
    """

    kind: str
    prompt: str
    targets: tuple[str, ...] = ()
    reject: tuple[str, ...] = ()
    form: str = ""

    def __post_init__(self) -> None:
        if kind_of(self.kind) not in KINDS:
            raise InvalidInputError(
                f"Unknown kind of probe {self.kind!r}.", hint=f"There are: {', '.join(KINDS)}."
            )
        if not self.prompt.strip():
            raise InvalidInputError("A probe has an empty prompt.")

    @property
    def local(self) -> bool:
        """Whether the answer shall stay that of the unedited model."""
        return kind_of(self.kind) in {NEIGHBOURHOOD, LOCALITY, HARD}


@dataclass(frozen=True, slots=True)
class Query:
    """A question with all that its answer must name: of each group one alias."""

    prompt: str
    answers: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class RippleTest:
    """A test of RippleEdits (arXiv 2307.12976).

    Attributes:
        kind: Of its probes: ``portability:subject_aliasing``.
        queries: What is asked of the edited model; each is also a probe of the case.
        conditions: What the unedited model must know; else the test is not executed.
        every: All queries must be answered rightly, not just one.
    """

    kind: str
    queries: tuple[Query, ...]
    conditions: tuple[Query, ...] = ()
    every: bool = False


@dataclass(frozen=True, slots=True)
class EvalCase:
    """Edits that belong together, and the probes that test them.

    Attributes:
        case_id: Names the case in its data set.
        edits: One, or several for a multi-hop case.
        probes: What is asked.
        relations: The relation of each edit, ``""`` where none is known; may be left empty.
        tests: Tests that several of the probes form.
        references: Texts about what truly has the new object, for consistency.
        essence: Texts about the subject itself, for the essence score.
    """

    case_id: str
    edits: tuple[Edit, ...]
    probes: tuple[Probe, ...]
    relations: tuple[str, ...] = ()
    tests: tuple[RippleTest, ...] = ()
    references: tuple[str, ...] = ()
    essence: tuple[str, ...] = ()

    def relation(self, i: int) -> str:
        """The relation of edit ``i``; "" where the data set does not say it."""
        return self.relations[i] if self.relations else ""

    def keys(self) -> list[tuple[str, str]]:
        """What each edit is about: (subject, relation), or its prompt where these are unknown."""
        return [
            (e.subject, self.relation(i)) if e.subject and self.relation(i) else ("", e.prompt)
            for i, e in enumerate(self.edits)
        ]


@dataclass(frozen=True, slots=True)
class Unusable:
    """A record that is no valid edit.

    Attributes:
        reason: Why.
        number: Which record of its file; 0 where that is not known.
    """

    reason: str
    number: int = 0

    def __str__(self) -> str:
        return f"record {self.number}: {self.reason}" if self.number else self.reason


Read: TypeAlias = "EvalCase | Unusable | None"
"""What a format makes of a record; None: a record that is no valid edit, for a reason not told."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The cases used, and what became of the others.

    ``dropped`` counts by reason: ``duplicate``, ``conflict``, ``unusable``, ``other_part`` (cases)
    and ``probes_edited_elsewhere`` (locality probes that some edit in memory is about).
    ``unusable`` has the first of the unusable records, each with its reason.
    """

    cases: tuple[EvalCase, ...]
    asked: int | None
    dropped: Mapping[str, int] = field(default_factory=dict)
    unusable: tuple[Unusable, ...] = ()

    def __len__(self) -> int:
        return len(self.cases)


def select(
    cases: Iterable[Read],
    n: int | None = None,
    *,
    conflicts: bool = False,
    together: bool = True,
    locality: int | None = None,
    part: str | None = None,
) -> Selection:
    """The first ``n`` usable cases.

    Args:
        cases: In the order of the data; :class:`Unusable` or None stands for a record that is no
            valid edit.
        n: How many; None for all.
        conflicts: Keep a case that gives an earlier case's fact another value.
        together: All cases are in one memory at once, so that a locality probe must not be about
            the edit of any of them; else only of its own case.
        locality: At most this many locality probes of a kind per case; None for all.
        part: Only cases all of whose subjects are of this part (:mod:`memedit.data.split`).

    Raises:
        InvalidInputError: no case is left, or no such part.
    """
    if n is not None and (not isinstance(n, Integral) or n < 1):
        said = f"n must be a whole number of at least 1, not {n!r:.40}."
        raise InvalidInputError(said, hint="Left out: all cases.")
    if part is not None and part not in PARTS:
        raise InvalidInputError(f"There is no part {part!r}.", hint=f"One of {', '.join(PARTS)}.")
    dropped: Counter[str] = Counter()
    unusable: list[Unusable] = []
    usable = _set_unusable_aside(cases, unusable)
    chosen = tuple(_choose_distinct(_filter_part(usable, part, dropped), n, conflicts, dropped))
    if not chosen:
        told = "".join(f" {str(each)[:1].upper()}{str(each)[1:]}" for each in unusable)
        raise InvalidInputError(
            "There is no usable case.", hint=f"Left out: {dict(dropped) or 'nothing'}.{told}"
        )
    groups = [chosen] if together else [(case,) for case in chosen]
    kept = tuple(case for group in groups for case in _drop_edited_probes(group, locality, dropped))
    return Selection(kept, n, dict(dropped), tuple(unusable))


def parts_of(case: EvalCase) -> set[str]:
    """The parts of its edits' subjects (of their prompts, where an edit names none)."""
    return {part_of(edit.subject or edit.prompt) for edit in case.edits}


def _set_unusable_aside(
    cases: Iterable[Read], unusable: list[Unusable]
) -> Iterator[EvalCase | None]:
    """The cases, None for the others, whose reasons are put into ``unusable``."""
    for case in cases:
        if isinstance(case, Unusable):
            if len(unusable) < _TOLD:
                unusable.append(case)
            yield None
        else:
            yield case


def _filter_part(
    cases: Iterable[EvalCase | None], part: str | None, dropped: Counter[str]
) -> Iterator[EvalCase | None]:
    for case in cases:
        if part is None or case is None or parts_of(case) == {part}:
            yield case
        else:
            dropped["other_part"] += 1


def _choose_distinct(
    cases: Iterable[EvalCase | None], n: int | None, conflicts: bool, dropped: Counter[str]
) -> Iterator[EvalCase]:
    held: dict[tuple[str, str], str | None] = {}
    count = 0
    for case in cases:
        if n is not None and count >= n:
            return
        reason = "unusable" if case is None else _find_reason(case, held, conflicts)
        if reason:
            dropped[reason] += 1
            continue
        assert case is not None
        held.update(zip(case.keys(), [e.target_new for e in case.edits], strict=True))
        count += 1
        yield case


def _find_reason(
    case: EvalCase, held: Mapping[tuple[str, str], str | None], conflicts: bool
) -> str | None:
    """Why a case is left out, if it is."""
    keys, targets = case.keys(), [e.target_new for e in case.edits]
    own = dict(zip(keys, targets, strict=True))
    # A case that gives one fact two values contradicts itself.
    if any(own[key] != target for key, target in zip(keys, targets, strict=True)):
        return "conflict"
    known = [key in held for key in keys]
    same = all(held.get(key) == target for key, target in own.items())
    multihop = any(kind_of(p.kind) == MULTIHOP for p in case.probes)
    # A chain may be of facts that other cases have; what is asked over them is its own.
    if all(known) and same and not multihop:
        return "duplicate"
    clash = any(key in held and held[key] != target for key, target in own.items())
    return "conflict" if clash and not conflicts else None


def collect_edited_prompts(cases: Sequence[EvalCase]) -> set[str]:
    """Every text that one of the edits is about.

    Its prompt, its further queries and its paraphrases; and where the relation is known, its
    subject in every template that any case uses for that relation.
    """
    templates: dict[str, set[str]] = defaultdict(set)
    texts: set[str] = set()
    for case in cases:
        for i, edit in enumerate(case.edits):
            found = [edit.prompt, *edit.queries]
            found += [p.prompt for p in case.probes if p.kind in {EFFICACY, PARAPHRASE}]
            texts.update(found)
            if edit.subject and case.relation(i):
                templates[case.relation(i)] |= set(_templates(found, edit.subject))
    for case in cases:
        for i, edit in enumerate(case.edits):
            if edit.subject and case.relation(i):
                subject = edit.subject
                texts |= {t.replace("{}", subject) for t in templates[case.relation(i)]}
    return texts


def _templates(texts: Iterable[str], subject: str) -> Iterator[str]:
    """The last sentence of each text that names the subject, with a slot in its place."""
    for text in texts:
        # A paraphrase may begin with a sentence that only distracts.
        tail = text.rpartition(". ")[2]
        for candidate in (tail, text):
            if subject in candidate:
                yield candidate.replace(subject, "{}")
                break


def _drop_edited_probes(
    cases: Sequence[EvalCase], locality: int | None, dropped: Counter[str]
) -> Iterator[EvalCase]:
    edited = collect_edited_prompts(cases)
    for case in cases:
        kept: list[Probe] = []
        taken: Counter[str] = Counter()
        for probe in case.probes:
            if probe.local and probe.prompt in edited:
                dropped["probes_edited_elsewhere"] += 1
            elif not probe.local or locality is None or taken[probe.kind] < locality:
                taken[probe.kind] += 1
                kept.append(probe)
        there = {probe.prompt for probe in kept}
        tests = [t for t in case.tests if all(query.prompt in there for query in t.queries)]
        yield replace(case, probes=tuple(kept), tests=tuple(tests))
