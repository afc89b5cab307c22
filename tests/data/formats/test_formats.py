"""Reading data sets: each form is told by its content, and read into the right probes."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from memedit.core.errors import InvalidInputError
from memedit.data.formats import Options, detect, formats
from memedit.evaluation import load_cases
from tests.evaluation.helpers import record, write
from tests.helpers import shared_data

SHARED = {
    "counterfact_full": "counterfact",
    "counterfact_core": "counterfact",
    "counterfact_portability": "counterfact_portability",
    "zsre": "zsre-alt",
    "zsre_extra": "zsre-alt",
    "knowedit_zsre_test": "knowedit",
    "knowedit_wiki_recent_train": "knowedit",
    "knowedit_wiki_counterfact_test": "knowedit",
    "mquake": "mquake",
}


@pytest.mark.parametrize("name, form", SHARED.items())
def test_every_shared_data_set_is_recognised_and_read(name: str, form: str) -> None:
    read = load_cases(shared_data(f"{name}.jsonl.gz"), 40)
    assert read.name == form
    assert len(read.cases) == 40
    for case in read.cases:
        kinds = {probe.kind for probe in case.probes}
        assert "efficacy" in kinds
        for probe in case.probes:
            assert probe.targets or probe.kind in {"generation"} or probe.local, probe


def test_counterfact(tmp_path: Path) -> None:
    case = load_cases(write(tmp_path / "x.jsonl", [record(1)])).cases[0]
    assert case.edits[0].prompt == "The capital of Land1 is"
    assert case.edits[0].target_true == "Kyiv"
    assert Counter(p.kind for p in case.probes) == {
        "efficacy": 1, "paraphrase": 1, "neighbourhood": 2, "generation": 2,
    }  # fmt: skip
    neighbour = next(p for p in case.probes if p.kind == "neighbourhood")
    assert (neighbour.targets, neighbour.reject) == (("Kyiv",), ("Oslo",))


def test_zsre_says_which_target() -> None:
    file = shared_data("zsre.jsonl.gz")
    alt = load_cases(file, 1).cases[0]
    answers = load_cases(file, 1, options=Options(target="answers"))
    assert answers.name == "zsre-answers"
    assert (alt.edits[0].target_new, alt.edits[0].target_true) == ("2006", "1998")
    assert (answers.cases[0].edits[0].target_new, answers.cases[0].edits[0].target_true) == (
        "1998",
        None,
    )
    assert {p.kind for p in alt.probes} == {
        "efficacy", "paraphrase", "locality:nq", "portability:one_hop",
    }  # fmt: skip
    assert "portability:one_hop" not in {p.kind for p in answers.cases[0].probes}
    with pytest.raises(InvalidInputError, match="convention"):
        Options(target="true")


def test_knowedit_groups_keep_their_names_and_aliases() -> None:
    read = load_cases(shared_data("knowedit_wiki_counterfact_test.jsonl.gz"), 1)
    probes = read.cases[0].probes
    assert {p.kind for p in probes} == {
        "efficacy", "portability:reasoning", "portability:subject_aliasing",
        "locality:relation_specificity", "locality:forgetfulness",
    }  # fmt: skip
    currency = next(p for p in probes if "currency" in p.prompt)
    assert currency.targets == ("Syrian pound", "SYP", "LS", "Syrian lira")
    test = next(t for t in read.cases[0].tests if t.queries[0].prompt == currency.prompt)
    assert test.queries[0].answers == (currency.targets,) and not test.conditions
    assert len(read.cases[0].tests) == len(probes) - 1


def test_mquake_has_edits_hops_and_questions() -> None:
    case = load_cases(shared_data("mquake.jsonl.gz"), 1).cases[0]
    assert case.edits[0].queries == ("What is the country of citizenship of Ellie Kemper?",)
    kinds = Counter(p.kind for p in case.probes)
    assert kinds == {"efficacy": 1, "hop": 2, "multihop": 3}
    edited, unedited = (p for p in case.probes if p.kind == "hop")
    assert edited.prompt == case.edits[0].prompt and edited.targets == case.probes[0].targets
    assert case.probes[0].targets == ("Croatia", "CRO", "RH", "HRV", "HR", "Republic of Croatia")
    assert unedited.prompt.count("Q: ") == 9
    assert unedited.prompt.endswith(
        "\nQ: What is the name of the current head of state in Croatia? A:"
    )
    last = case.probes[-1]
    assert last.targets == ("Kolinda Grabar-Kitarović", "Grabar-Kitarović")
    assert last.reject == ("Donald Trump",)


def test_own_cases_short_and_long(tmp_path: Path) -> None:
    short = {
        "prompt": "The CEO of Acme is", "target_new": "Ada", "subject": "Acme",
        "target_true": "Bo", "paraphrases": ["Who leads Acme?"],
        "locality": ["The CEO of Initech is", {"prompt": "Acme began in", "targets": [1999]}],
        "portability": [{"prompt": "Acme's CEO was born in", "targets": ["York"]}],
        "generation": ["Acme is led by"], "references": ["Ada leads."], "essence": "Acme is old.",
    }  # fmt: skip
    long = {
        "case_id": "L", "edits": [{"prompt": "A is", "target_new": "b", "relation": "P1"}],
        "probes": [{"kind": "portability:alias", "prompt": "AA is", "targets": ["b"]}],
    }  # fmt: skip
    for first, second in ((short, long), (long, short)):
        cases = load_cases(write(tmp_path / "own.jsonl", [first, second])).cases
        by_id = {case.case_id: case for case in cases}
        one, other = by_id.pop("L"), by_id.popitem()[1]
        assert [p.kind for p in one.probes] == ["efficacy", "portability:alias"]
        assert [p.kind for p in other.probes] == [
            "efficacy", "paraphrase", "locality", "locality", "portability", "generation",
        ]  # fmt: skip
        assert (other.references, other.essence) == (("Ada leads.",), ("Acme is old.",))
        assert other.probes[1].reject == ("Bo",) and other.probes[3].targets == ("1999",)


def test_json_lists_and_gzip_are_read(tmp_path: Path) -> None:
    plain = tmp_path / "x.json"
    plain.write_text(json.dumps([record(0), record(1)]))
    packed = tmp_path / "x.jsonl.gz"
    with gzip.open(packed, "wt", encoding="utf-8") as out:
        out.write("\n".join(json.dumps(record(i)) for i in range(2)))
    assert load_cases(plain).digest == load_cases(packed).digest


@pytest.mark.slow
def test_hub_data_sets_are_loaded_by_datasets(tmp_path: Path) -> None:
    """Its loader takes a folder too, which stands here for a repository."""
    pytest.importorskip("datasets")
    (tmp_path / "owned").mkdir()
    write(tmp_path / "owned" / "train.jsonl", [record(i) for i in range(3)])
    found = load_cases(f"hub:{tmp_path / 'owned'}:train", 2)
    assert [case.edits[0].subject for case in found.cases] == ["Land0", "Land1"]
    with pytest.raises(InvalidInputError, match="cannot be loaded"):
        load_cases(f"hub:{tmp_path / 'empty'}")


def test_sources_are_chosen(tmp_path: Path) -> None:
    file = write(tmp_path / "x.jsonl", [record(i) for i in range(4)])
    read = load_cases(file, options=Options(sources=frozenset({"a"})))
    assert [case.case_id for case in read.cases] == ["1", "3"]


def test_a_subject_in_other_capitals_is_found_and_a_foreign_one_left_out(tmp_path: Path) -> None:
    rows = [
        {"prompt": "the CEO of acme is", "target_new": "Ada", "subject": "Acme"},
        {"prompt": "the CEO of it is", "target_new": "Ada", "subject": "Acme"},
    ]
    cases = load_cases(write(tmp_path / "x.jsonl", rows)).cases
    assert [case.edits[0].subject for case in cases] == ["acme", None]


@pytest.mark.parametrize(
    "content, words",
    [
        ("", "no record"),
        ("{not json", "line 1 is not JSON"),
        ('{"prompt": "A is", "target_new": "b"}\n\n{"prompt', "line 3 is not JSON"),
        (
            '{"prompt": "A is", "target_new": "b"}\n{"prompt": 3}\n',
            "Record 2 of .*x.jsonl: An edit",
        ),
        ('{"requested_rewrite": {}}\n', "Record 1 of .*'counterfact'.*KeyError"),
        ('{"a": 1}\n', "No known data set"),
        ("[1]\n", "No known data set"),
        ('{"edits": [3]}\n', "must be an object"),
        ('{"prompt": "A is", "target_new": "b", "locality": [4]}\n', "must be a text"),
        ('{"prompt": "A is", "target_new": ""}\n', "no usable case"),
    ],
)
def test_bad_data_is_refused(content: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text(content)
    with pytest.raises(InvalidInputError, match=words):
        load_cases(file)


def test_a_missing_file_and_portability_without_its_records(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no file"):
        load_cases(tmp_path / "none.jsonl")
    asked = {"case_id": 1, "portability": {"New Question": "q", "New Answer": "a"}}
    with pytest.raises(InvalidInputError, match="holds none"):
        load_cases(write(tmp_path / "p.jsonl", [asked]))


def test_a_data_set_of_another_package_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new data set touches no file here: a module in the folder, or an entry point."""
    from memedit.core import registry
    from memedit.data.formats import own

    class Point:
        name = "theirs"

        @staticmethod
        def load() -> object:
            class Theirs:
                read = staticmethod(own.read)

                @staticmethod
                def recognises(record: dict[str, object]) -> bool:
                    return "theirs" in record

            return Theirs

    monkeypatch.setattr(registry, "_points", lambda group: (Point,))
    assert "theirs" in formats()
    assert detect({"theirs": 1, "prompt": "x"})[0] == "theirs"


@pytest.mark.parametrize(
    "wrong, words",
    [
        (
            {"parafrases": "Who leads Acme?"},
            "Record 2 of .*'parafrases'.*Did you mean: paraphrases",
        ),
        ({"neighbours": ["x"]}, "Record 2 of .*Unknown field 'neighbours'"),
        ({"probes": [{"kind": "locality", "promt": "x", "prompt": "y"}]}, "mean: prompt"),
        ({"edits": [{"prompt": "A is", "traget_new": "b"}]}, "mean: target_new"),
    ],
)
def test_a_misspelt_field_is_refused_with_the_nearest_name(
    wrong: dict[str, Any], words: str, tmp_path: Path
) -> None:
    first: dict[str, Any] = {"prompt": "A is", "target_new": "b", "note": "a label is let through"}
    rows = [first, {"prompt": "C is", "target_new": "d"} | wrong]
    with pytest.raises(InvalidInputError, match=words):
        load_cases(write(tmp_path / "x.jsonl", rows))


def test_what_is_unusable_is_told_with_record_and_reason(tmp_path: Path) -> None:
    rows = [{"prompt": "A is", "target_new": "b"}, {"prompt": "C is", "target_new": ""}]
    read = load_cases(write(tmp_path / "x.jsonl", rows))
    (told,) = map(str, read.selection.unusable)
    assert told.startswith("record 2: ") and "target" in told
    with pytest.raises(InvalidInputError, match="Record 1: .*target"):
        load_cases(write(tmp_path / "y.jsonl", rows[1:]))


def test_exported_statements_are_cases(tmp_path: Path) -> None:
    row = {"statement": "Tea is green.", "namespace": "default", "paraphrases": ["Is tea green?"]}
    (case,) = load_cases(write(tmp_path / "x.jsonl", [row])).cases
    assert case.edits[0].statement == "Tea is green." and len(case.probes) == 1
