"""Requests that several edits together answer: MQuAKE, and CounterFact's portability."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from memedit.training.facts import read_records
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
                edits.append((rewrite, Candidate(prompt, rewrite["target_new"]["str"], subject,
                                                 group=subject)))  # fmt: skip
        about = tuple(rewrite["subject"] for rewrite, _ in edits[:1])
        for question in record["questions"]:
            kind = f"hop.chain.{len(edits)}"
            yield Request("mquake", kind, about, question,
                          tuple(c.as_("informs") for _, c in edits), closed=False)  # fmt: skip
        for i, (rewrite, candidate) in enumerate(edits):
            others = tuple(c for j, (_, c) in enumerate(edits) if j != i)
            yield Request("mquake", "paraphrase", about, rewrite["question"],
                          (candidate.as_("asks"), *others), relation=rewrite["relation_id"],
                          closed=False)  # fmt: skip


def portability(path: Path) -> dict[int, str]:
    """A further question by the number of a CounterFact record."""
    return {r["case_id"]: r["portability"]["New Question"] for r in read_records(path)}
