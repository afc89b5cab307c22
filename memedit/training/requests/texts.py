"""Paragraphs and documents: questions on their parts."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from memedit.data.records import read_records
from memedit.training.requests.claims import stems
from memedit.training.requests.request import Candidate, Request, Role
from memedit.training.requests.split import Splits
from memedit.training.requests.stated import make_statement

_LEADS = ("What is known about {t}?", "Tell me about {t}.", "Explain {t}.", "{t}: what is it?")
_CLOSED = re.compile(r"^(is|are|was|were|do|does|did|has|have|can|could|will)\b", re.IGNORECASE)


def paragraphs(path: Path, splits: Splits, rng: random.Random) -> Iterator[Request]:
    """XQuAD: parts of paragraphs; other paragraphs of the same article are near and are not it."""
    records = list(read_records(path))
    by: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for record in records:
        by.setdefault((record["lang"], record["facts"][0]["subject"]), []).append(record)
    for record in records:
        lang = record["lang"]
        if lang not in {"en", "de", "es"} and rng.random() > 0.3:
            continue
        fact = record["facts"][0]
        subject, text = fact["subject"], fact["statement"]
        siblings = [r for r in by[lang, subject] if r is not record]
        for probe in record["probes"]:
            near = _draw_without(probe["answers"], siblings, rng)
            far = rng.choice(records)["facts"][0]
            if far["subject"] != subject and splits.of(far["subject"], subject):
                near.append(make_statement(far["statement"]))
            own, kind = make_statement(text, "asks"), "part"
            if lang == "en" and rng.random() < 0.4:
                title = subject.replace("_", " ")
                prompt = rng.choice(_LEADS).replace("{t}", title)
                own = Candidate(prompt, text, title, role="informs", group=text)
                kind = "part.of_target"
            yield Request("xquad_paragraphs", kind, (subject,), probe["prompt"], (own, *near))


def _draw_without(answers: Sequence[str], others: Sequence[dict[str, Any]], rng: random.Random
             ) -> list[Candidate]:  # fmt: skip
    found = [r["facts"][0]["statement"] for r in others]
    found = [t for t in found if not any(a.casefold() in t.casefold() for a in answers)]
    return [make_statement(t) for t in rng.sample(found, min(2, len(found)))]


def long_answers(path: Path, rng: random.Random) -> Iterator[Request]:
    """Edits whose target is a paragraph; questions that are unrelated, or ask of the same thing."""
    records = list(read_records(path))
    edits = [r for r in records if r["facts"][0]["target"]]
    loose = [r["facts"][0]["prompt"] for r in records if not r["facts"][0]["target"]]
    for record in edits:
        fact = record["facts"][0]
        own = Candidate(fact["prompt"], fact["target"], fact.get("subject"), group=fact["prompt"])
        about = (fact["prompt"],)
        near = tuple(
            Candidate(
                o["facts"][0]["prompt"], o["facts"][0]["target"], group=o["facts"][0]["prompt"]
            )
            for o in rng.sample(edits, 2)
            if len(stems(o["facts"][0]["prompt"]) & stems(fact["prompt"])) < 3
        )
        asked = [fact["prompt"], *(p["prompt"] for p in record.get("probes", ())
                                   if p["type"] in {"direct", "paraphrase"})]  # fmt: skip
        for text in dict.fromkeys(asked):
            kind = "direct" if text == fact["prompt"] else "paraphrase"
            yield Request("datafountain_unke", kind, about, text, (own.as_("asks"), *near))
        for probe in record.get("probes", ()):
            if probe["type"] == "part":
                yield Request(
                    "datafountain_unke",
                    "part.of_target",
                    about,
                    probe["prompt"],
                    (own.as_("informs"), *near),
                )
        text = rng.choice(loose)
        if len(stems(text) & stems(fact["prompt"])) < 2:
            yield Request("datafountain_unke", "neighbour", about, text, (own,))


def write_continued(path: Path, rng: random.Random) -> Iterator[Request]:
    """WikiBio: passages that go on, and other things about the same person."""
    for record in read_records(path):
        fact = record["facts"][0]
        subject = fact["subject"]
        own = Candidate(fact["prompt"], fact["target"], subject, group=subject)
        for probe in record["probes"]:
            direct = probe["type"] == "direct"
            role: Role = "asks" if direct else "none"
            if direct and len(record["probes"][0]["prompt"]) > 900:
                continue
            kind = "direct" if direct else "same_subject"
            yield Request(
                "wikibio", kind, (subject,), probe["prompt"], (own.as_(role),), frames=False
            )


def write_found(path: Path, name: str, rng: random.Random) -> Iterator[Request]:
    """Texts that were found for a question: those with an answer to it, beside texts for others."""
    records = list(read_records(path))
    for record in records:
        probe = record["probes"][0]
        question = probe["prompt"].strip()
        answers = [*probe["answers"], *probe.get("wrong", ())]
        closed = bool(_CLOSED.match(question)) or " or " in question
        role: Role = "informs" if closed else "asks"
        if not question.endswith("?"):
            question += "?" if rng.random() < 0.5 else ""
        for fact in rng.sample(record["facts"], min(3, len(record["facts"]))):
            text = fact["statement"]
            if not closed and not any(a.casefold() in text.casefold() for a in answers):
                continue
            other = rng.choice(rng.choice(records)["facts"])["statement"]
            near = (make_statement(other),) if len(stems(other) & stems(question)) < 2 else ()
            yield Request(
                name,
                "part" if role == "asks" else "part.yes",
                (probe["prompt"],),
                question,
                (make_statement(text, role), *near),
            )


def documents(path: Path, name: str, rng: random.Random) -> Iterator[Request]:
    """Policy documents, asked for by what their title says, beside documents that share words."""
    records = [r for r in read_records(path) if r.get("facts")]
    for record in records:
        fact = record["facts"][0]
        title, text = str(fact.get("subject") or ""), fact["statement"]
        if not title:
            continue
        forms = (
            "I have a question about this: {t}.",
            "{t}?",
            "Where can I find details on {t}?",
            "Explain {t} to me.",
            "Tell me what the rules for {t} are.",
            "help with {t}",
        )
        mine = stems(title)
        alike = [r for r in rng.sample(records, min(40, len(records)))
                 if len(stems(str(r["facts"][0].get("subject"))) & mine) in (1, 2)]  # fmt: skip
        near = tuple(make_statement(r["facts"][0]["statement"]) for r in alike[:2])
        own = make_statement(text, "asks")
        for form in rng.sample(forms, 2):
            asked = form.replace("{t}", title)
            yield Request(name, "document.title", (title,), asked, (own, *near))
