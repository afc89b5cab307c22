"""zsRE in MEND's form (Levy et al. 2017; Mitchell et al. 2022).

MEND and EasyEdit edit towards ``alt``, a counterfactual; ROME and MEMIT towards ``answers[0]``, the
true answer. :class:`~memedit.data.formats.Options` says which.

The files ask one fact in many wordings, as a record each, and each with an ``alt`` of its own. Such
records contradict one another; what has the same subject and the same true answers is taken to be
one fact, of which a run keeps the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from memedit.data.cases import LOCALITY, PARAPHRASE, PORTABILITY, Probe, Read
from memedit.data.formats import Options, case_of, own_probes, texts
from memedit.data.records import Json


def recognises(record: Json) -> bool:
    return {"src", "alt", "answers"} <= record.keys()


def read(records: Iterable[Json], options: Options) -> Iterator[Read]:
    for number, record in enumerate(records):
        if not options.sources or record.get("source") in options.sources:
            yield _case(record, number, options.target)


def _case(record: Json, number: int, convention: str) -> Read:
    answers = texts(record["answers"])
    targets = texts(record["alt"]) if convention == "alt" else answers
    if not targets:
        return None
    old = answers[:1] if convention == "alt" else ()
    edit = {
        "prompt": record["src"],
        "target_new": targets[0],
        "subject": record.get("subject"),
        "target_true": old[0] if old else None,
    }
    probes = [*own_probes([edit])]
    if record.get("rephrase"):
        probes.append(Probe(PARAPHRASE, record["rephrase"], targets, old))
    if record.get("loc"):
        probes.append(Probe(f"{LOCALITY}:nq", record["loc"], texts(record.get("loc_ans"))))
    more = _read_portability(record, targets, convention)
    relation = _fact(answers) if convention == "alt" else ""
    return case_of(number, [edit], [*probes, *more], [relation])


def _fact(answers: tuple[str, ...]) -> str:
    """Stands for the relation, which these files do not name; "" where the answer is unknown."""
    return f"answers: {'; '.join(sorted(a.casefold() for a in answers))}" if answers else ""


def _read_portability(record: Json, targets: tuple[str, ...], convention: str) -> Iterator[Probe]:
    """Portability questions; they are written for ``alt``, so ``answers`` has none of them."""
    if convention != "alt":
        return
    asked = record.get("portability") or {}
    if asked.get("New Question"):
        yield Probe(f"{PORTABILITY}:one_hop", asked["New Question"], texts(asked["New Answer"]))
    if record.get("inverse_question"):
        inverse = record["inverse_question"]
        yield Probe(f"{PORTABILITY}:inverse_relation", inverse, texts(record.get("subject")))
    if record.get("alter_subject_question"):
        yield Probe(f"{PORTABILITY}:subject_replace", record["alter_subject_question"], targets)
