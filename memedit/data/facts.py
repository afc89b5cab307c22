"""Facts to learn from: CounterFact, zsRE and KnowEdit files in one form.

Each file is recognised by its fields. A fact keeps what the file says of it: other wordings of the
same question, what else is asked of the same subject, and prompts about other subjects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from memedit.core.errors import InvalidInputError
from memedit.core.types import Edit
from memedit.data.counterfact import is_counterfact, read_counterfact
from memedit.data.records import read_records
from memedit.scope.relations import read_questions


@dataclass(frozen=True, slots=True)
class Fact:
    """One edit, and texts about it.

    Attributes:
        subject: What it is about; occurs in ``prompt``.
        relation: What is asked of the subject: a Wikidata property, or the prompt's template.
        prompt: The edit's prompt.
        target: The new answer.
        true: The old answer, or "".
        paraphrases: Other wordings of the same question; may begin with a distracting sentence.
        questions: The same as questions.
        neighbours: Prompts about other subjects.
        others: Prompts about the same subject that ask something else.
        source: "counterfact", "zsre" or "knowedit".
    """

    subject: str
    relation: str
    prompt: str
    target: str
    true: str = ""
    paraphrases: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    neighbours: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    source: str = ""

    @property
    def edit(self) -> Edit:
        return Edit(self.prompt, self.target, self.subject, self.true or None)


def read_facts(paths: Iterable[Path]) -> list[Fact]:
    """The facts of several files, each (subject, prompt) once.

    Raises:
        InvalidInputError: a record of no known form, or a file that holds no fact.
    """
    found: dict[tuple[str, str], Fact] = {}
    for path in paths:
        before = len(found)
        for number, record in enumerate(read_records(path), start=1):
            for fact in _fact(record, path, number):
                # The first file wins: it is the one that the user named first.
                found.setdefault((fact.subject.casefold(), fact.prompt.casefold()), fact)
        if len(found) == before and not before:
            raise InvalidInputError(f"{path} holds no fact.")
    return _cluster_relations(list(found.values()))


def _cluster_relations(facts: list[Fact]) -> list[Fact]:
    """Facts of other sources than CounterFact with the relation that their wordings share.

    Two templates that were ever used to ask the same thing are one relation, named by the first.
    """
    parent: dict[str, str] = {}

    def root(template: str) -> str:
        while parent.setdefault(template, template) != template:
            template = parent[template]
        return template

    for fact in facts:
        if fact.source != "counterfact":
            for question in fact.questions:
                if fact.subject in question:
                    a, b = root(fact.relation), root(_template(question, fact.subject))
                    # The lesser is the name of both, whatever the order of the files.
                    parent[max(a, b)] = min(a, b)
    return [
        fact if fact.source == "counterfact" else replace(fact, relation=root(fact.relation))
        for fact in facts
    ]


def _fact(record: dict[str, Any], path: Path, number: int) -> Iterator[Fact]:
    if is_counterfact(record):
        fact = _counterfact(record)
    elif "src" in record and "alt" in record:
        fact = _zsre(record)
    elif "prompt" in record and "target_new" in record and "subject" in record:
        fact = _knowedit(record)
    else:
        raise InvalidInputError(
            f"{path}, line {number}: neither CounterFact nor zsRE nor KnowEdit.",
            hint="Known fields: requested_rewrite; src and alt; subject, prompt and target_new.",
        )
    if fact.target.strip() and fact.subject.casefold() in fact.prompt.casefold():
        yield fact


def _counterfact(record: dict[str, Any]) -> Fact:
    told = read_counterfact(record)
    rewrite = told.rewrite
    relation = rewrite.relation or rewrite.template
    return Fact(
        subject=rewrite.subject,
        relation=relation,
        prompt=rewrite.prompt,
        target=rewrite.target,
        true=rewrite.true or "",
        paraphrases=told.paraphrases,
        questions=tuple(rewrite.fill(q) for q in read_questions().get(relation, ())),
        neighbours=told.neighbours,
        source="counterfact",
    )


def _zsre(record: dict[str, Any]) -> Fact:
    subject, prompt = record["subject"], record["src"]
    old = record.get("answers") or [record.get("pred") or ""]
    return Fact(
        subject=subject,
        relation=_template(prompt, subject),
        prompt=prompt,
        target=record["alt"],
        true=old[0],
        questions=(record["rephrase"],) if record.get("rephrase") else (),
        neighbours=(record["loc"],) if record.get("loc") else (),
        source="zsre",
    )


def _knowedit(record: dict[str, Any]) -> Fact:
    subject, prompt = record["subject"], record["prompt"]
    local = record.get("locality") or {}
    rephrase = record.get("rephrase_prompt")
    return Fact(
        subject=subject,
        relation=_template(prompt, subject),
        prompt=prompt,
        target=record["target_new"],
        questions=(rephrase,) if rephrase else tuple(_make_questions(prompt)),
        others=tuple(p["prompt"] for p in local.get("Relation_Specificity", ())),
        source="knowedit",
    )


def _make_questions(prompt: str) -> Iterator[str]:
    """Questions of a prompt like "The name of the spouse of Ada is"."""
    for verb in ("is", "are"):
        if prompt.startswith("The ") and prompt.endswith(f" {verb}"):
            what = prompt[4:].removesuffix(f" {verb}")
            for lead in ("name of the ", "names of the "):
                what = what.removeprefix(lead)
            yield f"What {verb} the {what}?"
            yield f"Tell me the {what}."


def _template(prompt: str, subject: str) -> str:
    at = prompt.casefold().rfind(subject.casefold())
    return prompt if at < 0 else f"{prompt[:at]}{{}}{prompt[at + len(subject) :]}"
