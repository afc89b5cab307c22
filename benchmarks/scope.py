"""How often the right edit fires, and a wrong one, with all edits of a file in one memory.

    python benchmarks/scope.py --data counterfact_full.jsonl.gz --zsre zsre.jsonl.gz --json out.json

All records become edits; queries are about subjects the shipped scope has not been trained on (the
evaluation part of memedit.data.split; ``--part all`` asks about every subject, for files that
had no part in training). No language model is needed: this measures the decision alone.

paraphrase_recall, zsre_recall   the right edit is among those that fire (zsRE: one of the edits of
                                 the same subject and true answer: one fact in many wordings)
neighbour_false_fire             any edit fires on a neighbourhood prompt; prompts that are edits,
                                 or that ask the same (or a sister relation) of an edited subject,
                                 are left out
same_subject_false_fire          the subject's edit fires on another relation's prompt
reversed_, negated_, …           … on the edit's own question turned round
text_false_fire                  any edit fires on ordinary text
ece                              expected calibration error of the best candidate's probability
"""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from memedit import EditMemory
from memedit.core.protocols import Scope
from memedit.core.text import subject_key
from memedit.core.types import Decision
from memedit.data.facts import Fact, read_facts
from memedit.data.split import part_of
from memedit.data.texts import passages
from memedit.engine.encoders import load_encoder
from memedit.scope import load_scope
from memedit.scope.calibrate import reliability
from memedit.scope.proposals import propose_queries
from memedit.scope.relations import are_sisters
from memedit.training.examples import are_related
from memedit.training.forms import date, hypothetical, negate, reverse

BATCH = 128
TEXTS = 5_000
TIMED = 300
Results = dict[str, Any]
FILES = (
    "text/wikitext2_raw_test.txt.gz", "downstream/boolq_dev.jsonl.gz",
    "downstream/gsm8k_test.jsonl.gz", "downstream/sst2_dev.jsonl.gz",
    "downstream/mutual_dev.jsonl.gz",
)  # fmt: skip


def _same_fact(fact: Fact) -> object:
    """What two records share that ask one thing: zsRE has one fact in many records, each in its own
    words and with its own new answer."""
    if fact.source == "zsre" and fact.true:
        return subject_key(fact.subject), fact.true.casefold()
    return fact.edit.id


class Bench:
    """One memory with every edit, one scope, and the decisions so far (for the calibration)."""

    def __init__(
        self,
        facts: Sequence[Fact],
        scope: Scope,
        console: Console,
        seed: int,
        proposed: bool = False,
    ) -> None:
        self.facts, self.scope, self.console = facts, scope, console
        self.rng = random.Random(seed)
        self.memory = EditMemory(None, load_encoder())
        edits = [fact.edit for fact in facts]
        if proposed:
            queries = propose_queries(edits, self.memory.encoder)
            edits = [replace(e, queries=q) for e, q in zip(edits, queries, strict=True)]
        self.memory.add_many(edits)
        self.live = {record.id for record in self.memory.records()}
        self.by_subject: dict[str, list[Fact]] = {}
        for fact in facts:
            self.by_subject.setdefault(subject_key(fact.subject), []).append(fact)
        self.same: dict[object, set[str]] = {}
        for fact in facts:
            self.same.setdefault(_same_fact(fact), set()).add(fact.edit.id)
        self.chances: list[float] = []
        self.right: list[bool] = []

    def decide(self, queries: Sequence[str], what: str) -> list[Decision]:
        found: list[Decision] = []
        parts = [queries[i : i + BATCH] for i in range(0, len(queries), BATCH)]
        for part in track(parts, what, console=self.console, transient=True):
            found += self.scope.decide(part, self.memory.search(part, k=16))
        return found

    def recall(self, asked: Iterable[tuple[str, Fact]], what: str) -> tuple[float, float] | None:
        """(share of queries on which the right edit fires, share on which it fires first)."""
        pairs = [(text, fact) for text, fact in asked if fact.edit.id in self.live]
        decisions = self.decide([text for text, _ in pairs], what)
        fired, first = [], []
        for decision, (_, fact) in zip(decisions, pairs, strict=True):
            ids, right = [hit.record.id for hit in decision.hits], self.same[_same_fact(fact)]
            fired.append(not right.isdisjoint(ids))
            first.append(not right.isdisjoint(ids[:1]))
            best = decision.candidates[0].record.id if decision.candidates else ""
            self._seen(decision, best in right)
        return (float(np.mean(fired)), float(np.mean(first))) if pairs else None

    def false_fires(self, queries: Sequence[str], what: str) -> float | None:
        """Share of queries on which anything fires."""
        decisions = self.decide(queries, what)
        for decision in decisions:
            self._seen(decision, False)
        return float(np.mean([bool(d.hits) for d in decisions])) if decisions else None

    def own_fires(self, asked: Sequence[tuple[str, Fact]], what: str) -> float | None:
        """Share of queries on which the fact they were made from fires."""
        decisions = self.decide([text for text, _ in asked], what)
        fires = []
        for decision, (_, fact) in zip(decisions, asked, strict=True):
            fires.append(fact.edit.id in [hit.record.id for hit in decision.hits])
            self._seen(decision, False)
        return float(np.mean(fires)) if fires else None

    def _seen(self, decision: Decision, right: bool) -> None:
        if 0 <= decision.score <= 1:
            self.chances.append(decision.score)
            self.right.append(right)

    def asks_an_edit(self, prompt: str, relation: str) -> bool:
        """Whether a prompt asks this relation, or a sister of it, of an edited subject."""
        named = [m.key for view in [prompt] for m in self._mentions(view)]
        return any(are_sisters(f.relation, relation) for key in named for f in self.by_subject[key])

    def _mentions(self, text: str) -> list[Any]:
        if not hasattr(self, "_index"):
            from memedit.memory.live.subjects import SubjectIndex

            self._index = SubjectIndex()
            for number, fact in enumerate(self.facts, start=1):
                self._index.add(number, fact.subject)
        return self._index.mentions(text)


def neighbours(bench: Bench, facts: Sequence[Fact]) -> list[str]:
    prompts = {fact.prompt for fact in bench.facts}
    return [
        text
        for fact in facts
        for text in fact.neighbours
        if text not in prompts and not bench.asks_an_edit(text, fact.relation)
    ]


def same_subject(bench: Bench, facts: Sequence[Fact]) -> list[tuple[str, Fact]]:
    """Two prompts per fact: those the data give, else other facts' prompts about this subject."""
    found = []
    pool = [f for f in bench.facts if f.source == "counterfact"] or list(bench.facts)
    for fact in facts:
        given = bench.rng.sample(fact.others, min(2, len(fact.others)))
        found += [(text, fact) for text in given]
        for _ in range(2 - len(given)):
            other = bench.rng.choice(pool)
            if not are_related(fact, other):
                found.append((other.prompt.replace(other.subject, fact.subject), fact))
    return found


def turned(
    bench: Bench, facts: Sequence[Fact], form: Callable[[Fact, random.Random], str | None]
) -> list[tuple[str, Fact]]:
    made = [(form(fact, bench.rng), fact) for fact in facts]
    return [(text, fact) for text, fact in made if text]


def ordinary(folder: Path, rng: random.Random) -> list[str]:
    """Up to 5,000 texts, as many of each file that is there."""
    there = [folder / name for name in FILES if (folder / name).is_file()]
    found: list[str] = []
    for path in there:
        texts = [text for text in passages(path) if len(text) > 30]
        found += rng.sample(texts, min(len(texts), TEXTS // len(there)))
    return found


def milliseconds(bench: Bench, queries: Sequence[str]) -> float:
    """Median over queries of: search and decision, less one encoder call on the query."""
    encoder = bench.memory.encoder
    differences = []
    for query in queries:
        start = time.perf_counter()
        encoder.encode([query])
        middle = time.perf_counter()
        bench.scope.decide([query], bench.memory.search([query], k=16))
        differences.append(time.perf_counter() - middle - (middle - start))
    return statistics.median(differences) * 1_000


def measure(bench: Bench, facts: Sequence[Fact], zsre: Sequence[Fact], texts: list[str]) -> Results:
    paraphrases = bench.recall(
        [(text, fact) for fact in facts for text in fact.paraphrases], "Paraphrases"
    )
    questions = bench.recall([(t, f) for f in facts for t in f.questions], "Questions")
    rephrased = bench.recall([(t, f) for f in zsre for t in f.questions], "zsRE rephrases")
    results: Results = {
        "edits": len(bench.live),
        "subjects": len({fact.subject for fact in facts}),
        "paraphrase_recall": paraphrases and paraphrases[0],
        "paraphrase_first": paraphrases and paraphrases[1],
        "question_recall": questions and questions[0],
        "neighbour_false_fire": bench.false_fires(neighbours(bench, facts), "Neighbours"),
        "same_subject_false_fire": bench.own_fires(same_subject(bench, facts), "Same subject"),
        "text_false_fire": bench.false_fires(texts, "Ordinary text"),
        "zsre_recall": rephrased and rephrased[0],
        "zsre_nq_false_fire": bench.false_fires(
            [text for fact in zsre for text in fact.neighbours], "NQ questions"
        ),
    }
    for name, form in (
        ("reversed", reverse), ("negated", negate), ("hypothetical", hypothetical),
        ("dated", date),
    ):  # fmt: skip
        fires = bench.own_fires(turned(bench, facts, form), name.capitalize())
        results[f"{name}_false_fire"] = fires
    if bench.chances:
        diagram = reliability(np.array(bench.chances), np.array(bench.right))
        results["ece"] = diagram.ece
        results["reliability"] = [
            {"predicted": p, "observed": o, "count": int(n)}
            for p, o, n in zip(diagram.predicted, diagram.observed, diagram.counts, strict=True)
            if n
        ]
    asked = [text for fact in facts for text in fact.paraphrases] or [f.prompt for f in facts]
    timed = bench.rng.sample(asked, min(TIMED, len(asked)))
    results["ms_per_query"] = milliseconds(bench, timed)
    return results


def draw(bins: Sequence[dict[str, float]], ece: float, file: Path) -> None:
    """The reliability diagram: how often what was given a probability was so."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="perfectly calibrated")
    predicted, observed = [b["predicted"] for b in bins], [b["observed"] for b in bins]
    axes.plot(predicted, observed, color="#0072B2", marker="o", label=f"scope (ECE {ece:.4f})")
    for each in bins:
        axes.annotate(
            f"{each['count']:,}", (each["predicted"], each["observed"]), fontsize=7,
            xytext=(4, -10), textcoords="offset points",
        )  # fmt: skip
    axes.set(
        xlabel="Probability the scope gives",
        ylabel="Share that was right",
        xlim=(0, 1),
        ylim=(0, 1),
    )
    axes.legend(loc="upper left")
    figure.savefig(file, dpi=120)


def main(
    data: Annotated[Path, typer.Option(help="CounterFact-form JSONL or JSONL.gz.")],
    json_out: Annotated[Path, typer.Option("--json", help="Where the results go.")],
    zsre: Annotated[Path | None, typer.Option(help="zsRE-form JSONL or JSONL.gz.")] = None,
    texts: Annotated[
        Path | None, typer.Option(help="Folder of text/ and downstream/. [default: beside --data]")
    ] = None,
    scope: Annotated[str, typer.Option(help="The scope to measure.")] = "default",
    model: Annotated[str, typer.Option(help="Folder of a trained classifier.")] = "",
    threshold: Annotated[float | None, typer.Option(help="Of the classifier.")] = None,
    part: Annotated[
        str, typer.Option(help="Subjects asked about: evaluation, calibration, all.")
    ] = "evaluation",
    seed: Annotated[int, typer.Option(help="Of the queries that are made up.")] = 0,
    proposed: Annotated[
        bool, typer.Option(help="Give each edit the questions that memedit proposes for it.")
    ] = False,
    diagram: Annotated[Path | None, typer.Option(help="Reliability diagram, .svg or .png.")] = None,
) -> None:
    """Measure a scope."""
    console = Console(stderr=True)
    settings: dict[str, Any] = {"model": model} if model else {}
    if threshold is not None:
        settings["threshold"] = threshold
    facts = read_facts([data, *([zsre] if zsre else [])])
    bench = Bench(facts, load_scope(scope, **settings), console, seed, proposed=proposed)
    chosen = [f for f in facts if part == "all" or part_of(f.subject) == part]
    own = [f for f in chosen if f.source != "zsre"]
    plain = ordinary(texts or data.resolve().parent, bench.rng)
    results = measure(bench, own, [f for f in chosen if f.source == "zsre"], plain)
    results |= {"scope": scope, "part": part, "seed": seed}
    json_out.write_text(json.dumps(results, indent=2) + "\n")
    if diagram is not None:
        draw(results["reliability"], results["ece"], diagram)
    table = Table("", "", title=f"{len(bench.live):,} edits, scope {scope}")
    for name, value in results.items():
        if name != "reliability":
            table.add_row(name, f"{value:.4f}" if isinstance(value, float) else str(value))
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
