"""Which form of scope classifier: cosines, logistic regression, boosted trees, the pair network,
SERAC's embed and cross forms, and the cascade of pair network and cross-encoder.

    python benchmarks/scope_forms.py --data counterfact_full.jsonl.gz --data zsre.jsonl.gz \
        --texts wikipedia_2000_articles.jsonl.gz --most 1500 --json out.json

All learn from the same labelled pairs (subjects of the training part) and are compared on the same
pairs of other subjects (the calibration part), each at the threshold that keeps a share of the
paraphrases (``--recall``): what then fires falsely?
embed, cross and cascade each learn ``--steps`` batches of 48 pairs: those in doubt for the cascade,
any for the others.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from memedit.data.facts import read_facts
from memedit.data.texts import sentences
from memedit.engine.encoders import load_encoder
from memedit.scope.cross import CrossEncoder
from memedit.scope.features import SCALARS
from memedit.scope.reading import TextPair
from memedit.training.cross import Labelled, chances, choose_pairs, train_cross
from memedit.training.jobs import split_facts
from memedit.training.loop import Schedule
from memedit.training.pairs import KINDS, POSITIVE, Floats, Pairs, cache_pairs
from memedit.training.scope import best_of_queries, calibrate, train_pair_model

RATE = 1e-3


@dataclass(frozen=True, slots=True)
class Job:
    """What a form may learn from, and how long."""

    pairs: Pairs
    encoder: Any
    steps: int
    seed: int
    folder: Path

    @property
    def schedule(self) -> Schedule:
        return Schedule(
            steps=self.steps, batch=48, rate=RATE, warmup=60, save_every=self.steps, seed=self.seed
        )

    def any_pairs(self) -> list[Labelled]:
        """As many pairs as there are steps for, drawn from all."""
        count = min(len(self.pairs), 48 * self.steps)
        chosen = random.Random(self.seed).sample(range(len(self.pairs)), count)
        return [(self.pairs.texts[i], int(self.pairs.labels[i])) for i in chosen]


Scorer = Callable[[Pairs], Floats]


def cosine(job: Job) -> Scorer:
    column = SCALARS.index("similarity")
    return lambda pairs: pairs.scalars[:, column]


def masked_cosine(job: Job) -> Scorer:
    column, named = SCALARS.index("relation"), SCALARS.index("mentioned")
    return lambda pairs: pairs.scalars[:, column] * pairs.scalars[:, named]


def logistic(job: Job) -> Scorer:
    train = job.pairs
    model = LogisticRegression(max_iter=500, class_weight="balanced")
    mean, scale = train.scalars.mean(0), train.scalars.std(0) + 1e-3
    model.fit((train.scalars - mean) / scale, train.labels)
    return lambda pairs: model.decision_function((pairs.scalars - mean) / scale)


def trees(job: Job) -> Scorer:
    model = HistGradientBoostingClassifier(
        max_iter=300, class_weight="balanced", random_state=job.seed
    ).fit(job.pairs.scalars, job.pairs.labels)
    return lambda pairs: model.decision_function(pairs.scalars)


def network(job: Job) -> Scorer:
    model = train_pair_model(job.pairs, seed=job.seed, manifest={})
    return lambda pairs: model.logits(pairs.scalars, pairs.vectors.astype(np.float32))


class Embed(CrossEncoder):
    """SERAC's embed form: the cosine of the two texts, each read alone, scaled and shifted."""

    def __init__(self, body: Any, tokenizer: Any) -> None:
        super().__init__(body, tokenizer)
        self.head = torch.nn.Linear(1, 2)
        torch.nn.init.constant_(self.head.weight, 10.0)
        torch.nn.init.constant_(self.head.bias, -7.0)

    def forward(self, pairs: Sequence[TextPair]) -> torch.Tensor:
        u, v = (self._read([pair[side] for pair in pairs]) for side in (0, 1))
        logits: torch.Tensor = self.head((u * v).sum(-1, keepdim=True))
        return logits

    def _read(self, texts: Sequence[str]) -> torch.Tensor:
        inputs = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=64, return_tensors="pt"
        )
        states = self.body(**inputs).last_hidden_state
        mask = inputs["attention_mask"][..., None].to(states.dtype)
        return torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)


def embed(job: Job) -> Scorer:
    model = train_cross(
        job.encoder, job.any_pairs(), job.schedule, job.folder / "embed", form=Embed
    )
    return lambda pairs: model.logits(pairs.texts)[:, 0]


def cross(job: Job) -> Scorer:
    model = train_cross(job.encoder, job.any_pairs(), job.schedule, job.folder / "cross")
    return lambda pairs: model.logits(pairs.texts)[:, 0]


def cascade(job: Job) -> Scorer:
    first = calibrate(train_pair_model(job.pairs, seed=job.seed, manifest={}), job.pairs)
    labelled = choose_pairs(first, job.pairs, job.seed)
    second = train_cross(job.encoder, labelled, job.schedule, job.folder / "cascade")
    model = replace(first, join=(0.5, 1.0, 0.0), bears=(0.5, 1.0, 0.0))
    return lambda pairs: chances(model, pairs, second)


FORMS: dict[str, Callable[[Job], Scorer]] = {
    "cosine": cosine,
    "masked cosine": masked_cosine,
    "logistic regression": logistic,
    "boosted trees": trees,
    "pair network": network,
    "embed": embed,
    "cross": cross,
    "cascade": cascade,
}


def false_fires(pairs: Pairs, scores: Floats, recall: float) -> dict[str, float]:
    """Share of each kind's queries that fire where ``recall`` of the paraphrases do, rightly.

    ``first`` is the share of paraphrases whose best edit is the right one: no threshold reaches
    more, and where it is less than ``recall``, everything fires.
    """
    best, right = best_of_queries(pairs, scores, pairs.labels == 1)
    order = np.lexsort((-scores, pairs.query))
    first = order[np.r_[True, np.diff(pairs.query[order]) > 0]]
    kinds, queries = pairs.kinds[first], pairs.query[first]
    answerable = np.isin(queries, pairs.query[pairs.labels == 1])
    asked = (kinds == "paraphrase") & answerable
    won = np.where(right[asked], best[asked], -np.inf)
    threshold = np.quantile(won, 1 - recall, method="lower")
    found: dict[str, float] = {"first": float(right[asked].mean())}
    found |= {
        kind: float((best[kinds == kind] >= threshold).mean())
        for kind in KINDS
        if kind not in POSITIVE and (kinds == kind).any()
    }
    questions = (kinds == "question") & answerable
    found["question_recall"] = float((right & (best >= threshold))[questions].mean())
    return found


def labelled_pairs(
    data: Sequence[Path], texts: Sequence[Path], most: int, seed: int, cache: Path, encoder: Any
) -> dict[str, Pairs]:
    """Pairs of the training and the calibration part; kept in ``cache``."""
    parts = split_facts([f for f in read_facts(data) if f.source != "counterfact" or f.paraphrases])
    plain, pairs = sentences(texts), {}
    for part in ("train", "calibration"):
        random.Random(seed).shuffle(parts[part])
        pairs[part] = cache_pairs(
            cache / f"{part}-{most}-{seed}.safetensors", parts[part][:most], plain, encoder,
            seed=seed, progress=lambda done, total: None,
        )  # fmt: skip
    return pairs


def main(
    data: Annotated[list[Path], typer.Option(help="CounterFact, zsRE or KnowEdit records.")],
    texts: Annotated[list[Path], typer.Option(help="Ordinary text.")],
    json_out: Annotated[Path, typer.Option("--json", help="Where the results go.")],
    most: Annotated[int, typer.Option(help="At most so many facts of each part.")] = 1_500,
    steps: Annotated[int, typer.Option(help="Of embed, cross and cascade; 0: without.")] = 400,
    recall: Annotated[float, typer.Option(help="Share of the paraphrases that fire.")] = 0.98,
    cache: Annotated[Path | None, typer.Option(help="Keep pairs and models here.")] = None,
    seed: Annotated[int, typer.Option(help="Of queries and weights.")] = 0,
) -> None:
    """Compare the forms."""
    console, encoder = Console(stderr=True), load_encoder()
    folder = cache or Path(tempfile.mkdtemp())
    with console.status("Pairs"):
        pairs = labelled_pairs(data, texts, most, seed, folder, encoder)
    job = Job(pairs["train"], encoder, steps, seed, folder)
    results: dict[str, dict[str, Any]] = {}
    for name, form in FORMS.items():
        if not steps and form in (embed, cross, cascade):
            continue
        with console.status(f"Training: {name}"):
            start = time.perf_counter()
            score = form(job)
            middle = time.perf_counter()
            scores = score(pairs["calibration"])
        results[name] = false_fires(pairs["calibration"], scores, recall) | {
            "train_seconds": middle - start,
            "us_per_pair": (time.perf_counter() - middle) / len(scores) * 1e6,
        }
        json_out.write_text(json.dumps(results, indent=2) + "\n")
    columns = list(next(iter(results.values())))
    table = Table("form", *columns, title=f"False fires at {recall:.0%} of the paraphrases")
    for name, row in results.items():
        table.add_row(name, *(f"{row[column]:.4f}" for column in columns))
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
