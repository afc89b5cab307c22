"""What the measurements of facts share: a memory that is edited through the product's own door."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from memedit import EditMemory
from memedit.core.errors import InvalidEditError
from memedit.core.text import normalise
from memedit.core.types import Decision, Edit, Record
from memedit.data.records import read_source
from memedit.data.split import part_of
from memedit.memory import Receipt
from memedit.model.correcting import find_corrections, make_options
from memedit.model.deciding import Decider
from memedit.model.several import apply_default

Row = dict[str, Any]
PARTS = ("all", "train", "calibration", "evaluation")


class Facts:
    """A memory in RAM with the default scope; edits come in as ``memedit edit add`` takes them.

    Attributes:
        seconds: What each edit took.
    """

    def __init__(self, encoder: Any = None, scope: str | None = None) -> None:
        self.memory = EditMemory(None, encoder)
        self.decider = Decider(self.memory, scope)
        self.seconds: list[float] = []

    def add(self, edit: Edit, *, said: bool | None = False, **options: Any) -> Receipt:
        """Add an edit with what it corrects; ``options`` as of :meth:`EditMemory.add`.

        Args:
            said: Whether it is said to be one of several values; None: its relation decides.
        """
        begun = time.perf_counter()
        edit = apply_default(edit, self.memory.encoder, edit.multiple or said)
        start = options.get("valid_from")
        moment = None if start is None else self.memory.moment(start)
        found = find_corrections(self.decider, edit, "default", moment)
        told = make_options(found, self.memory, options.get("valid_until"))
        receipt = self.memory.add(edit, **told, **options)
        self.seconds.append(time.perf_counter() - begun)
        return receipt

    def ask(self, question: str, as_of: Any = None) -> Decision:
        """What bears on a question."""
        return self.decider.decide([question], "default", as_of)[0]

    def live(self, id: str) -> bool:
        """Whether an edit is in force."""
        return any(record.id == id for record in self.memory.records())


def read(data_dir: Path, name: str, *, part: str, n: int, seed: int) -> list[Row]:
    """``n`` records of a set (0: all) whose subject belongs to a part of our split, shuffled."""
    found = [r for r in read_source(data_dir / f"{name}.jsonl.gz") if part in ("all", _part(r))]
    random.Random(seed).shuffle(found)
    return found[: n or None]


def _part(record: Row) -> str:
    fact = (record.get("facts") or [{}])[0]
    return part_of(str(fact.get("subject") or fact.get("prompt") or record["id"]))


def edit_of(fact: Row, target: str | None = None, *, multiple: bool = False) -> Edit | None:
    """The edit of a fact; None where it is none."""
    prompt, subject = fact["prompt"], fact.get("subject")
    if subject is not None and subject not in prompt:
        subject = None
    try:
        return Edit(prompt, target or fact["target"], subject, multiple=multiple)
    except InvalidEditError:
        return None


def share(outcomes: Iterable[bool]) -> Row:
    """Number, share and its 95% Wilson interval."""
    told = list(outcomes)
    if not told:
        return {"n": 0, "share": None, "interval": None}
    found = binomtest(sum(told), len(told)).proportion_ci(method="wilson")
    share = round(sum(told) / len(told), 4)
    return {"n": len(told), "share": share, "interval": [round(found.low, 4), round(found.high, 4)]}


def milliseconds(seconds: Sequence[float]) -> Row:
    """Median and 95th percentile."""
    ordered = sorted(seconds)
    if not ordered:
        return {"n": 0}
    at = [ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]]
    return {"n": len(ordered), "median": round(1e3 * at[0], 1), "p95": round(1e3 * at[1], 1)}


def values(found: Sequence[Record]) -> list[str]:
    """What records say, folded."""
    return [normalise(record.edit.target_new or record.edit.prompt) for record in found]


def asked(decision: Decision) -> list[Record]:
    """The edits that a question asks, most probable first."""
    return [hit.record for hit in decision.hits]


def says(record: Record, answers: Iterable[str]) -> bool:
    """Whether a record's value is one of the answers; a statement's, whether it ends with one."""
    value = normalise(record.edit.target_new or record.edit.prompt)
    wanted = [normalise(answer) for answer in answers]
    if record.edit.is_statement:
        return any(value.endswith(answer) for answer in wanted)
    return value in wanted


def fresh(rows: Sequence[Row]) -> Iterator[Row]:
    """Records whose first fact is about a slot that no earlier one is about."""
    seen: set[str] = set()
    for row in rows:
        slot = normalise(row["facts"][0]["prompt"])
        if slot not in seen:
            seen.add(slot)
            yield row
