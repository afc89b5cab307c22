"""GRACE: outside the balls the same bits, inside the stored value; radii derived, not stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from memedit import Edit, EditableModel
from memedit.core.calls import Batch, Row
from memedit.core.errors import InvalidEditError, InvalidInputError
from memedit.core.types import Decision, Hit, Record
from memedit.editors import load_editor
from memedit.editors.grace import Grace
from memedit.editors.grace_relative import GraceRelative
from memedit.engine.codebook import Codebook, Rule, grow_balls
from memedit.engine.engine import Engine
from memedit.engine.passes import observe
from tests.editors.helpers import FACTS, changed, tiny_engine, weights
from tests.helpers import byte_tokenizer, tiny_model

BYTE = Edit("The capital of France is ", "L", subject="France")  # ends in a space: one byte
OTHER = "Two and two make"
Build = Callable[..., EditableModel]


@pytest.fixture(params=["llama", "gpt2"])
def lm(request: pytest.FixtureRequest) -> Engine:
    return tiny_engine(request.param)


def built(editor: Any, arch: str = "llama", **changes: Any) -> EditableModel:
    base = tiny_model(arch, **changes)
    return EditableModel(
        base, byte_tokenizer(), editor=editor, scope="everything", encoder="hashing"
    )


def logits(model: Any, prompt: str) -> torch.Tensor:
    ids = byte_tokenizer()(prompt, return_tensors="pt")
    with torch.no_grad():
        found: torch.Tensor = model(**ids).logits
    return found


# The codebook

LINE = torch.tensor([[0.0, 0.0], [1.0, 0.0], [9.0, 0.0], [9.5, 0.0]])


def test_a_key_far_from_all_is_added_with_the_initial_radius() -> None:
    made = grow_balls(LINE[[0, 2]], ["a", "a"], Rule(1.0))
    assert made.radius.tolist() == [1.0, 1.0] and made.owner.tolist() == [0, 1]


def test_another_label_in_reach_splits_in_the_middle() -> None:
    made = grow_balls(LINE[:3], ["a", "b", "c"], Rule(1.0))
    assert made.radius.tolist() == pytest.approx([0.5 - 1e-5, 0.5, 1.0], abs=1e-12)
    assert float(made.radius[0] + made.radius[1]) < 1.0  # disjoint


def test_the_same_label_in_reach_widens_the_older_and_adds_no_key() -> None:
    made = grow_balls(LINE[:2] * 1.5, ["a", "a"], Rule(1.0))
    assert made.radius.tolist() == [1.5, -1.0] and made.owner.tolist() == [0, 0]
    assert made.count == 1
    inside = grow_balls(LINE[:2] * 0.5, ["a", "a"], Rule(1.0))
    assert inside.radius.tolist() == [1.0, -1.0]  # within reach already: nothing widens


def test_only_what_has_a_ball_is_a_neighbour() -> None:
    """The third key meets the widened ball, not the key that it took in."""
    keys = torch.tensor([[0.0], [1.5], [3.0]])
    made = grow_balls(keys, ["a", "a", "b"], Rule(1.0))
    assert made.radius.tolist() == [1.5, -1.0, 1.0]  # 3.0 > 1.5 + 1.0: far from the only ball


def test_removing_one_gives_the_others_back_what_it_took() -> None:
    assert grow_balls(LINE[[1, 2]], ["b", "c"], Rule(1.0)).radius.tolist() == [1.0, 1.0]
    assert grow_balls(LINE[[0, 2]], ["a", "c"], Rule(1.0)).radius.tolist() == [1.0, 1.0]


def test_the_published_split_can_overlap_and_ours_never_does() -> None:
    stream = torch.Generator().manual_seed(0)
    keys = torch.randn(60, 3, generator=stream)
    labels = [f"{i % 7}" for i in range(60)]
    gaps = torch.cdist(keys.double(), keys.double())
    other = torch.tensor([[a != b for b in labels] for a in labels])

    def overlaps(rule: Rule) -> int:
        radius = grow_balls(keys, labels, rule).radius
        both = (radius[:, None] >= 0) & (radius[None] >= 0) & other
        return int((both & (radius[:, None] + radius[None] > gaps + 1e-9)).sum())

    assert overlaps(Rule(1.0)) > 0
    assert overlaps(Rule(0.5, relative=True, disjoint=True)) == 0
    assert grow_balls(keys, labels, Rule(0.5, disjoint=True)).count == 60


def test_relative_radii_are_shares_of_the_norm_and_no_scale_matters() -> None:
    keys = torch.tensor([[3.0, 4.0], [30.0, -40.0]])
    assert grow_balls(keys, ["a", "b"], Rule(0.1, relative=True)).radius.tolist() == [0.5, 5.0]
    rule = Rule(0.1, relative=True, normalise=True)
    prepared = rule.prepare(keys)
    assert torch.allclose(prepared.norm(dim=1), torch.tensor(2.0**0.5))
    assert torch.allclose(rule.prepare(keys * 7), prepared)


def test_each_row_has_the_codebook_of_its_own_edits() -> None:
    """Two conflicting keys halve each other only where both are in scope."""
    value = torch.ones(2)

    def record(n: int, key: torch.Tensor, label: str) -> Record:
        payload: dict[str, torch.Tensor | str | float] = {
            "key": key,
            "value": value * n,
            "label": label,
        }
        return Record(Edit(f"p {n}", label), n, n, payloads={"e": payload})

    one, two = record(1, torch.tensor([0.0, 0.0]), "a"), record(2, torch.tensor([1.0, 0.0]), "b")

    def row(*records: Record) -> Row:
        return Row("p", decision=Decision(tuple(Hit(r, 1.0) for r in records)))

    from memedit.core.calls import Step

    x = torch.tensor([[[0.0, 0.8]]] * 3)  # 0.8 from the first key
    y = torch.zeros(3, 1, 2)
    step = Step(True, torch.zeros(3, dtype=torch.long), torch.ones(3, 1, dtype=torch.bool))
    apply = Codebook(site="s", editor="e", rule=Rule(1.0)).bind([row(one), row(one, two), row(two)])
    assert apply(x, y, step).tolist() == [[[1.0, 1.0]], [[0.0, 0.0]], [[0.0, 0.0]]]


# The editor


def test_the_default_is_the_published_site_and_setting() -> None:
    grace = Grace()
    assert (grace.radius, grace.steps, grace.rate, grace.initial) == (1.0, 50, 1.0, "cold")
    assert int(32 * 27 / 32) == 27  # EasyEdit: layer 27 of Llama-2 7B
    lm = tiny_engine()
    (payload,) = Grace(steps=1).fit(FACTS[:1], lm)
    assert f"{lm.sites.mlp_out(2)}/key" in payload


def test_the_key_is_what_the_layer_reads_where_the_prompt_ends(lm: Engine) -> None:
    payloads = Grace(layer=1, steps=1).fit(FACTS, lm)
    site = lm.sites.mlp_out(1)
    for edit, payload in zip(FACTS, payloads, strict=True):
        ids = torch.tensor(lm.tokenizer(edit.prompt).input_ids)
        x, _ = observe(lm, [ids], [len(ids) - 1], [site])[site]
        assert torch.allclose(torch.as_tensor(payload[f"{site}/key"]), x[0], atol=1e-4)
        assert payload[f"{site}/label"] == edit.target_new


def test_inside_the_output_is_the_value_and_outside_nothing_changes(lm: Engine) -> None:
    editor = Grace(layer=1, steps=2)
    (payload,) = editor.fit(FACTS[:1], lm)
    site = lm.sites.mlp_out(1)
    record = Record(FACTS[0], 1, 1, payloads={"grace": payload})
    rows = tuple(Row(p, decision=Decision((Hit(record, 1.0),))) for p in (FACTS[0].prompt, OTHER))
    seen: list[torch.Tensor] = []

    class Spy:
        """Installed after the codebook: sees what the codebook leaves."""

        def __init__(self) -> None:
            self.site = site

        def bind(self, rows: Any) -> Any:
            def apply(x: torch.Tensor, y: torch.Tensor, step: Any) -> torch.Tensor:
                seen.append(y.clone())
                return y

            return apply

    batch = Batch(rows, options={"max_new_tokens": 2, "do_sample": False})
    editor.run(batch, lambda b: lm.generate(b.intervene(Spy())))
    lm.generate(batch.intervene(Spy()))
    edited, base = seen[:2], seen[2:]
    assert torch.equal(edited[0][0, -1], torch.as_tensor(payload[f"{site}/value"]))
    assert torch.equal(edited[0][0, :-1], base[0][0, :-1])
    assert torch.equal(edited[0][1], base[0][1])  # the other prompt, in the same batch


@pytest.mark.parametrize("name", ["grace", "grace_relative"])
def test_out_of_the_ball_the_model_is_the_base_bit_for_bit(name: str) -> None:
    model = built(load_editor(name, steps=1, radius=1e-3))
    before = weights(model.base)
    model.edit_many(FACTS)
    assert model.decide([OTHER])[0]  # every edit is in scope: the codebook decides
    assert torch.equal(logits(model, OTHER), logits(model.base, OTHER))
    assert not torch.equal(logits(model, FACTS[0].prompt), logits(model.base, FACTS[0].prompt))
    assert not changed(model.base, before)


@pytest.mark.parametrize("name", ["grace", "grace_relative"])
def test_the_value_is_trained_until_the_target_follows(name: str) -> None:
    """One byte, and a model whose weights are large enough for a value to reach it."""
    more = {} if name == "grace" else {"rate": 1.0}
    model = built(load_editor(name, layer=1, **more), initializer_range=0.5)
    model.edit(BYTE)
    (score,) = model.score([BYTE.prompt], ["L"])
    assert -score.logprob < 0.1 and score.right == (True,)
    assert model.ask(BYTE.prompt, max_new_tokens=1, min_new_tokens=1).text == "L"


def test_scoring_looks_where_the_prompt_ends_whatever_follows() -> None:
    """Teacher forcing puts the target behind the prompt: the key is still looked up before it."""
    model = built(Grace(layer=1, steps=20))
    model.edit(FACTS[0])
    payload = next(iter(model.memory.records())).payloads["grace"]
    (score,) = model.score([FACTS[0].prompt], ["Lyon"])
    assert -score.logprob / len(score.ids) == pytest.approx(float(payload["loss"]), rel=1e-4)
    row = Row(FACTS[0].prompt, target="Lyon", decision=model.decide([FACTS[0].prompt])[0])
    with torch.no_grad():
        nll = model.editor.run(Batch((row,)), lambda b: list(model.engine.nll(b)))[0]
    assert float(nll) == pytest.approx(-score.logprob, rel=1e-4)


def test_padding_and_batches_do_not_matter() -> None:
    model = built(Grace(layer=1, steps=5))
    model.edit_many(FACTS)
    prompts = [OTHER, *(edit.prompt for edit in FACTS), "A much longer prompt about nothing at all"]
    together = [c.text for c in model.ask(prompts, max_new_tokens=4)]
    assert together == [model.ask(p, max_new_tokens=4).text for p in prompts]
    cached = [c.text for c in model.ask(prompts, max_new_tokens=4, use_cache=True)]
    assert cached == together


def test_forgetting_restores_the_neighbours_radius_and_the_base() -> None:
    model = built(Grace(layer=1, steps=1, radius=1e3))  # every key is in every other's reach
    first, second = FACTS[:2]
    model.edit(first)
    alone = logits(model, OTHER)
    model.edit(second)
    assert not torch.equal(logits(model, OTHER), alone)  # split: out of the first's reach
    model.forget(second.id)
    assert torch.equal(logits(model, OTHER), alone)
    model.forget(first.id)
    assert torch.equal(logits(model, first.prompt), logits(model.base, first.prompt))


def test_edits_of_one_label_share_a_ball() -> None:
    model = built(Grace(layer=1, steps=1, radius=1e3))
    model.edit_many([FACTS[0], Edit("The second city of France is", "Lyon")])
    assert Grace(radius=1e3).keys(list(model.memory.records())) == 1
    assert Grace(radius=1e-4).keys(list(model.memory.records())) == 2


def test_a_cold_value_depends_on_the_edit_alone(lm: Engine) -> None:
    state = torch.get_rng_state()
    together = Grace(layer=1, steps=1, rate=1e-9).fit(FACTS, lm)
    alone = Grace(layer=1, steps=1, rate=1e-9).fit(FACTS[1:2], lm)[0]
    name = f"{lm.sites.mlp_out(1)}/value"
    value = torch.as_tensor(together[1][name])
    assert torch.allclose(value, torch.as_tensor(alone[name]), atol=1e-6)
    assert 0 <= float(value.min()) and float(value.max()) <= 1
    assert torch.equal(torch.get_rng_state(), state)


def test_a_warm_value_begins_as_what_the_layer_says(lm: Engine) -> None:
    site = lm.sites.block(2)
    (payload,) = GraceRelative(layer=2, steps=1, rate=1e-9).fit(FACTS[:1], lm)
    ids = torch.tensor(lm.tokenizer(FACTS[0].prompt).input_ids)
    _, y = observe(lm, [ids], [len(ids) - 1], [site])[site]
    assert torch.allclose(torch.as_tensor(payload[f"{site}/value"]), y[0], atol=1e-4)


def test_what_it_cannot_do_is_refused(lm: Engine) -> None:
    with pytest.raises(InvalidEditError, match="no target"):
        Grace().fit([Edit.from_statement("Our refund window is 60 days.")], lm)
    with pytest.raises(InvalidEditError, match="last token is also its first"):
        Grace().fit([Edit("A", "b")], lm)
    for wrong in ({"steps": 0}, {"rate": 0.0}, {"radius": -1.0}, {"initial": "hot"}):
        with pytest.raises(InvalidInputError):
            Grace(**wrong)
