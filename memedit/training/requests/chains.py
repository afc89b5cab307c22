"""Requests that several edits together answer: MQuAKE, and CounterFact's portability."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from memedit.data.records import read_records
from memedit.training.requests.request import Candidate, Request
from memedit.training.requests.split import Splits


def chains(path: Path, splits: Splits) -> Iterator[Request]:
    """Questions of several hops: each edit on the way informs; its own question asks it."""
    for record in read_records(path):
        edits = []
        for rewrite in record["requested_rewrite"]:
            subject = rewrite["subject"]
            prompt = rewrite["prompt"].replace("{}", subject)
            if splits.of(subject) == splits.of(record["requested_rewrite"][0]["subject"]):
                edits.append(
                    (
                        rewrite,
                        Candidate(prompt, rewrite["target_new"]["str"], subject, group=subject),
                    )
                )
        about = tuple(rewrite["subject"] for rewrite, _ in edits[:1])
        for question in record["questions"]:
            kind = f"hop.chain.{len(edits)}"
            if found := _reached(question, edits):
                yield Request("mquake", kind, about, question, found)
        for i, (rewrite, candidate) in enumerate(edits):
            others = tuple(c for j, (_, c) in enumerate(edits) if j != i)
            yield Request(
                "mquake",
                "paraphrase",
                about,
                rewrite["question"],
                (candidate.as_("asks"), *others),
                relation=rewrite["relation_id"],
            )


def _reached(
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
