"""Edits of weights one after another: the shadow, merging, what depends on what; every editor."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from memedit import Edit, EditableModel
from memedit.core.errors import EntangledEditError, InvalidEditError, InvalidInputError
from memedit.core.protocols import ChangesWeights, MeasuresDistance
from memedit.editors import available, editor_class
from memedit.editors.weights.base import sum_changes
from memedit.engine.engine import Engine
from memedit.scope import Mention
from tests.editors.helpers import FACTS, quick, tiny_engine, with_hypernetworks, with_statistics
from tests.helpers import byte_tokenizer, slow_unless, tiny_model

ARCHITECTURES = ("gpt2", "gptj", "llama", "qwen2", "gemma3_text")
EDITORS = [name for name in available() if hasattr(editor_class(name), "changes")]
PROMPTS = [edit.prompt for edit in FACTS] + ["The colour of the sky is"]
Build = Callable[..., EditableModel]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEMEDIT_CACHE", str(folder))
        for arch in ARCHITECTURES:
            with_hypernetworks(with_statistics(tiny_engine(arch)))
    return folder


@pytest.fixture
def build(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    monkeypatch.setenv("MEMEDIT_CACHE", str(cache))

    def built(editor: Any = None, arch: str = "llama", **options: Any) -> EditableModel:
        options = {"scope": "everything", "encoder": "hashing", **options}
        editor = quick("rome", steps=4) if editor is None else editor
        return EditableModel(tiny_model(arch), byte_tokenizer(), editor=editor, **options)

    return built


def digest(base: Any) -> str:
    found = hashlib.sha256()
    for parameter in base.parameters():
        found.update(parameter.detach().float().numpy().tobytes())
    return found.hexdigest()


def logits(model: Any, prompts: list[str] = PROMPTS) -> list[torch.Tensor]:
    with torch.no_grad():
        rows = [model.tokenizer(p, return_tensors="pt").input_ids for p in prompts]
        return [model(input_ids=row).logits[0] for row in rows]


def unedited(model: EditableModel) -> list[torch.Tensor]:
    """The base's own logits."""
    with torch.no_grad():
        rows = [model.tokenizer(p, return_tensors="pt").input_ids for p in PROMPTS]
        return [model.base(input_ids=row).logits[0] for row in rows]


def same(
    one: list[torch.Tensor], two: list[torch.Tensor], *, atol: float = 0.0, rtol: float = 1e-5
) -> bool:
    """Bit for bit, unless a tolerance is given."""
    pairs = zip(one, two, strict=True)
    if not atol:
        return all(torch.equal(a, b) for a, b in pairs)
    return all(torch.allclose(a, b, atol=atol, rtol=rtol) for a, b in pairs)


def payloads_of(model: EditableModel) -> list[Any]:
    return [record.payloads[model.editor.name] for record in model.memory.records()]


@pytest.mark.parametrize("arch", [slow_unless(arch == "llama", arch) for arch in ARCHITECTURES])
@pytest.mark.parametrize("name", EDITORS)
def test_single_batch_and_sequential(name: str, arch: str, build: Build) -> None:
    """One edit, then two together on top: all of them are in the answers, none in the base."""
    model = build(quick(name), arch)
    before, base = digest(model.base), unedited(model)
    assert same(logits(model), base)
    model.edit(FACTS[0])
    single = logits(model)
    model.edit_many(FACTS[1:])
    held = payloads_of(model)
    assert [payload["fitted_at"] for payload in held] == [0, 1, 1]
    edited = logits(model)
    assert not same(edited, base) and not same(edited, single)
    by_hand = Engine(tiny_model(arch), byte_tokenizer()).shadow(sum_changes(held))
    with torch.no_grad():
        rows = [model.tokenizer(p, return_tensors="pt").input_ids for p in PROMPTS]
        expected = [by_hand.base(input_ids=row).logits[0] for row in rows]
    assert same(edited, expected, atol=1e-4, rtol=1e-4)
    asked = model.tokenizer(PROMPTS[0], return_tensors="pt")
    options: dict[str, Any] = {"max_new_tokens": 3, "do_sample": False}
    said = model.generate(**asked, **options)
    assert torch.equal(said, by_hand.base.generate(**asked, **options))
    assert all(torch.isfinite(each).all() for each in edited)
    assert isinstance(model.editor, MeasuresDistance)
    far = model.editor.distance(list(model.memory.records()))
    assert far.keys() == sum_changes(held).keys()
    assert all(far[site] == pytest.approx(float(d.norm())) for site, d in sum_changes(held).items())
    with model.merged():
        assert digest(model.base) != before
        assert same(logits(model), edited, atol=1e-5, rtol=1e-4)
    assert digest(model.base) == before
    with model.unedited():
        assert same(logits(model), base)


@pytest.mark.slow
@pytest.mark.parametrize("name", EDITORS)
def test_gated_edits_stand_for_themselves(name: str, build: Build) -> None:
    """Gated, each edit is fitted alone on the base, whatever was added with it or before."""
    model = build(quick(name), scope=Mention(relation=0.2))
    model.edit(FACTS[0])
    model.edit_many(FACTS[1:])
    for edit, payload in zip(FACTS, payloads_of(model), strict=True):
        alone = quick(name).fit([edit], tiny_engine())[0]
        assert payload.keys() == alone.keys() and "fitted_at" not in payload
        assert all(
            torch.equal(d, sum_changes([alone])[s]) for s, d in sum_changes([payload]).items()
        )
    base = unedited(model)
    assert same(logits(model)[3:], base[3:]) and not same(logits(model)[:1], base[:1])


def test_the_next_edit_is_fitted_on_the_model_with_those_before(build: Build) -> None:
    model = build()
    for edit in FACTS:
        model.edit(edit)
    lm, by_hand = tiny_engine(), []
    for edit in FACTS:
        by_hand += model.editor.fit([edit], lm)
        lm = tiny_engine().shadow(sum_changes(by_hand))
    for ours, theirs in zip(payloads_of(model), by_hand, strict=True):
        for site, change in sum_changes([ours]).items():
            assert torch.allclose(change, sum_changes([theirs])[site], atol=1e-5)
    view = model.view()
    assert [record.edit for record in view.records] == list(FACTS)
    assert view.original is model.engine


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_merged_gives_the_weights_back_whatever_happens(
    build: Build, error: type[BaseException]
) -> None:
    model = build(quick("memit", steps=4))
    model.edit_many(FACTS)
    before = digest(model.base)
    pointers = [p.data_ptr() for p in model.base.parameters()]
    with pytest.raises(error), model.merged():
        assert digest(model.base) != before
        raise error
    assert digest(model.base) == before
    assert [p.data_ptr() for p in model.base.parameters()] == pointers


def test_an_interrupt_while_the_weights_are_written_restores_them(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build(quick("memit", steps=4))
    model.edit_many(FACTS)
    before = digest(model.base)
    find, calls = model.base.get_submodule, []

    def interrupted(path: str) -> Any:
        calls.append(path)
        if len(calls) == 4:  # two to read the weights, one written, one to go
            raise KeyboardInterrupt
        return find(path)

    monkeypatch.setattr(model.base, "get_submodule", interrupted)
    with pytest.raises(KeyboardInterrupt), model.merged():
        pytest.fail("never entered")
    monkeypatch.undo()
    assert len(calls) == 4 and digest(model.base) == before


def test_what_merged_refuses(build: Build) -> None:
    model = build()
    model.edit(FACTS[0])
    with model.merged():
        with pytest.raises(InvalidInputError, match="already"), model.merged():
            pass
        with pytest.raises(InvalidInputError, match=r"outside of merged\(\)"):
            model.edit(FACTS[1])
        with pytest.raises(InvalidInputError, match="already"):
            model.view()
    ike = build("ike", scope="nearest")
    with pytest.raises(InvalidInputError, match="changes no weights"), ike.merged():
        pass
    with pytest.raises(InvalidInputError, match="changes no weights"):
        ike.view()


def test_the_last_edit_can_go_and_leaves_no_trace(build: Build) -> None:
    model = build()
    model.edit(FACTS[0])
    before, version = logits(model), model.memory.version
    model.edit(FACTS[1])
    after = logits(model)
    model.forget(FACTS[1].id)
    assert same(logits(model), before)
    model.restore(version + 1)
    assert same(logits(model), after)
    model.forget_many([edit.id for edit in FACTS[:2]])
    assert same(logits(model), unedited(model))


def test_what_others_were_fitted_on_cannot_go_unless_they_are_fitted_again(build: Build) -> None:
    model = build()
    model.edit(FACTS[0], source="a")
    model.edit(FACTS[1], source="b")
    model.edit(FACTS[2], source="c")
    kept = logits(model)
    with pytest.raises(EntangledEditError, match=r"2 other edits.*refit=True") as caught:
        model.forget(FACTS[0].id)
    assert caught.value.dependents == (FACTS[1].id, FACTS[2].id)
    assert same(logits(model), kept)
    version = model.memory.version
    model.forget(FACTS[0].id, refit=True)
    gone = [e.record.edit for e in model.history() if e.version == version + 1]
    assert gone == [*FACTS[:3]]  # all in one: nobody sees some of them without the others
    fresh = build()
    fresh.edit(FACTS[1])
    fresh.edit(FACTS[2])
    assert [r.edit for r in model.memory.records()] == [r.edit for r in fresh.memory.records()]
    assert [r.source for r in model.memory.records()] == ["b", "c"]
    assert same(logits(model), logits(fresh), atol=1e-5)


def test_edits_made_together_belong_together(build: Build) -> None:
    model = build(quick("memit"))
    model.edit_many(FACTS)
    with pytest.raises(EntangledEditError) as caught:
        model.forget(FACTS[2].id)
    assert caught.value.dependents == (FACTS[0].id, FACTS[1].id)
    model.forget(FACTS[2].id, refit=True)
    fresh = build(quick("memit"))
    fresh.edit_many(FACTS[:2])
    assert same(logits(model), logits(fresh), atol=1e-5)


def test_an_edit_that_replaces_the_last_one_is_fitted_without_it(build: Build) -> None:
    model = build()
    model.edit(FACTS[0])
    newer = Edit("The capital of France is", "Nice", subject="France")
    receipt = model.edit(newer)
    assert [record.edit for record in receipt.superseded] == [FACTS[0]]
    fresh = build()
    fresh.edit(newer)
    assert same(logits(model), logits(fresh), atol=1e-6)
    model.edit(FACTS[1])
    with pytest.raises(EntangledEditError):
        model.edit(FACTS[0])
    assert [r.edit for r in model.memory.records()] == [newer, FACTS[1]]
    version = model.memory.version
    assert model.edit(FACTS[1]).status == "duplicate" and model.memory.version == version


def test_edits_in_one_call_that_replace_each_other(build: Build) -> None:
    model = build(quick("memit"))
    newer = Edit("The capital of France is", "Nice", subject="France")
    model.edit_many([FACTS[0], FACTS[1], newer])
    fresh = build(quick("memit"))
    fresh.edit_many([FACTS[1], newer])
    assert same(logits(model), logits(fresh), atol=1e-5)


def test_imported_edits_are_fitted_when_they_are_first_asked_for(
    build: Build, tmp_path: Path
) -> None:
    file = tmp_path / "facts.jsonl"
    source = build()
    source.edit_many(FACTS)
    source.memory.export(file)
    model = build()
    model.import_edits(file)
    assert same(logits(model), logits(source), atol=1e-5)
    assert not any(record.payloads for record in model.memory.records())
    assert model.compile_edits() == 3
    assert [p["fitted_at"] for p in payloads_of(model)] == [1, 1, 1]
    assert same(logits(model), logits(source), atol=1e-5)


def test_another_editor_fits_what_the_first_fitted_in_passing(build: Build) -> None:
    model, other = build(), build(quick("ft_m"))
    for each in (model, other):
        each.memory.add_many(FACTS)
    logits(model)
    model.editor = other.editor
    assert same(logits(model), logits(other), atol=1e-5)


def test_what_is_stored_counts_more_than_what_was_fitted_in_passing(build: Build) -> None:
    model = build(quick("memit"))
    model.memory.add(FACTS[0])
    alone = logits(model)  # fitted in passing, alone
    model.memory.add(FACTS[1])
    assert model.compile_edits() == 2  # fitted together
    stored = build(quick("memit"), memory=model.memory)
    assert same(logits(model), logits(stored), atol=1e-5)
    assert not same(logits(model), alone, atol=1e-3)


@pytest.mark.parametrize("name", EDITORS)
def test_who_adds_many_edits_hears_how_far_it_is(name: str, build: Build) -> None:
    heard: list[int] = []
    model = build(quick(name))
    model.edit_many(FACTS, progress=heard.append)
    assert heard == sorted(set(heard)) and heard[-1] == len(FACTS)


@pytest.mark.slow
def test_a_fit_is_heard_edit_by_edit_and_only_where_it_was_asked_for(build: Build) -> None:
    heard: list[tuple[int, int]] = []
    model = build()
    model.edit_many(FACTS, progress=lambda done: heard.append((done, len(model.memory))))
    assert heard[:3] == [(1, 0), (2, 0), (3, 0)]  # while they are fitted, not when they are stored
    model.edit_many([Edit("The capital of Spain is", "Cadiz", subject="Spain")])
    assert len(heard) == 3
    other = build()
    other.memory.add_many(FACTS)
    told: list[int] = []
    assert other.compile_edits(progress=told.append) == 3 and told == [1, 2, 3]


def test_a_memory_on_disk_gives_the_same_model_again(build: Build, tmp_path: Path) -> None:
    model = build(memory=tmp_path)
    for edit in FACTS[:2]:
        model.edit(edit)
    again = build(memory=tmp_path)
    assert same(logits(again), logits(model), atol=1e-6)
    one = [c.text for c in model.ask(PROMPTS, max_new_tokens=6)]
    assert [c.text for c in again.ask(PROMPTS, max_new_tokens=6)] == one
    together = model.score(PROMPTS, ["Lyon"] * len(PROMPTS))
    alone = [model.score([p], ["Lyon"])[0] for p in PROMPTS]
    for a, b in zip(together, alone, strict=True):
        assert a.logprob == pytest.approx(b.logprob, abs=1e-4)


def test_namespaces_are_other_models(build: Build) -> None:
    model = build()
    model.edit(FACTS[0], namespace="a")
    base = unedited(model)
    assert same(logits(model), base)
    with model.using(namespace="a"):
        assert not same(logits(model), base)


@pytest.mark.parametrize("name", EDITORS)
def test_an_edit_without_what_is_needed_is_refused_before_anything_is_stored(
    name: str, build: Build
) -> None:
    model = build(quick(name))
    with pytest.raises(InvalidEditError, match=f"{name!r} needs a"):
        model.edit("Our refund window is 60 days.")
    if "subject" in model.editor.needs:
        with pytest.raises(InvalidEditError, match="needs a subject"):
            model.edit("The capital of France is", "Lyon")
    with pytest.raises(InvalidEditError, match="does not occur in prompt"):
        model.edit("The capital of France is", "Lyon", subject="Spain")
    assert not len(model.memory)


def test_who_changes_weights() -> None:
    from memedit.editors import load_editor

    assert {n for n in available() if isinstance(load_editor(n), ChangesWeights)} == set(EDITORS)
    assert {"ike", "serac"}.isdisjoint(EDITORS) and "rome" in EDITORS
