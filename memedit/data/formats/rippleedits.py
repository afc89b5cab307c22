"""RippleEdits (Cohen et al. 2023, arXiv 2307.12976), as its authors publish it.

Six criteria, each a list of tests: queries, one or all of which must be answered (OR, AND), and
condition queries that the unedited model must answer, else the test is not executed. The records
give an edit as a sentence without marking subject and target; both are found by comparing it with
the sentence of the previous fact, the answers to questions with the same target, and the questions
about the same subject. A record whose target is not found is unusable, and counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any

from memedit.data.cases import EFFICACY, LOCALITY, PORTABILITY, Probe, Query, Read, RippleTest
from memedit.data.formats import Options, case_of, group, texts
from memedit.data.records import Json

CRITERIA = {
    "Logical_Generalization": PORTABILITY,
    "Compositionality_I": PORTABILITY,
    "Compositionality_II": PORTABILITY,
    "Subject_Aliasing": PORTABILITY,
    "Relation_Specificity": LOCALITY,
    "Relation_Specifity": LOCALITY,  # as the published files spell it
    "Forgetfulness": LOCALITY,
}
_AROUND = frozenset("the name of for in at to and is are was were which what who by".split())


def recognises(record: Json) -> bool:
    return "example_type" in record and isinstance(record.get("edit"), dict)


def read(records: Iterable[Json], options: Options) -> Iterator[Read]:
    for number, record in enumerate(records):
        yield _case(record, number)


def _case(record: Json, number: int) -> Read:
    before = record["edit"].get("previous_fact") or record["edit"].get("original_fact") or {}
    found = _split(record, before)
    if found is None:
        return None
    prompt, target = found
    old = before.get("prompt", "").removeprefix(prompt).strip().removesuffix(".")
    aliases = texts([target, *_aliases(record)])
    edit = {
        "prompt": prompt,
        "target_new": target,
        "subject": _subject(record, prompt),
        "target_true": old or None,
    }
    probes, tests = [Probe(EFFICACY, prompt, aliases, texts(old))], []
    for name, kind in CRITERIA.items():
        for test in record.get(name) or ():
            made = _test(f"{kind}:{group(name.replace('Specifity', 'Specificity'))}", test)
            probes += [Probe(made.kind, q.prompt, texts(list(q.answers))) for q in made.queries]
            tests += [made] if made.queries else []
    relations = [record["edit"].get("relation", "")]
    return case_of(number, [edit], dict.fromkeys(probes), relations, tests=tuple(tests))


def _test(kind: str, test: Json) -> RippleTest:
    queries, conditions = (
        tuple(query for each in test.get(name, ()) if (query := _query(each)).answers)
        for name in ("test_queries", "condition_queries")
    )
    return RippleTest(kind, queries, conditions, every=test.get("test_condition") == "AND")


def _query(query: Json) -> Query:
    """One-letter answers are left out, as in the authors' code: they are in every text."""
    groups = (texts([a["value"], a.get("aliases")]) for a in query["answers"])
    kept = (tuple(t for t in each if len(t) > 1 or t.isdigit()) for each in groups)
    return Query(query["prompt"], tuple(each for each in kept if each))


def _split(record: Json, before: Json) -> tuple[str, str] | None:
    """(prompt, target) of the edit's sentence."""
    sentence = record["edit"]["prompt"].strip().removesuffix(".")
    # The longest first: a short name may be the end of a long one.
    for target in sorted(_aliases(record), key=len, reverse=True):
        if sentence.endswith(f" {target}"):
            return sentence.removesuffix(target).rstrip(), target
    words, others = sentence.split(), before.get("prompt", "").strip().removesuffix(".").split()
    pairs = zip(words, others, strict=False)
    same = next((i for i, (a, b) in enumerate(pairs) if a != b), 0)
    return (" ".join(words[:same]), " ".join(words[same:])) if same else None


def _queries(record: Json) -> Iterator[Json]:
    for name in CRITERIA:
        for test in record.get(name) or ():
            yield from (*test.get("test_queries", ()), *test.get("condition_queries", ()))


def _aliases(record: Json) -> list[str]:
    """Every name of the new object that a query with the same relation and object tells."""
    edit = record["edit"]
    found: list[str] = []
    for query in _queries(record):
        same = query.get("query_type") == "regular" and query.get("relation") == edit["relation"]
        if same and _as_list(query.get("target_ids")) == _as_list(edit["target_id"]):
            found += texts(list(_query(query).answers))
    return list(dict.fromkeys(found))


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _subject(record: Json, prompt: str) -> str | None:
    """What the prompt shares with the other questions about the same subject."""
    words: Sequence[str] = prompt.split()
    whole = len(words)
    for query in _queries(record):
        if query.get("subject_id") == record["edit"]["subject_id"]:
            if query.get("relation") != record["edit"]["relation"]:
                other = query["prompt"].split()
                match = SequenceMatcher(None, words, other, autojunk=False).find_longest_match()
                words = words[match.a : match.a + match.size]
    if len(words) == whole:
        return None
    while words and words[0].casefold() in _AROUND:
        words = words[1:]
    while words and words[-1].casefold() in _AROUND:
        words = words[:-1]
    found = " ".join(words)
    return found or None
