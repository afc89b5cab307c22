"""What the task files need: reading local data, and scores that the harness does not have.

The harness imports this file by its path; nothing here depends on the rest of the package but
for the comparison of texts.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from memedit.core.files import open_text
from memedit.evaluation.measures import text as texts

if TYPE_CHECKING:
    from datasets import Dataset

Doc: TypeAlias = "dict[str, Any]"
_NUMBER = re.compile(r"-?\$?\d[\d,]*(?:\.\d+)?")
_MARKED = re.compile(r"####\s*(-?[\d,.]+)")
_MIN_WORDS = 20


def dataset(*, data: str, file: str, train: str = "", **_: Any) -> dict[str, Any]:
    """The splits ``test`` and, where a file is named, ``train``.

    Args:
        data: Folder of the data; given as metadata of the run.
        file: Of JSON lines, or of text: then a document per paragraph of 20 words or more.
        train: Likewise.
    """
    import datasets

    files = {"test": file} | ({"train": train} if train else {})
    return {
        split: datasets.Dataset.from_list(list(_read(Path(data) / name)))
        for split, name in files.items()
    }


def _read(file: Path) -> Iterable[Doc]:
    with open_text(file) as lines:
        if ".jsonl" in file.suffixes or file.name.endswith(".jsonl.gz"):
            yield from (json.loads(line) for line in lines)
        else:
            for line in lines:
                if len(line.split()) >= _MIN_WORDS:
                    yield {"text": line.strip()}


def boolq_target(doc: Doc) -> int:
    """0 for no, 1 for yes, however the file writes it."""
    answer = doc.get("answer", doc.get("label"))
    return int(answer in {True, "true", "True", "yes"})


def mutual_docs(docs: Dataset) -> Dataset:
    """With ``gold``, the position of the right option."""
    return docs.map(lambda doc: {"gold": _position(doc)})


def _position(doc: Doc) -> int:
    answer = doc.get("answers", doc.get("answer", doc.get("label")))
    return answer if isinstance(answer, int) else "ABCD".index(str(answer))


def nq_open(doc: Doc, results: Sequence[str]) -> dict[str, float]:
    """Exact match with any of the answers, after SQuAD's normalisation."""
    return {"exact_match": float(texts.exact(texts.cut_first_sentence(results[0]), doc["answer"]))}


def gsm8k(doc: Doc, results: Sequence[str]) -> dict[str, float]:
    """Solve rate: the number after ``####``, else the last number, is the answer's."""
    numbers = _MARKED.findall(results[0]) or _NUMBER.findall(results[0])
    said = _value(numbers[-1]) if numbers else None
    return {"solve_rate": float(said is not None and said == _value(doc["final"]))}


def _value(number: str) -> float | None:
    try:
        return float(number.replace(",", "").replace("$", "").rstrip("."))
    except ValueError:
        return None


def samsum(doc: Doc, results: Sequence[str]) -> dict[str, float]:
    """ROUGE-1, -2 and -L F-measures with stemming."""
    from rouge_score.rouge_scorer import RougeScorer

    names = ["rouge1", "rouge2", "rougeL"]
    scores = RougeScorer(names, use_stemmer=True).score(doc["summary"], results[0])
    return {name: float(scores[name].fmeasure) for name in names}


def conll03_docs(docs: Dataset) -> Dataset:
    """With ``sentence`` and ``entities`` ("Oslo = LOC; Bo Ek = PER", or "none")."""

    def write_entities(doc: Doc) -> Doc:
        found = [f"{name} = {kind}" for name, kind in entities(doc["tokens"], doc["ner"])]
        return {"sentence": " ".join(doc["tokens"]), "entities": "; ".join(found) or "none"}

    return docs.map(write_entities)


def entities(tokens: Sequence[str], tags: Sequence[str]) -> list[tuple[str, str]]:
    """(text, type) of every entity of a sentence in BIO tags, in order."""
    found: list[tuple[list[str], str]] = []
    before = "O"
    for token, tag in zip(tokens, tags, strict=True):
        if tag != "O":
            kind = tag[2:]
            if tag.startswith("B-") or before == "O" or before[2:] != kind:
                found.append(([], kind))
            found[-1][0].append(token)
        before = tag
    return [(" ".join(words), kind) for words, kind in found]


def conll03(doc: Doc, results: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """(right, said, true) entities of a sentence, as multisets; type and text must agree."""
    parts = (part.rpartition("=") for part in results[0].strip().split(";"))
    said = Counter((name.strip(), kind.strip()) for name, mark, kind in parts if mark)
    true = Counter(entities(doc["tokens"], doc["ner"]))
    return {"entity_f1": ((said & true).total(), said.total(), true.total())}


def micro_f1(items: Iterable[tuple[int, int, int]]) -> float:
    """2 right / (said + true) over all sentences; 0 without any entity."""
    right, said, true = (sum(column) for column in zip(*items, strict=True))
    return 2 * right / (said + true) if said + true else 0.0
