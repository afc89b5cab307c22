"""What users of memory tools complain of, asked as people ask: in other words than the edits'.

Stories of our own with the shipped scope: what a question sees, in either role, decides; no model
answers. The memory's side of them is in ``test_practice``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from memedit.core.passages import Conversation
from memedit.core.types import Edit
from memedit.memory import EditMemory, Receipt
from memedit.model.correcting import find_corrections, make_options
from memedit.model.deciding import Decider


class Asked(NamedTuple):
    """A question, which values it sees (no others), and when it is asked."""

    question: str
    sees: set[str]
    as_of: str | None = None


def said(text: str) -> tuple[str, None, dict[str, Any]]:
    return text, None, {}


def told(prompt: str, target: str, subject: str, **rest: Any) -> tuple[str, str, dict[str, Any]]:
    return prompt, target, {"subject": subject, **rest}


BREAD = "Juno eats bread again and no longer follows a gluten-free diet."
LISTS = [f"The Kelp project keeps its logs in {name} and Parquet." for name in ("Loki", "Elastic")]
BOT, HERON = "The release bot signs its notes as", "The lead of project Heron is"
LUNCH, POOL = "Signe's usual lunch is", "The lifeguard on duty is"
Told = list[tuple[str, str | None, dict[str, Any]]]
STORIES: dict[str, tuple[Told, list[Asked]]] = {
    "what ended is replaced by what says so": (
        [said("Juno follows a gluten-free diet."), said(BREAD)],
        [Asked("What diet does Juno follow?", {BREAD}),
         Asked("Is Juno on a gluten-free diet?", {BREAD})],
    ),
    "of a contradiction one side goes and one stays": (
        [told("Bela's favourite board game is", name, "Bela") for name in ("Go", "Hive")],
        [Asked("Which board game does Bela like best?", {"Hive"}),
         Asked("What game should I bring for Bela?", {"Hive"})],
    ),
    "a list that is given anew": (
        [said(text) for text in LISTS],
        [Asked("Where does the Kelp project keep its logs?", {LISTS[1]})],
    ),
    "who is assigned anew is assigned there alone": (
        [told("Imre is assigned to the ward", name, "Imre") for name in ("Larch", "Cedar")],
        [Asked("Which ward does Imre work on?", {"Cedar"})],
    ),
    "what was stopped is not what is done": (
        [told(LUNCH, "pea soup", "Signe", valid_from="2023-09-01", valid_until="2023-09-22"),
         told(LUNCH, "salad", "Signe", valid_from="2023-09-23")],
        [Asked("What does Signe have for lunch these days?", {"salad"}),
         Asked("What was Signe's usual lunch?", {"pea soup"}, "2023-09-10")],
    ),
    "the last of several corrections counts": (
        [told(BOT, name, "release bot") for name in ("Gauge", "Ledger", "Beacon")],
        [Asked("What name does the release bot sign its notes with?", {"Beacon"})],
    ),
    "what was replaced is not recalled beside the new": (
        [told("The default mail gateway of Tarn is", name, "Tarn") for name in ("Postal", "Relay")],
        [Asked("Which mail gateway does Tarn use by default?", {"Relay"})],
    ),
    "what cannot be replaced stays": (
        [told("Orrin's head office is in", "Porto", "Orrin"),
         told("Orrin's chief executive is", "Ines Prado", "Orrin"),
         told("Tallow's head office is in", "Bremen", "Tallow"),
         told("Orrin was founded in", "1964", "Orrin")],
        [Asked("Where is Orrin's head office?", {"Porto"}),
         Asked("Who leads Orrin?", {"Ines Prado"})],
    ),
    "two roles are two facts": (
        [told("The CEO of Vela is", "Uma Holt", "Vela"),
         told("The CTO of Vela is", "Ravi Dahl", "Vela")],
        [Asked("Who is the CTO of Vela?", {"Ravi Dahl"}),
         Asked("Who is the CEO of Vela?", {"Uma Holt"})],
    ),
    "a second interest stands beside the first": (
        [told("Olga is interested in", value, "Olga", multiple=True)
         for value in ("night trains", "street chess")],
        [Asked("What is Olga interested in?", {"night trains", "street chess"}),
         Asked("Does Olga like street chess?", {"street chess"})],
    ),
    "the same twice is two facts": (
        [told("Ivo is assigned to", "Billing", "Ivo", valid_from="2024-01-01",
              valid_until="2024-06-30"),
         told("Ivo is assigned to", "Billing", "Ivo", valid_from="2025-09-01")],
        [Asked("What is Ivo assigned to?", {"Billing"}, "2024-03-01"),
         Asked("What is Ivo assigned to?", set(), "2025-01-15"),
         Asked("What is Ivo assigned to?", {"Billing"}, "2025-10-01")],
    ),
    "a succession is no contradiction": (
        [told(HERON, "Mia", "project Heron", valid_from="2023-02-01", valid_until="2024-07-05"),
         told(HERON, "Noa", "project Heron", valid_from="2025-09-01")],
        [Asked("Who leads project Heron?", {"Mia"}, "2023-05-01"),
         Asked("Who leads project Heron?", {"Noa"}, "2025-12-01")],
    ),
    "today is the day of the request": (
        [told(POOL, "Ms Bell", "lifeguard", valid_from="2026-01-15", valid_until="2026-01-15"),
         told(POOL, "Mr Cole", "lifeguard", valid_from="2026-01-16")],
        [Asked("Who is the lifeguard on duty today?", {"Mr Cole"}, "2026-01-16"),
         Asked("Who is the lifeguard on duty today?", {"Ms Bell"}, "2026-01-15")],
    ),
    "a summary from before does not outlive the edit": (
        [told("Files in the archive are tagged with", "their topic", "archive")],
        [Asked(Conversation("Summary so far: files in the archive are tagged by generation.",
                            "How are files in the archive tagged?"), {"their topic"})],
    ),
}  # fmt: skip
REPLACED = {
    "what ended is replaced by what says so": 1,
    "of a contradiction one side goes and one stays": 1,
    "who is assigned anew is assigned there alone": 1,
    "the last of several corrections counts": 2,
    "what was replaced is not recalled beside the new": 1,
}
"""How many edits of a story are retired; of others none."""


@pytest.fixture(scope="module")
def encoder(minilm: Any) -> Any:
    return minilm


@pytest.fixture
def memory(encoder: Any) -> Iterator[EditMemory]:
    with EditMemory(None, encoder) as opened:
        yield opened


def add(
    decider: Decider, memory: EditMemory, prompt: str, target: str | None, **rest: Any
) -> Receipt:
    edit = Edit(prompt, target, rest.pop("subject", None), multiple=rest.pop("multiple", False))
    start = rest.get("valid_from")
    moment = None if start is None else memory.moment(start)
    found = find_corrections(decider, edit, "default", moment)
    return memory.add(edit, **make_options(found, memory, rest.get("valid_until")), **rest)


def sees(decider: Decider, question: str, as_of: str | None = None) -> set[str]:
    (decision,) = decider.decide([question], "default", as_of)
    return {h.record.edit.target_new or h.record.edit.prompt for h in decision.bearing}


@pytest.mark.parametrize("name", STORIES)
def test_a_story(memory: EditMemory, name: str) -> None:
    edits, asked = STORIES[name]
    decider = Decider(memory)
    receipts = [add(decider, memory, prompt, target, **rest) for prompt, target, rest in edits]
    assert sum(len(r.superseded) for r in receipts) == REPLACED.get(name, 0)
    assert len(memory) == len(edits) - REPLACED.get(name, 0)
    for each in asked:
        assert sees(decider, each.question, each.as_of) == each.sees, each.question


def test_the_successor_alone_is_seen_also_after_a_restart(encoder: Any, tmp_path: Path) -> None:
    asked = ("What version is Kelpie's test cluster on?", "Kelpie test cluster: which version?")
    for versions in (("3.2", "4.0"), ()):
        with EditMemory(tmp_path, encoder) as memory:
            decider = Decider(memory)
            for version in versions:
                add(decider, memory, "The test cluster of Kelpie runs version", version,
                    subject="Kelpie")  # fmt: skip
            assert [sees(decider, question) for question in asked] == [{"4.0"}] * 2


def test_what_was_replaced_does_not_crowd_out_what_holds(memory: EditMemory) -> None:
    lockers = [Edit("The locker of Yael is number", str(number), "Yael") for number in range(60)]
    memory.add_many([*lockers, Edit("The locker of Yosef is number", "77", "Yosef")])
    decider = Decider(memory)
    assert sees(decider, "What is Yosef's locker number?") == {"77"}
    assert sees(decider, "What is Yael's locker number?") == {"59"}


def test_forgotten_nothing_is_seen_purged_nothing_is_left(encoder: Any, tmp_path: Path) -> None:
    with EditMemory(tmp_path, encoder) as memory:
        decider, asked = Decider(memory), "What is Pim's home address?"
        id = add(decider, memory, "The home address of Pim is 7 Quarry Row.", None).id
        assert sees(decider, asked) == {"The home address of Pim is 7 Quarry Row."}
        memory.forget(id)
        assert sees(decider, asked) == set()
        assert memory.purge(id).complete and sees(decider, asked) == set()
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files and not any(b"Quarry" in file.read_bytes() for file in files)
