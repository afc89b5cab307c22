"""MELO: the clusters' truth table; a block acts where its key is near, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from memedit import Edit, EditableModel
from memedit.core.errors import InvalidEditError, InvalidInputError
from memedit.editors.melo import Melo, clusters, look_up
from memedit.engine.codebook import Rule
from memedit.engine.engine import Engine
from memedit.engine.passes import observe
from tests.editors.helpers import FACTS, changed, tiny_engine, weights
from tests.helpers import byte_tokenizer, tiny_model

ONE = Rule(1.0)
OTHER = "Two and two make"


@pytest.fixture(params=["llama", "gpt2"])
def lm(request: pytest.FixtureRequest) -> Engine:
    return tiny_engine(request.param)


def built(editor: Any, **changes: Any) -> EditableModel:
    base = tiny_model("llama", **changes)
    return EditableModel(
        base, byte_tokenizer(), editor=editor, scope="everything", encoder="hashing"
    )


def logits(model: Any, prompt: str) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(**byte_tokenizer()(prompt, return_tensors="pt")).logits
    return found


def line(*at: float) -> torch.Tensor:
    return torch.tensor([[x] for x in at])


def test_far_keys_are_clusters_of_their_own() -> None:
    found = clusters(line(0, 5), ["a", "a"], ONE)
    assert [(float(c.center), c.radius) for c in found] == [(0.0, 1.0), (5.0, 1.0)]


def test_the_same_label_joins_and_the_center_is_the_mean() -> None:
    (found,) = clusters(line(0, 1.5, 2.5), ["a", "a", "a"], ONE)
    assert float(found.center) == pytest.approx(4 / 3) and found.radius == pytest.approx(4 / 3)
    assert [n for n, _ in found.points] == [0, 1, 2]
    assert look_up(torch.tensor([2.6]), [found]) == 2  # the nearest point's block
    assert look_up(torch.tensor([2.7]), [found]) is None


def test_another_label_splits_and_forgets_what_is_left_outside() -> None:
    found = clusters(line(0, 2, 2.5), ["a", "a", "b"], ONE)
    old, new = found
    assert float(old.center) == 1.0 and old.radius == pytest.approx(0.75 - 1e-5)
    assert new.radius == pytest.approx(0.75) and not old.points  # both were at distance 1
    assert look_up(torch.tensor([1.0]), found) is None  # in reach, but nothing is left
    assert look_up(torch.tensor([2.5]), found) == 2
    kept = clusters(line(0, 0.4, 1.5), ["a", "a", "b"], ONE)[0]
    assert [n for n, _ in kept.points] == [0, 1] and kept.radius < 0.7


def test_the_key_is_what_the_router_says_where_the_prompt_ends(lm: Engine) -> None:
    (payload,) = Melo(steps=1).fit(FACTS[:1], lm)
    site = lm.sites.block(1)
    ids = torch.tensor(lm.tokenizer(FACTS[0].prompt).input_ids)
    _, y = observe(lm, [ids], [len(ids) - 1], [site])[site]
    assert torch.allclose(torch.as_tensor(payload[f"{site}/key"]), y[0], atol=1e-4)
    assert f"{lm.sites.mlp_in(2)[-1]}/a" in payload  # the layer after the router


def test_a_block_acts_where_its_key_is_near_and_nowhere_else() -> None:
    model = built(Melo(steps=2, radius=1e-3))
    before = weights(model.base)
    model.edit_many(FACTS)
    assert torch.equal(logits(model, OTHER), logits(model.base, OTHER))
    assert not torch.equal(logits(model, FACTS[0].prompt), logits(model.base, FACTS[0].prompt))
    assert not changed(model.base, before)
    prompts = [OTHER, *(edit.prompt for edit in FACTS)]
    together = [c.text for c in model.ask(prompts, max_new_tokens=4)]
    assert together == [model.ask(p, max_new_tokens=4).text for p in prompts]


def test_the_block_alone_is_a_change_of_the_weights_beside_it() -> None:
    """In scope of one edit, the logits are those of the base with scale * B A added."""
    model = built(Melo(steps=5, rate=1e-2))
    model.edit(FACTS[0])
    payload = next(iter(model.memory.records())).payloads["melo"]
    site = model.engine.sites.mlp_in(2)[-1]
    a, b = (torch.as_tensor(payload[f"{site}/{n}"]) for n in "ab")
    shadow = model.engine.shadow({site: b.T @ a})
    prompt = FACTS[0].prompt
    assert torch.allclose(logits(model, prompt), logits(shadow.base, prompt), atol=1e-4)
    assert not torch.allclose(logits(model, prompt), logits(model.base, prompt), atol=1e-4)


def test_it_learns_its_target() -> None:
    edit = Edit("The capital of France is ", "L", subject="France")  # one byte
    model = built(Melo(router=0, rate=1e-2), initializer_range=0.5)
    model.edit(edit)
    assert model.ask(edit.prompt, max_new_tokens=1, min_new_tokens=1).text == "L"
    (score,) = model.score([edit.prompt], ["L"])
    payload = next(iter(model.memory.records())).payloads["melo"]
    assert -score.logprob == pytest.approx(float(payload["loss"]), rel=1e-3, abs=1e-5)


def test_a_blocks_training_does_not_depend_on_the_others(lm: Engine) -> None:
    how = Melo(steps=5)
    together = how.fit(FACTS, lm)
    for edit, payload in zip(FACTS, together, strict=True):
        for name, value in how.fit([edit], lm)[0].items():
            if isinstance(value, torch.Tensor):
                assert torch.allclose(value, torch.as_tensor(payload[name]), atol=1e-4), name


def test_forgetting_restores_the_others_and_the_base() -> None:
    model = built(Melo(steps=1, radius=10.0))
    model.edit(FACTS[0])
    alone = logits(model, OTHER)
    model.edit(FACTS[1])
    model.forget(FACTS[1].id)
    assert torch.equal(logits(model, OTHER), alone)
    model.forget(FACTS[0].id)
    assert torch.equal(logits(model, OTHER), logits(model.base, OTHER))


def test_what_it_cannot_do_is_refused(lm: Engine) -> None:
    with pytest.raises(InvalidEditError, match="no target"):
        Melo().fit([Edit.from_statement("Our refund window is 60 days.")], lm)
    with pytest.raises(InvalidInputError, match="No layer comes after"):
        Melo(router=2).fit(FACTS, lm)
    for wrong in ({"rank": 0}, {"rate": 0.0}, {"radius": -1.0}):
        with pytest.raises(InvalidInputError):
            Melo(**wrong)
