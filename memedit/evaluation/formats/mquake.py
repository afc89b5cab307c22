"""MQuAKE (Zhong et al. 2023, arXiv 2305.14795): several edits, three questions over their chain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from memedit.evaluation.cases import HOP, MULTIHOP, EvalCase, Probe
from memedit.evaluation.formats import Json, Options, case_of, own_probes, texts


def recognises(record: Json) -> bool:
    return isinstance(record.get("requested_rewrite"), list) and "new_answer" in record


def read(records: Iterable[Json], options: Options) -> Iterator[EvalCase | None]:
    for number, record in enumerate(records):
        edits = [_edit(rewrite) for rewrite in record["requested_rewrite"]]
        relations = [r.get("relation_id") or "" for r in record["requested_rewrite"]]
        new = texts([record["new_answer"], record.get("new_answer_alias")])
        old = texts(record.get("answer"))
        probes = [
            *own_probes(edits),
            *(
                Probe(HOP, hop.get("cloze") or hop["question"], _answers(hop))
                for hop in record.get("new_single_hops", ())
            ),
            *(Probe(MULTIHOP, question, new, old) for question in record["questions"]),
        ]
        yield case_of(record.get("case_id", number), edits, probes, relations)


def _edit(rewrite: Json) -> Json:
    return {
        "prompt": rewrite["prompt"].replace("{}", rewrite["subject"]),
        "target_new": rewrite["target_new"]["str"],
        "subject": rewrite["subject"],
        "target_true": rewrite["target_true"]["str"],
        "queries": texts(rewrite.get("question")),
    }


def _answers(hop: Json) -> tuple[str, ...]:
    return texts([hop["answer"], hop.get("answer_alias")])
