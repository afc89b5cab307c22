"""Portability questions for CounterFact records, joined to the records by ``case_id``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from memedit.core.errors import InvalidInputError
from memedit.data.cases import LOCALITY, PORTABILITY, EvalCase, Probe, Read
from memedit.data.formats import Options, counterfact, texts
from memedit.data.records import Json

_BESIDE = ("counterfact_full.jsonl.gz", "counterfact_core.jsonl.gz", "counterfact.jsonl")


def recognises(record: Json) -> bool:
    return record.keys() <= {"case_id", "portability", "unrelated_relation"} and isinstance(
        record.get("portability"), dict
    )


def read(records: Iterable[Json], options: Options) -> Iterator[Read]:
    """The CounterFact case of each question with the question added.

    Raises:
        InvalidInputError: there is no CounterFact file beside this one.
    """
    wanted = {record["case_id"]: record for record in records if "case_id" in record}
    for record in _edits(options.path):
        if (extra := wanted.pop(record.get("case_id"), None)) is not None:
            if not options.sources or record.get("source") in options.sources:
                case = counterfact.case(record, 0)
                if isinstance(case, EvalCase):
                    case = replace(case, probes=(*case.probes, *_probes(extra)))
                yield case
    # A question whose record is missing is counted as unusable.
    yield from (None for _ in wanted)


def _edits(path: Path | None) -> Iterator[Json]:
    from memedit.data.records import read_source

    folder = path.parent if path else Path()
    for name in _BESIDE:
        if (folder / name).is_file():
            yield from read_source(folder / name)
            return
    raise InvalidInputError(
        f"These are questions about CounterFact records, and {folder} holds none.",
        hint=f"Put one of {', '.join(_BESIDE)} beside the file.",
    )


def _probes(extra: Json) -> Iterator[Probe]:
    asked = extra["portability"]
    if asked.get("New Question"):
        yield Probe(f"{PORTABILITY}:one_hop", asked["New Question"], texts(asked["New Answer"]))
    unrelated = extra.get("unrelated_relation") or {}
    if unrelated.get("question"):
        answer = texts(unrelated.get("object"))
        yield Probe(f"{LOCALITY}:other_relation", unrelated["question"], answer)
