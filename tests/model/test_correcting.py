"""A correction in other words corrects; what only sounds alike stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from memedit.core.errors import InvalidEditError
from memedit.core.types import Decision, Edit, Record
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.memory.plain import plain_receipt
from memedit.model.correcting import Corrections, find_corrections, make_options
from memedit.model.deciding import Decider
from memedit.scope.weighing import similarities_near


def facts(*edits: Edit, encoder: Any = None) -> Decider:
    memory = EditMemory(None, encoder or HashingEncoder(256))
    memory.add_many(edits)
    return Decider(memory, None if encoder else "mention")


def told(found: Sequence[Record]) -> list[str]:
    return [record.edit.target_new or record.edit.prompt for record in found]


def test_what_is_not_compared_still_stands_near() -> None:
    """A scope asks for more where many edits are near: those that can be no correction count."""
    seen = list[Sequence[float]]()

    class Scope:
        name = "hears"

        def decide(self, prompts: Any, candidates: Any) -> list[Decision]:
            seen.extend(similarities_near(hits) for hits in candidates)
            return [Decision(candidates=tuple(hits)) for hits in candidates]

    price = Edit("The Larch plan costs", "30 euros", "Larch plan")
    others = [Edit(f"The Larch plan costs {n} shops", "a lot", "Larch plan") for n in range(20)]
    decider = facts(price, *others)
    decider.use(Scope(), given=True)
    near = decider.memory.search(["The Larch plan costs"])[0]
    decider.judge(["The Larch plan costs"], "default", keep=lambda hit: False)
    assert len(near) > 16 and list(seen[0]) == [hit.similarity for hit in near]


def test_what_holds_no_longer_is_retired() -> None:
    diet = Edit.from_statement("Mira follows a vegetarian diet.")
    plan = Edit("The Larch plan costs", "30 euros", "Larch plan")
    speed = Edit("The Larch plan has a speed of", "50 megabits", "Larch plan")
    decider = facts(diet, plan, speed)

    def ended(text: str, subject: str | None = None) -> list[str]:
        return told(
            find_corrections(decider, Edit.from_statement(text, subject), "default").replaces
        )

    new = "Mira eats meat again and no longer follows a vegetarian diet."
    assert ended(new) == [diet.prompt]
    assert ended("The Larch plan no longer costs 30 euros but 45 euros.", "Larch plan") == [
        "30 euros"
    ]
    assert ended("The Larch plan does not cost 30 euros any more.", "Larch plan") == ["30 euros"]
    for text in (
        "The Larch plan no longer includes roaming.", "Mira no longer lives in Rome.",
        "The Larch plan is 30 euros.", "The Larch plan has been discontinued.",
        "The Larch plan for students no longer costs 30 euros.",
        "The Larch plan Plus no longer costs 30 euros.",
        "The old Larch plan no longer costs 30 euros.",
        "If the Larch plan no longer costs 30 euros, call us.",
        "Mira's brother no longer follows a vegetarian diet.",
        "Mira Miller no longer follows a vegetarian diet.",
    ):  # fmt: skip
        assert ended(text, "Larch plan" if "Larch" in text else None) == [], text


@pytest.mark.parametrize("text", [
    "It is not true that the Larch plan no longer costs 30 euros.",
    "Ada says that the Larch plan no longer costs 30 euros.",
    "Is it true that the Larch plan no longer costs 30 euros?",
    "Perhaps the Larch plan no longer costs 30 euros.",
])  # fmt: skip
def test_what_may_not_be_denied_is_told_and_stays(text: str) -> None:
    decider = facts(Edit("The Larch plan costs", "30 euros", "Larch plan"))
    found = find_corrections(decider, Edit.from_statement(text), "default")
    assert (told(found.replaces), told(found.perhaps)) == ([], ["30 euros"])


@pytest.mark.parametrize("text", [
    "The night bus has been discontinued.", "The night bus was cancelled.",
    "The night bus is no longer available.", "The night bus no longer exists.",
    "The night bus has been withdrawn for good",
])  # fmt: skip
def test_what_is_there_no_longer_is_retired_and_what_was_said_of_it_stays(text: str) -> None:
    there = [
        Edit.from_statement("We offer a night bus."),
        Edit.from_statement("The night bus still runs."),
    ]
    of_it = Edit.from_statement("The night bus has room for 40 people.")
    decider = facts(*there, of_it, Edit.from_statement("We offer a day bus."))
    found = find_corrections(decider, Edit.from_statement(text), "default")
    assert sorted(told(found.replaces)) == sorted(edit.prompt for edit in there)
    assert told(found.perhaps) == [of_it.prompt]


@pytest.mark.parametrize("text", [
    "The night bus was cancelled in 2019 and came back.", "The night bus was never cancelled.",
    "The rumour that the night bus was cancelled is false.", "The night bus was nearly cancelled.",
    "If the night bus was cancelled, call us.", "The night bus would have been cancelled.",
    "The night bus to Graz was cancelled.", "Was the night bus cancelled?",
    "The night bus has not been discontinued.",
])  # fmt: skip
def test_what_is_not_plainly_gone_stays(text: str) -> None:
    decider = facts(Edit.from_statement("We offer a night bus."))
    assert find_corrections(decider, Edit.from_statement(text), "default").replaces == ()


def test_the_memory_replaces_what_it_is_told_in_one_change() -> None:
    decider = facts(
        Edit("The CEO of Acme is", "Ada", "Acme"), Edit("Acme was founded in", "1971", "Acme")
    )
    memory = decider.memory
    ceo, founded = memory.records()
    new = Edit("Acme's CEO is", "Bo", "Acme")
    receipt = memory.add(new, replaces=[ceo.id, "gone"], perhaps=[founded.id, ceo.id, "gone"])
    assert receipt.superseded == (ceo,) and receipt.conflicts == (founded,)
    assert receipt.possible_conflict == (("Acme was founded in 1971", "Acme's CEO is Bo"),)
    assert plain_receipt(receipt)["possible_conflict"] == [
        {"stays": "Acme was founded in 1971", "added": "Acme's CEO is Bo"}
    ]
    assert [r.edit.target_new for r in memory.records()] == ["1971", "Bo"]
    memory.restore(1)
    assert list(memory.records()) == [ceo, founded]


def test_a_scope_without_probabilities_corrects_nothing_by_itself() -> None:
    decider = facts(Edit("The CEO of Acme is", "Ada", "Acme"))
    found = find_corrections(decider, Edit("Acme's CEO is", "Bo", "Acme"), "default")
    assert found == Corrections()
    assert make_options(found, decider.memory) == {"replaces": [], "perhaps": []}


@pytest.fixture(scope="module")
def acme(minilm: Any) -> Decider:
    return facts(
        Edit("The CEO of Acme is", "Ada", "Acme"),
        Edit("Acme's head office is in", "Gdansk", "Acme"),
        Edit("Acme was founded in", "1971", "Acme"),
        Edit("The CTO of Nimbus is", "Sara Kim", "Nimbus"),
        Edit("Acme bought", "Larch Ltd", "Acme"),
        Edit("Kirk is interested in", "travel", "Kirk", multiple=True),
        encoder=minilm,
    )


def test_other_words(acme: Decider) -> None:
    def found(edit: Edit) -> Corrections:
        return find_corrections(acme, edit, "default")

    bo = Edit("Acme's CEO is", "Bo", "Acme")
    assert told(found(bo).replaces) == ["Ada"]
    assert told(found(replace(bo, subject=None)).replaces) == ["Ada"]
    assert told(found(Edit.from_statement("The CEO of Acme is Cy.")).replaces) == ["Ada"]
    assert told(found(Edit("Who is Acme's CEO?", "Bo", "Acme")).replaces) == ["Ada"]
    for name in ("Ada", "ada"):
        same = found(Edit("Acme's CEO is", name, "Acme"))
        assert same.repeats is not None and same.replaces == ()
    assert told(found(Edit("Acme's CEO is", "ADA", "Acme")).replaces) == ["Ada"]


@pytest.mark.parametrize(
    "edit",
    [
        Edit("The CFO of Acme is", "Bo", "Acme"),
        Edit("The CEO of Nimbus is", "Bo", "Nimbus"),
        Edit("The CEO of Initech is", "Bo", "Initech"),
        Edit("The CEO of Acme Robotics is", "Bo", "Acme Robotics"),
        Edit.from_statement("The CEO of Acme Robotics is Bo."),
        Edit("Acme's largest office is in", "Lyon", "Acme"),
        Edit("Acme's first product came out in", "1980", "Acme"),
        Edit("Acme was bought by", "Initech", "Acme"),
        Edit("The CEO of Acme was", "Bo", "Acme"),
        Edit("Acme was founded in the city of", "Gdansk", "Acme"),
        Edit.from_statement("Acme was founded in a garage."),
        Edit.from_statement("The CEO of Acme is on holiday until Monday."),
        Edit.from_statement("The CEO of Acme is 52 years old."),
        Edit.from_statement("The CEO of Acme is in Lyon."),
        Edit.from_statement("The CEO of Acme was Bo."),
        Edit("Kirk likes", "chess", "Kirk"),
        Edit("Kirk's hobbies include", "chess", "Kirk", multiple=True),
    ],
    ids=lambda edit: edit.statement,
)
def test_what_sounds_alike_stays(acme: Decider, edit: Edit) -> None:
    assert find_corrections(acme, edit, "default").replaces == ()


@pytest.mark.parametrize(
    "text",
    ["The CEO of Acme is not Ada.", "The CEO of Acme is Ada and lives in Lyon.",
     "The CEO of Acme was Ada."],
)  # fmt: skip
def test_a_statement_that_says_more_is_no_repetition(acme: Decider, text: str) -> None:
    found = find_corrections(acme, Edit.from_statement(text), "default")
    assert found.repeats is None and found.replaces == () and told(found.perhaps) == ["Ada"]
    same = find_corrections(acme, Edit.from_statement("The CEO of Acme is Ada."), "default")
    assert same.repeats is not None and same.perhaps == ()


LIBRARIAN = Edit.from_statement("The head librarian is Priya Nair.")
IN_PARTS = Edit("The head librarian is", "Priya Nair")
SPLIT = Edit("The head librarian", "is Priya Nair")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (IN_PARTS, LIBRARIAN),
        (IN_PARTS, SPLIT),
        (replace(IN_PARTS, multiple=True), LIBRARIAN),
        (replace(IN_PARTS, subject="head librarian", id=""), LIBRARIAN),
        (replace(IN_PARTS, queries=("Who runs it?",), id=""), replace(SPLIT, id="mine")),
    ],
)
def test_what_states_the_same_in_another_form_is_there_already(old: Edit, new: Edit) -> None:
    decider = facts(Edit("The head cook is", "Bo"), old, Edit.from_statement("Priya Nair sings."))
    found = find_corrections(decider, new, "default")
    assert found.repeats is not None and found.repeats.edit == old
    assert found.replaces == found.perhaps == ()
    # With a last day of its own it takes the other's place, and what is over does not.
    until = make_options(found, decider.memory, "2099-01-01")
    assert until == {"replaces": [old.id], "perhaps": []}
    assert make_options(found, decider.memory, "2020-01-01")["replaces"] == []
    assert find_corrections(decider, new, "other") == Corrections()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (LIBRARIAN, IN_PARTS),
        (LIBRARIAN, replace(IN_PARTS, multiple=True, id="")),
        (IN_PARTS, replace(SPLIT, subject="head librarian", id="")),
        (IN_PARTS, replace(LIBRARIAN, queries=("Who runs it?",), id="")),
    ],
)
def test_what_brings_more_takes_the_place_of_what_states_the_same(old: Edit, new: Edit) -> None:
    decider = facts(Edit("The head cook is", "Bo"), old)
    found = find_corrections(decider, new, "default")
    assert found.repeats is None and [record.edit for record in found.replaces] == [old]
    decider.memory.add(new, **make_options(found, decider.memory))
    assert [record.edit for record in decider.memory.records()][1:] == [new]


@pytest.mark.parametrize(
    ("target", "said", "corrects"),
    [
        ("mW", "The unit is MW.", True),
        ("x²", "The unit is x2", True),
        ("mW", "the unit is mW", False),
        ("mW", "  the  unit is mw !", False),  # in haste
    ],
)
def test_how_it_is_written_is_corrected_in_another_form_too(
    target: str, said: str, corrects: bool
) -> None:
    """As one form corrects how it was written itself: "already there" would lose it."""
    old = Edit("The unit is", target)
    found = find_corrections(facts(old), Edit.from_statement(said), "default")
    assert (found.repeats is None) == corrects
    assert told(found.replaces) == [target] * corrects


def test_what_is_there_in_another_form_still_corrects_what_says_otherwise() -> None:
    """As in a memory whose edits came together, and were not compared."""
    old = Edit.from_statement("Our refund window is 30 days.")
    decider = facts(Edit("Our refund window is", "60 days"), old)
    new = Edit.from_statement("Our refund window is 60 days.")
    found = find_corrections(decider, new, "default")
    assert found.repeats is None and told(found.replaces) == ["60 days", old.prompt]


def test_the_same_in_another_form_at_another_time_is_a_succession() -> None:
    """As an edit with the very prompt of another is."""
    decider = facts(LIBRARIAN)
    memory = decider.memory
    start = datetime(2099, 1, 1, tzinfo=timezone.utc)
    found = find_corrections(decider, IN_PARTS, "default", start)
    memory.add(IN_PARTS, valid_from=start, **make_options(found, memory))
    ends = {record.edit.statement: record.valid_until for record in memory.records()}
    assert ends == {LIBRARIAN.statement: start, IN_PARTS.statement: None}
    # One that is yet to hold is no reason not to hold now.
    memory.forget(LIBRARIAN.id)
    found = find_corrections(decider, LIBRARIAN, "default")
    assert found.repeats is None and told(found.replaces) == ["Priya Nair"]


def test_passages_of_documents_are_no_repetition() -> None:
    decider = facts()
    decider.memory.add(LIBRARIAN, source="document:staff@1#0")
    assert find_corrections(decider, IN_PARTS, "default") == Corrections()


def test_what_is_over_replaces_nothing(acme: Decider) -> None:
    memory = acme.memory
    found = find_corrections(acme, Edit("Acme's CEO is", "Bo", "Acme"), "default")
    (ada,) = [record.id for record in found.replaces]
    for until in ("1999-12-31", datetime(1999, 12, 31, tzinfo=timezone.utc)):
        told_of_it = make_options(found, memory, until)
        assert told_of_it == {"replaces": [], "perhaps": [ada]}
    today = (datetime.now(timezone.utc) + timedelta(hours=1)).date()  # also before midnight
    for lasting in (None, "2999-12-31", today):
        assert make_options(found, memory, lasting) == {"replaces": [ada], "perhaps": []}
    with pytest.raises(InvalidEditError, match="no date"):
        make_options(found, memory, "soon")
