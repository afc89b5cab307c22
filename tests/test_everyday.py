"""The set of everyday requests, and what its benchmark makes of answers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from benchmarks import everyday
from benchmarks.everyday import Answers, ask, batches, interval, judged
from benchmarks.everyday_requests import (
    HERE,
    Data,
    Request,
    own_requests,
    public_requests,
    sampled,
)
from memedit import Edit, EditableModel
from memedit.data.split import PARTS, part_of
from memedit.evaluation.measures.judging import REPLY, Wanted

Tiny = Callable[[str], Any]
OWN = HERE / "everyday.jsonl"


@pytest.fixture(scope="module")
def own() -> Data:
    return own_requests(OWN)


def test_the_set_is_whole(own: Data) -> None:
    requests = own.requests
    assert len(requests) >= 400 and len({r.id for r in requests}) == len(requests)
    assert len({r.prompt or str(r.messages) for r in requests}) == len(requests)
    kinds = Counter(r.kind for r in requests)
    assert len(kinds) >= 12 and min(kinds.values()) >= 15
    assert Counter(r.domain for r in requests).keys() == own.edits.keys()
    assert sum(not r.bears for r in requests) >= 90
    for domain, edits in own.edits.items():
        ids = {edit.id for edit in edits}
        assert len(ids) == len(edits) >= 10
        used = [r for r in requests if r.domain == domain]
        assert {id for r in used for id in r.bears} == ids  # every edit is asked about
        assert all(bool(r.bears) == (r.role != "none") for r in used)


def test_the_wanted_answer_is_right_and_the_old_value_is_not(own: Data) -> None:
    """The judge on what stands in the set itself: the values it wants, the values it refuses."""
    for request in own.requests:
        form, wanted = request.wanted.form, request.wanted
        if form["type"] == "choice":
            right = form["options"][form["right"]]
            assert wanted.right(form["right"]) and wanted.right(f"It is {right}."), request.id
            for name in form["options"].keys() - {form["right"]}:
                assert not wanted.right(name), request.id
        elif form["type"] == "yes_no":
            other = {"yes": "No.", "no": "Yes."}[form["says"]]
            assert wanted.right(f"{form['says']}.") and not wanted.right(other), request.id
            assert wanted.must, request.id
        else:
            said = "It is " + " / ".join(group[0] for group in wanted.must) + "."
            assert wanted.right(said), request.id
            for old in wanted.never:
                assert not wanted.right(f"{said}\nIt is {old}."), (request.id, old)


def test_old_values_are_those_of_the_edits(own: Data) -> None:
    """No request wants what the edit replaced."""
    edits = {e.id: e for each in own.edits.values() for e in each}
    for request in own.requests:
        for id in request.bears if request.role == "asks" else ():
            if old := edits[id].target_true:
                assert not request.wanted.right(f"It is {old}."), request.id


def wanted(kind: str = "direct", bears: tuple[str, ...] = ("a",), **more: Any) -> Request:
    fields: dict[str, Any] = {
        "id": "1", "domain": "d", "kind": kind, "messages": (), "prompt": "x", "bears": bears,
        "wanted": Wanted([["45"]] if bears else [], ["30 days"], REPLY), "role": "asks",
        "budget": 8,
    }  # fmt: skip
    return Request(**(fields | more))


def row(answer: str, asks: tuple[str, ...] = (), informs: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"editor": "e", "id": "1", "answer": answer, "asks": asks, "informs": informs}


def test_the_scope_s_part_is_told_from_the_answer_s() -> None:
    values = judged(wanted(), row("45 days", ("a", "b")), None, None)["values"]
    assert values == {
        "fired": 1, "both": 1, "right": 1, "form": 1, "edit": 1, "role": 1, "given_edit": 1,
    }  # fmt: skip
    values = judged(wanted(), row("30 days", informs=("a",)), None, None)["values"]
    assert values == {"fired": 1, "both": 0, "right": 0, "edit": 1, "role": 0, "given_edit": 0}
    values = judged(wanted(), row("45 days", ("b",)), None, None)["values"]
    assert values == {"fired": 1, "both": 1, "right": 1, "form": 1, "edit": 0}


def test_what_no_edit_bears_on_is_compared_with_the_base() -> None:
    local, base = wanted(bears=(), role="none"), row("I do not know.")
    values = judged(local, row("I do not know."), base, None)["values"]
    assert values == {"fired": 0, "same": 1, "unharmed": 1, "changed_silently": 0}
    values = judged(local, row("It is 30 days.", ("a",)), base, None)["values"]
    assert values == {"fired": 1, "same": 0, "unharmed": 0, "changed_silently": 0}
    told = (Edit("The lamp costs", "€129", id="a"), Edit.from_statement("We open at 10 am."))
    said = judged(local, row("It is 129 euros.", ("a",)), base, None, told)["values"]
    assert said["unharmed"] == 0  # a value of an edit that fired
    assert judged(local, row("It is 129 euros."), base, None, told)["values"]["unharmed"] == 1
    assert everyday.values_of(told[1]) == ["10:00"]
    values = judged(local, row("No idea."), base, None)["values"]
    assert values == {"fired": 0, "same": 0, "unharmed": 1, "changed_silently": 1}


def test_answers_are_kept_and_not_mixed(tmp_path: Path) -> None:
    file = tmp_path / "out.answers.jsonl"
    first = Answers(file, {"data": "1"})
    first.add([{"editor": "e", "id": "1", "answer": "a"}, {"editor": "e", "id": "2", "answer": ""}])
    file.write_bytes(file.read_bytes()[:-4])  # cut off while it was written
    again = Answers(file, {"data": "1"})
    assert list(again.rows) == [("e", "1")]
    again.add([{"editor": "e", "id": "2", "answer": "b"}])
    assert Answers(file, {"data": "1"}).rows["e", "2"]["answer"] == "b"
    with pytest.raises(typer.BadParameter, match="something else"):
        Answers(file, {"data": "2"})


@pytest.mark.slow
def test_batches_say_what_single_requests_say(tiny: Tiny, tiny_tokenizer: Any) -> None:
    model = EditableModel(tiny("llama"), tiny_tokenizer, editor="rag", encoder="hashing")
    data = own_requests(OWN)
    chosen = [r for r in data.requests if r.domain in ("shop", "clinic")][::19]
    for domain in ("shop", "clinic"):
        model.edit_many(data.edits[domain], namespace=domain)
    alone = {r["id"]: r for part in batches(chosen, model, 1) for r in ask(model, "rag", part)}
    parts = list(batches(chosen, model, 4, mixed=True))
    assert any(len({r.domain for r in part}) == 2 for part in parts)
    together = {r["id"]: r for part in parts for r in ask(model, "rag", part)}
    assert alone.keys() == together.keys() == {r.id for r in chosen}
    for id, one in alone.items():
        assert one["answer"] == together[id]["answer"] and one["asks"] == together[id]["asks"]
        assert len(one["asks"]) == 3  # those that are told


def test_an_interval_holds_the_mean() -> None:
    found = interval([0.0, 1.0] * 50)
    assert found["mean"] == 0.5 and found["n"] == 100
    assert 0.38 < found["low"] < 0.45 and 0.55 < found["high"] < 0.62
    right = interval([1.0] * 20)  # Wilson: twenty of twenty is not certainty
    assert right["high"] == 1.0 and right["low"] == pytest.approx(0.839, abs=0.001)
    graded = interval([0.2, 0.4] * 30)
    assert 0.2 < graded["low"] < 0.3 < graded["high"] < 0.4


def test_a_sample_has_every_kind_and_is_part_of_a_larger_one(own: Data) -> None:
    small, large = (sampled(own.requests, n, "") for n in (42, 84))
    assert set(Counter(r.kind for r in small).values()) == {3}
    assert {r.id for r in small} < {r.id for r in large}
    assert sampled(own.requests, None, "code") == [r for r in own.requests if r.kind == "code"]


def test_public_sets(tmp_path: Path) -> None:
    import gzip

    record = {
        "id": "7", "facts": [{"prompt": "Who runs Acme?", "target": "Bo Ek", "subject": "Acme"}],
        "probes": [
            {"type": "direct", "prompt": "Who runs Acme?", "answers": ["Bo Ek"]},
            {"type": "yes question", "prompt": "Does Bo Ek run Acme?", "answers": ["Yes"]},
            {"type": "same subject, other relation", "prompt": "Where is Acme?", "answers": []},
            {"type": "2-hop", "prompt": "Where was Acme's boss born?", "answers": ["Rome"]},
        ],
    }  # fmt: skip
    again = {**record, "id": "8"}
    with gzip.open(tmp_path / "halluedit.jsonl.gz", "wt") as out:
        out.writelines(json.dumps(each) + "\n" for each in (record, again))
    data = public_requests("halluedit", tmp_path, 5)
    assert [e.id for e in data.edits["halluedit"]] == ["halluedit-7"]
    kinds = [r.kind.removeprefix("halluedit: ") for r in data.requests]
    assert kinds == ["direct", "yes question", "same subject", "2-hop"]
    direct, yes, local, hop = data.requests
    assert hop.wanted.right("Rome.") and hop.role == "informs" and hop.bears == ("halluedit-7",)
    part = part_of("Acme")
    other = next(p for p in PARTS if p != part)
    assert len(public_requests("halluedit", tmp_path, 5, part).requests) == 4
    held = public_requests("halluedit", tmp_path, 5, other)
    assert not held.requests and len(held.edits["halluedit"]) == 1
    assert direct.wanted.right("Bo Ek runs it.") and not direct.wanted.right("Ada")
    assert yes.wanted.right("Yes.") and yes.wanted.right("Bo Ek runs Acme.") and not local.bears
