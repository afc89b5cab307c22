"""CounterFact (Meng et al. 2022, arXiv 2202.05262), complete records or the core."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from memedit.data.cases import GENERATION, NEIGHBOURHOOD, PARAPHRASE, Probe, Read
from memedit.data.formats import Options, case_of, own_probes
from memedit.data.records import Json
from memedit.data.references import Snippets, read_snippets


def recognises(record: Json) -> bool:
    return isinstance(record.get("requested_rewrite"), dict)


def read(records: Iterable[Json], options: Options) -> Iterator[Read]:
    snippets = read_snippets(options.references) if options.references else None
    for number, record in enumerate(records):
        if not options.sources or record.get("source") in options.sources:
            yield case(record, number, snippets)


def case(record: Json, number: int, snippets: Snippets | None = None) -> Read:
    """Efficacy, paraphrase, neighbourhood (target: the true object) and generation probes."""
    rewrite = record["requested_rewrite"]
    new, true = rewrite["target_new"]["str"], rewrite["target_true"]["str"]
    edit = {
        "prompt": rewrite["prompt"].replace("{}", rewrite["subject"]),
        "target_new": new,
        "subject": rewrite["subject"],
        "target_true": true,
    }
    probes = [
        *own_probes([edit]),
        *(Probe(PARAPHRASE, p, (new,), (true,)) for p in record.get("paraphrase_prompts", ())),
        *(Probe(NEIGHBOURHOOD, p, (true,), (new,)) for p in record.get("neighborhood_prompts", ())),
        *(Probe(GENERATION, p) for p in record.get("generation_prompts", ())),
    ]
    relation = rewrite.get("relation_id") or ""
    about = _texts(snippets, relation, rewrite) if snippets else {}
    return case_of(record.get("case_id", number), [edit], probes, [relation], **about)


def _texts(snippets: Snippets, relation: str, rewrite: Json) -> dict[str, tuple[str, ...]]:
    target = rewrite["target_new"].get("id", "")
    essence = snippets.essence(relation, target, rewrite["subject"])
    return {"references": snippets.references(relation, target), "essence": essence}
