"""What the benchmark of everyday requests asks: requests of our own, and three public sets."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from memedit import Edit
from memedit.data.records import read_records
from memedit.data.split import part_of
from memedit.evaluation.measures.judging import REPLY, Wanted

HERE = Path(__file__).parent
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """One request, and what its answer is judged by.

    Attributes:
        domain: Whose edits are in memory.
        kind: What it is counted under.
        messages: A chat; () for a text to be continued.
        prompt: That text.
        bears: Ids of the edits that bear on it; () for none.
        role: ``asks``, ``informs``, ``either`` or ``none``.
        budget: Most tokens of its answer.
        gold: A text whose ROUGE-L with the answer is measured instead; None: judged.
    """

    id: str
    domain: str
    kind: str
    messages: tuple[Mapping[str, str], ...]
    prompt: str
    wanted: Wanted
    bears: tuple[str, ...]
    role: str
    budget: int
    gold: str | None = None

    @property
    def text(self) -> str:
        """Its words."""
        return self.prompt or "\n".join(message["content"] for message in self.messages)


@dataclass(frozen=True, slots=True)
class Data:
    """Requests, and the edits of each domain."""

    requests: list[Request] = field(default_factory=list)
    edits: dict[str, list[Edit]] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Changes when a request is put otherwise or an edit is another; not with the judging."""
        asked = [[r.id, r.domain, r.prompt, list(r.messages), r.budget] for r in self.requests]
        told = {d: [[e.id, e.statement] for e in edits] for d, edits in self.edits.items()}
        text = json.dumps([asked, told], ensure_ascii=False, default=dict)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def own_requests(path: Path) -> Data:
    """Requests of a file, with the edits beside it: ``NAME.jsonl`` and ``NAME_edits.jsonl``."""
    data = Data()
    for record in read_records(path.with_name(f"{path.stem}_edits.jsonl")):
        fields = {k: v for k, v in record.items() if k != "domain"}
        data.edits.setdefault(record["domain"], []).append(Edit(**fields))
    for record in read_records(path):
        data.requests.append(
            Request(
                id=record["id"],
                domain=record["domain"],
                kind=record["kind"],
                messages=tuple(record.get("messages", ())),
                prompt=record.get("prompt", ""),
                wanted=Wanted(record["must"], record["never"], record["form"]),
                bears=tuple(record["bears"]),
                role=record["role"],
                budget=record["max_tokens"],
            )
        )
    return data


BUDGETS = {"halluedit": 48, "qaedit_1k": 48, "unke": 256}
ASKING = {"direct", "paraphrase"}
HOPS = {"2-hop"}
UNCHANGED = {"same subject, other relation", "locality"}
POLARITY = {"yes question": "yes", "no question": "no"}


def public_requests(name: str, folder: Path, n: int, part: str = "all") -> Data:
    """The first ``n`` edits of a public set, all in one memory, and the probes of them that are of
    the kinds this benchmark counts (no reversals, one hop more at most).

    Args:
        part: Only edits about subjects of this part are asked about (``memedit.data.split``).
    """
    data, seen = Data(edits={name: []}), set[str]()
    for record in read_records(folder / f"{name}.jsonl.gz"):
        [fact] = record["facts"]
        if fact["prompt"].casefold() in seen or len(data.edits[name]) == n:
            continue
        seen.add(fact["prompt"].casefold())
        subject = fact.get("subject")
        own = f"{name}-{record['id']}"
        data.edits[name].append(Edit(fact["prompt"], fact["target"], subject, id=own))
        if part not in ("all", part_of(str(subject or fact["prompt"]))):
            continue
        for number, probe in enumerate(record["probes"]):
            if probe["type"] in ASKING | UNCHANGED | HOPS | POLARITY.keys() | {"part"}:
                data.requests.append(_public(name, own, f"{own}-{number}", probe, fact["target"]))
    return data


def _public(name: str, edit: str, id: str, probe: Json, target: str) -> Request:
    kind, local = probe["type"], probe["type"] in UNCHANGED
    must = [] if local else [[target] if kind in POLARITY else probe["answers"]]
    form = {"type": "yes_no", "says": POLARITY[kind]} if kind in POLARITY else REPLY
    role = "none" if local else "asks" if kind in ASKING else "informs"
    return Request(
        id=id,
        domain=name,
        kind=f"{name}: {kind.partition(',')[0]}",
        messages=({"role": "user", "content": probe["prompt"]},),
        prompt="",
        wanted=Wanted(must, (), form),
        bears=() if local else (edit,),
        role=role,
        budget=BUDGETS[name],
        gold=probe["answers"][0] if name == "unke" and not local else None,
    )


def sampled(requests: Sequence[Request], limit: int | None, kinds: str) -> list[Request]:
    """Those of the kinds, and ``limit`` of them: as many of each kind as of any other, drawn with a
    fixed seed. A smaller sample is a part of a larger one. In their order."""
    wanted = {kind.strip() for kind in kinds.split(",") if kind.strip()}
    found = [r for r in requests if not wanted or r.kind in wanted]
    if limit is None or limit >= len(found):
        return found
    drawn = random.Random(0).sample(found, len(found))
    turns, turn_of = Counter[str](), dict[str, int]()
    for request in drawn:
        turn_of[request.id] = turns[request.kind]
        turns[request.kind] += 1
    chosen = {r.id for r in sorted(drawn, key=lambda r: turn_of[r.id])[:limit]}
    return [r for r in found if r.id in chosen]
