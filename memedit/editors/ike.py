"""IKE: in-context knowledge editing (Zheng et al. 2023, arXiv 2305.12740)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from typing import Any, ClassVar

from memedit.protocols import LM
from memedit.types import Batch, Call, Edit, Hit, Payload, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Ike:
    """Provisional."""

    name: ClassVar[str] = "ike"
    needs: ClassVar[frozenset[str]] = frozenset()
    demonstrations: int = 8

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        return [{"fact": edit.statement} for edit in edits]

    def run(self, batch: Batch, call: Call) -> list[Any]:
        return batch.route(lambda row: bool(self._hits(row)), partial(self._inside, call), call)

    def _hits(self, row: Row) -> list[Hit]:
        return [h for h in row.decision.hits if self.name in h.record.payloads]

    def _inside(self, call: Call, batch: Batch) -> list[Any]:
        def form(row: Row) -> str:
            hit = self._hits(row)[0]
            at = max(row.prompt.rfind(hit.view), 0)
            fact = hit.record.payloads[self.name]["fact"]
            gap = "\n" if at else ""
            head = row.prompt[:at] if row.target == "" else row.prompt[:at].rstrip()
            return f"{head}{gap}Fact: {fact}\n{row.prompt[at:]}"

        return call(batch.map_prompts(form).with_stop("\n"))
