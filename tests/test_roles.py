"""An edit that a query asks, and one on which its answer depends: who is handed what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest

from memedit import EditableModel
from memedit.core.calls import Batch, Call
from memedit.core.protocols import roles_of
from memedit.core.types import Decision, Edit, Hit, Payload, Role
from tests.helpers import tiny_model

ASKS, DEPENDS, NEITHER = "France's capital:", "Is Lyon France's capital?", "Two and two are"
EDIT = Edit("The capital of France is", "Lyon", "France")


@dataclass(frozen=True)
class Told:
    """A scope that knows what the tests ask."""

    name: ClassVar[str] = "told"

    def decide(self, prompts: Sequence[str], candidates: Sequence[Sequence[Hit]]) -> list[Decision]:
        return [self._one(*pair) for pair in zip(prompts, candidates, strict=True)]

    @staticmethod
    def _one(prompt: str, hits: Sequence[Hit]) -> Decision:
        if prompt == ASKS:
            fired = tuple(replace(h, score=0.9, bearing=0.95, role="asks") for h in hits)
            return Decision(fired, 0.9, 0.5, fired)
        weighed = tuple(replace(h, score=0.1, bearing=0.8, role="informs") for h in hits)
        informs = weighed if prompt == DEPENDS else ()
        return Decision((), 0.1, 0.5, weighed, informs=informs, informing_threshold=0.7)


@dataclass(frozen=True)
class Reader:
    """An editor that says its name and what it was handed."""

    name: str = "reader"
    needs: frozenset[str] = frozenset()

    def fit(self, edits: Sequence[Edit], lm: Any) -> list[Payload]:
        return [{"fact": edit.statement} for edit in edits]

    def run(self, batch: Batch, call: Call) -> list[Any]:
        answers = call(batch)
        return [
            replace(
                answer, text="|".join(h.record.payloads[self.name]["fact"] for h in self._of(row))
            )
            for answer, row in zip(answers, batch.rows, strict=True)
        ]

    def _of(self, row: Any) -> Sequence[Any]:
        return row.decision.read(roles_of(self))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Both(Reader):
    name: str = "both"
    roles: frozenset[Role] = frozenset({"asks", "informs"})


Built = Callable[[Any], EditableModel]


@pytest.fixture
def built(tiny_tokenizer: Any) -> Built:
    def build(editor: Any) -> EditableModel:
        model = EditableModel(
            tiny_model(), tiny_tokenizer, editor=editor, scope=Told(), encoder="hashing"
        )
        model.edit(EDIT)
        return model

    return build


@pytest.mark.parametrize(("editor", "handed"), [(Reader(), [ASKS]), (Both(), [ASKS, DEPENDS])])
def test_an_editor_is_handed_the_rows_of_the_roles_it_reads(
    built: Built, editor: Any, handed: list[str]
) -> None:
    model = built(editor)
    for prompt in (ASKS, DEPENDS, NEITHER):
        answer = model.ask(prompt)
        with model.unedited():
            base = model.ask(prompt)
        assert answer.editor == (editor.name if prompt in handed else "")
        assert answer.text == (EDIT.statement if prompt in handed else base.text)


def test_a_decision_is_true_only_where_an_edit_is_asked(built: Built) -> None:
    model = built(Reader())
    asks, depends, neither = model.decide([ASKS, DEPENDS, NEITHER])
    assert asks.hits and depends and not depends.hits and not neither
    assert [h.role for h in asks.bearing] == ["asks"] and asks.informs == ()
    assert [h.role for h in depends.bearing] == ["informs"] and depends.hits == ()
    assert neither.bearing == ()
    assert depends.read(frozenset({"asks"})) == () and len(depends.read(Both().roles)) == 1


def test_of_a_chain_only_the_members_that_read_the_role_sign(built: Built) -> None:
    from memedit.editors._chain import Chain

    model = built(Chain(Reader(), Both()))
    assert model.ask(ASKS).editor == "reader+both"
    assert model.ask(DEPENDS).editor == "both"
    assert model.ask(NEITHER).editor == ""


def test_an_explanation_shows_both_roles_and_probabilities(built: Built) -> None:
    plain = built(Both()).explain(DEPENDS).to_dict()
    assert not plain["in_scope"] and plain["hits"] == [] and plain["editor"] == "both"
    informs = plain["informs"][0]
    assert (informs["role"], informs["score"], informs["bearing"]) == ("informs", 0.1, 0.8)
    assert plain["informing_threshold"] == 0.7
    assert plain["answer"] == EDIT.statement != plain["base_answer"]
