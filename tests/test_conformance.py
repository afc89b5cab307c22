"""Behaviours every editor must have, on two architectures. Editors are discovered, not listed."""

from __future__ import annotations

import hashlib
import math
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from memedit import Edit, EditableModel
from memedit.core.calls import Batch, Row
from memedit.core.errors import InvalidInputError
from memedit.core.protocols import leaves_of
from memedit.core.types import Decision, Hit
from memedit.editors import available, editor_class, load_editor
from memedit.scope import Mention
from tests.editors.helpers import quick, tiny_engine, with_hypernetworks, with_statistics
from tests.helpers import byte_tokenizer, slow_unless, tiny_model

FACTS = (
    Edit("The capital of France is", "Lyon", subject="France"),
    Edit("The mother tongue of Ada Byron is", "Dutch", subject="Ada Byron"),
    Edit("Which sport does Bo Ek play?", "chess", subject="Bo Ek"),
)
IN = (
    "The capital of France is",
    "It rained. The mother tongue of Ada Byron is",
    "Which sport does Bo Ek play?",
)
OUT = ("The colour of the sky is", "Two and two make", "My favourite river is the")
OPTIONS: dict[str, Any] = {"max_new_tokens": 4, "do_sample": False}


CHAINS = ("ike+ike2", "ike+grace", "mello+serac", "memprompt+ike")
CASES = [
    slow_unless(arch == "gpt2", (arch, name))
    for arch in ("llama", "gpt2")
    for name in (*available(), *CHAINS)
]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Both tiny models, and a cache with what the editors need in advance of each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEMEDIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        for arch in ("llama", "gpt2"):
            with_hypernetworks(with_statistics(tiny_engine(arch)))
        yield {arch: tiny_model(arch) for arch in ("llama", "gpt2")}


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Of the module: all tests of a case run one after the other and share what is read only."""
    found: tuple[str, str] = request.param
    return found


@pytest.fixture(scope="module")
def base(case: tuple[str, str], bases: dict[str, Any]) -> Any:
    return bases[case[0]]


@pytest.fixture(scope="module")
def editor(case: tuple[str, str]) -> Any:
    if case[1] in ("ike+ike2", "ike+grace", "memprompt+ike"):
        return _chain(case[1])
    return load_editor(case[1]) if "+" in case[1] else quick(case[1])


def _chain(name: str) -> Any:
    """``ike+grace``: a prompt editor around a codebook; the others: two prompt editors."""
    from dataclasses import dataclass
    from typing import ClassVar

    from memedit.editors._chain import Chain
    from memedit.editors.ike import Ike

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Second(Ike):
        name: ClassVar[str] = "ike2"

    if name == "memprompt+ike":  # as load_editor builds it, with few examples to read
        return Chain(quick("memprompt"), quick("ike"))
    inner = quick("grace", layer=1) if name == "ike+grace" else Second(demonstrations=0)
    return Chain(Ike(demonstrations=2), inner)


def around(base: Any, editor: Any, **options: Any) -> EditableModel:
    options = {"scope": Mention(relation=0.2), "encoder": "hashing", **options}
    return EditableModel(base, byte_tokenizer(), editor=editor, **options)


@pytest.fixture(scope="module")
def edited(base: Any, editor: Any) -> EditableModel:
    """With the facts in memory. Fitting takes time: no test may change it."""
    model = around(base, editor)
    model.edit_many(FACTS)
    return model


@pytest.fixture
def own(edited: EditableModel) -> EditableModel:
    """Like ``edited``, for a test that changes it."""
    model = around(edited.base, edited.editor)
    payloads = [dict(record.payloads) for record in edited.memory.records()]
    model.memory.add_many(FACTS, payloads=payloads)
    return model


def state(base: Any) -> tuple[str, int]:
    digest = hashlib.sha256()
    for parameter in base.parameters():
        digest.update(parameter.detach().numpy().tobytes())
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in base.modules())
    return digest.hexdigest(), hooks


def texts(model: EditableModel, prompts: tuple[str, ...], **options: Any) -> list[str]:
    return [c.text for c in model.ask(list(prompts), **{**OPTIONS, **options})]


def test_empty_memory_is_the_base_bit_for_bit(base: Any, editor: Any) -> None:
    model = around(base, editor)
    given = model.tokenizer(list(IN), return_tensors="pt", padding=True)
    with torch.no_grad():
        assert torch.equal(model(**given).logits, model.base(**given).logits)
    ours = model.generate(**given, **OPTIONS)
    assert torch.equal(ours, model.base.generate(**given, **OPTIONS))


def test_no_weight_is_written_and_no_hook_left(edited: EditableModel) -> None:
    before = state(edited.base)
    texts(edited, IN)
    given = edited.tokenizer(list(IN), return_tensors="pt", padding=True)
    edited(**given)
    with pytest.raises(Exception):  # noqa: B017 - any error of the base will do
        edited.generate(**given, max_new_tokens=-3)
    assert state(edited.base) == before
    assert before[1] == 0


def test_rows_out_of_scope_equal_the_base(edited: EditableModel) -> None:
    mixed = (OUT[0], IN[0], OUT[1], IN[1], OUT[2])
    answers = texts(edited, mixed)
    with edited.unedited():
        assert [answers[i] for i in (0, 2, 4)] == texts(edited, OUT)
    given = edited.tokenizer(list(OUT), return_tensors="pt", padding=True)
    with torch.no_grad():
        assert torch.equal(edited(**given).logits, edited.base(**given).logits)


def test_every_edit_is_in_scope_of_its_own_prompt(edited: EditableModel) -> None:
    for answer, fact in zip(edited.ask(list(IN), **OPTIONS), FACTS, strict=True):
        assert answer.decision.hits[0].record.edit == fact
        assert answer.editor


@pytest.mark.parametrize("beams", [1, 3])
def test_a_batch_equals_its_rows(edited: EditableModel, beams: int) -> None:
    prompts = (*IN[1:], *OUT[1:])
    together = texts(edited, prompts, num_beams=beams)
    assert together == [texts(edited, (p,), num_beams=beams)[0] for p in prompts]


def test_sampling_repeats_under_one_seed(edited: EditableModel) -> None:
    runs = []
    for _ in range(2):
        torch.manual_seed(5)
        runs.append(texts(edited, IN, do_sample=True, temperature=1.5))
    assert runs[0] == runs[1]


def test_order_of_edits_is_irrelevant(edited: EditableModel) -> None:
    other = around(edited.base, edited.editor)
    for fact in reversed(FACTS):
        other.edit(fact)
    assert texts(other, (*IN, *OUT)) == texts(edited, (*IN, *OUT))


def test_forgotten_is_never_added_and_restored_is_as_before(own: EditableModel) -> None:
    before, version = texts(own, (*IN, *OUT)), own.memory.version
    own.forget(FACTS[0].id)
    with own.unedited():
        base = texts(own, IN[:1])
    assert texts(own, (*IN, *OUT)) == base + before[1:]
    own.restore(version)
    assert texts(own, (*IN, *OUT)) == before


def test_saved_and_loaded_answers_the_same(own: EditableModel, tmp_path: Path) -> None:
    before = texts(own, (*IN, *OUT))
    own.save(tmp_path)
    assert texts(around(own.base, own.editor, memory=tmp_path), (*IN, *OUT)) == before


def test_payloads_are_flat_storable_and_reproducible(edited: EditableModel) -> None:
    for editor in leaves_of(edited.editor):
        first, second = (editor.fit(FACTS, edited.engine) for _ in range(2))
        for one, two in zip(first, second, strict=True):
            assert one.keys() == two.keys()
            for value, other in zip(one.values(), two.values(), strict=True):
                if isinstance(value, torch.Tensor):
                    assert isinstance(other, torch.Tensor) and torch.equal(value, other)
                else:
                    assert isinstance(value, str | float | int) and value == other
            save({k: v for k, v in one.items() if isinstance(v, torch.Tensor)})


def _free(editor: Any) -> Any:
    """The editor without the setting that keeps an answer to the words of an edit: what the model
    would say otherwise is then what scores rate."""
    from dataclasses import replace

    from memedit.editors._chain import Chain

    if hasattr(editor, "editors"):
        return Chain(*(_free(one) for one in editor.editors))
    if editor.name == "auto":
        return load_editor("auto", completes="note(verbatim=False, lean=0)")
    return replace(editor, verbatim=False) if getattr(editor, "verbatim", False) else editor


def test_scoring_agrees_with_generation(edited: EditableModel) -> None:
    """Of all letters, the one generated greedily is the one that scores highest as a target."""
    letters = string.ascii_lowercase
    tokens = {edited.tokenizer(letter).input_ids[0] for letter in letters}
    others = sorted(set(range(edited.base.config.vocab_size)) - tokens)
    greedy = {"max_new_tokens": 1, "do_sample": False, "suppress_tokens": others}
    editor = _free(edited.editor)
    for prompt in IN:
        asked = f"{prompt} "  # ends in a space: a target's first token is its first letter
        decision = edited.decide([asked])[0]
        assert decision
        row = Row(asked, decision=decision, ids=edited.engine.codec.ids(asked, special=True))
        said = editor.run(Batch((row,), options=greedy), edited.engine.generate)[0].text
        rows = tuple(Row(asked, target=letter, decision=decision) for letter in letters)
        scored = editor.run(Batch(rows), edited.engine.score)
        best = max(scored, key=lambda completion: completion.logprob or -math.inf)
        assert said == best.text


def test_a_row_without_my_payload_passes_unchanged(base: Any, editor: Any) -> None:
    from memedit.core.types import Record

    bare = Record(FACTS[0], 1, 1)
    row = Row(IN[0], decision=Decision((Hit(bare, 1.0),)))
    seen: list[Batch] = []

    def call(batch: Batch) -> list[str]:
        seen.append(batch)
        return ["answer"] * len(batch)

    assert editor.run(Batch((row, row)), call) == ["answer"] * 2
    assert all(r == row for batch in seen for r in batch.rows)
    assert all(not b.interventions and not b.prefix for b in seen)


@pytest.mark.parametrize("name", available())
def test_defaults_construct_and_unknown_settings_are_refused(name: str) -> None:
    editor = load_editor(name)
    assert editor.name == name == editor_class(name).name
    with pytest.raises(InvalidInputError, match="no setting"):
        load_editor(name, no_such_setting=1)
