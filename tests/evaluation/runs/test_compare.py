"""Comparisons from end to end on a tiny model: what theory says, and going on after a crash."""

from __future__ import annotations

import json
import random
import signal
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from memedit.core.errors import InvalidInputError, UnknownNameError
from memedit.core.types import Decision
from memedit.editors.ike import Ike
from memedit.evaluation import load_cases
from memedit.evaluation.asking.asker import Asker
from memedit.evaluation.measures.rows import read
from memedit.evaluation.reports.tables import provenance
from memedit.evaluation.runs.cell import rows_of
from memedit.evaluation.runs.compare import Comparison, compare, load
from memedit.evaluation.runs.specs import parse, parse_all
from memedit.scope import Mention
from tests.evaluation.helpers import record, small_model, write
from tests.evaluation.running import run
from tests.forking import fork
from tests.helpers import shared_data

IKE = "ike(demonstrations=1)@mention"
"""Whatever the default scope is, these tests know this one; one demonstration is enough to read."""
UNGATED = "ike(demonstrations=1)-ungated"
EDITORS = ("none", IKE, UNGATED)
FAST: dict[str, Any] = {"tokens": 3, "group": 2}


@pytest.fixture(scope="module")
def model() -> Any:
    return small_model()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write(tmp_path / "cases.jsonl", [record(i) for i in range(5)])


def test_the_numbers_move_as_theory_says(model: Any, data: Path) -> None:
    found = compare(model, EDITORS, data, **FAST).tables
    none, gated, ungated = (found[name]["5"] for name in EDITORS)
    assert none["gen_locality"].mean == gated["gen_locality"].mean == 1
    assert none["kl_locality"].mean == gated["kl_locality"].mean == 0
    assert ungated["gen_locality"].mean < 1 and ungated["kl_locality"].mean > 0
    assert gated["scope_recall"].mean == ungated["scope_recall"].mean == 1
    assert (gated["scope_false_fires"].mean, ungated["scope_false_fires"].mean) == (0, 1)
    assert "seconds_per_edit" in gated and "seconds_per_edit" not in none
    assert gated["es"] == ungated["es"] and gated["es"] != none["es"]


@pytest.mark.parametrize("frame", ["plain", "dialogue"])
def test_where_no_edit_fires_the_answer_is_the_base_s_own(
    model: Any, data: Path, frame: str
) -> None:
    """Taking it from the base is what asking gives: every measure but time is the same."""
    short, whole = (
        compare(model, IKE, data, recheck=recheck, frame=frame, **FAST) for recheck in (False, True)
    )
    for metric, value in short.tables[IKE]["5"].items():
        if not metric.startswith("seconds"):
            assert whole.tables[IKE]["5"][metric].mean == pytest.approx(value.mean, abs=1e-5)


def test_what_an_edit_only_informs_is_asked(
    model: Any, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault: an answer that an edit only informs was taken from the base."""
    fires = Mention.decide

    def inform(scope: Mention, prompts: Any, candidates: Any) -> list[Decision]:
        found = fires(scope, prompts, candidates)
        told = [tuple(replace(hit, role="informs") for hit in each.hits) for each in found]
        return [replace(d, hits=(), informs=hits) for d, hits in zip(found, told, strict=True)]

    monkeypatch.setattr(Mention, "decide", inform)
    note = "note@mention"
    short, whole = (compare(model, note, data, recheck=again, **FAST) for again in (False, True))
    for metric, value in short.tables[note]["5"].items():
        if not metric.startswith("seconds"):
            assert whole.tables[note]["5"][metric].mean == pytest.approx(value.mean, abs=1e-5)


@pytest.mark.parametrize("protocol", ["single", "instance", "sequential", "batch-sequential"])
def test_protocols_run(model: Any, data: Path, protocol: str) -> None:
    sequential = "sequential" in protocol
    more: dict[str, Any] = {"checkpoints": (2,)} if sequential else {}
    if protocol == "batch-sequential":
        more["batch_edits"] = 2
    found = model.compare([IKE], data, protocol=protocol, **FAST, **more).tables[IKE]
    assert list(found) == (["2", "5"] if sequential else ["5"])
    assert found["5"]["gen_efficacy"].n == found["5"]["seconds_per_edit"].n == 5
    assert ("immediate_gen_efficacy" in found["5"]) == sequential


def test_one_edit_at_a_time_is_not_confused_by_the_others(model: Any, data: Path) -> None:
    """With all edits in memory the ungated answer to a neighbour uses any; alone, its own."""
    single = compare(model, UNGATED, data, protocol="single", **FAST)
    assert single.tables[UNGATED]["5"]["scope_right"].mean == 1


def test_rows_tell_everything_and_base_answers_are_kept(
    model: Any, data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    made = compare(model, EDITORS, data, folder=folder, **FAST)
    row = next(r for r in read(rows_of(folder, parse(IKE).slug)) if r["measure"] == "gen_same")
    assert {"case", "probe", "kind", "value", "text", "base"} <= row.keys()
    assert len(list((folder / "base").iterdir())) == 3  # groups of 2 of 5 cases, for all editors
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["data"]["used"] == 5 and manifest["data"]["asked"] is None
    assert manifest["identity"]["versions"]["torch"] and manifest["surroundings"]["cores"]
    again = load(folder)
    assert again.finished and "NOT FINISHED" not in provenance(again)
    assert again.tables == made.tables
    kept = json.loads((folder / "aggregates.json").read_text())
    assert kept[IKE]["5"]["gen_efficacy"].keys() == {"mean", "low", "high", "n"}
    assert "seconds_per_edit" not in kept[IKE]["5"]
    (folder / "aggregates.json").unlink()
    assert "NOT FINISHED" in provenance(load(folder))


def test_a_finished_run_is_not_done_again_and_another_is(
    model: Any, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    first = compare(model, IKE, data, folder=folder, **FAST)

    def refuse(*args: Any, **options: Any) -> Any:
        raise AssertionError("asked again")

    monkeypatch.setattr(Asker, "answers", refuse)
    assert compare(model, IKE, data, folder=folder, **FAST).tables == first.tables
    joined = compare(model, [IKE, "none"], data, folder=folder, **FAST)
    assert joined.tables[IKE] == first.tables[IKE] and list(joined.tables) == [IKE, "none"]
    with pytest.raises(AssertionError, match="asked again"):
        compare(model, IKE, data, folder=folder, tokens=4, group=2)


def test_what_was_damaged_costs_no_other_measurement(
    model: Any, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The faults: one bit of the manifest, and every row was removed as another run's; one of the
    base's answers was another answer, or a JSONDecodeError."""
    folder = tmp_path / "run"
    first = compare(model, IKE, data, folder=folder, **FAST)
    manifest, rows = folder / "manifest.json", rows_of(folder, parse(IKE).slug)
    content, measured = manifest.read_text(), rows.read_bytes()
    digest = first.manifest["identity"]["data"]
    manifest.write_text(content.replace(digest, digest[::-1]))
    with pytest.raises(InvalidInputError, match="not as it was written"):
        compare(model, IKE, data, folder=folder, **FAST)
    assert rows.read_bytes() == measured
    manifest.write_text(content)
    for kept, wrong in (('"answer": {', '"answer": ['), ('"outcomes"', '"outcomez"'), ("-", "")):
        for file in (folder / "base").iterdir():
            file.write_text(file.read_text().replace(kept, wrong, 1))
        rows.unlink()
        again = compare(model, IKE, data, folder=folder, **FAST)
        assert again.to_dict(timings=False) == first.to_dict(timings=False)


def test_two_processes_do_not_work_in_one_folder(model: Any, data: Path, tmp_path: Path) -> None:
    from filelock import FileLock

    (tmp_path / "run").mkdir()
    with FileLock(tmp_path / "run" / "lock"):
        with pytest.raises(InvalidInputError, match="Another process"):
            compare(model, "none", data, folder=tmp_path / "run", **FAST)
    assert compare(model, "none", data, folder=tmp_path / "run", **FAST).tables


def test_the_frame_is_put_around_questions(model: Any) -> None:
    asker = Asker(model, frame="qa")
    assert asker.frame_prompt("Who?") == "Question: Who?\nAnswer:"
    assert asker.frame_prompt("He is") == "He is"
    with pytest.raises(UnknownNameError, match="frame"):
        Asker(model, frame="poem")


def test_editors_may_tell_of_weights_and_keys(
    model: Any, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each edit adds 1 to the distance of one matrix: W_t - W_0 has the norm t, a step 1."""
    far = {"distance": lambda _, records: {"lm_head": float(len(records))}}
    for name, method in (far | {"keys": lambda _, records: 2 * len(records)}).items():
        monkeypatch.setattr(Ike, name, method, raising=False)
    options: dict[str, Any] = {"protocol": "sequential", "checkpoints": (2,), "families": ()}
    found = compare(model, IKE, data, **FAST | options).tables[IKE]
    told = ("weight_distance:lm_head", "weight_step:lm_head", "grace_keys", "edits_held")
    assert [found["2"][name].mean for name in told] == [2, 1, 4, 2]
    assert [found["5"][name].mean for name in told] == [5, 1, 10, 5]
    norm = float(model.base.lm_head.weight.detach().norm())
    assert found["5"]["weight_relative:lm_head"].mean == pytest.approx(5 / norm)


def test_in_a_chat_the_model_is_asked_with_its_template(
    model: Any, data: Path, tmp_path: Path
) -> None:
    run: dict[str, Any] = {"folder": tmp_path / "run", "families": ("gen",), "group": 5}
    compare(model, IKE, data, frame="chat", tokens=3, **run)
    rows = read(rows_of(tmp_path / "run", parse(IKE).slug))
    said = {r["prompt"]: r["text"] for r in rows if r["measure"] == "gen_contains"}
    own = parse(IKE).build(model, None)
    own.edit_many([case.edits[0] for case in load_cases(data).cases])
    assert said == {p: own.ask(p, chat=True, max_new_tokens=3).text for p in said}


def test_the_form_a_probe_asks_for_is_judged_and_stated(model: Any, tmp_path: Path) -> None:
    def cases(form: dict[str, Any]) -> Path:
        probe = {"kind": "portability", "prompt": "List them.", "targets": ["x"], "form": form}
        edit = {"prompt": "The CEO of Acme is", "target_new": "Ada", "subject": "Acme"}
        file = tmp_path / "own.jsonl"
        file.write_text(json.dumps({"edits": [edit], "probes": [probe]}))
        return file

    options: dict[str, Any] = {"families": ("gen",), "folder": tmp_path / "run"}
    found = compare(model, "ike", cases({"type": "text", "max_words": 99}), **options).tables
    assert found["ike"]["1"]["gen_form"].n == 1
    [row] = [r for r in read(rows_of(tmp_path / "run", "ike")) if r["measure"] == "gen_form"]
    assert row["prompt"] == "List them." and row["text"] is not None
    with pytest.raises(InvalidInputError, match="no form 'poem'"):
        compare(model, "ike", cases({"type": "poem"}))


@pytest.mark.slow
def test_fluency_is_measured_on_request(model: Any, data: Path) -> None:
    pytest.importorskip("nltk")
    options: dict[str, Any] = {"families": ("fluency",), "group": 2}
    found, again = (compare(model, "none", data, n=2, **options).tables for _ in range(2))
    assert found == again
    assert found["none"]["2"]["gen_fluency"].mean > 0
    assert "gen_efficacy" not in found["none"]["2"]


def test_specs() -> None:
    assert parse("none").editor is None
    assert (parse("ike-ungated").editor, parse("ike-ungated").scope) == ("ike", "nearest")
    assert parse("ike@threshold").scope == "threshold"
    assert parse("ike").scope is None
    assert [s.text for s in parse_all("ike, none")] == ["ike", "none"]
    for bad, error in (("iki", UnknownNameError), ("ike@here", UnknownNameError)):
        with pytest.raises(error):
            parse(bad)
    for several in ("ike,ike", "ike,,none"):
        with pytest.raises(InvalidInputError):
            parse_all(several)


def test_unknown_settings_and_foreign_folders_are_refused(
    model: Any, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInputError, match="no setting protokoll"):
        compare(model, IKE, data, protokoll="x")
    with pytest.raises(InvalidInputError, match="no checkpoints"):
        compare(model, IKE, data, checkpoints=(1,))
    with pytest.raises(InvalidInputError, match="families"):
        compare(model, IKE, data, families=("genes",))
    with pytest.raises(InvalidInputError, match=r"families is a list, .*\['gen'\]"):
        compare(model, IKE, data, families="gen")
    for n in (0, "1"):
        with pytest.raises(InvalidInputError, match="n must be a whole number of at least 1"):
            compare(model, IKE, data, n=n)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="A file of cases is a text or a Path, not list"):
        compare(model, IKE, [{"prompt": "x is"}])  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="cannot be made"):
        compare(model, IKE, data, folder=data, **FAST)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(InvalidInputError, match="holds no run"):
        compare(model, IKE, data, folder=tmp_path / "mine", **FAST)
    assert (tmp_path / "mine" / "thesis.txt").exists()
    with pytest.raises(InvalidInputError, match="holds no run"):
        load(tmp_path / "mine")


def test_an_open_data_set_is_taken_as_it_is(model: Any, data: Path) -> None:
    found: Comparison = compare(model, "none", load_cases(data, 2, locality=1), **FAST)
    assert found.manifest["data"]["used"] == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [("families", 5.5), ("families", [5]), ("families", {"gen": 1}), ("checkpoints", ["a"]),
     ("checkpoints", 3), ("tokens", None), ("batch", "2"), ("group", True), ("seed", 1.5),
     ("protocol", 3), ("frame", None), ("immediate", "yes"), ("batch_edits", "x")],
)  # fmt: skip
def test_a_setting_of_another_kind_is_named(model: Any, data: Path, name: str, value: Any) -> None:
    """The fault: TypeErrors."""
    with pytest.raises(InvalidInputError, match=name):
        compare(model, IKE, data, **{name: value})


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_killed_at_random_and_restarted_it_ends_the_same(
    seed: int, data: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "whole"
    fork(run, str(data), str(whole)).wait()
    draw, killed = random.Random(seed), 0
    for turn in range(20):  # until one is killed: on a busy machine each may be done before
        folder = tmp_path / f"torn-{turn}"
        for _ in range(4):
            child = fork(run, str(data), str(folder))
            with suppress(EOFError):  # it was done before
                for _ in range(draw.randint(1, 14)):
                    child.hear()
            time.sleep(draw.random() / 20)
            child.kill()
            killed += child.process.exitcode == -signal.SIGKILL
        if killed:
            break
    assert killed
    last = fork(run, str(data), str(folder))
    last.wait()
    assert last.process.exitcode == 0
    expected, found = ((f / "aggregates.json").read_bytes() for f in (whole, folder))
    assert expected == found
    assert len(list((folder / "cells").glob("*.jsonl"))) == 3


@pytest.mark.parametrize(
    "name, metrics",
    [
        ("counterfact_core", ("es", "ns", "em", "tf_efficacy")),
        ("counterfact_portability", ("gen_portability_one_hop", "gen_locality_other_relation")),
        ("zsre", ("zsre_efficacy", "zsre_paraphrase", "zsre_specificity", "zsre_score")),
        ("knowedit_wiki_counterfact_test", ("gen_portability_reasoning",
                                            "tf_locality_tokens_forgetfulness")),
        ("mquake", ("edit_wise", "instance_wise", "multihop_any", "multihop_all")),
    ],
)  # fmt: skip
def test_every_kind_of_data_has_its_metrics(
    model: Any, name: str, metrics: tuple[str, ...]
) -> None:
    data = shared_data(f"{name}.jsonl.gz")
    found = compare(model, [IKE], data, n=1, locality=1, tokens=3).tables[IKE]["1"]
    assert set(metrics) <= found.keys()
    other = {"zsre_score", "multihop_any"} - set(metrics)
    assert not other & found.keys()
