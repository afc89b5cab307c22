"""MQuAKE (Zhong et al. 2023, arXiv 2305.14795): several edits, three questions over their chain.

A hop of the chain that is edited is asked as the edit's prompt, an unedited one as a question after
eight answered ones. ``--frame shots`` asks the three questions so, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from memedit.core.rewrites import read_rewrite
from memedit.data.cases import EFFICACY, HOP, MULTIHOP, Probe, Read
from memedit.data.formats import Options, case_of, texts
from memedit.data.formats.counterfact import edit_of
from memedit.data.records import Json

_SHOTS = (
    ("Who wrote the novel The Leopard?", "Giuseppe Tomasi di Lampedusa"),
    ("On which river does the town of Namur lie?", "Meuse"),
    ("What is the capital of the region where Lake Orta lies?", "Turin"),
    ("Which instrument did Jacqueline du Pré play?", "cello"),
    ("In which country was the inventor of dynamite born?", "Sweden"),
    ("Who is the author of the play Hedda Gabler?", "Henrik Ibsen"),
    ("Which continent is the country of Lesotho in?", "Africa"),
    ("What language is the original text of Kalevala in?", "Finnish"),
)


def with_shots(question: str) -> str:
    """Eight answered questions before this one, as MQuAKE asks for unedited facts and chains."""
    shots = "\n".join(f"Q: {q} A: {a}" for q, a in _SHOTS)
    return f"{shots}\nQ: {question} A:"


def recognises(record: Json) -> bool:
    return isinstance(record.get("requested_rewrite"), list) and "new_answer" in record


def read(records: Iterable[Json], options: Options) -> Iterator[Read]:
    for number, record in enumerate(records):
        wanted = record["requested_rewrite"]
        rewrites = [read_rewrite(each) for each in wanted]
        edits = [
            edit_of(rewrite) | {"queries": texts(each.get("question"))}
            for rewrite, each in zip(rewrites, wanted, strict=True)
        ]
        relations = [rewrite.relation for rewrite in rewrites]
        new = texts([record["new_answer"], record.get("new_answer_alias")])
        old = texts(record.get("answer"))
        hops = record.get("new_single_hops", ())
        probes = [
            *(_efficacy(edit, hops) for edit in edits),
            *(_hop(hop, {edit["prompt"] for edit in edits}) for hop in hops),
            *(Probe(MULTIHOP, question, new, old) for question in record["questions"]),
        ]
        yield case_of(record.get("case_id", number), edits, probes, relations)


def _efficacy(edit: Json, hops: Iterable[Json]) -> Probe:
    """The edit's prompt; the aliases of its target stand with the hop that it answers."""
    known = [_answers(hop) for hop in hops if hop.get("cloze") == edit["prompt"]]
    targets = texts([edit["target_new"], *known])
    return Probe(EFFICACY, edit["prompt"], targets, texts(edit["target_true"]))


def _hop(hop: Json, edited: set[str]) -> Probe:
    if hop.get("cloze") in edited or not hop.get("question"):
        return Probe(HOP, hop["cloze"], _answers(hop))
    return Probe(HOP, with_shots(hop["question"]), _answers(hop))


def _answers(hop: Json) -> tuple[str, ...]:
    return texts([hop["answer"], hop.get("answer_alias")])
