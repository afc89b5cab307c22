"""Cases: what is left out and counted, and which locality probes can be believed."""

from __future__ import annotations

from typing import Any

import pytest

from memedit import Edit
from memedit.core.errors import InvalidInputError
from memedit.data.cases import EvalCase, Probe, collect_edited_prompts, select
from memedit.data.split import PARTS, part_of


def case(name: str, subject: str, target: str, *local: str, relation: str = "P36") -> EvalCase:
    prompt = f"The capital of {subject} is"
    probes = (
        Probe("efficacy", prompt, (target,)),
        Probe("paraphrase", f"It rained. {subject}'s capital is", (target,)),
        *(Probe("neighbourhood", text) for text in local),
    )
    return EvalCase(name, (Edit(prompt, target, subject),), probes, (relation,))


def test_duplicates_conflicts_and_unusable_records_are_left_out_and_counted() -> None:
    given = [
        case("1", "France", "Lyon"),
        case("2", "France", "Lyon"),
        None,
        case("3", "France", "Rome"),
        case("4", "Italy", "Pisa"),
        case("5", "Spain", "Vigo"),
    ]
    chosen = select(given, 2)
    assert [c.case_id for c in chosen.cases] == ["1", "4"]
    assert chosen.dropped == {"duplicate": 1, "unusable": 1, "conflict": 1}
    assert chosen.asked == 2
    kept = select(given, conflicts=True)
    assert [c.case_id for c in kept.cases] == ["1", "3", "4", "5"]


def test_a_fact_is_its_subject_and_relation_or_its_prompt() -> None:
    one = case("1", "France", "Lyon")
    other = EvalCase("2", (Edit("France is ruled from", "Rome", "France"),), (), ("P36",))
    assert select([one, other]).dropped == {"conflict": 1}
    assert len(select([one, EvalCase("2", other.edits, (), ())])) == 2


def test_edits_of_one_case_that_contradict_each_other_are_a_conflict() -> None:
    edits = (Edit("A is", "b", "A"), Edit("A is", "c", "A"))
    with pytest.raises(InvalidInputError, match="no usable case"):
        select([EvalCase("1", edits, (), ("P1", "P1"))])


def test_a_probe_that_is_edited_elsewhere_is_no_locality_probe() -> None:
    """Also in a wording that another record of the relation uses: Italy's capital is ..."""
    one = case(
        "1", "France", "Lyon", "The capital of Italy is", "Italy's capital is", "Oslo lies in"
    )
    two = case("2", "Italy", "Pisa")
    together = select([one, two])
    assert [p.prompt for p in together.cases[0].probes if p.local] == ["Oslo lies in"]
    assert together.dropped == {"probes_edited_elsewhere": 2}
    alone = select([one, two], together=False)
    assert len([p for p in alone.cases[0].probes if p.local]) == 3


def test_other_relations_keep_their_templates() -> None:
    """Without the relation a template says nothing of another subject."""
    one = case("1", "France", "Lyon", relation="P36")
    two = case("2", "Italy", "Pisa", relation="P17")
    assert "Italy's capital is" in collect_edited_prompts([one, case("2", "Italy", "Pisa")])
    texts = collect_edited_prompts([one, two])
    assert "France's capital is" in texts and "It rained. Italy's capital is" in texts
    bare = EvalCase("3", (Edit("Spain is", "x", "Spain"),), ())
    assert "The capital of Spain is" not in collect_edited_prompts([one, bare])


def test_locality_probes_are_counted_per_kind() -> None:
    many = case("1", "France", "Lyon", "a is", "b is", "c is")
    extra = EvalCase("1", many.edits, (*many.probes, Probe("locality:nq", "who")), many.relations)
    kept = select([extra], locality=2).cases[0]
    assert [p.prompt for p in kept.probes if p.local] == ["a is", "b is", "who"]


@pytest.mark.parametrize("kind, prompt", [("efficiency", "x"), ("efficacy", "  ")])
def test_a_probe_of_no_kind_or_no_text_is_refused(kind: str, prompt: str) -> None:
    with pytest.raises(InvalidInputError):
        Probe(kind, prompt)


def test_multihop_cases_may_share_their_edits() -> None:
    edit: Any = Edit("A is", "b", "A")
    hop = Probe("multihop", "What is what A is?", ("c",))
    cases = [EvalCase(str(i), (edit,), (hop,), ("P1",)) for i in range(2)]
    assert len(select(cases)) == 2


def test_cases_of_one_part_of_the_subjects_can_be_asked_for() -> None:
    given = [case(str(i), f"Land {i}", "Lyon") for i in range(40)]
    parts = {part: select(given, part=part) for part in PARTS}
    names = [c.case_id for part in PARTS for c in parts[part].cases]
    assert sorted(names) == sorted(c.case_id for c in given) and min(map(len, parts.values())) > 0
    for part, chosen in parts.items():
        subjects = [edit.subject or "" for c in chosen.cases for edit in c.edits]
        assert {part_of(subject) for subject in subjects} == {part}
        assert chosen.dropped == {"other_part": 40 - len(chosen)}
    with pytest.raises(InvalidInputError, match="no part 'test'"):
        select(given, part="test")
