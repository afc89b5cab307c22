"""CounterFact in one go: N edits in one memory at once, free greedy generation, no oracle.

    python benchmarks/counterfact_quick.py --data counterfact.jsonl.gz --n 300 --json out.json

A thin call of ``memedit.evaluation`` with fixed choices; ``memedit compare`` has them all. The
edits are the first N records with distinct (subject, relation). A neighbourhood prompt that some
edit in memory is about says nothing of locality and is left out; one that no edit fires on goes to
the base untouched (a test holds that to be bit-identical), so it counts as identical without being
generated.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from memedit import EditableModel, EditMemory
from memedit.core.errors import InvalidInputError
from memedit.core.types import Decision
from memedit.data.cases import EFFICACY, PARAPHRASE, Probe, select
from memedit.data.formats import Options
from memedit.evaluation import EvalCase, load_cases
from memedit.evaluation.asking.asker import Asker
from memedit.evaluation.measures import text as texts
from memedit.evaluation.measures.probes import Answer
from memedit.evaluation.schedule import chunks

TOKENS = 10
Results = dict[str, Any]
T = TypeVar("T")


def says(answer: Answer, target: str) -> bool:
    """Whether the answer starts with or contains the target."""
    return target.strip().casefold() in answer.text.casefold()


def exact(answer: Answer, target: str) -> bool:
    """Whether the whole answer is the target, and ended by itself."""
    return answer.finished and texts.exact(answer.text, [target])


def mean(values: Iterable[bool]) -> float | None:
    """The fraction that is true; None of nothing."""
    listed = list(values)
    return sum(listed) / len(listed) if listed else None


def shown(
    call: Callable[[Sequence[str]], list[T]], prompts: Sequence[str], what: str, console: Console
) -> list[T]:
    """``call`` on all prompts, a few of like length at a time, with a progress bar."""
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    results: dict[int, T] = {}
    for part in track(list(chunks(order, 64)), what, console=console, transient=True):
        results |= zip(part, call([prompts[i] for i in part]), strict=True)
    return [results[i] for i in range(len(prompts))]


def measured(
    ask: Asker, cases: Sequence[EvalCase], console: Console, failures: Path | None
) -> Results:
    """What edit prompts and paraphrases are answered, and how fast."""
    owned = [
        (p, c) for kind in (EFFICACY, PARAPHRASE) for c in cases for p in c.probes if p.kind == kind
    ]
    probes = [probe for probe, _ in owned]
    start = time.perf_counter()
    prompts = [probe.prompt for probe in probes]
    answers = shown(ask.answers, prompts, "Asking the edited model", console)
    seconds = time.perf_counter() - start
    found = {
        (name, kind): mean(
            test(answer, probe.targets[0])
            for answer, probe in zip(answers, probes, strict=True)
            if probe.kind == kind
        )
        for name, test in (("says", says), ("exact", exact))
        for kind in (EFFICACY, PARAPHRASE)
    }
    if failures is not None:
        wrong = [
            (probe, case, answer)
            for (probe, case), answer in zip(owned, answers, strict=True)
            if not exact(answer, probe.targets[0])
        ]
        decisions = ask.decide([probe.prompt for probe, _, _ in wrong])
        lines = [missed(*each, decision) for each, decision in zip(wrong, decisions, strict=True)]
        failures.write_text("".join(lines), "utf-8")
    return {
        "efficacy": found["says", EFFICACY],
        "generality": found["says", PARAPHRASE],
        "exact_efficacy": found["exact", EFFICACY],
        "exact_generality": found["exact", PARAPHRASE],
        "seconds_per_query": seconds / len(probes),
    }


def missed(probe: Probe, case: EvalCase, answer: Answer, decision: Decision) -> str:
    """A line on an answer that is not the target."""
    line = {
        "kind": probe.kind,
        "prompt": probe.prompt,
        "target": probe.targets[0],
        "answer": answer.text,
        "edit": case.edits[0].statement,
        "score": decision.score,
        "fired": [hit.record.edit.statement for hit in decision.hits],
    }
    return json.dumps(line, ensure_ascii=False) + "\n"


def locality(ask: Asker, prompts: Sequence[str], console: Console) -> Results:
    """How often a neighbour is answered as by the base; only those that fire are generated."""
    decisions = shown(ask.decide, prompts, "Deciding on the neighbours", console)
    fired = [prompt for prompt, decision in zip(prompts, decisions, strict=True) if decision.hits]
    edited = shown(ask.answers, fired, "Asking the edited model for neighbours that fire", console)
    with ask.model.unedited():
        base = shown(ask.answers, fired, "Asking the base for neighbours that fire", console)
    changed = sum(e.text != b.text for e, b in zip(edited, base, strict=True))
    return {
        "locality": 1 - changed / len(prompts) if prompts else None,
        "neighbours": len(prompts),
        "neighbours_fired": len(fired),
    }


def base_efficacy(ask: Asker, cases: Sequence[EvalCase], console: Console) -> Results:
    """How often the unedited model already says the new target."""
    prompts = [case.edits[0].prompt for case in cases]
    with ask.model.unedited():
        answers = shown(ask.answers, prompts, "Asking the base", console)
    pairs = zip(answers, cases, strict=True)
    return {"base_efficacy": mean(says(a, c.edits[0].target_new or "") for a, c in pairs)}


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
    part: Annotated[str | None, typer.Option(help="Only this part (evaluation: held out).")] = None,
    neighbours: Annotated[int, typer.Option(min=0, help="Neighbours per record.")] = 2,
    editor: Annotated[str, typer.Option(help="Name of the editor.")] = "ike",
    scope: Annotated[str, typer.Option(help="Name of the scope.")] = "default",
    model: Annotated[str | None, typer.Option(help="Base model; default the packaged.")] = None,
    also: Annotated[
        Path | None,
        typer.Option(exists=True, help="Records whose edits are in memory too, but not asked."),
    ] = None,
    tokens: Annotated[int, typer.Option(min=1, help="Budget of an answer.")] = TOKENS,
    failures: Annotated[
        Path | None, typer.Option(help="Write what was not answered exactly, a JSON line each.")
    ] = None,
) -> None:
    """Efficacy, generality and locality of N edits in one memory at once."""
    console = Console(stderr=True)
    wanted = frozenset(filter(None, (part.strip() for part in sources.split(","))))
    try:
        found = load_cases(data, n, options=Options(sources=wanted), part=part).cases
        more = load_cases(also).cases if also else ()
        every = select([*found, *more], locality=neighbours).cases
        cases = every[: len(found)]
    except InvalidInputError as error:
        raise typer.BadParameter(f"{data}: {error}") from error
    if len(cases) < n:
        console.print(f"Only {len(cases)} records with distinct (subject, relation).")
    with console.status("Loading the model"):
        lm = EditableModel.from_pretrained(model, memory=EditMemory(), editor=editor, scope=scope)
    start = time.perf_counter()
    with console.status(f"Adding {len(every)} edits"):
        lm.edit_many([case.edits[0] for case in every])
    per_edit = (time.perf_counter() - start) / len(every)
    ask = Asker(lm, tokens=tokens)
    near = [p.prompt for case in cases for p in case.probes if p.local]
    results: Results = {"n": len(cases), "in_memory": len(every), "editor": editor, "scope": scope}
    results["model"] = model or "SmolLM2-135M-Instruct"
    results |= measured(ask, cases, console, failures) | locality(ask, near, console)
    results |= base_efficacy(ask, cases, console) | {"seconds_per_edit": per_edit}
    Console().print(table(results))
    if json_ is not None:
        json_.write_text(json.dumps(results, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    typer.run(main)
