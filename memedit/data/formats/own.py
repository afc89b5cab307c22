"""A user's own cases: one JSON object a line.

The short form is an edit as ``memedit edit export`` writes it, with optional lists beside it::

    {"prompt": "The CEO of Acme is", "target_new": "Ada Byron", "subject": "Acme",
     "target_true": "Bo Ek", "paraphrases": ["Who leads Acme?"],
     "locality": ["The CEO of Initech is", {"prompt": "Acme was founded in", "targets": ["1999"]}],
     "portability": [{"prompt": "The CEO of Acme was born in", "targets": ["London"]}],
     "generation": ["Acme is led by"], "references": ["Ada Byron leads Initech. She ..."]}

An edit may be a ``statement`` instead, as it is exported. The long form has several edits and any
probes::

    {"case_id": "7", "edits": [{"prompt": ..., "target_new": ..., "subject": ..., "relation": ...}],
     "probes": [{"kind": "portability:alias", "prompt": ..., "targets": [...], "reject": [...]}]}

Every edit gets an efficacy probe unless the record has some. A probe may ask for a form
(``"form": {"type": "list", "n": 3}``, see :mod:`memedit.evaluation.measures.forms`); a target then
counts wherever it stands in the answer. Other fields (a note, a label, a date) are let through; one
that looks like a misspelt field, or that holds a list, is refused with the nearest name.

``references`` are texts about what truly has the new object, ``essence`` texts about the subject
(consistency and essence, from the family ``fluency``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from memedit.core.errors import InvalidInputError
from memedit.core.registry import unknown_name
from memedit.data.cases import (
    EFFICACY,
    GENERATION,
    LOCALITY,
    PARAPHRASE,
    PORTABILITY,
    Probe,
    Read,
)
from memedit.data.formats import Options, case_of, own_probes, texts
from memedit.data.records import Json
from memedit.memory.files import COLUMNS

_EDIT = ("prompt", "target_new", "subject", "target_true", "queries")
_ONE = (*COLUMNS, "relation")
"""What an edit may have."""
_LISTS = ("paraphrases", "locality", "portability", "generation", "references", "essence", "probes")
_RECORD = (*_ONE, *_LISTS, "edits", "case_id")
_PROBE = ("kind", "prompt", "targets", "reject", "form")


def recognises(record: Json) -> bool:
    return "edits" in record or "prompt" in record or "statement" in record


def read(records: Iterable[Json], options: Options) -> Iterator[Read]:
    for number, record in enumerate(records):
        if not options.sources or record.get("source") in options.sources:
            _check("field", record, _RECORD)
            edits = [_fields(edit) for edit in record.get("edits", [record])]
            relations = [str(e.get("relation", "")) for e in record.get("edits", [record])]
            about = {name: texts(record.get(name)) for name in ("references", "essence")}
            probes = _probes(record, edits)
            yield case_of(record.get("case_id", number), edits, probes, relations, **about)


def _check(kind: str, given: Json, known: Sequence[str]) -> None:
    """Refuse a field that is meant to be another: its name is near, or it holds several values."""
    for name, value in given.items():
        if name not in known and (
            isinstance(value, list | dict) or get_close_matches(name, known, n=1, cutoff=0.75)
        ):
            raise InvalidInputError(str(unknown_name(kind, name, known)))


def _fields(edit: Any) -> Json:
    if isinstance(edit, dict) and isinstance(edit.get("statement"), str) and "prompt" not in edit:
        edit = {**edit, "prompt": edit["statement"]}
    if not isinstance(edit, dict) or not isinstance(edit.get("prompt"), str):
        raise InvalidInputError(
            f"An edit must be an object with a prompt, not {str(edit)[:80]!r}.",
            hint='{"prompt": "The CEO of Acme is", "target_new": "Ada Byron", "subject": "Acme"}',
        )
    _check("field of an edit", edit, _RECORD)
    fields = {name: edit[name] for name in _EDIT if edit.get(name) is not None}
    return {"target_new": None} | fields | {"queries": texts(edit.get("queries"))}


def _probes(record: Json, edits: list[Json]) -> list[Probe]:
    probes = [_probe(p, str(p.get("kind", ""))) for p in record.get("probes", ())]
    if not any(p.kind == EFFICACY for p in probes):
        probes = [*own_probes(edits), *probes]
    new, true = texts(edits[0]["target_new"]), texts(edits[0].get("target_true"))
    probes += [_probe(p, PARAPHRASE, new, true) for p in record.get("paraphrases", ())]
    probes += [_probe(p, LOCALITY) for p in record.get("locality", ())]
    probes += [_probe(p, PORTABILITY) for p in record.get("portability", ())]
    probes += [_probe(p, GENERATION) for p in record.get("generation", ())]
    return probes


def _probe(
    given: Any, kind: str, targets: tuple[str, ...] = (), reject: tuple[str, ...] = ()
) -> Probe:
    if isinstance(given, str):
        return Probe(kind, given, targets, reject)
    if not isinstance(given, dict) or not isinstance(given.get("prompt"), str):
        raise InvalidInputError(
            f"A probe must be a text or an object with a prompt, not {str(given)[:80]!r}.",
            hint='{"kind": "locality", "prompt": "The CEO of Initech is"}',
        )
    _check("field of a probe", given, _PROBE)
    return Probe(
        given.get("kind") or kind,
        given["prompt"],
        texts(given.get("targets")) or targets,
        texts(given.get("reject")) or reject,
        json.dumps(given["form"], sort_keys=True) if given.get("form") else "",
    )
