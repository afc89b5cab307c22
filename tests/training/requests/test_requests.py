"""The data of roles: labels of cases picked by hand, splits, what is never trained on."""

from __future__ import annotations

import gzip
import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memedit.core.text import subject_key
from memedit.training.requests.aspects import aspects
from memedit.training.requests.assistants import assistants
from memedit.training.requests.banks import bank, fill
from memedit.training.requests.build import place_in_splits, requests, write
from memedit.training.requests.claims import Claim
from memedit.training.requests.entries import entries
from memedit.training.requests.frames import PLACES, frames, put_in_frame
from memedit.training.requests.identifiers import opposites, people, write_numbered
from memedit.training.requests.nearby import Pool, find_twin, negatives
from memedit.training.requests.noise import add_noise
from memedit.training.requests.policies import policies, topics
from memedit.training.requests.profiles import profiles
from memedit.training.requests.request import Request
from memedit.training.requests.split import Splits, is_unseen, split_of
from memedit.training.requests.world import counterfact, halluedit
from memedit.training.requests.worldly import Worldly
from tests.helpers import shared_data

RECORDS = [
    ("Ada Lorne", "P36", "The capital of {} is", "Lyon", "Oslo"),
    ("Borland", "P36", "{}'s capital city is", "Graz", "Cork"),
    ("Nils Arp", "P19", "{} was born in", "Turin", "Bergen"),
    ("Mia Vance", "P19", "{} is native to", "Ghent", "Lima"),
    ("Quarto 12", "P176", "{} is produced by", "Fiat", "Nokia"),
    ("Quarto 77", "P176", "{}, produced by", "Sony", "Apple"),
    ("Ole Fine", "P413", "{} plays as", "goalkeeper", "pitcher"),
    ("Tom Sund", "P413", "{}, the", "midfielder", "quarterback"),
]


@pytest.fixture
def claims(tmp_path: Path) -> list[Claim]:
    path = tmp_path / "full.jsonl"
    with path.open("w") as lines:
        for number, (subject, relation, prompt, new, old) in enumerate(RECORDS):
            rewrite = {
                "subject": subject, "relation_id": relation, "prompt": prompt,
                "target_new": {"str": new}, "target_true": {"str": old},
            }  # fmt: skip
            lines.write(json.dumps({"case_id": number, "requested_rewrite": rewrite}) + "\n")
    return list(counterfact([path], {}))


def drawn(claims: list[Claim]) -> list[Request]:
    worldly, rng = Worldly(claims, {"counterfact": (40, 60, 40)}), random.Random(3)
    return [request for claim in claims for request in worldly.write_about(claim, rng)]


def role_of(request: Request, subject: str) -> set[str]:
    return {c.role for c in request.edits if c.subject == subject and c.prompt is not None}


class TestClaims:
    def test_roles_of_kinds(self, claims: list[Claim]) -> None:
        roles: dict[str, set[str]] = {}
        for request in drawn(claims):
            roles.setdefault(request.kind, set()).add(request.edits[0].role)
        for kind in ("direct", "paraphrase", "casual", "polite", "options", "chat.pronoun"):
            assert roles[kind] == {"asks"}, kind
        for kind in ("yes.right", "yes.wrong", "yes.old", "hop.2", "reversed", "choice", "table"):
            assert roles[kind] == {"informs"}, kind
        for kind in ("same_subject", "twin", "swapped", "text.mention", "chat.topic_change"):
            assert roles[kind] == {"none"}, kind

    def test_requests_that_ask_name_the_subject_or_follow_it(self, claims: list[Claim]) -> None:
        for request in drawn(claims):
            if request.edits[0].role == "asks":
                said = " ".join((*request.history, request.query))
                assert request.about[0] in said, request

    def test_no_edit_is_given_two_roles(self, claims: list[Claim]) -> None:
        for request in drawn(claims):
            said = [(c.prompt, c.target, c.statement) for c in request.edits]
            assert len(said) == len(set(said)), request

    def test_a_wrong_value_in_a_question_is_not_the_edit(self, claims: list[Claim]) -> None:
        wrong = [r for r in drawn(claims) if r.kind == "yes.wrong" and r.about == ("Nils Arp",)]
        assert wrong
        assert not any("Turin" in request.query for request in wrong)

    def test_negatives_are_about_others_or_ask_something_else(self, claims: list[Claim]) -> None:
        pool = Pool(claims)
        capital = claims[0]
        for seed in range(30):
            for candidate in negatives(capital, pool, random.Random(seed)):
                text = candidate.statement or candidate.prompt or ""
                assert not (capital.subject in text and "capital" in text), text

    def test_a_twin_differs_in_one_place(self, claims: list[Claim]) -> None:
        pool, rng = Pool(claims), random.Random(0)
        other = find_twin("Quarto 12", pool, rng)
        assert other is not None and other != "Quarto 12"
        assert sum(a != b for a, b in zip(other, "Quarto 12", strict=True)) == 1

    def test_a_profile_is_asked_for_what_it_tells(self, claims: list[Claim]) -> None:
        rng, kinds = random.Random(1), set()
        for request in profiles(claims, 20, rng):
            kinds.add(request.kind)
            own = request.edits[0]
            if request.kind == "part":
                assert own.role == "asks" and own.statement
            if request.kind == "part.of_target":
                assert own.role == "informs" and own.target
        assert {"part", "part.of_target", "part.yes", "part.untold"} <= kinds


class TestHallueditFilter:
    def record(self, other: str, hop: str) -> dict[str, object]:
        probes = [
            ("paraphrase", "Which company made Quarto 12?"),
            ("same subject, other relation", other),
            ("2-hop", hop),
        ]
        return {
            "facts": [{"prompt": "What is the manufacturer of Quarto 12?", "target": "Fiat",
                       "subject": "Quarto 12"}],
            "probes": [{"type": kind, "prompt": text} for kind, text in probes],
            "source": {"path": "data/technology_software.csv"},
        }  # fmt: skip

    def read(self, tmp_path: Path, other: str, hop: str) -> Claim:
        path = tmp_path / "h.jsonl"
        path.write_text(json.dumps(self.record(other, hop)) + "\n")
        return next(iter(halluedit(path)))

    def test_keeps_another_relation_and_drops_the_same(self, tmp_path: Path) -> None:
        hop = "Who leads the manufacturer of Quarto 12?"
        assert self.read(tmp_path, "How heavy is Quarto 12?", hop).others
        assert not self.read(tmp_path, "Which company built Quarto 12?", hop).others
        assert not self.read(tmp_path, "Is Fiat famous for Quarto 12?", hop).others

    def test_drops_a_hop_that_asks_the_edit_itself(self, tmp_path: Path) -> None:
        other = "How heavy is Quarto 12?"
        again = "What is the name of the company that made Quarto 12?"
        assert not self.read(tmp_path, other, again).given
        assert self.read(tmp_path, other, "Who leads the maker of Quarto 12?").given


class TestOwn:
    def all(self) -> Iterator[Request]:
        yield from policies(2, 0)
        yield from aspects(0, 1)
        yield from entries(0, 3)
        yield from opposites(150, 0)
        yield from people(120, 0)
        yield from write_numbered(150, 0)

    def test_no_slot_is_left_open(self) -> None:
        for request in self.all():
            texts = [request.query, *(c.statement or c.prompt or "" for c in request.edits)]
            assert not any("{" in text for text in texts), texts

    def test_the_query_of_a_near_thing_is_not_the_edit_s_own(self) -> None:
        for request in self.all():
            if request.edits[0].role == "none":
                for candidate in request.edits:
                    assert request.query not in (candidate.prompt, *candidate.queries), request

    def test_opposites_are_nothing_to_one_another(self) -> None:
        kinds = {"opposite.same": "asks", "opposite.opposite": "none"}
        seen = set()
        for request in opposites(200, 0):
            if request.kind in kinds:
                assert request.edits[0].role == kinds[request.kind]
                seen.add(request.kind)
        assert seen == set(kinds)

    def test_a_document_asked_as_a_whole_is_informed_by_its_parts(self) -> None:
        for request in policies(4, 1):
            own = request.edits[0]
            if request.kind == "policy.document.direct":
                assert own.role == ("informs" if own.target else "asks")

    def test_topics_kept_for_the_test_are_only_there(self) -> None:
        assert any(topic["unseen"] for topic in topics())
        splits = Splits()
        for request, split in place_in_splits(self.all(), 0, splits):
            assert split == "test" or not request.unseen

    def test_questions_of_every_topic_are_many(self) -> None:
        for topic in topics():
            asked = [q for part in ("asks", "informs", "none") for q in topic[part]]
            assert len(asked) == len(set(asked)) >= 9, topic["id"]


class TestDress:
    def test_frames_of_the_test_are_not_trained_on(self) -> None:
        for place in PLACES:
            trained, tested = set(frames(place, "train")), set(frames(place, "test"))
            assert trained and tested and not trained & tested
            assert frames(place, "calib") == frames(place, "train")

    def test_a_frame_keeps_the_question(self) -> None:
        rng = random.Random(0)
        for _ in range(200):
            text, _ = put_in_frame("What is {this} of Ada?", "train", rng)
            assert "hat is {this} of Ada?" in text

    def test_noise_leaves_digits(self) -> None:
        for seed in range(300):
            text = add_noise("Where is order 48213 of the X2 line?", random.Random(seed))
            assert "48213" in text and "2" in text.replace("48213", "")

    def test_slots(self) -> None:
        assert fill("{a} {{b}} {c}", a="{x}") == "{x} {b} {c}"
        assert bank("frames")["after"]


class TestSplits:
    def test_a_subject_has_one_split_whatever_its_case(self) -> None:
        assert split_of("The Beatles") == split_of("the beatles")

    def test_subjects_of_two_splits_share_none(self) -> None:
        names = [f"Subject {i}" for i in range(60)]
        by = {split_of(name): name for name in names}
        assert set(by) == {"train", "calib", "test"}
        assert Splits().of(by["train"], by["test"]) is None
        assert Splits().of(by["train"]) == "train"

    def test_tested_subjects(self) -> None:
        name = next(f"Subject {i}" for i in range(60) if split_of(f"Subject {i}") == "train")
        splits = Splits()
        splits.test(name.upper())
        assert splits.of(name) == "test"

    def test_common_relations_are_trained_on(self) -> None:
        assert not is_unseen("country")
        assert any(is_unseen(f"relation {i}") for i in range(40))


@pytest.mark.slow
class TestFile:
    @pytest.fixture
    def records(self, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
        folder = shared_data("everyday").parent
        out = tmp_path_factory.mktemp("requests") / "examples.jsonl.gz"
        write(folder, out)
        with gzip.open(out, "rt", encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    @pytest.mark.skipif(
        "MEMEDIT_LONG_TESTS" not in os.environ, reason="minutes: set MEMEDIT_LONG_TESTS"
    )
    def test_the_file(self, records: list[dict[str, Any]]) -> None:
        """Unseen relations are only tested, no subject is in two splits, every role is there."""
        unseen = [r for r in records if r["unseen_relation"]]
        assert len(unseen) > 1000
        assert {r["split"] for r in unseen} == {"test"}
        split: dict[str, str] = {}
        for record in records:
            own = record["edits"][0]
            if record["set"] in {"halluedit", "counterfact", "zsre", "knowedit", "pitfalls"}:
                if own["subject"]:
                    before = split.setdefault(subject_key(own["subject"]), record["split"])
                    assert before == record["split"], record
        roles = Counter(e["role"] for r in records for e in r["edits"])
        assert min(roles.values()) > 80_000
        assert len({(r["query"], tuple(r["history"])) for r in records}) > 0.8 * len(records)

    def test_the_same_seed_gives_the_same(self) -> None:
        folder, splits = shared_data("everyday").parent, (Splits(), Splits())
        one, two = (place_in_splits(requests(folder, 0, s), 0, s) for s in splits)
        assert [next(one) for _ in range(500)] == [next(two) for _ in range(500)]


def test_assistants_are_asked_in_peoples_own_words() -> None:
    told = bank("assistants")
    for world in told.values():
        roles = [{*asked.get("asks", ()), *asked.get("informs", ())} for asked in world["requests"]]
        assert set().union(*roles) <= world["facts"].keys()
        assert any(not each for each in roles)  # no edit answers everything
    found = list(assistants(0, 1))
    assert len(found) == sum(len(world["requests"]) for world in told.values())
    for request in found:
        assert len({edit.statement for edit in request.edits}) == len(request.edits)
        asked = [edit for edit in request.edits if edit.role != "none"]
        assert bool(asked) == (request.kind != "life.none")
        assert any(edit.role == "none" for edit in request.edits)
    assert [r.edits for r in assistants(0, 1)] == [r.edits for r in found]
