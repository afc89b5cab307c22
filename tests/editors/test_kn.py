"""Knowledge neurons: the integral is complete, the sets are the paper's, columns alone change."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from memedit import Edit
from memedit.core.errors import InvalidEditError, InvalidInputError
from memedit.editors.kn import Kn
from memedit.editors.weights.base import sum_changes, weight_of
from memedit.engine.engine import Engine
from memedit.engine.passes import log_probs, observe
from tests.editors.helpers import FACTS, tiny_engine

PROMPT = "The capital of France is"


@pytest.fixture(params=["llama", "gpt2"])
def lm(request: pytest.FixtureRequest) -> Engine:
    return tiny_engine(request.param)


def chance_without(lm: Engine, layer: int, token: int) -> tuple[float, float]:
    """P(token) after the prompt as it is, and with the layer's last-position key at zero."""
    ids = torch.tensor(lm.tokenizer(PROMPT).input_ids)[None]

    def off(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        y = y.clone()
        bias = getattr(lm.base.get_submodule(lm.sites.mlp_out(layer)), "bias", None)
        y[:, -1] = 0 if bias is None else bias
        return y

    with torch.no_grad():
        whole = float(lm.base(input_ids=ids).logits[0, -1].softmax(-1)[token])
        with lm.watch(after={lm.sites.mlp_out(layer): off}):
            return whole, float(lm.base(input_ids=ids).logits[0, -1].softmax(-1)[token])


def test_attributions_add_up_to_what_the_layer_does(lm: Engine) -> None:
    token = 76
    errors = []
    for steps in (5, 200):
        scores = Kn(steps=steps).attributions(lm, PROMPT, torch.tensor([token]))
        assert scores.shape == (3, weight_of(lm, lm.sites.mlp_out(0)).shape[1])
        worst = 0.0
        for layer in range(3):
            whole, without = chance_without(lm, layer, token)
            miss = abs(float(scores[layer].sum()) - (whole - without)) / abs(whole - without)
            worst = max(worst, miss)
        errors.append(worst)
    assert errors[1] < 0.05 and errors[1] < errors[0]


def test_answers_of_several_tokens_are_averaged_along_the_answer(lm: Engine) -> None:
    kn, answer = Kn(steps=8), torch.tensor(lm.tokenizer("Ly").input_ids)
    both = kn.attributions(lm, PROMPT, answer)
    first = kn.attributions(lm, PROMPT, answer[:1])
    second = kn.attributions(lm, PROMPT + "L", answer[1:])
    assert torch.allclose(both, (first + second) / 2, atol=1e-8)


def test_the_coarse_set_is_relative_to_the_largest(lm: Engine) -> None:
    kn, answer = Kn(steps=8, threshold=0.3), torch.tensor([76])
    scores = kn.attributions(lm, PROMPT, answer)
    expected = {(int(a), int(b)) for a, b in (scores > 0.3 * scores.max()).nonzero()}
    assert set(kn.find_coarse(lm, PROMPT, answer)) == expected


def test_the_refined_set_moves_its_share_until_there_are_a_few() -> None:
    kn = Kn(fewest=2, most=3)
    a, b, c, d = (0, 1), (0, 2), (1, 1), (1, 2)
    assert kn._refine([[a, b], [a, b, c], [a, b, d]]) == [a, b]
    assert kn._refine([[a], [b], [c]]) == [a, b, c]
    assert len(kn._refine([[a, b, c, d]] * 3)) == 4  # all alike: no share tells them apart
    assert Kn(fewest=1)._refine([[a, b], [a], [a]]) == [a]


@pytest.mark.parametrize("form", ["authors", "port"])
def test_only_the_columns_change_by_what_the_form_says(lm: Engine, form: str) -> None:
    edit = FACTS[0]
    kn = Kn(steps=4, prefixes=1, form=form, others=3)
    (payload,) = kn.fit([edit], lm)
    head = lm.base.get_output_embeddings().weight
    ids = torch.tensor(lm.tokenizer(edit.prompt).input_ids)
    with torch.no_grad():
        old = head[lm.base(input_ids=ids[None]).logits[0, -1].argmax()]
    new = head[torch.tensor(lm.tokenizer(" Lyon").input_ids)].sum(0)
    found = kn.neurons(lm, edit, kn.answer(lm, edit))
    for site, change in sum_changes([payload]).items():
        layer = next(i for i in range(3) if lm.sites.mlp_out(i) == site)
        units = [unit for at, unit in found if at == layer]
        for unit in units:
            wanted = 2 * new - 2 * old
            if form == "authors":  # 6_edit_knowledge_sampled.py: value_norm / emb_norm * 1 and 8
                norm = weight_of(lm, site)[:, unit].norm()
                wanted = new * (norm / new.norm() * 8) - old * (norm / old.norm() * 1)
            assert torch.allclose(change[:, unit], wanted, atol=1e-4)
        others = [i for i in range(change.shape[1]) if i not in units]
        assert not change[:, others].any()


def test_what_the_relations_other_facts_share_is_dropped() -> None:
    kn = Kn(common=0.1)
    a, b, c = (0, 1), (0, 2), (1, 1)
    others = [[a, b]] + [[a]] * 2 + [[]] * 7  # a: 3 of 10, b: 1 of 10, c: none
    assert kn.drop_common([a, b, c], others) == [b, c]
    assert kn.drop_common([a, b], [[a, b]] * 3 + [[a]] * 7) == [b]  # both shared: the rarer
    assert kn.drop_common([a], [[a]] * 10) == [a]


def test_other_facts_are_looked_at_once_for_a_wording(lm: Engine) -> None:
    kn = Kn(steps=2, prefixes=0, others=2, fewest=1)
    first, second = (Edit(f"The capital of {x} is", "Lyon", subject=x) for x in ("Oslo", "Rome"))
    kn.fit([first], lm)
    kept = [key for key in lm.kept if isinstance(key, tuple) and key[0] == "kn"]
    assert len(kept) == 2
    kn.fit([second], lm)
    assert [key for key in lm.kept if isinstance(key, tuple) and key[0] == "kn"] == kept


def test_a_fact_that_the_model_does_not_say_is_left_alone_on_demand(lm: Engine) -> None:
    edit = replace(FACTS[0], target_true="Paris", id="")
    kn = Kn(steps=2, prefixes=0, others=0)
    said = lm.codec.text(kn._find_own_answer(lm, edit))
    (left,) = replace(kn, known=True).fit([edit], lm)
    assert said.strip() != "P" and not sum_changes([left]) and left["left"] == "unknown"
    (tried,) = kn.fit([edit], lm)
    assert sum_changes([tried])


def test_suppressing_empties_the_columns_and_enhancing_doubles_them(lm: Engine) -> None:
    kn = Kn(steps=4, prefixes=1)
    for operation, factor in (("suppress", 0.0), ("enhance", 2.0)):
        (payload,) = replace(kn, operation=operation).fit(FACTS[:1], lm)
        edited = lm.shadow(sum_changes([payload]))
        for site in sum_changes([payload]):
            units = torch.as_tensor(payload[f"{site}/units"])[:, 0]
            old, new = weight_of(lm, site)[:, units], weight_of(edited, site)[:, units]
            assert torch.allclose(new, factor * old, atol=1e-6)


def test_its_neurons_carry_the_answer_more_than_others(lm: Engine) -> None:
    """Off, they lower the chance of the answer by more than other neurons of their layers do."""
    kn = Kn(steps=20, prefixes=0, operation="suppress", fewest=1, most=8)
    edit = Edit(PROMPT, "Lyon", subject="France")
    token = int(kn.answer(lm, edit)[0])
    (payload,) = kn.fit([edit], lm)
    base = chance(lm, token)
    drop = base - chance(lm.shadow(sum_changes([payload])), token)
    stream, drops = torch.Generator().manual_seed(0), []
    for _ in range(20):
        other = dict(payload)
        for site in sum_changes([payload]):
            width = weight_of(lm, site).shape[1]
            count = len(torch.as_tensor(payload[f"{site}/units"]))
            units = torch.randperm(width, generator=stream)[:count]
            other[f"{site}/units"] = units[:, None]
            other[f"{site}/values"] = -weight_of(lm, site)[:, units].T.detach()
        drops.append(base - chance(lm.shadow(sum_changes([other])), token))
    assert drop > 0 and drop > sum(drops) / len(drops)


def chance(lm: Engine, token: int) -> float:
    ids = torch.tensor(lm.tokenizer(PROMPT).input_ids)
    site = lm.sites.block(-1)
    _, state = observe(lm, [ids], [len(ids) - 1], [site])[site]
    with torch.no_grad():
        return float(log_probs(lm, state)[0, token].exp())


def test_what_it_cannot_do_is_refused(lm: Engine) -> None:
    with pytest.raises(InvalidEditError, match="no target"):
        Kn().fit([Edit.from_statement("Our refund window is 60 days.")], lm)
    for wrong in ({"steps": 1}, {"threshold": 1.0}, {"operation": "x"}, {"embedding": "x"},
                  {"fewest": 3, "most": 2}, {"form": "x"}, {"common": 2.0}):  # fmt: skip
        with pytest.raises(InvalidInputError):
            Kn(**wrong)
