"""Requests that several edits together answer: MQuAKE, and CounterFact's portability."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from memedit.core.rewrites import read_rewrite
from memedit.data.records import read_records
from memedit.training.requests.request import Candidate, Request
from memedit.training.requests.split import Splits


def chains(path: Path, splits: Splits) -> Iterator[Request]:
    """Questions of several hops: each edit on the way informs; its own question asks it."""
    for record in read_records(path):
        wanted = record["requested_rewrite"]
        own = splits.of(wanted[0]["subject"])
        edits = []
        for fields in wanted:
            told = read_rewrite(fields)
            subject = told.subject
            if splits.of(subject) == own:
                candidate = Candidate(told.prompt, told.target, subject, group=subject)
                edits.append((fields, candidate))
        about = tuple(fields["subject"] for fields, _ in edits[:1])
        for question in record["questions"]:
            kind = f"hop.chain.{len(edits)}"
            if found := _find_reached(question, edits):
                yield Request("mquake", kind, about, question, found)
        for i, (fields, candidate) in enumerate(edits):
            others = tuple(c for j, (_, c) in enumerate(edits) if j != i)
            yield Request(
                "mquake",
                "paraphrase",
                about,
                fields["question"],
                (candidate.as_("asks"), *others),
                relation=fields["relation_id"],
            )


def _find_reached(
    question: str, edits: Sequence[tuple[dict[str, Any], Candidate]]
) -> tuple[Candidate, ...]:
    """The edits whose subject the question names, or an edit before them gives."""
    found: list[Candidate] = []
    for _, candidate in edits:
        given = {c.target for c in found}
        if candidate.subject in given or (candidate.subject or "") in question:
            found.append(candidate.as_("informs"))
    return tuple(found)


def portability(path: Path) -> dict[int, str]:
    """A further question by the number of a CounterFact record."""
    return {r["case_id"]: r["portability"]["New Question"] for r in read_records(path)}
