"""EditMemory against a dictionary."""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from memedit.core.text import subject_key
from memedit.core.types import Edit, Record
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from tests.postgres import Cluster

pytestmark = pytest.mark.slow

ENCODER = HashingEncoder(32)
NAMESPACES = st.sampled_from(["default", "other"])
SUBJECTS = ("France", "the France", "Spain", "New Spain")
TARGETS = ("Lyon", "Nice", "Rome")
EDITS = st.one_of(
    st.builds(
        lambda prompt, subject, target: Edit(prompt.format(subject), target, subject),
        st.sampled_from(["The capital of {} is", "{} borders on"]),
        st.sampled_from(SUBJECTS),
        st.sampled_from(TARGETS),
    ),
    st.builds(
        lambda who: Edit("Who are you?", who, queries=("Your name?",)), st.sampled_from(TARGETS)
    ),
    st.builds(lambda n: Edit.from_statement(f"The window is {n} days."), st.integers(1, 3)),
)
QUERIES = ["What is the capital of New Spain?", "Who are you?", "France borders on what", "days"]

Key = tuple[str, str]
Model = dict[Key, Edit]  # (namespace, id) -> edit, in order of arrival


def topic(edit: Edit) -> object:
    if edit.subject is None:
        return edit.prompt
    return subject_key(edit.subject), (edit.template or "").replace("the {}", "{}")


class Machine(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="memedit-"))
        self.address = self.place()
        self.memory = EditMemory(self.address, ENCODER)
        self.model: Model = {}
        self.past: list[Model] = [{}]

    def place(self) -> str | Path:
        """Where the memory shall be."""
        return self.folder / "m"

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.memory.close()
            shutil.rmtree(self.folder)

    def commit(self) -> None:
        self.past.append(dict(self.model))

    def put(self, edit: Edit, namespace: str) -> tuple[bool, set[str]]:
        """(added, superseded ids)."""
        if (namespace, edit.id) in self.model:
            return False, set()
        retired = [
            key
            for key, other in self.model.items()
            if key[0] == namespace and topic(other) == topic(edit)
        ]
        for key in retired:
            del self.model[key]
        self.model[namespace, edit.id] = edit
        return True, {id for _, id in retired}

    @rule(edit=EDITS, namespace=NAMESPACES)
    def add(self, edit: Edit, namespace: str) -> None:
        added, superseded = self.put(edit, namespace)
        if added:
            self.commit()
        receipt = self.memory.add(edit, namespace=namespace)
        assert (receipt.status == "added") is added
        assert {record.id for record in receipt.superseded} == superseded
        assert receipt.version == len(self.past) - 1

    @rule(edits=st.lists(EDITS, max_size=6), namespace=NAMESPACES)
    def add_many(self, edits: list[Edit], namespace: str) -> None:
        expected = [self.put(edit, namespace)[0] for edit in edits]
        if any(expected):
            self.commit()
        receipts = self.memory.add_many(edits, namespace=namespace)
        assert [receipt.status == "added" for receipt in receipts] == expected

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        namespace, id = data.draw(st.sampled_from(sorted(self.model)))
        edit = self.model.pop((namespace, id))
        self.commit()
        assert self.memory.forget(id, namespace=namespace).edit == edit

    @precondition(lambda self: self.model)
    @rule(data=st.data(), edit=EDITS)
    def supersede(self, data: st.DataObject, edit: Edit) -> None:
        namespace, id = data.draw(st.sampled_from(sorted(self.model)))
        if id != edit.id:
            del self.model[namespace, id]
            self.put(edit, namespace)
            self.commit()
        self.memory.supersede(id, edit, namespace=namespace)

    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        version = data.draw(st.integers(0, len(self.past) - 1))
        before = self.model
        self.model = dict(self.past[version])
        if self.model.keys() != before.keys() or self.sequences() != self.sequences(version):
            self.commit()
        assert self.memory.restore(version) == len(self.past) - 1

    def sequences(self, version: int | None = None) -> list[int]:
        view = self.memory if version is None else self.memory.at(version)
        return [record.sequence for record in view.records()]

    @rule(snapshot=st.booleans())
    def reopen(self, snapshot: bool) -> None:
        if snapshot:
            self.memory.snapshot()
        self.memory.close()
        self.memory = EditMemory(self.address, ENCODER)

    @rule(data=st.data())
    def look_back(self, data: st.DataObject) -> None:
        version = data.draw(st.integers(0, len(self.past) - 1))
        view = self.memory.at(version)
        expected = self.past[version]
        assert {(r.namespace, r.id): r.edit for r in view.records()} == expected
        self.check_search(list(view.records("default")), view.search(QUERIES, k=3))

    @rule(namespace=NAMESPACES)
    def search(self, namespace: str) -> None:
        records = list(self.memory.records(namespace))
        self.check_search(records, self.memory.search(QUERIES, k=3, namespace=namespace))

    def check_search(self, records: list[Record], found: list[list]) -> None:  # type: ignore[type-arg]
        """Against brute force: the three best, and every record whose subject is mentioned."""
        for query, hits in zip(QUERIES, found, strict=True):
            best = {}
            for record in records:
                vectors = ENCODER.encode([query, record.edit.prompt, *record.edit.queries])
                best[record.sequence] = float(np.max(vectors[1:] @ vectors[0]))
            similarities = [hit.similarity for hit in hits]
            assert similarities == sorted(similarities, reverse=True)
            for hit in hits:
                assert abs(hit.similarity - best[hit.record.sequence]) < 1e-5
            top = sorted(best.values(), reverse=True)[:3]
            assert np.allclose(similarities[: len(top)], top, atol=1e-5)
            known = {s for s in SUBJECTS if any(r.edit.subject == s for r in records)}
            for subject in known:
                inside = [
                    s for s in known if subject_key(subject) in subject_key(s) and s != subject
                ]
                inside = [s for s in inside if subject_key(s) != subject_key(subject)]
                if subject in query and not any(s in query for s in inside):
                    about = {r.sequence for r in records if r.edit.subject == subject}
                    assert about <= {hit.record.sequence for hit in hits if hit.mention}

    @invariant()
    def same(self) -> None:
        if not hasattr(self, "model"):
            return
        live = {(r.namespace, r.id): r.edit for r in self.memory.records()}
        assert live == self.model and len(self.memory) == len(self.model)
        assert self.memory.version == len(self.past) - 1
        counts = {n for n, _ in self.model}
        assert self.memory.namespaces().keys() == counts

    @rule()
    def verify(self) -> None:
        assert self.memory.verify().problems == ()
        last = self.memory.history()[-1:]
        assert not last or last[0].at <= datetime.now(timezone.utc)


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def test_the_same_in_postgresql(pg: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a second process's copy, which only hears of the changes, is equal after each."""

    class Shared(Machine):
        def place(self) -> str:
            monkeypatch.setenv("MEMEDIT_REPLICA_DIR", str(self.folder / "replica"))
            url = pg.memory()
            self.other = EditMemory(url, ENCODER)
            return url

        def teardown(self) -> None:
            if hasattr(self, "other"):
                self.other.close()
            super().teardown()

        @invariant()
        def the_other_follows(self) -> None:
            if hasattr(self, "other"):
                assert self.other.wait_for(self.memory.version, 120)
                assert self.other.digest() == self.memory.digest()

    run_state_machine_as_test(
        Shared,
        settings=settings(
            max_examples=int(os.environ.get("MEMEDIT_PG_EXAMPLES", "6")),
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
