"""MQuAKE: questions over chains of facts, some of them edited. Free greedy generation.

    python -m benchmarks.mquake plan --data mquake.jsonl.gz --out RUN --decomposer auto
    python -m benchmarks.mquake facts --data mquake.jsonl.gz --out RUN
    python -m benchmarks.mquake chains --data mquake.jsonl.gz --out RUN --decomposer auto
    python -m benchmarks.mquake report --data mquake.jsonl.gz --out RUN --decomposer auto

``plan`` splits all questions once; ``facts`` asks each edit and each hop by itself, all edits in
one memory, and the base for the hops no edit touches; ``chains`` asks the three questions of each
case with that case's edits in memory, with those of 100 cases, and with all. Each goes on where it
was interrupted. No oracle, but for ``--decomposer oracle``, which is given the chains of relations
(not the answers), and for the *known* cases: those whose unedited hops the base answers rightly.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.remembered import Remembered
from memedit import Edit, EditableModel, EditMemory
from memedit.core.rewrites import read_rewrite
from memedit.data.records import read_records
from memedit.editors.mello import KNOWN, LABEL, Mello
from memedit.editors.prompting.decomposing import Decomposer, Oracle, Plan, PlanDialogue
from memedit.editors.prompting.shots import pose, prefix
from memedit.evaluation.measures import text as texts
from memedit.training.decomposer import chain_part

app = typer.Typer()
Json = dict[str, Any]
Data = Annotated[Path, typer.Option(exists=True, dir_okay=False, help="MQuAKE records.")]
Out = Annotated[Path, typer.Option(help="Folder of the results.")]
Name = Annotated[str, typer.Option("--decomposer", help="auto, shots, loop, oracle, or a folder.")]
Most = Annotated[int, typer.Option(help="Batches of this call.")]
SIZES = ("1", "100", "all")
BATCH = 16


@dataclass(frozen=True)
class Hop:
    question: str
    subject: str
    relation: str
    answer: str
    aliases: tuple[str, ...]
    edited: bool


@dataclass(frozen=True)
class Case:
    """One record; ``chain`` holds the relations' labels."""

    id: str
    questions: tuple[str, ...]
    edits: tuple[Edit, ...]
    hops: tuple[Hop, ...]
    chain: tuple[str, ...]
    aliases: tuple[str, ...]

    @property
    def plan(self) -> Plan:
        hops = tuple(h.question.replace(h.subject, "{}") for h in self.hops)
        return Plan(self.hops[0].subject, hops)


def cases_of(path: Path) -> list[Case]:
    return [_case(number, record) for number, record in enumerate(read_records(path))]


def _case(number: int, record: Json) -> Case:
    wanted = record["requested_rewrite"]
    edited = {(w["subject"], w["relation_id"]) for w in wanted}
    ids = [t[1] for t in record["orig"]["new_triples"]]
    labels = record["orig"]["new_triples_labeled"]
    hops = tuple(
        Hop(
            h["question"], t[0], relation, t[2], (h["answer"], *h["answer_alias"]),
            (t[0], relation) in edited,
        )
        for h, t, relation in zip(record["new_single_hops"], labels, ids, strict=True)
    )  # fmt: skip
    rewrites = [read_rewrite(each) for each in wanted]
    edits = tuple(Edit(each.prompt, each.target, each.subject) for each in rewrites)
    aliases = (record["new_answer"], *record["new_answer_alias"])
    return Case(
        str(number), tuple(record["questions"]), edits, hops, tuple(t[1] for t in labels), aliases
    )


def right(text: str, aliases: Sequence[str]) -> bool:
    """The whole answer is one of the aliases, both normalised as SQuAD's."""
    return texts.exact(texts.cut_first_sentence(text), aliases)


class Saved:
    """Results by key, in a JSON lines file; only what is missing is computed."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file
        lines = file.read_text("utf-8").splitlines() if file.is_file() else []
        self.found: dict[str, Any] = dict(json.loads(line) for line in lines)

    def fill(self, keys: Sequence[str], call: Callable[[list[str]], list[Any]], most: int) -> int:
        """Compute the missing, ``most`` batches of them; returns how many are missing still."""
        missing = [key for key in dict.fromkeys(keys) if key not in self.found]
        for part in _parts(missing[: most * BATCH]):
            pairs = list(zip(part, call(part), strict=True))
            self.found.update(pairs)
            with self._file.open("a", encoding="utf-8") as out:
                out.writelines(json.dumps(pair) + "\n" for pair in pairs)
        return len([key for key in keys if key not in self.found])


def _parts(items: list[str]) -> Iterator[list[str]]:
    return (items[i : i + BATCH] for i in range(0, len(items), BATCH))


def _title(name: str) -> str:
    return Path(name).name


def loaded(decomposer: str | Decomposer, out: Path, memory: Path | None = None) -> EditableModel:
    check = "model" if decomposer == "loop-published" else "scope"
    if decomposer == "loop-published":
        decomposer = "loop"
    editor = Mello(decomposer=decomposer, check=check)
    model = EditableModel.from_pretrained(memory=EditMemory(memory), editor=editor)
    Remembered(out / "answers.jsonl")
    return model


def filled(out: Path, cases: Sequence[Case]) -> Path:
    """A memory with every case's edits thrice: alone, with those of 100 cases, with all."""
    memory = out / "memory"
    if (out / "memory.done").is_file():
        return memory
    groups: dict[str, list[Edit]] = {}
    for number, case in enumerate(cases):
        for namespace in _namespaces(case, number):
            groups.setdefault(namespace, []).extend(case.edits)
    with EditMemory(memory) as store:
        for namespace, edits in groups.items():
            store.add_many(edits, namespace=namespace)
    (out / "memory.done").touch()
    return memory


def _namespaces(case: Case, number: int) -> list[str]:
    return [f"case-{case.id}", f"hundred-{number // 100}", "all"]


@app.command()
def plan(
    data: Data, out: Out, decomposer: Name = "auto", most: Most = 1000, part: str = "all"
) -> None:
    """Split every question, without any memory."""
    cases = [c for c in cases_of(data) if part in ("all", chain_part(c.chain))]
    model = loaded(decomposer, out)
    assert isinstance(model.editor, Mello)
    planner = model.editor._decomposer(model.engine)

    def split(questions: list[str]) -> list[Any]:
        dialogue = planner.open(questions, model.engine)
        assert isinstance(dialogue, PlanDialogue)
        return [None if p is None else [p.subject, *p.hops] for p in dialogue.plans]

    saved = Saved(out / f"plans-{_title(decomposer)}.jsonl")
    left = saved.fill([q for case in cases for q in case.questions], split, most)
    Console().print(f"{left} questions are left.")


def _some(texts_: Sequence[str], n: int) -> list[str]:
    """``n`` of them at most, spread evenly."""
    unique = list(dict.fromkeys(texts_))
    return unique[:: max(1, len(unique) // n)][:n]


def planned(out: Path, name: str, cases: Sequence[Case]) -> Oracle:
    if name == "oracle":
        return Oracle({q: case.plan for case in cases for q in case.questions})
    found = Saved(out / f"plans-{_title(name)}.jsonl").found
    return Oracle({q: Plan(p[0], tuple(p[1:])) for q, p in found.items() if p is not None})


@app.command()
def facts(data: Data, out: Out, most: Most = 1000, n: int = 10_000) -> None:
    """Each edit's prompt, each hop's question, and what the base knows."""
    cases = cases_of(data)
    model = loaded(Oracle({}), out, filled(out, cases))
    options: Json = {"max_new_tokens": 16, "chat": False}

    def ask(prompts: list[str]) -> list[Any]:
        with model.using(namespace="all"):
            return [c.text for c in model.ask(prompts, **options)]

    def retrieve(questions: list[str]) -> list[Any]:
        with model.using(namespace="all"):
            decisions = model.decide(questions)
        hits = [next(iter(d.hits), None) for d in decisions]
        return [h and [h.record.edit.subject, h.record.edit.template] for h in hits]

    def know(questions: list[str]) -> list[Any]:
        shots = prefix(LABEL, KNOWN)
        with model.unedited():
            said = model.ask([shots + pose(LABEL, "", q) for q in questions], **options)
        return [c.text.split("\n")[0] for c in said]

    hops = [hop for case in cases for hop in case.hops]
    edited = [h.question for h in hops if h.edited]
    prompts = [e.prompt for c in cases for e in c.edits]
    left = Saved(out / "retrieved.jsonl").fill(edited, retrieve, most)
    left += Saved(out / "edits.jsonl").fill(_some(prompts, n), ask, most)
    left += Saved(out / "hops.jsonl").fill(_some(edited, n), ask, most)
    left += Saved(out / "known.jsonl").fill([h.question for h in hops if not h.edited], know, most)
    Console().print(f"{left} are left.")


@app.command()
def chains(
    data: Data, out: Out, decomposer: Name = "auto", most: Most = 1000, part: str = "all",
    sizes: str = "1,100,all", n: int = 10_000, questions: int = 3,
) -> None:  # fmt: skip
    """The three questions of each case, with 1, 100 and all cases' edits in memory.

    ``-n`` takes so many cases, spread evenly; every case's edits are in memory. The chains of an
    oracle are the same for all three questions, so one will do.
    """
    cases = cases_of(data)
    live = decomposer.startswith("loop")
    chosen: str | Decomposer = decomposer if live else planned(out, decomposer, cases)
    model = loaded(chosen, out, filled(out, cases))
    saved = Saved(out / f"chains-{_title(decomposer)}.jsonl")
    left = 0
    for size in sizes.split(","):
        jobs: dict[str, list[str]] = {}
        chosen_cases = [c for c in cases if part in ("all", chain_part(c.chain))]
        chosen_cases = chosen_cases[:: max(1, len(chosen_cases) // n)]
        for case in chosen_cases:
            number = int(case.id)
            namespace = dict(zip(SIZES, _namespaces(case, number), strict=True))[size]
            jobs.setdefault(namespace, []).extend(case.questions[:questions])
        for namespace, asked in jobs.items():

            def ask(keys: list[str], namespace: str = namespace) -> list[Any]:
                with model.using(namespace=namespace):
                    told = model.ask(
                        [k.split("\t")[1] for k in keys], chat=False, max_new_tokens=16
                    )
                return [[c.text, len(c.decision.hits)] for c in told]

            before = len(saved.found)
            keys = [f"{namespace}\t{question}" for question in asked]
            left += saved.fill(keys, ask, max(0, most))
            most -= -(-(len(saved.found) - before) // BATCH)
    Console().print(f"{left} are left.")


@app.command()
def report(data: Data, out: Out, decomposer: Name = "auto", part: str = "all") -> None:
    """The figures of what was computed. ``--part evaluation``: chains the decomposer never saw."""
    every = cases = cases_of(data)
    console = Console(width=150)
    _facts(cases, out, console)
    if part != "all":
        cases = [c for c in cases if chain_part(c.chain) == part]
    answers = Saved(out / f"chains-{_title(decomposer)}.jsonl").found
    known = Saved(out / "known.jsonl").found
    plans = planned(out, decomposer, cases).plans
    good = [plans.get(q) == c.plan for c in cases for q in c.questions]
    console.print(f"{len(cases)} cases; chains split as the data set does: {mean(good):.3f}")
    numbers = {case.id: number for number, case in enumerate(every)}
    clean = {c.id for c in cases if not contaminated(c, every)}
    groups = {
        "all cases": cases,
        "known hops": [c for c in cases if knows(c, known)],
        "known, no conflict": [c for c in cases if knows(c, known) and c.id in clean],
        "every hop edited": [c for c in cases if all(h.edited for h in c.hops)],
    }
    table = Table("cases", "n", *(f"{s}: {a}" for s in SIZES for a in ("any", "all 3", "each")))
    for name, group in groups.items():
        row = []
        for size in SIZES:
            keys = [_keys(c, numbers[c.id], size) for c in group]
            found = [
                [right(answers[k][0], c.aliases) for k in ks if k in answers]
                for c, ks in zip(group, keys, strict=True)
                if any(k in answers for k in ks)
            ]
            row += [mean([any(f) for f in found]), mean([all(f) for f in found])]
            row.append(mean([one for f in found for one in f]))
        table.add_row(name, str(len(found)), *(f"{v:.3f}" for v in row))
    console.print(table)


def _keys(case: Case, number: int, size: str) -> list[str]:
    namespace = dict(zip(SIZES, _namespaces(case, number), strict=True))[size]
    return [f"{namespace}\t{question}" for question in case.questions]


def _facts(cases: Sequence[Case], out: Path, console: Console) -> None:
    last = {(e.subject, e.template): e for c in cases for e in c.edits}
    said, hops = (Saved(out / f"{name}.jsonl").found for name in ("edits", "hops"))
    got, known = (Saved(out / f"{name}.jsonl").found for name in ("retrieved", "known"))
    answers = {h.answer: h.aliases for c in cases for h in c.hops}
    edits = [
        right(said[e.prompt], answers.get(str(e.target_new), (str(e.target_new),)))
        for e in last.values()
        if e.prompt in said
    ]
    pairs = {h.question: (h, e) for c in cases for h in c.hops if h.edited
             for e in c.edits if e.subject == h.subject and e.target_new == h.answer}  # fmt: skip
    retrieved = [got[q] == [e.subject, e.template] for q, (_, e) in pairs.items() if q in got]
    current = {q: h for q, (h, e) in pairs.items() if last[e.subject, e.template] == e}
    edited = [right(hops[q], h.aliases) for q, h in current.items() if q in hops]
    asked = {h.question: h for c in cases for h in c.hops if not h.edited}
    unedited = [right(known[q], h.aliases) for q, h in asked.items() if q in known]
    console.print(
        f"edit-wise {mean(edits):.4f} of {len(edits)}; retrieval {mean(retrieved):.4f} of "
        f"{len(retrieved)}; edited hops {mean(edited):.4f} of {len(edited)}; unedited hops the "
        f"base knows {mean(unedited):.4f} of {len(unedited)}"
    )


def knows(case: Case, known: Json) -> bool:
    return all(h.edited or right(known.get(h.question, ""), h.aliases) for h in case.hops)


def contaminated(case: Case, cases: Sequence[Case]) -> bool:
    """Whether another case's edit changes a fact of this case's chain."""
    mine = {(h.subject, h.relation): h.answer for h in case.hops}
    return any(
        mine.get((h.subject, h.relation), h.answer) != h.answer
        for other in cases
        for h in other.hops
        if h.edited
    )


def mean(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else float("nan")


if __name__ == "__main__":
    app()
