"""MemPrompt with a memory that grows by feedback, on zsRE: free greedy generation, no oracle.

    python -m benchmarks.memprompt --data zsre.jsonl.gz --json out.json

Every round, each question is asked; a user who sees a wrong answer corrects it with probability
``--rate`` (the paper's is 0.5), the subject being guessed from the question's wording. After each
round the *rephrased* questions are asked, on which nobody ever gave feedback, and the NQ questions
that concern no edit. Interrupted, the same command goes on.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.remembered import Remembered
from memedit import EditableModel, EditMemory
from memedit.data.cases import EFFICACY, PARAPHRASE, EvalCase, Probe
from memedit.data.formats import Options
from memedit.evaluation import load_cases
from memedit.evaluation.asking.asker import Asker
from memedit.evaluation.measures import text as texts
from memedit.evaluation.measures.probes import Answer

Results = dict[str, Any]


def probes(cases: list[EvalCase], kind: str) -> list[Probe]:
    """The first probe of this kind of every case that has one."""
    firsts = (next((p for p in c.probes if p.kind == kind), None) for c in cases)
    return [probe for probe in firsts if probe is not None]


def right(answers: list[Answer], asked: list[Probe]) -> Results:
    pairs = list(zip(answers, asked, strict=True))
    tests = {"says": texts.contains, "exact": texts.exact}
    return {
        name: sum(test(a.text, p.targets) for a, p in pairs) / max(1, len(pairs))
        for name, test in tests.items()
    }


def measured(ask: Asker, cases: list[EvalCase]) -> Results:
    """Accuracy on the rephrased questions, and how often an NQ question fires."""
    again = probes(cases, PARAPHRASE)
    found: Results = {"rephrased": right(ask.answers([p.prompt for p in again]), again)}
    near = [p.prompt for c in cases for p in c.probes if p.local]
    fired = ask.decide([ask.frame_prompt(p) for p in near])
    found["nq_fired"] = sum(map(bool, fired)) / max(1, len(near))
    found["in_memory"] = len(ask.model.memory)
    return found


def told(ask: Asker, cases: list[EvalCase], rate: float, rng: random.Random) -> Results:
    """One round of questions; the wrong answers are corrected with probability ``rate``."""
    asked = probes(cases, EFFICACY)
    answers = ask.answers([p.prompt for p in asked])
    given = 0
    for probe, answer in zip(asked, answers, strict=True):
        wrong = not texts.contains(answer.text, probe.targets)
        if wrong and rng.random() < rate:
            said = ask.model.feedback(probe.prompt, probe.targets[0], answer=answer.text)
            given += not said.right
    return {"before": right(answers, asked), "feedback": given}


def main(
    data: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="zsRE records.")],
    json_: Annotated[Path, typer.Option("--json", help="Results; goes on from there.")],
    n: Annotated[int | None, typer.Option(min=1, help="Questions. [default: all]")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each is asked.")] = 5,
    rate: Annotated[float, typer.Option(min=0, max=1, help="How often a user corrects.")] = 0.5,
    editor: Annotated[str, typer.Option(help="Name of the editor.")] = "memprompt",
    scope: Annotated[str | None, typer.Option(help="Name of the scope.")] = None,
    frame: Annotated[str, typer.Option(help="How a question is put.")] = "qa",
    target: Annotated[str, typer.Option(help="What users hold for right: alt or answers.")] = "alt",
    most: Annotated[int, typer.Option(min=1, help="Rounds of this run.")] = 100,
) -> None:
    """Accuracy on rephrased questions while feedback comes in."""
    cases = list(load_cases(data, n, options=Options(target=target)).cases)
    memory = json_.with_suffix(".memory")
    model = EditableModel.from_pretrained(memory=EditMemory(memory), editor=editor, scope=scope)
    Remembered(json_.with_suffix(".answers.jsonl"))
    ask = Asker(model, tokens=12, frame=frame)
    found: Results = {"n": len(cases), "editor": editor, "frame": frame, "target": target}
    found |= {"rate": rate, "rounds": []}
    if json_.is_file():
        found = json.loads(json_.read_text("utf-8"))
    done = found["rounds"]
    for _ in range(most):
        if len(done) > rounds:
            break
        start = {"before": None, "feedback": 0}
        rng = random.Random(f"0/{len(done)}")
        result = told(ask, cases, rate, rng) if done else start
        done.append(result | measured(ask, cases))
        json_.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    table = Table("round", "in memory", "rephrased: says", "exact", "NQ fired")
    for number, row in enumerate(done):
        values = (row["rephrased"]["says"], row["rephrased"]["exact"], row["nq_fired"])
        table.add_row(str(number), str(row["in_memory"]), *(f"{v:.4f}" for v in values))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
