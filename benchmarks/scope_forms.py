"""Which form of scope classifier: cosine, logistic regression, boosted trees, the pair network.

    python benchmarks/scope_forms.py --data counterfact_full.jsonl.gz --data zsre.jsonl.gz \
        --texts wikipedia_2000_articles.jsonl.gz --most 1500 --json out.json

All learn from the same labelled pairs (subjects of the training part) and are compared on the same
pairs of other subjects (the calibration part), each at the threshold that keeps 99% of the
paraphrases: what then fires falsely?
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from memedit.encoders import load_encoder
from memedit.scope.features import SCALARS
from memedit.training.facts import read_facts
from memedit.training.jobs import split_facts
from memedit.training.pairs import KINDS, POSITIVE, Floats, Pairs, build
from memedit.training.scope import best_of_queries, train_pair_model
from memedit.training.texts import sentences

Scorer = Callable[[Pairs], Floats]
RECALL = 0.99


def cosine(train: Pairs, seed: int) -> Scorer:
    column = SCALARS.index("similarity")
    return lambda pairs: pairs.scalars[:, column]


def masked_cosine(train: Pairs, seed: int) -> Scorer:
    column, named = SCALARS.index("relation"), SCALARS.index("mentioned")
    return lambda pairs: pairs.scalars[:, column] * pairs.scalars[:, named]


def logistic(train: Pairs, seed: int) -> Scorer:
    model = LogisticRegression(max_iter=500, class_weight="balanced")
    mean, scale = train.scalars.mean(0), train.scalars.std(0) + 1e-3
    model.fit((train.scalars - mean) / scale, train.labels)
    return lambda pairs: model.decision_function((pairs.scalars - mean) / scale)


def trees(train: Pairs, seed: int) -> Scorer:
    model = HistGradientBoostingClassifier(
        max_iter=300, class_weight="balanced", random_state=seed
    ).fit(train.scalars, train.labels)
    return lambda pairs: model.decision_function(pairs.scalars)


def network(train: Pairs, seed: int) -> Scorer:
    model = train_pair_model(train, seed=seed, manifest={})
    return lambda pairs: model.logits(pairs.scalars, pairs.vectors.astype(np.float32))


FORMS: dict[str, Callable[[Pairs, int], Scorer]] = {
    "cosine": cosine,
    "masked cosine": masked_cosine,
    "logistic regression": logistic,
    "boosted trees": trees,
    "pair network": network,
}


def false_fires(pairs: Pairs, scores: Floats) -> dict[str, float]:
    """Share of each kind's queries that fire where 99% of the paraphrases do, rightly."""
    best, right = best_of_queries(pairs, scores)
    order = np.lexsort((-scores, pairs.query))
    first = order[np.r_[True, np.diff(pairs.query[order]) > 0]]
    kinds, queries = pairs.kinds[first], pairs.query[first]
    answerable = np.isin(queries, pairs.query[pairs.labels == 1])
    asked = (kinds == "paraphrase") & answerable
    threshold = np.quantile(np.where(right[asked], best[asked], -np.inf), 1 - RECALL)
    found: dict[str, float] = {
        kind: float((best[kinds == kind] >= threshold).mean())
        for kind in KINDS
        if kind not in POSITIVE and (kinds == kind).any()
    }
    questions = (kinds == "question") & answerable
    found["question_recall"] = float((right & (best >= threshold))[questions].mean())
    return found


def main(
    data: Annotated[list[Path], typer.Option(help="CounterFact, zsRE or KnowEdit records.")],
    texts: Annotated[list[Path], typer.Option(help="Ordinary text.")],
    json_out: Annotated[Path, typer.Option("--json", help="Where the results go.")],
    most: Annotated[int, typer.Option(help="At most so many facts of each part.")] = 1_500,
    seed: Annotated[int, typer.Option(help="Of queries and weights.")] = 0,
) -> None:
    """Compare the forms."""
    console = Console(stderr=True)
    parts = split_facts([f for f in read_facts(data) if f.source != "counterfact" or f.paraphrases])
    plain, encoder = sentences(texts), load_encoder()
    pairs = {}
    for part in ("train", "calibration"):
        random.Random(seed).shuffle(parts[part])
        with console.status(f"Pairs to {part}"):
            pairs[part] = build(parts[part][:most], plain, encoder, seed=seed)
    results: dict[str, dict[str, Any]] = {}
    for name, form in FORMS.items():
        with console.status(f"Training: {name}"):
            start = time.perf_counter()
            score = form(pairs["train"], seed)
            seconds = time.perf_counter() - start
        results[name] = false_fires(pairs["calibration"], score(pairs["calibration"]))
        results[name]["train_seconds"] = seconds
    json_out.write_text(json.dumps(results, indent=2) + "\n")
    columns = list(next(iter(results.values())))
    table = Table("form", *columns, title=f"False fires at {RECALL:.0%} of the paraphrases")
    for name, row in results.items():
        table.add_row(name, *(f"{row[column]:.4f}" for column in columns))
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
