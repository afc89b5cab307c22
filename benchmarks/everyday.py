"""Everyday requests to an assistant whose facts were edited: is the answer right, and in the form
that was asked for?

    python benchmarks/everyday.py --model qwen2.5-coder-1.5b.gguf --editors ike,serac,rag,none \
        --json out.json
    python benchmarks/everyday.py --data "" --sets halluedit,qaedit_1k,unke \
        --data-dir ../shared/data/everyday --n 300 --json sets.json

Each request is asked in its domain's memory, with all edits of the domain in it: through the chat
template, greedily, to its natural end or its own budget of tokens. What is counted, per kind:

- ``right``: the content; ``form``: of the right ones, those in the form asked for; ``both``;
- the scope's part: ``fired``, with every edit that bears on it (``edit``), and of those in the
  right role (``role``); the answer's part: ``right`` where the scope was (``given edit``);
- of requests no edit bears on: word for word as the base (``same``), or at least as right as the
  base and without a value of an edit that fired (``unharmed``); ``fired`` is what should not have.

Answers are kept as they come, in ``OUT.answers.jsonl``: the same command goes on where it stopped,
and judges anew what is there.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import binomtest

from benchmarks.everyday_requests import (
    BUDGETS,
    HERE,
    Data,
    Json,
    Request,
    own_requests,
    public_requests,
    sampled,
)
from memedit import Edit, EditableModel
from memedit.core.calls import Row
from memedit.data.split import PARTS
from memedit.evaluation.measures.saying import make_canonical, says, says_all
from memedit.evaluation.runs.specs import NONE, Spec, parse_all

RESAMPLES = 1_000


# Asking


class Answers:
    """The answers so far, on disk as they come.

    Args:
        file: JSON lines: first what they are answers to, then one answer a line.
        key: What they are answers to.
    """

    def __init__(self, file: Path, key: Json) -> None:
        self.file, self.rows = file, dict[tuple[str, str], Json]()
        lines = file.read_text("utf-8").splitlines() if file.is_file() else []
        if not lines:
            file.write_text(json.dumps(key) + "\n", "utf-8")
        elif json.loads(lines[0]) != key:
            raise typer.BadParameter(
                f"{file} holds answers to something else: {lines[0]}, not {json.dumps(key)}. "
                "Remove it, or choose another --json."
            )
        for line in lines[1:]:
            if line.endswith("}"):  # the last one may have been cut off
                row = json.loads(line)
                self.rows[row["editor"], row["id"]] = row
        if lines and not file.read_bytes().endswith(b"\n"):
            with file.open("a") as out:
                out.write("\n")

    def add(self, rows: Iterable[Json]) -> None:
        with self.file.open("a", encoding="utf-8") as out:
            for row in rows:
                self.rows[row["editor"], row["id"]] = row
                out.write(json.dumps(row, ensure_ascii=False) + "\n")


def batches(
    requests: Sequence[Request], model: EditableModel, size: int, *, mixed: bool = False
) -> Iterator[list[Request]]:
    """Requests that can be asked together: of one budget and like length, and of one domain unless
    they are ``mixed``. Those that no edit bears on are asked apart, as the bare base is asked them:
    in half precision what stands beside a row changes its last bits, and so now and then a word.
    """
    length = {r.id: len(encoded(model, r)) for r in requests}

    def place(request: Request) -> tuple[str, bool, int]:
        return "" if mixed else request.domain, bool(request.bears), request.budget

    ordered = sorted(requests, key=lambda r: (*place(r), length[r.id]))
    for _, group in groupby(ordered, key=place):
        alike = list(group)
        for start in range(0, len(alike), size):
            yield alike[start : start + size]


def encoded(model: EditableModel, request: Request) -> Any:
    """[T] ids of a request: through the chat template, or the text itself."""
    codec, tokenizer = model.engine.codec, model.tokenizer
    if request.messages and getattr(tokenizer, "chat_template", None):
        turns = [dict(message) for message in request.messages]
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return codec.ids(str(text))
    return codec.ids(request.text, special=True)


def ask(model: EditableModel, name: str, requests: Sequence[Request]) -> list[Json]:
    """The answers to requests of one budget, with what the scope decided: each of its own domain's
    edits. (What an editor looks up by itself it finds in the first one's.)"""
    start = time.perf_counter()
    view = model.unedited() if name == NONE else nullcontext()
    options = {"max_new_tokens": requests[0].budget, "do_sample": False}
    rows: list[Row] = []
    with view:
        for domain, group in groupby(requests, key=lambda r: r.domain):
            with model.using(namespace=domain):
                rows += model.rows_of([encoded(model, r) for r in group])
        with model.using(namespace=requests[0].domain):
            found = model.answer_rows(rows, options=options)
    each = (time.perf_counter() - start) / len(requests)
    ends = model.engine.ends()
    return [
        {
            "editor": name,
            "id": request.id,
            "answer": answer.text.strip(),
            "finished": answer.ids is None or bool(ends & set(answer.ids[0].tolist())),
            "asks": [hit.record.id for hit in answer.decision.hits],
            "informs": [hit.record.id for hit in answer.decision.informs],
            "seconds": round(each, 4),
        }
        for request, answer in zip(requests, found, strict=True)
    ]


def ask_all(
    first: EditableModel,
    spec: Spec,
    data: Data,
    answers: Answers,
    size: int,
    *,
    mixed: bool,
    console: Console,
) -> None:
    """Every request that has no answer yet, under one editor."""
    todo = [r for r in data.requests if (spec.text, r.id) not in answers.rows]
    if not todo:
        return
    model = spec.build(first, None)
    if spec.text != NONE:
        for domain in {r.domain for r in todo}:
            model.edit_many(data.edits[domain], namespace=domain)
    parts = list(batches(todo, model, size, mixed=mixed))
    for part in track(parts, spec.text, console=console):
        answers.add(ask(model, spec.text, part))


# Judging


def judged(
    request: Request, row: Json, base: Json | None, rouge: Any, edits: Sequence[Edit] = ()
) -> Json:
    """An answer's row with what is true of it; 1.0 is yes.

    Args:
        base: The base's row, for a request that no edit bears on.
        rouge: A scorer, for a request with a gold text.
        edits: What is in memory.
    """
    said, wanted = row["answer"], request.wanted
    bearing = {*row["asks"], *row["informs"]}
    values: dict[str, float] = {"fired": float(bool(bearing))}
    if request.gold is not None:
        found = rouge.score(request.gold, said)["rougeL"]
        part = request.kind.endswith("part")
        values["rouge_l"] = found.recall if part else found.fmeasure
    if request.bears:
        values |= _bearing(request, row, bearing)
    elif base is not None:
        same = said == base["answer"]
        told = [value for edit in edits if edit.id in bearing for value in values_of(edit)]
        there = f"{base['answer']}\n{request.text}"
        leaked = any(says(said, [v]) and not says(there, [v]) for v in (*wanted.never, *told))
        as_right = says_all(said, wanted.must) or not says_all(base["answer"], wanted.must)
        values |= {"same": float(same), "unharmed": float(same or (as_right and not leaked))}
        values["changed_silently"] = float(not same and not bearing)
    return {**row, "kind": request.kind, "values": values}


def values_of(edit: Edit) -> list[str]:
    """What an answer that rests on an edit says: its target, or the numbers of a statement."""
    if edit.target_new is not None:
        return [edit.target_new]
    return re.findall(r"\b\d[\d.:]*\b", make_canonical(edit.statement))


def _bearing(request: Request, row: Json, bearing: set[str]) -> dict[str, float]:
    right, form = request.wanted.right(row["answer"]), request.wanted.kept(row["answer"])
    values = {"both": float(right and form)}
    if request.gold is None:
        values["right"] = float(right)
        if right:
            values["form"] = float(form)
    found = set(request.bears) <= bearing
    values["edit"] = float(found)
    if found and request.role != "either":
        values["role"] = float(set(request.bears) <= set(row[request.role]))
    if found and request.gold is None:
        values["given_edit"] = float(right)
    return values


def interval(values: Sequence[float], seed: int = 0) -> Json:
    """Mean with a 95% interval: Wilson's for yes and no, else a bootstrap over requests."""
    array, n = np.array(values), len(values)
    if set(values) <= {0.0, 1.0}:
        low, high = binomtest(round(array.sum()), n).proportion_ci(method="wilson")
    else:
        draws = np.random.default_rng(seed).integers(0, n, (RESAMPLES, n))
        low, high = np.percentile(array[draws].mean(axis=1), [2.5, 97.5])
    return {"mean": float(array.mean()), "low": float(low), "high": float(high), "n": n}


def summary(rows: Sequence[Json]) -> Json:
    """editor -> kind -> measure -> interval; ``all`` are the kinds some edit bears on."""
    found: Json = {}
    for editor in dict.fromkeys(row["editor"] for row in rows):
        own = [row for row in rows if row["editor"] == editor]
        groups = {kind: [r for r in own if r["kind"] == kind] for kind in _kinds(own)}
        groups["all"] = [r for r in own if "same" not in r["values"]]
        found[editor] = {kind: _means(group) for kind, group in groups.items() if group}
    return found


def _kinds(rows: Iterable[Json]) -> list[str]:
    return list(dict.fromkeys(row["kind"] for row in rows))


def _means(rows: Sequence[Json]) -> Json:
    names = dict.fromkeys(name for row in rows for name in row["values"])
    return {n: interval([r["values"][n] for r in rows if n in r["values"]]) for n in names}


COLUMNS = ("right", "form", "both", "fired", "edit", "role", "given_edit", "same", "unharmed",
           "rouge_l")  # fmt: skip
SCOPE = ("fired", "edit", "role", "given_edit")


def tables(found: Json) -> Iterator[Table]:
    """One table an editor, in percent."""
    for editor, kinds in found.items():
        shown = [c for c in COLUMNS if any(c in values for values in kinds.values())]
        table = Table("kind", "n", *(c.replace("_", " ") for c in shown), title=editor)
        for kind, values in kinds.items():
            n = max(value["n"] for value in values.values())
            cells = (
                f"{100 * values[c]['mean']:.1f}"
                if c in values and not (editor == NONE and c in SCOPE)
                else ""
                for c in shown
            )
            table.add_row(kind, str(n), *cells, end_section=kind == list(kinds)[-2])
        yield table


def scorer(data: Data) -> Any:
    """ROUGE's scorer, where some request is measured by it."""
    if not any(r.gold is not None for r in data.requests):
        return None
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=True)


def collect(path: str, sets: str, folder: Path | None, n: int, part: str = "all") -> Data:
    """The requests of all that was named."""
    data = own_requests(Path(path)) if path else Data()
    for name in (each.strip() for each in sets.split(",") if each.strip()):
        if name not in BUDGETS or folder is None:
            raise typer.BadParameter(f"--sets takes {', '.join(BUDGETS)}, and needs --data-dir.")
        more = public_requests(name, folder, n, part)
        data.requests.extend(more.requests)
        data.edits.update(more.edits)
    return data


def main(
    json_out: Annotated[Path, typer.Option("--json", help="Where the results go.")],
    model: Annotated[str | None, typer.Option(help="Hub id, folder, GGUF or short name.")] = None,
    editors: Annotated[str, typer.Option(help="What answers.")] = "ike,serac,rag,none",
    data: Annotated[str, typer.Option(help="Requests; empty: none.")] = str(
        HERE / "everyday.jsonl"
    ),
    limit: Annotated[int | None, typer.Option(help="A sample of so many requests.")] = None,
    kinds: Annotated[str, typer.Option(help="Only these kinds.")] = "",
    sets: Annotated[str, typer.Option(help="Of halluedit, qaedit_1k, unke.")] = "",
    data_dir: Annotated[Path | None, typer.Option(help="Where those are.")] = None,
    n: Annotated[int, typer.Option(help="Edits of each of those.")] = 300,
    part: Annotated[str, typer.Option(help="Subjects of those asked about.")] = "all",
    encoder: Annotated[str | None, typer.Option(help="Folder or id; packaged by default.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...")] = "cpu",
    dtype: Annotated[str, typer.Option(help="Of the weights.")] = "float32",
    batch: Annotated[int, typer.Option(help="Requests asked together.")] = 1,
    mixed: Annotated[bool, typer.Option(help="... of all domains; not for mello.")] = False,
) -> None:
    """Ask, judge, and show."""
    console = Console(stderr=True)
    if part not in ("all", *PARTS):
        raise typer.BadParameter(f"--part is one of all, {', '.join(PARTS)}.")
    asked = collect(data, sets, data_dir, n, part)
    first = EditableModel.from_pretrained(model, dtype=dtype, device=device, encoder=encoder)
    # Rows that were asked together may differ in the last bit: what is compared is asked alike.
    key = {
        "model": first.engine.fingerprint,
        "data": asked.digest,
        "dtype": dtype,
        "device": device,
        "batch": batch,
        "mixed": mixed,
    }
    asked.requests[:] = sampled(asked.requests, limit, kinds)
    rouge = scorer(asked)
    answers = Answers(json_out.with_suffix(".answers.jsonl"), key)
    specs = parse_all(editors)
    [none] = parse_all(NONE)
    everything = NONE in {spec.text for spec in specs}
    local = Data([r for r in asked.requests if not r.bears], asked.edits)
    how: Json = {"size": batch, "mixed": mixed, "console": console}
    ask_all(first, none, asked if everything else local, answers, **how)
    for spec in specs:
        ask_all(first, spec, asked, answers, **how)
    rows = [
        judged(
            r,
            answers.rows[spec.text, r.id],
            answers.rows.get((NONE, r.id)),
            rouge,
            asked.edits[r.domain],
        )
        for spec in specs
        for r in asked.requests
    ]
    found = summary(rows)
    manifest = {
        "command": sys.argv,
        **key,
        "model_name": model or "default",
        "requests": len(asked.requests),
        "edits": {domain: len(edits) for domain, edits in asked.edits.items()},
        "versions": {name: version(name) for name in ("torch", "transformers")},
    }
    result = {"manifest": manifest, "results": found, "answers": rows}
    json_out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    for table in tables(found):
        Console(width=150).print(table)


if __name__ == "__main__":
    typer.run(main)
