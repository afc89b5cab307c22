"""Which form suits a base, tried on invented facts: what ``memedit tune`` does.

Most facts are made up, so that no base can know them, and a few are such as every base knows
otherwise. Every request carries its edit with its role, so that only the answering is measured. The
kinds of request: a chat and a text that ask the edit; yes and no; a sentence to be written; two
facts at once; and one that has nothing to do with the fact it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from memedit.core.calls import Batch, Row
from memedit.core.chat import has_template
from memedit.core.errors import InvalidInputError
from memedit.core.types import Decision, Edit, Hit, Record, Role
from memedit.editors import load_editor
from memedit.editors.prompting.adapter import adapter_for
from memedit.editors.prompting.choosing import (
    ADAPTER,
    NONE,
    OBJECTS,
    SENTENCES,
    Forms,
    family,
    keep,
)

if TYPE_CHECKING:
    from memedit.model.asking import AskableModel

_IKE = "ike"
_NOTES = (
    SENTENCES,
    "note(lean=0)",
    "note(lean=8)",
    "note(place=after)",
    "note(wording=quiet)",
    "note(wording=force)",
    "note(place=reply)",
)
_OPEN = "Write one sentence that answers: "
_TOKENS, _CHUNK, _SLACK = 32, 8, 0.05


@dataclass(frozen=True, slots=True)
class Trial:
    """One request with its edits, and how to see whether the answer is right.

    Attributes:
        kind: ``asks``, ``against``, ``completes``, ``yes``, ``no``, ``open``, ``two``, ``apart``.
        right: Of an answer and the base's own answer to the same request.
    """

    kind: str
    text: str
    edits: tuple[Edit, ...]
    right: Callable[[str, str], bool]

    @property
    def role(self) -> Role:
        return "asks" if self.kind in ("asks", "against", "completes") else "informs"

    @property
    def chat(self) -> bool:
        return self.kind != "completes"


@dataclass(frozen=True, slots=True)
class Tuning:
    """What was found.

    Attributes:
        forms: The form of each kind of request from now on.
        scores: Kind of request -> form -> share answered right.
        file: Where it is kept.
    """

    forms: Forms
    scores: Mapping[str, Mapping[str, float]]
    file: Path


_RELATIONS = (
    (
        "The mayor of {s} is",
        "Who is the mayor of {s}?",
        "Is {v} the mayor of {s}?",
        ("Ilse Marten", "Tobin Areva", "Nadia Quill", "Per Oswin"),
    ),
    (
        "The main export of {s} is",
        "What is the main export of {s}?",
        "Is {v} the main export of {s}?",
        ("amber", "copper wire", "rye flour", "glass beads"),
    ),
    (
        "The opening hour of the {s} library is",
        "When does the {s} library open?",
        "Does the {s} library open at {v}?",
        ("6:40", "10:15", "11:50", "7:25"),
    ),
    (
        "The phone number of the {s} office is",
        "What is the phone number of the {s} office?",
        "Is {v} the phone number of the {s} office?",
        ("555-0182", "555-7741", "555-3306", "555-9027"),
    ),
)
"""Prompt, question, a sentence to judge, and values; {s}: the subject, {v}: a value."""
_PLACES = (
    "Velmora Tarnwick Oskelund Brivane Quendal Hesperoy Maradel Ystrand Corvane Lindomar".split()
)
_APART = (
    ("What is two plus two?", "4|four"),
    ("Name a colour of the rainbow.", "red|orange|yellow|green|blue|indigo|violet"),
    ("Which animal barks?", "dog"),
    ("What is the opposite of hot?", "cold|cool"),
    ("In which country is Berlin?", "germany"),
    ("What do bees make?", "honey"),
)
"""Requests that no invented fact bears on, and what answers hold."""
_AGAINST = (
    (Edit("The capital of France is", "Lyon", "France"), "What is the capital of France?"),
    (Edit("The author of Macbeth is", "Jane Austen", "Macbeth"), "Who wrote Macbeth?"),
    (Edit("The currency of Japan is the", "peso", "Japan"), "What is the currency of Japan?"),
    (
        Edit("The official language of Brazil is", "Dutch", "Brazil"),
        "Which language is official in Brazil?",
    ),
    (
        Edit("The chemical symbol for gold is", "Qx", "gold"),
        "What is the chemical symbol for gold?",
    ),
    (Edit("The largest planet is", "Venus", "largest planet"), "Which planet is the largest?"),
)
"""What every base knows otherwise."""


@dataclass(frozen=True, slots=True)
class Invented:
    """A made-up fact, with a question and two sentences to judge: a true and a false one."""

    edit: Edit
    question: str
    true: str
    false: str


def make_facts() -> list[Invented]:
    """Forty of them."""
    found = []
    for at, place in enumerate(_PLACES):
        for number, (prompt, question, judged, values) in enumerate(_RELATIONS):
            # Another value from place to place: a base that likes one of them gains nothing.
            value, other = (values[(at + number + n) % len(values)] for n in (0, 1))
            found.append(
                Invented(
                    Edit(prompt.format(s=place), value, place),
                    question.format(s=place),
                    judged.format(s=place, v=value),
                    judged.format(s=place, v=other),
                )
            )
    return found


def make_trials() -> list[Trial]:
    """The requests, each fact in one or two of them."""
    made = make_facts()
    found = [Trial("asks", f.question, (f.edit,), _expect_values(f.edit)) for f in made[:10]]
    found += [Trial("against", text, (e,), _expect_values(e)) for e, text in _AGAINST]
    found += [
        Trial("completes", f.edit.prompt, (f.edit,), _expect_values(f.edit)) for f in made[10:18]
    ]
    found += [Trial("yes", f.true, (f.edit,), _expect_start("yes")) for f in made[18:25]]
    found += [Trial("no", f.false, (f.edit,), _expect_start("no")) for f in made[25:32]]
    found += [
        Trial("open", _OPEN + f.question, (f.edit,), _expect_values(f.edit)) for f in made[32:38]
    ]
    found += [_combine(*pair) for pair in zip(made[:6], made[5:11], strict=True)]
    for (text, answer), fact in zip(_APART, made[34:], strict=True):
        found.append(Trial("apart", text, (fact.edit,), _expect_kept(answer)))
    return found


def _combine(one: Invented, two: Invented) -> Trial:
    text = f"{one.question} And {two.question[0].lower()}{two.question[1:]}"
    return Trial("two", text, (one.edit, two.edit), _expect_values(one.edit, two.edit))


def tune(model: AskableModel, *, progress: Callable[[int, int], None] | None = None) -> Tuning:
    """Try the forms on a base and keep what holds best where ``auto`` reads it.

    Args:
        model: Its base is asked; its memory is not read.
        progress: Hears how many answers of how many are given.

    Raises:
        InvalidInputError: a tokenizer without a chat template, which leaves nothing to choose.
    """
    if not has_template(model.tokenizer):
        raise InvalidInputError(
            "Without a chat template there is nothing to choose: texts get the edit's object.",
            hint="auto does so without tuning.",
        )
    every = make_trials()
    has_adapter = adapter_for(model.engine.fingerprint) is not None
    adapter = (ADAPTER,) if has_adapter else ()
    tries = {
        "asks": (SENTENCES, "note(lean=8)", *adapter, OBJECTS, _IKE),
        "completes": (*adapter, SENTENCES, _IKE),
        "informs": (*_NOTES, NONE),
    }
    groups = {
        "asks": [t for t in every if t.kind in ("asks", "against")],
        "completes": [t for t in every if t.kind == "completes"],
        "informs": [t for t in every if t.role == "informs"],
    }
    total = len(every) + sum(len(tries[name]) * len(group) for name, group in groups.items())
    counted = _make_counter(total, progress)
    # Some trials ask that the base's own answer is kept: it is asked first.
    bases = dict(zip(map(id, every), _collect_answers(model, NONE, every, counted), strict=True))
    scores: dict[str, dict[str, float]] = {}
    for name, group in groups.items():
        for form in tries[name]:
            said = _collect_answers(model, form, group, counted)
            rated = zip(group, said, strict=True)
            right = [trial.right(answer, bases[id(trial)]) for trial, answer in rated]
            scores.setdefault(name, {})[form] = _balance(group, right)
    chosen = {name: _choose_best(found, tries[name]) for name, found in scores.items()}
    forms = Forms(**chosen, source=f"tuned: {family(model.base)}")
    return Tuning(forms, scores, keep(model.engine.fingerprint, forms, scores))


def _choose_best(scores: Mapping[str, float], order: Sequence[str]) -> str:
    """The first form, in the order of preference, that is about as good as the best."""
    best = max(scores.values())
    # Within the noise of forty requests the preferred form stays.
    return next(form for form in order if scores[form] >= best - _SLACK)


def _balance(group: Sequence[Trial], right: Sequence[bool]) -> float:
    """The mean over kinds of the share that is right: yes to all is no good form."""
    kinds = dict.fromkeys(trial.kind for trial in group)
    of = {k: [ok for t, ok in zip(group, right, strict=True) if t.kind == k] for k in kinds}
    return round(fmean(fmean(each) for each in of.values()), 4)


def _collect_answers(
    model: AskableModel, form: str, group: Sequence[Trial], counted: Callable[[int], None]
) -> list[str]:
    """The answers to the trials in one form, through the editor itself."""
    found: list[str] = []
    options: dict[str, Any] = {"max_new_tokens": _TOKENS, "do_sample": False}
    # Past memory and scope: only the answering is measured.
    call = model.engine.generate
    for part in _cut(group):
        rows = tuple(_make_row(model, form, trial) for trial in part)
        batch = Batch(rows, lm=model.engine, options=options)
        answers = call(batch) if form == NONE else load_editor(form).run(batch, call)
        found += [answer.text.strip() for answer in answers]
        counted(len(part))
    return found


def _cut(group: Sequence[Trial]) -> Iterator[Sequence[Trial]]:
    for start in range(0, len(group), _CHUNK):
        yield group[start : start + _CHUNK]


def _make_row(model: AskableModel, form: str, trial: Trial) -> Row:
    """A trial as the row of a request whose scope was right."""
    row = model.row(trial.text, chat=trial.chat)
    if form == NONE:
        return row
    editor = load_editor(form)
    payloads = editor.fit(trial.edits, model.engine)
    records = [
        Record(edit, n, 1, payloads={editor.name: payload})
        for n, (edit, payload) in enumerate(zip(trial.edits, payloads, strict=True))
    ]
    hits = tuple(Hit(record, 1.0, view=row.prompt, role=trial.role) for record in records)
    asked = trial.role == "asks"
    decision = Decision(hits if asked else (), informs=() if asked else hits)
    return replace(row, decision=decision)


def _make_counter(total: int, progress: Callable[[int, int], None] | None) -> Callable[[int], None]:
    done = [0]

    def count_done(number: int) -> None:
        done[0] += number
        if progress is not None:
            progress(done[0], total)

    return count_done


def _expect_values(*edits: Edit) -> Callable[[str, str], bool]:
    values = [str(edit.target_new).casefold() for edit in edits]
    return lambda answer, base: all(value in answer.casefold() for value in values)


def _expect_start(word: str) -> Callable[[str, str], bool]:
    pattern = re.compile(rf"\W*{word}\b", re.IGNORECASE)
    return lambda answer, base: pattern.match(answer) is not None


def _expect_kept(answer: str) -> Callable[[str, str], bool]:
    """An answer that holds what the base's held; where that held nothing of it, either is right."""
    holds = partial(re.compile(rf"\b(?:{answer})\b", re.IGNORECASE).search)
    return lambda said, base: bool(holds(said)) or not holds(base)
