"""Claims of the data sets of facts about the world."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from memedit.data.counterfact import CounterFact, read_counterfact
from memedit.data.records import read_records
from memedit.scope.relations import read_questions
from memedit.training.requests.banks import bank
from memedit.training.requests.claims import Claim, stems
from memedit.training.requests.split import UNSEEN_TOPICS, is_unseen

_REGULAR = re.compile(r"^(What|Who|When|Where) (is|was|are) the (.+?)(?:\(s\))? of (.+?)\?$")
_NAMED = re.compile(r"^The (?:names? of the )?(.+?)(?:\(s\))? (?:of|which|that) (.+) (is|are|was)$")
_PERSONS = re.compile(
    r"spouse|father|mother|child|sibling|author|director|founder|producer|composer|student|advisor|"
    r"chair|head of|president|mayor|creat|performer|owner|developer|architect|editor|winner|cast"
)
_TYPES = (
    ("country", re.compile(r"country|citizenship|nationality")),
    ("city", re.compile(r"place of|capital|city|headquarter|location of formation|birthplace")),
    ("language", re.compile(r"language")),
    ("company", re.compile(r"company|manufacturer|publisher|label|parent org|employer|brand")),
    ("genre", re.compile(r"genre")),
    ("religion", re.compile(r"religion")),
    ("sport", re.compile(r"^sport")),
    ("place", re.compile(r"location|administrative|region")),
    ("person", _PERSONS),
)


def object_type(relation: str) -> str:
    """What a relation's objects are, as a key of the bank of hops, or ""."""
    return next((name for name, form in _TYPES if form.search(relation.casefold())), "")


def counterfact(files: Iterable[Path], hops: Mapping[int, str]) -> Iterator[Claim]:
    """The claims of CounterFact files; ``hops``: further questions by case of the first file."""
    seen: set[tuple[str, str]] = set()
    for path in files:
        for record in read_records(path):
            told = read_counterfact(record)
            key = (told.rewrite.subject, told.rewrite.relation)
            if key not in seen and told.rewrite.relation in bank("relations"):
                seen.add(key)
                hop = hops.get(record["case_id"]) if "pararel_idx" in record else None
                yield _counterfact(told, hop)


def _counterfact(told: CounterFact, hop: str | None) -> Claim:
    rewrite = told.rewrite
    subject, relation = rewrite.subject, rewrite.relation
    words = bank("relations")[relation]

    def fill_subject(templates: Iterable[str]) -> tuple[str, ...]:
        return tuple(t.replace("{s}", subject) for t in templates)

    asked = tuple(rewrite.fill(question) for question in read_questions()[relation])
    return Claim(
        set="counterfact", subject=subject, relation=relation,
        prompt=rewrite.prompt, value=rewrite.target, old=rewrite.true or "",
        asked=(*asked, *told.paraphrases), casual=fill_subject(words["casual"]),
        of=fill_subject(words["of"]), states=fill_subject(words["states"]),
        yes=fill_subject(words["yes"]),
        reversed=fill_subject(words["reversed"]), type=words["type"],
        given=(("hop.2", hop),) if hop else (),
        neighbours=told.neighbours[:3],
    )  # fmt: skip


def make_regular(name: str, subject: str, what: str) -> dict[str, Any]:
    """What follows from a noun phrase: "genre" of "Orbit" gives questions and sentences."""
    of = f"the {what} of {subject}"
    own = f"{subject}'s {what}"
    return {
        "of": (of, own),
        "states": (f"The {what} of {subject} is {{v}}", f"{{v}} is the {what} of {subject}"),
        "yes": (f"Is {{v}} the {what} of {subject}?", f"Is the {what} of {subject} {{v}}?"),
        "casual": (f"{what} of {subject}", f"{subject} {what}", f"whats the {what} of {subject}"),
        "reversed": (f"Whose {what} is {{v}}?", f"Who or what has {{v}} as {what}?"),
        "type": object_type(what),
        "unseen": is_unseen(what),
        "relation": what,
    }


def halluedit(path: Path) -> Iterator[Claim]:
    """The claims of HalluEditBench, with its own questions sorted by kind."""
    for record in read_records(path):
        fact = record["facts"][0]
        subject, prompt = fact["subject"], fact["prompt"]
        topic = record["source"]["path"].rsplit("/", 1)[-1].removesuffix(".csv")
        by = _group_by_type(record)
        match = _REGULAR.match(prompt)
        form: dict[str, Any] = {}
        if match and match.group(4) == subject:
            form = make_regular("halluedit", subject, match.group(3))
        relation = form.get("relation") or prompt.replace(subject, "{}")
        form["relation"] = relation
        form["unseen"] = topic in UNSEEN_TOPICS or is_unseen(relation)
        yield Claim(
            set="halluedit", subject=subject, prompt=prompt, value=fact["target"],
            asked=(prompt, *by.get("paraphrase", ())), given=tuple(_take_given(by, fact)),
            others=tuple(_take_others(by, fact)), **form,
        )  # fmt: skip


def _group_by_type(record: dict[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for probe in record.get("probes", ()):
        found.setdefault(probe["type"], []).append(probe["prompt"])
    return found


def _take_given(by: dict[str, list[str]], fact: dict[str, Any]) -> Iterator[tuple[str, str]]:
    kinds = {"yes question": "yes.right", "no question": "yes.wrong",
             "reversed relation": "reversed"}  # fmt: skip
    for name, kind in kinds.items():
        yield from ((kind, text) for text in by.get(name, ()))
    direct = stems(" ".join((fact["prompt"], *by.get("paraphrase", ()))), fact["subject"])
    for hops in range(2, 7):
        for text in by.get(f"{hops}-hop", ()):
            new = stems(text, fact["subject"]) - direct - {"struc", "organ", "thing"}
            again = text.startswith("What is the name of") and hops == 2
            if new and not again:  # now and then it asks the edit itself
                yield f"hop.{hops}", text


def _take_others(by: dict[str, list[str]], fact: dict[str, Any]) -> Iterator[str]:
    """Those that neither share a word with the question nor name the object."""
    direct = stems(" ".join((fact["prompt"], *by.get("paraphrase", ()))), fact["subject"])
    target = stems(fact["target"], fact["subject"])
    for text in by.get("same subject, other relation", ()):
        words = stems(text, fact["subject"])
        if fact["subject"] in text and not words & direct and not words & target:
            yield text


def knowedit(files: Iterable[Path]) -> Iterator[Claim]:
    """The claims of KnowEdit's files: cloze prompts ("The genre of X is") and zsRE's questions."""
    for path in files:
        for record in read_records(path):
            subject, prompt = record["subject"], record["prompt"]
            local = record.get("locality") or {}
            others = [p["prompt"] for p in local.get("Relation_Specificity", ())]
            hops = [p["prompt"] for p in (record.get("portability") or {}).get("Reasoning", ())]
            yield _claim_of_prompt(
                "knowedit", subject, prompt, record["target_new"], others=others,
                again=record.get("rephrase_prompt"), hops=hops, old=record.get("ground_truth"),
            )  # fmt: skip


def zsre(path: Path) -> Iterator[Claim]:
    """The claims of zsRE."""
    for record in read_records(path):
        hop = (record.get("portability") or {}).get("New Question")
        yield _claim_of_prompt(
            "zsre", record["subject"], record["src"], record["alt"], again=record.get("rephrase"),
            hops=[hop] if hop else [], old=record.get("pred"),
        )  # fmt: skip


def pitfalls(path: Path) -> Iterator[Claim]:
    """The claims of the pitfalls of editing: each fact once."""
    seen: set[tuple[str, str]] = set()
    for record in read_records(path):
        for fact in record["facts"]:
            if (fact["subject"], fact["prompt"]) not in seen:
                seen.add((fact["subject"], fact["prompt"]))
                again = next(
                    (p["prompt"] for p in record["probes"] if fact["subject"] in p["prompt"]), None
                )
                yield _claim_of_prompt(
                    "pitfalls", fact["subject"], fact["prompt"], fact["target"],
                    again=again if len(record["facts"]) == 1 else None, old=fact.get("target_true"),
                )  # fmt: skip


def qaedit(path: Path) -> Iterator[Claim]:
    """The claims of QAEdit."""
    for record in read_records(path):
        fact, by = record["facts"][0], _group_by_type(record)
        yield Claim(
            set="qaedit_1k", subject=fact["subject"], relation=_template(fact),
            prompt=fact["prompt"], value=fact["target"], old=fact.get("target_true") or "",
            asked=(fact["prompt"], *by.get("paraphrase", ())),
            neighbours=tuple(by.get("locality", ())[:2]),
        )  # fmt: skip


def _template(fact: dict[str, Any]) -> str:
    return str(fact["prompt"]).replace(fact["subject"], "{}")


def _claim_of_prompt(
    name: str, subject: str, prompt: str, target: object, *, again: str | None = None,
    hops: Iterable[str] = (), others: Iterable[str] = (), old: object = None,
) -> Claim:  # fmt: skip
    form: dict[str, Any] = {}
    if match := _NAMED.match(prompt):
        if match.group(2) == subject and " of " in prompt:
            form = make_regular(name, subject, match.group(1))
    if (match := _REGULAR.match(prompt)) and match.group(4) == subject:
        form = make_regular(name, subject, match.group(3))
    asked = [again] if again else []
    if form:
        many = form["relation"].endswith("s") and form["relation"][-2:] not in {"ss", "us", "is"}
        asked.append(f"What {'are' if many else 'is'} the {form['relation']} of {subject}?")
    if prompt.endswith("?"):
        asked.insert(0, prompt)
    form.setdefault("relation", prompt.replace(subject, "{}"))
    return Claim(
        set=name, subject=subject, prompt=prompt, value=_text(target), old=_text(old),
        asked=tuple(dict.fromkeys(asked)), given=tuple(("hop.2", hop) for hop in hops),
        others=tuple(others), **form,
    )  # fmt: skip


def _text(value: object) -> str:
    while isinstance(value, list):
        value = value[0] if value else ""
    return str(value or "")
