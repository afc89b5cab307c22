"""The form of one example: a request, and edits with their roles."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

Role: TypeAlias = Literal["asks", "informs", "none"]
Split: TypeAlias = Literal["train", "calib", "test"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An edit beside a request.

    Attributes:
        prompt, target, subject: As in an edit; a statement has none of them.
        statement: The edit as a sentence or a text.
        queries: Further wordings it was given.
        role: What it is to the request.
        group: Candidates of one group may say the same: never negatives of one another.
    """

    prompt: str | None = None
    target: str | None = None
    subject: str | None = None
    statement: str | None = None
    role: Role = "none"
    queries: tuple[str, ...] = ()
    group: str = ""

    def as_(self, role: Role) -> Candidate:
        return replace(self, role=role)


@dataclass(frozen=True, slots=True)
class Request:
    """A request with the edits that matter to it.

    Attributes:
        set, kind: Where it comes from, and what kind of request it is.
        about: The subjects that decide which split it belongs to.
        query: The last thing said.
        edits: Those with a role, and hard negatives.
        history: What was said before, user and assistant by turns, the user first.
        relation: What is asked of the subject, where the data name it.
        unseen: Whether the relation is kept out of training.
        frames: Whether instructions may be put around it.
    """

    set: str
    kind: str
    about: tuple[str, ...]
    query: str
    edits: tuple[Candidate, ...]
    history: tuple[str, ...] = ()
    relation: str | None = None
    unseen: bool = False
    frames: bool = True
    tags: tuple[str, ...] = field(default=())


def as_json(request: Request, number: int, split: Split) -> str:
    """One line of the file."""
    record: dict[str, Any] = {
        "id": f"{request.set}-{number}",
        "set": request.set,
        "kind": request.kind,
        "split": split,
        "relation": request.relation,
        "unseen_relation": request.unseen,
        "frames": list(request.tags),
        "query": request.query,
        "history": list(request.history),
        "edits": [_candidate(candidate) for candidate in request.edits],
    }
    return json.dumps(record, ensure_ascii=False)


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {
        "prompt": candidate.prompt,
        "target_new": candidate.target,
        "subject": candidate.subject,
        "statement": candidate.statement,
        "queries": list(candidate.queries),
        "role": candidate.role,
        "group": candidate.group,
    }
