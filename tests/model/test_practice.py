"""What users of memory tools complain of, as small cases of our own: what replaces what, what must
stay, when it holds, what is gone for good. No model answers: what a question sees decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from memedit.core.errors import InvalidEditError, UnknownEditError
from memedit.core.moments import Moment
from memedit.core.types import Edit
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory, Receipt
from memedit.model.correcting import find_corrections, make_options
from memedit.model.deciding import Decider


class Desk:
    """A memory that is edited as ``memedit edit add`` does, and asked."""

    def __init__(self, path: Path | None = None) -> None:
        self.memory = EditMemory(path, HashingEncoder(256))
        self.decider = Decider(self.memory, "mention")

    def say(self, prompt: str, target: str | None = None, **rest: Any) -> Receipt:
        of_edit = {k: rest.pop(k) for k in ("subject", "multiple", "because_of") if k in rest}
        edit = Edit(prompt, target, **of_edit)
        found = find_corrections(self.decider, edit, rest.get("namespace", "default"))
        return self.memory.add(edit, **make_options(found, self.memory), **rest)

    def sees(self, question: str, as_of: Moment | None = None, namespace: str = "default") -> Any:
        (decision,) = self.decider.decide([question], namespace, as_of)
        return [hit.record.edit.target_new or hit.record.edit.prompt for hit in decision.hits]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_only_the_last_of_several_corrections_is_seen_also_after_a_restart(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "m")
    for name in ("Gauge", "Ledger", "Beacon"):
        desk.say("The release bot signs its notes as", name, subject="release bot")
    assert desk.sees("The release bot signs its notes as") == ["Beacon"]
    desk.memory.close()
    desk = Desk(tmp_path / "m")
    assert desk.sees("The release bot signs its notes as") == ["Beacon"]
    kinds = [event.kind for event in desk.memory.history()]
    assert kinds.count("supersede") == 2 and len(desk.memory) == 1
    desk.memory.close()


def test_of_a_contradiction_one_side_goes_and_one_stays(desk: Desk) -> None:
    old = desk.say("Ruth's favourite tea is", "oolong", subject="Ruth")
    new = desk.say("Ruth's favourite tea is", "assam", subject="Ruth")
    assert [r.id for r in new.superseded] == [old.id]
    assert desk.sees("Ruth's favourite tea is") == ["assam"]


def test_a_statement_of_the_same_form_with_another_number_corrects(desk: Desk) -> None:
    old = desk.say("Guests may return skis within 14 days of the hire.")
    new = desk.say("Guests may return skis within 21 days of the hire.")
    assert [r.id for r in new.superseded] == [old.id]
    denied = desk.say("The Kestrel plan includes roaming.")
    assert [r.id for r in desk.say("The Kestrel plan does not include roaming.").superseded] == [
        denied.id
    ]


def test_what_cannot_be_replaced_stays(desk: Desk) -> None:
    for prompt, target, subject in (
        ("Orrin's head office is in", "Porto", "Orrin"),
        ("Orrin's chief executive is", "Ines Prado", "Orrin"),
        ("Tallow's head office is in", "Bremen", "Tallow"),
        ("Orrin was founded in", "1964", "Orrin"),
        ("The CEO of Vela is", "Uma Holt", "Vela"),
        ("The CTO of Vela is", "Ravi Dahl", "Vela"),
    ):
        assert desk.say(prompt, target, subject=subject).superseded == ()
    assert len(desk.memory) == 6
    for text in (
        "The train RE 5 leaves from platform 3.", "The train RE 6 leaves from platform 4.",
        "Lockers on floor 2 cost 3 euros.", "Lockers on floor 3 cost 4 euros.",
    ):  # fmt: skip
        assert desk.say(text).superseded == ()


def test_a_second_interest_stands_beside_the_first(desk: Desk) -> None:
    for value in ("night trains", "street chess"):
        desk.say("Olga is interested in", value, subject="Olga", multiple=True)
    assert sorted(desk.sees("Olga is interested in")) == ["night trains", "street chess"]


def test_periods_that_do_not_meet_are_a_succession(desk: Desk) -> None:
    ask = "The lead of project Heron is"
    desk.say(ask, "Mia", subject="project Heron", valid_from="2023-02-01", valid_until="2024-07-05")
    later = desk.say(ask, "Noa", subject="project Heron", valid_from="2025-09-01")
    assert later.superseded == later.conflicts == ()
    assert [desk.sees(ask, day) for day in ("2023-05-01", "2024-12-01", "2025-12-01")] == [
        ["Mia"], [], ["Noa"]
    ]  # fmt: skip


def test_one_day_is_a_period_and_one_that_ends_before_it_begins_is_refused(desk: Desk) -> None:
    desk.say("The night nurse is", "Ada", valid_from="2026-03-01", valid_until="2026-03-01")
    assert [desk.sees("The night nurse is", d) for d in ("2026-03-01", "2026-03-02")] == [
        ["Ada"], []
    ]  # fmt: skip
    with pytest.raises(InvalidEditError, match="not before"):
        desk.say("The toll is", "3 crowns", valid_from="2026-01-01", valid_until="2020-01-01")


def test_what_was_replaced_does_not_crowd_out_what_holds(desk: Desk) -> None:
    desks = [Edit("The desk of Yael is number", str(number), "Yael") for number in range(60)]
    desk.memory.add_many([*desks, Edit("The desk of Yosef is number", "77", "Yosef")])
    assert desk.sees("The desk of Yosef is number") == ["77"]
    assert desk.sees("The desk of Yael is number") == ["59"]


def test_the_day_of_the_request_is_today(desk: Desk) -> None:
    ask = "The duty officer is"
    desk.say(ask, "Dr Bell", subject="duty officer", valid_until="2026-01-15")
    desk.say(ask, "Dr Cole", subject="duty officer", valid_from="2026-01-16")
    assert desk.sees(ask, "2026-01-15") == ["Dr Bell"]
    assert desk.sees(ask, "2026-01-16") == ["Dr Cole"]


def test_a_forget_that_removes_nothing_says_so(desk: Desk) -> None:
    with pytest.raises(UnknownEditError):
        desk.memory.forget("no-such-id")


def test_erased_is_in_no_file(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "m")
    told = desk.say("The home of Pia is at", "12 Elder Lane", subject="Pia")
    desk.memory.forget(told.id)
    desk.memory.snapshot()
    desk.memory.purge(told.id)
    desk.memory.close()
    files = [file for file in (tmp_path / "m").rglob("*") if file.is_file()]
    assert files and all(b"Elder Lane" not in file.read_bytes() for file in files)


def test_what_rests_on_a_fact_is_told_of_when_it_changes(desk: Desk) -> None:
    chief = desk.say("The chief executive of Orrin is", "Ines Prado", subject="Orrin")
    says = desk.say("Orrin's letters are signed by", "the chief", because_of=(chief.id,))
    names = desk.say("The spokesman of Orrin is", "a cousin of Ines Prado", subject="Orrin")
    desk.say("The chief executive of Tallow is", "Ines Prado", subject="Tallow")
    new = desk.say("The chief executive of Orrin is", "Bo Ek", subject="Orrin")
    assert [r.id for r in new.superseded] == [chief.id]
    assert [r.id for r in new.may_rest] == [says.id, names.id]
    assert len(desk.memory) == 4  # told, not touched
    assert desk.memory.groundless() == [(says.record, (chief.id,))]
    with pytest.raises(InvalidEditError, match="no edit in force"):
        desk.memory.check_reasons(Edit("The sky is", "blue", because_of=("nothing",)))


def test_the_age_and_use_of_what_answers_rest_on_are_known(desk: Desk) -> None:
    used = desk.say("The sluice opens at", "six", subject="sluice")
    desk.say("The lock opens at", "seven", subject="lock")
    desk.memory.count_use([used.record, used.record])
    first, second = desk.memory.uses()
    assert (first.record.id, first.count, second.count) == (used.id, 2, 0)
    assert first.age.total_seconds() < 60 and first.last is not None


def test_every_step_can_be_read_and_taken_back(desk: Desk) -> None:
    old = desk.say("The archive tags with", "generation", subject="archive")
    version = desk.memory.version
    desk.say("The archive tags with", "topic", subject="archive")
    desk.memory.restore(version)
    assert desk.sees("The archive tags with") == ["generation"]
    assert [e.kind for e in desk.memory.history(old.id)] == ["add", "supersede", "restore"]
    assert desk.memory.at(version + 1).search(["The archive tags with"])[0][0].record.id != old.id


def test_an_offer_ends_and_what_was_in_force_is_so_again(desk: Desk) -> None:
    ask = "Express delivery costs"
    desk.say(ask, "9 euros", subject="Express delivery")
    desk.say(ask, "6 euros", subject="Express delivery", valid_until="2040-12-31")
    desk.say("Returns are free for 30 days.")
    told = desk.say("Returns are free for 60 days.", valid_until="2040-12-31")
    assert [r.edit.prompt for r in told.superseded] == ["Returns are free for 30 days."]
    returns = "Returns are free for how many days?"
    for day, euros, days in (("2040-12-31", "6", "60"), ("2041-01-01", "9", "30")):
        assert desk.sees(ask, day) == [f"{euros} euros"]
        (hits,) = desk.memory.search([returns], as_of=day)
        said = [hit.record.edit.prompt for hit in hits if hit.record.edit.is_statement]
        assert said == [f"Returns are free for {days} days."]
