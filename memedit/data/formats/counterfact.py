"""CounterFact (Meng et al. 2022, arXiv 2202.05262), complete records or the core."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from memedit.core.rewrites import Rewrite
from memedit.data.cases import GENERATION, NEIGHBOURHOOD, PARAPHRASE, Probe, Read
from memedit.data.counterfact import is_counterfact, read_counterfact
from memedit.data.formats import Options, case_of, own_probes, texts
from memedit.data.records import Json
from memedit.data.references import Snippets, read_snippets


def recognises(record: Json) -> bool:
    return is_counterfact(record)


def read(records: Iterable[Json], options: Options) -> Iterator[Read]:
    snippets = read_snippets(options.references) if options.references else None
    for number, record in enumerate(records):
        if not options.sources or record.get("source") in options.sources:
            yield case(record, number, snippets)


def case(record: Json, number: int, snippets: Snippets | None = None) -> Read:
    """Efficacy, paraphrase, neighbourhood (target: the true object) and generation probes."""
    told = read_counterfact(record)
    edit = edit_of(told.rewrite)
    new, true = (told.rewrite.target,), texts(told.rewrite.true)
    probes = [
        *own_probes([edit]),
        *(Probe(PARAPHRASE, p, new, true) for p in told.paraphrases),
        *(Probe(NEIGHBOURHOOD, p, true, new) for p in told.neighbours),
        *(Probe(GENERATION, p) for p in told.generations),
    ]
    about = _texts(snippets, told.rewrite) if snippets else {}
    relations = [told.rewrite.relation]
    return case_of(record.get("case_id", number), [edit], probes, relations, **about)


def edit_of(rewrite: Rewrite) -> Json:
    """The fields of the edit that a rewrite asks for."""
    return {
        "prompt": rewrite.prompt,
        "target_new": rewrite.target,
        "subject": rewrite.subject,
        "target_true": rewrite.true,
    }


def _texts(snippets: Snippets, rewrite: Rewrite) -> dict[str, tuple[str, ...]]:
    about = rewrite.relation, rewrite.target_id
    essence = snippets.essence(*about, rewrite.subject)
    return {"references": snippets.references(*about), "essence": essence}
