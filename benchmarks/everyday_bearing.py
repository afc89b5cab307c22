"""Which edits bear on everyday requests: what the scope finds with everything round it, without a
model, or with a second look of a base.

    python -m benchmarks.everyday_bearing --data benchmarks/everyday_unseen.jsonl --json OUT
    python -m benchmarks.everyday_bearing --base qwen2.5-coder-1.5b.gguf --data … --json OUT

Each request is put to its domain's memory, with all edits of the domain in it, as a chat puts it
there: views, readings and times included, translation not (requests in other languages are left
out). Of the requests that edits bear on, ``missing`` lack one of them at least; ``others`` says how
many edits beside them come along; ``fired`` is the share of the unrelated that find one.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import binomtest

from benchmarks.everyday_requests import HERE, Request, own_requests
from memedit import EditableModel, EditMemory
from memedit.core.passages import Conversation
from memedit.core.protocols import Scope
from memedit.core.types import Decision
from memedit.engine.encoders import load_encoder
from memedit.model.deciding import Decider
from memedit.scope import load_scope

_LANGUAGES = "language"
"""The kind of the requests that only a base can put into English."""


def ask_as_chat(request: Request) -> str:
    """The request as the scope sees it: the last turn, and what was said before."""
    said = [message["content"] for message in request.messages if message["role"] != "system"]
    if not said:
        return request.prompt
    *before, last = said
    return Conversation("\n".join(before), last)


def judge(request: Request, decision: Decision) -> dict[str, Any]:
    """What was found of what bears, and what came along."""
    found = {hit.record.id for hit in decision.bearing}
    wanted = set(request.bears)
    # What a pasted document answers, an edit may bear on or not.
    missing = bool(wanted - found) and request.role != "either"
    return {"missing": missing, "others": len(found - wanted), "fired": bool(found)}


def make_decide(
    memory: EditMemory, scope: Scope | None, base: str, dtype: str
) -> Callable[[str, str], Decision]:
    """What decides of a query in a namespace, a base's second look included where one is named."""
    if not base:
        decider = Decider(memory, scope)
        return lambda query, domain: decider.decide([query], domain)[0]
    model = EditableModel.from_pretrained(base, dtype=dtype, memory=memory, scope=scope)
    model.second_look = True

    def decide(query: str, domain: str) -> Decision:
        with model.using(namespace=domain):
            return model.decide([query])[0]

    return decide


def summarise(rows: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """{kind: {n, missing, others, fired}}, counts."""
    return {
        kind: {"n": len(each), **{k: sum(row[k] for row in each) for k in each[0]}}
        for kind, each in sorted(rows.items())
    }


def show(found: dict[str, Any], console: Console) -> None:
    """The table, with what all that edits bear on come to and its 95% Wilson interval."""
    table = Table("kind", "n", "missing", "others", "fired")
    for kind, row in found.items():
        table.add_row(kind, *(str(row[name]) for name in ("n", "missing", "others", "fired")))
    console.print(table)
    related = [row for kind, row in found.items() if kind != "unrelated"]
    for name, rows, counted in (
        ("missing", related, "missing"),
        ("unrelated that fire", [found[k] for k in found if k == "unrelated"], "fired"),
    ):
        if n := sum(row["n"] for row in rows):
            k = sum(row[counted] for row in rows)
            low, high = binomtest(k, n).proportion_ci(method="wilson")
            console.print(f"{name}: {k} of {n}, {k / n:.1%} ({low:.1%} to {high:.1%})")


def main(
    json_out: Annotated[Path, typer.Option("--json", help="Where the results go.")],
    data: Annotated[Path, typer.Option(help="Requests; the edits beside them.")] = HERE
    / "everyday_unseen.jsonl",
    model: Annotated[str, typer.Option(help="Folder of a trained classifier.")] = "",
    domains: Annotated[str, typer.Option(help="Only these, comma-separated.")] = "",
    base: Annotated[str, typer.Option(help="Of which a second look is asked.")] = "",
    dtype: Annotated[str, typer.Option(help="Of its weights.")] = "bfloat16",
) -> None:
    """Count which requests find the edits that bear on them."""
    asked, encoder = own_requests(data), load_encoder()
    memory = EditMemory(None, encoder)
    for domain, edits in asked.edits.items():
        memory.add_many(list(edits), namespace=domain)
    scope = load_scope("default", model=model) if model else None
    decide = make_decide(memory, scope, base, dtype)
    wanted = {name for name in domains.split(",") if name}
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    progress = Console(stderr=True)
    for request in track(asked.requests, "requests", console=progress, transient=True):
        if request.kind == _LANGUAGES or (wanted and request.domain not in wanted):
            continue
        decision = decide(ask_as_chat(request), request.domain)
        kind = request.kind if request.bears else "unrelated"
        rows[kind].append(judge(request, decision))
    found = summarise(rows)
    manifest = {
        "command": " ".join(sys.argv),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "scope": repr(scope or "default"),
        "base": base,
        "digest": asked.digest,
    }
    json_out.write_text(json.dumps({"kinds": found, "manifest": manifest}, indent=1) + "\n")
    show(found, Console())


if __name__ == "__main__":
    typer.run(main)
