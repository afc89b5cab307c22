"""KnowEdit and RippleEdits groups (Zhang et al. 2024, arXiv 2401.01286; Cohen et al. 2023).

Groups keep their names: ``portability:subject_aliasing``, ``portability:reasoning``,
``portability:logical_generalization``, ``locality:forgetfulness``,
``locality:relation_specificity``. Where a relation has several objects, any of them is right for
``gen_*``, and each must be named for ``ripple_*``. These files have no condition queries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from memedit.data.cases import LOCALITY, PARAPHRASE, PORTABILITY, Probe, Query, Read, RippleTest
from memedit.data.formats import Options, case_of, group, own_probes, read_required, texts
from memedit.data.records import Json


def recognises(record: Json) -> bool:
    return {"prompt", "target_new", "locality"} <= record.keys() and isinstance(
        record["locality"], dict
    )


def read(records: Iterable[Json], options: Options) -> Iterator[Read]:
    for number, record in enumerate(records):
        true = texts(record.get("ground_truth"))
        edit = {
            "prompt": record["prompt"],
            "target_new": record["target_new"],
            "subject": record.get("subject"),
            "target_true": true[0] if true else None,
        }
        probes = [*own_probes([edit])]
        if rephrased := record.get("rephrase_prompt"):
            probes.append(Probe(PARAPHRASE, rephrased, texts(record["target_new"]), true[:1]))
        tests: list[RippleTest] = []
        for kind in (PORTABILITY, LOCALITY):
            for probe, query in _read_grouped(kind, record.get(kind) or {}):
                probes.append(probe)
                if query.answers:
                    tests.append(RippleTest(probe.kind, (query,)))
        yield case_of(record.get("case_id", number), [edit], probes, tests=tuple(tests))


def _read_grouped(kind: str, groups: Json) -> Iterator[tuple[Probe, Query]]:
    for name, questions in groups.items():
        for question in questions:
            answers, prompt = question.get("ground_truth"), question["prompt"]
            if prompt.strip() and (texts(answers) or kind == LOCALITY):
                probe = Probe(f"{kind}:{group(name)}", prompt, texts(answers))
                yield probe, Query(prompt, read_required(answers))
