"""Whatever is put in at a public door: an answer, or an error that is memedit's."""

from __future__ import annotations

import string
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from memedit import load_editor
from memedit.core.errors import MemeditError
from memedit.core.types import Edit
from memedit.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.scope import load_scope
from memedit.serving.app import create_app
from memedit.serving.keys import KeyRing, make_key
from tests.campaign.ledger import LONG, Stage
from tests.serving.helpers import tiny_service
from tests.serving.test_schema import check, check_answer

CALLS = 2_000 if LONG else 300
ASKED = 30
CHAINS = 40 if LONG else 4
IN_REST = Stage("fuzzed requests, REST", bounded=1, long=12, share=0.1)
IN_PYTHON = Stage("fuzzed calls, Python", bounded=1, long=50, share=0.08)

ODD = (
    "", " ", "\n", "\0", "..", "a/b", "\ud800", "\udfff\ud800", "é" * 300, "x" * 9_000, "[" * 2_000,
    "{}", "{0}", "%s", "'; DROP TABLE records; --", "\u202e gnippilf", "\u200b", "İstanbul", "ſ",
    "The capital of France is", "France", "Lyon", "9999-12-31", "0001-01-01T00:00:00+14:00",
    "2026-02-30", "-1", "1e400", "NaN", "default", "nobody", "１２", "𝟙", "🇫🇷" * 5,
)  # fmt: skip
LETTERS = st.characters() | st.sampled_from(string.printable)  # surrogates too
TEXTS = st.sampled_from(ODD) | st.text(LETTERS, max_size=40)
ZONES = st.just(timezone.utc) | st.just(timezone(timedelta(hours=14))) | st.none()
MOMENTS = st.dates() | st.datetimes(timezones=ZONES)
NUMBERS = st.integers(-3, 9) | st.sampled_from([2**31, 2**63, -(2**70)]) | st.floats()
THINGS = (
    TEXTS | MOMENTS | NUMBERS | st.none() | st.booleans() | st.binary(max_size=9)
    | st.lists(TEXTS, max_size=3) | st.dictionaries(TEXTS, TEXTS, max_size=2)
)  # fmt: skip
Door = Callable[[Callable[[Any], Any]], Any]


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


pytestmark = pytest.mark.slow
NAMES = [name for name in vars(Doors) if not name.startswith("_")]


def _put_in(
    doors: Any, names: list[str], calls: int, chosen: str, counts: Counter[str]
) -> dict[str, str]:
    """So many calls, each at a door that is drawn too; what went wrong."""
    wrong: dict[str, str] = {}

    @seed(chosen)
    @settings(
        max_examples=calls, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(data=st.data())
    def put(data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(names))
        counts["calls"] += 1
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                getattr(doors, name)(data.draw)
        except MemeditError as error:
            counts["refused"] += 1
            if not str(error).strip():
                wrong[f"{name}: an error that says nothing"] = ""
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            wrong[f"{name}: {type(error).__name__} in {where.name}"] = f"{error!s:.200}"

    put()
    return wrong


def test_python(tmp_path: Path) -> None:
    wrong: dict[str, str] = {}
    for made in IN_PYTHON.rounds():
        with EditMemory(None, HashingEncoder(16)) as memory:
            wrong |= _put_in(Doors(memory, tmp_path), NAMES, CALLS, made.seed, made.counts)
            assert memory.verify().problems == ()
    if wrong:
        pytest.fail("\n".join(f"{where}: {what}" for where, what in wrong.items()))
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

    run_state_machine_as_test(
        seed(chosen)(Chain),
        settings=settings(
            max_examples=CHAINS, stateful_step_count=8, deadline=None, database=None,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
