"""Whatever is put in at a public door: an answer, or an error that is memedit's."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition
from hypothesis.stateful import run_state_machine_as_test

from memedit import load_editor
from memedit.core.types import Edit
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.scope import load_scope
from memedit.serving.app import create_app
from memedit.serving.keys import KeyRing, make_key
from tests.campaign.ledger import LONG, Stage
from tests.campaign.putting import NUMBERS, TEXTS, THINGS, put_in, told
from tests.serving.helpers import tiny_service
from tests.serving.test_schema import check, check_answer

pytestmark = pytest.mark.slow
CALLS = 2_000 if LONG else 300
ASKED = 30
CHAINS = 40 if LONG else 4
IN_REST = Stage("fuzzed requests, REST", bounded=1, long=12, share=0.06)
IN_PYTHON = Stage("fuzzed calls, Python", bounded=1, long=50, share=0.05)


class Doors:
    """What is called, each with what ``draw`` gives. Those that stand for one are methods."""

    def __init__(self, memory: EditMemory, folder: Path) -> None:
        self.memory, self.folder = memory, folder
        self.held = KeyRing(keys=[make_key("a", ("read",))[0]])

    def _edit(self, draw: Any) -> Edit:
        made: Edit = draw(st.sampled_from([
            Edit("The capital of France is", "Lyon", "France"), Edit("Who are you?", "Otto"),
            Edit.from_statement("The window is 9 days."),
        ]))  # fmt: skip
        return made

    def _id(self, draw: Any) -> Any:
        which, other = draw(st.integers(0, 5)), draw(THINGS)  # whatever is there now
        known = [record.id for record in self.memory.records()][:3]
        return known[which] if which < len(known) else other

    def edit(self, draw: Any) -> None:
        given = (draw(THINGS), draw(THINGS), draw(THINGS | st.just("France")))
        made = Edit(*given, queries=tuple(draw(st.lists(TEXTS, max_size=2))))
        self.memory.add(made)

    def statement(self, draw: Any) -> None:
        self.memory.add(Edit.from_statement(draw(THINGS), draw(st.none() | TEXTS)))

    def named(self, draw: Any) -> None:
        self.memory.add(Edit("The king is", "Otto", id=draw(THINGS)))

    def add(self, draw: Any) -> None:
        self.memory.add(
            self._edit(draw), namespace=draw(TEXTS), source=draw(TEXTS),
            valid_from=draw(THINGS), valid_until=draw(st.none() | THINGS),
        )  # fmt: skip

    def add_many(self, draw: Any) -> None:
        self.memory.add_many([self._edit(draw) for _ in range(draw(st.integers(0, 3)))])

    def supersede(self, draw: Any) -> None:
        self.memory.supersede(self._id(draw), self._edit(draw), valid_until=draw(st.none() | TEXTS))

    def report(self, draw: Any) -> None:
        self.memory.report(self._id(draw), draw(THINGS), concerns=draw(st.booleans()))

    def forget(self, draw: Any) -> None:
        self.memory.forget(self._id(draw), namespace=draw(TEXTS), reason=draw(TEXTS))

    def restore(self, draw: Any) -> None:
        self.memory.restore(draw(THINGS), namespace=draw(st.none() | TEXTS))

    def get(self, draw: Any) -> None:
        self.memory.get(self._id(draw), namespace=draw(TEXTS))

    def history(self, draw: Any) -> None:
        self.memory.history(draw(TEXTS), namespace=draw(st.none() | TEXTS))

    def at(self, draw: Any) -> None:
        view = self.memory.at(draw(THINGS))
        list(view.records())

    def search(self, draw: Any) -> None:
        self.memory.search(draw(st.lists(TEXTS, max_size=3)), k=draw(st.integers(-1, 5)))

    def purge(self, draw: Any) -> None:
        if draw(st.booleans()):
            self.memory.purge(self._id(draw), namespace=draw(TEXTS))
        else:
            self.memory.purge(subject=draw(THINGS))

    def zone(self, draw: Any) -> None:
        self.memory.set_zone(draw(THINGS))

    def import_file(self, draw: Any) -> None:
        file = self.folder / f"x{draw(st.sampled_from(['.jsonl', '.json', '.csv', '.tsv', '']))}"
        content = draw(st.binary(max_size=200) | TEXTS.map(lambda t: t.encode("utf-8", "replace"))
                       | st.just(b'{"prompt": "The sea is", "target_new": "blue"}'))  # fmt: skip
        file.write_bytes(content)
        self.memory.import_file(file, namespace=draw(st.none() | TEXTS), source=draw(TEXTS))

    def editor(self, draw: Any) -> None:
        load_editor(draw(TEXTS))

    def scope(self, draw: Any) -> None:
        load_scope(draw(TEXTS))

    def key(self, draw: Any) -> None:
        assert self.held.find(draw(TEXTS)) is None

    def memory_at(self, draw: Any) -> None:
        EditMemory(draw(NUMBERS | st.binary(max_size=3) | st.lists(TEXTS, max_size=1)))


def test_python(tmp_path: Path) -> None:
    wrong: dict[str, str] = {}
    for made in IN_PYTHON.rounds():
        with EditMemory(None, HashingEncoder(16)) as memory:
            wrong |= put_in(Doors(memory, tmp_path), CALLS, made.seed, made.counts)
            assert memory.verify().problems == ()
    if wrong:
        pytest.fail(told(wrong))
    counts = IN_PYTHON.counts
    assert counts["calls"] / 10 < counts["refused"] < counts["calls"]


LINKED = ("get", "patch", "delete")


@pytest.fixture
def api() -> Any:
    """The server's own description, with what an edit's receipt names linked to what takes it."""
    app = create_app(tiny_service(max_tokens=2, hosts=None, version_wait=0.01))
    document = app.openapi()
    paths = document["paths"]
    taking = [paths["/v1/edits/{id}"][method]["operationId"] for method in LINKED]
    taking += [paths["/v1/edits/{id}/history"]["get"]["operationId"]]
    taking += [paths["/v1/edits/{id}/reports"]["post"]["operationId"]]
    links = {n: {"operationId": n, "parameters": {"id": "$response.body#/id"}} for n in taking}
    for path, method in (("/v1/edits", "post"), ("/v1/edits/{id}", "patch")):
        for status in ("200", "201"):
            given = paths[path][method]["responses"].setdefault(status, {"description": "made"})
            given["links"] = links
    schema = schemathesis.openapi.from_dict(document)
    schema.app = app
    return schema


def test_rest(api: Any) -> None:
    """Generated requests, valid and not, to every operation, and chains that hand on ids."""
    for made in IN_REST.rounds():
        seen: Counter[int] = Counter()
        for each in api.get_all_operations() if LONG else ():  # else: tests/serving/test_schema.py
            check(each.ok(), ASKED, seen, chosen=made.seed)
        made.counts["requests"] += sum(seen.values())
        made.counts.update({f"of status {status}": count for status, count in seen.items()})
        _chain(api, made.seed, made.counts)
    assert IN_REST.counts["chained"] > CHAINS


def _chain(api: Any, chosen: str, counts: Counter[str]) -> None:
    """Requests that follow each other: an edit is made, then asked for, changed, taken back."""

    class Chain(api.as_state_machine()):  # type: ignore[misc]
        def validate_response(self, response: Any, case: Any, **options: Any) -> None:
            counts["chained"] += 1
            check_answer(case.operation.label, response)

    try:
        run_state_machine_as_test(
            seed(chosen)(Chain),
            settings=settings(
                max_examples=CHAINS, stateful_step_count=8, deadline=None, database=None,
                phases=[Phase.generate], suppress_health_check=list(HealthCheck),
            ),
        )  # fmt: skip
    except FlakyStrategyDefinition:
        # Hypothesis repeats a chain and finds other ids in the answers: no fault of the server's.
        counts["broken off"] += 1
