"""CounterFact in one go: N edits in one memory at once, free greedy generation, no oracle.

    python benchmarks/counterfact_quick.py --data counterfact.jsonl.gz --n 300 --json out.json

Reads any JSON lines (gzip'd or not) of CounterFact's form. The edits are the first N records with
distinct (subject, relation). A neighbourhood prompt that some edit in memory is about says nothing
of locality and is left out; one that no edit fires on goes to the base untouched (a test holds that
to be bit-identical), so it counts as identical without being generated.
"""

from __future__ import annotations

import gzip
import json
import re
import string
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from memedit import Completion, Edit, EditableModel, EditMemory

BATCH = 16
TOKENS = 10
Results = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One CounterFact record."""

    edit: Edit
    relation: str
    template: str
    paraphrases: tuple[str, ...]
    neighbours: tuple[str, ...]

    @classmethod
    def of(cls, record: dict[str, Any]) -> Case:
        rewrite = record["requested_rewrite"]
        template, subject = rewrite["prompt"], rewrite["subject"]
        return cls(
            Edit(
                template.replace("{}", subject),
                rewrite["target_new"]["str"],
                subject,
                rewrite["target_true"]["str"],
            ),
            rewrite.get("relation_id", ""),
            template,
            tuple(record.get("paraphrase_prompts", ())),
            tuple(record.get("neighborhood_prompts", ())),
        )

    @property
    def subject(self) -> str:
        return self.edit.subject or ""


def read(path: Path, sources: frozenset[str]) -> Iterator[Case]:
    """The records of a file, in order, each (subject, relation) once."""
    opened = gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open("r")
    seen: set[tuple[str, str]] = set()
    with opened as lines:
        for line in lines:
            record = json.loads(line)
            if sources and record.get("source") not in sources:
                continue
            case = Case.of(record)
            if (key := (case.subject, case.relation)) not in seen:
                seen.add(key)
                yield case


def edited_prompts(cases: Sequence[Case]) -> set[str]:
    """Every text that one of the edits is about: its subject in any template of its relation."""
    templates: dict[str, set[str]] = defaultdict(set)
    for case in cases:
        templates[case.relation].add(case.template)
        for text in case.paraphrases:
            tail = text.rpartition(". ")[2]
            if case.subject in tail:
                templates[case.relation].add(tail.replace(case.subject, "{}"))
    return {t.replace("{}", c.subject) for c in cases for t in templates[c.relation]}


def neighbours_of(cases: Sequence[Case], count: int) -> list[str]:
    """The first ``count`` neighbourhood prompts of each record that are not edited themselves."""
    edited = edited_prompts(cases)
    return [
        text
        for case in cases
        for text in islice((t for t in case.neighbours if t not in edited), count)
    ]


def normalised(text: str) -> str:
    """As SQuAD compares answers: no case, punctuation, articles or extra white space."""
    kept = "".join(c for c in text.casefold() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


class Answerer:
    """Asks in batches of prompts of like length, and knows which answers ended by themselves."""

    def __init__(self, model: EditableModel, console: Console) -> None:
        self.model, self.console = model, console
        ends = model.generation_config.eos_token_id
        self._ends = {ends} if isinstance(ends, int) else set(ends or ())
        self._ends.add(model.tokenizer.pad_token_id)

    def __call__(self, prompts: Sequence[str], what: str) -> list[Completion]:
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        answers: dict[int, Completion] = {}
        for batch in self._batches(order, what):
            got = self.model.ask([prompts[i] for i in batch], max_new_tokens=TOKENS)
            answers.update(zip(batch, got, strict=True))
        return [answers[i] for i in range(len(prompts))]

    def decide(self, prompts: Sequence[str], what: str) -> list[bool]:
        """Whether an edit fires on each prompt."""
        return [
            bool(decision)
            for batch in self._batches(range(len(prompts)), what)
            for decision in self.model.decide([prompts[i] for i in batch])
        ]

    def _batches(self, items: Sequence[int], what: str) -> Iterable[Sequence[int]]:
        chunks = [items[i : i + BATCH] for i in range(0, len(items), BATCH)]
        return track(chunks, what, console=self.console, transient=True)

    def finished(self, answer: Completion) -> bool:
        """Whether the answer ended by itself, not at the token limit."""
        if answer.ids is None:
            return True
        tokens = answer.ids[0].tolist()
        return len(tokens) < TOKENS or any(token in self._ends for token in tokens)

    def exact(self, answer: Completion, target: str) -> bool:
        return self.finished(answer) and normalised(answer.text) == normalised(target)


def says(answer: Completion, target: str) -> bool:
    """Whether the answer starts with or contains the target."""
    return target.strip().casefold() in answer.text.casefold()


def mean(values: Iterable[bool]) -> float | None:
    """The fraction that is true; None of nothing."""
    listed = list(values)
    return sum(listed) / len(listed) if listed else None


def efficacy(ask: Answerer, cases: Sequence[Case]) -> Results:
    """What the edit prompts and their paraphrases are answered, and how fast."""
    probes = [(c.edit.prompt, c.edit.target_new or "", True) for c in cases]
    probes += [(p, c.edit.target_new or "", False) for c in cases for p in c.paraphrases]
    start = time.perf_counter()
    answers = ask([prompt for prompt, _, _ in probes], "Asking the edited model")
    seconds = time.perf_counter() - start
    found: dict[tuple[str, bool], list[bool]] = defaultdict(list)
    for answer, (_, target, direct) in zip(answers, probes, strict=True):
        found["says", direct].append(says(answer, target))
        found["exact", direct].append(ask.exact(answer, target))
    return {
        "efficacy": mean(found["says", True]),
        "generality": mean(found["says", False]),
        "exact_efficacy": mean(found["exact", True]),
        "exact_generality": mean(found["exact", False]),
        "seconds_per_query": seconds / len(probes),
    }


def locality(ask: Answerer, prompts: Sequence[str]) -> Results:
    """How often a neighbour is answered as by the base; only those that fire are generated."""
    fires = ask.decide(prompts, "Deciding on the neighbours")
    fired = [prompt for prompt, fire in zip(prompts, fires, strict=True) if fire]
    edited = ask(fired, "Asking the edited model for neighbours that fire")
    with ask.model.unedited():
        base = ask(fired, "Asking the base for neighbours that fire")
    changed = sum(e.text != b.text for e, b in zip(edited, base, strict=True))
    return {
        "locality": 1 - changed / len(prompts) if prompts else None,
        "neighbours": len(prompts),
        "neighbours_fired": len(fired),
    }


def base_efficacy(ask: Answerer, cases: Sequence[Case]) -> Results:
    """How often the unedited model already says the new target."""
    with ask.model.unedited():
        answers = ask([c.edit.prompt for c in cases], "Asking the base")
    held = [says(a, c.edit.target_new or "") for a, c in zip(answers, cases, strict=True)]
    return {"base_efficacy": mean(held)}


def table(results: Results) -> Table:
    shown = Table("measure", "value")
    for name, value in results.items():
        shown.add_row(name, f"{value:.4f}" if isinstance(value, float) else str(value))
    return shown


def main(
    data: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="CounterFact records.")],
    json_: Annotated[Path | None, typer.Option("--json", help="Write the results here.")] = None,
    n: Annotated[int, typer.Option(min=1, help="Number of edits, all in one memory.")] = 300,
    sources: Annotated[str, typer.Option(help="Only records of these sources: A,B.")] = "",
    neighbours: Annotated[int, typer.Option(min=0, help="Neighbours per record.")] = 2,
    editor: Annotated[str, typer.Option(help="Name of the editor.")] = "ike",
    scope: Annotated[str, typer.Option(help="Name of the scope.")] = "default",
    model: Annotated[str | None, typer.Option(help="Base model; default the packaged.")] = None,
) -> None:
    """Efficacy, generality and locality of N edits in one memory at once."""
    console = Console(stderr=True)
    wanted = frozenset(filter(None, (part.strip() for part in sources.split(","))))
    cases = list(islice(read(data, wanted), n))
    if not cases:
        raise typer.BadParameter(f"{data} has no records of {sources or 'any source'}.")
    if len(cases) < n:
        console.print(f"Only {len(cases)} records with distinct (subject, relation).")
    with console.status("Loading the model"):
        lm = EditableModel.from_pretrained(model, memory=EditMemory(), editor=editor, scope=scope)
    start = time.perf_counter()
    with console.status(f"Adding {len(cases)} edits"):
        lm.edit_many([case.edit for case in cases])
    per_edit = (time.perf_counter() - start) / len(cases)
    ask = Answerer(lm, console)
    results: Results = {"n": len(cases), "editor": editor, "scope": scope}
    results["model"] = model or "SmolLM2-135M-Instruct"
    results |= efficacy(ask, cases) | locality(ask, neighbours_of(cases, neighbours))
    results |= base_efficacy(ask, cases) | {"seconds_per_edit": per_edit}
    Console().print(table(results))
    if json_ is not None:
        json_.write_text(json.dumps(results, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    typer.run(main)
