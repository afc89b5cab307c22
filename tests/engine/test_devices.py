"""Tensors meet where the base is: on the meta device here, on an accelerator where there is one.

``pytest -m cuda`` runs the second part; MEMEDIT_TEST_DEVICE names another device (cpu: whether the
tests themselves run).
"""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch
from torch import Tensor

from memedit import Edit, EditableModel, EditMemory
from memedit.core.calls import Row, Step
from memedit.core.types import Decision, Hit, Record
from memedit.editors.grace import Grace
from memedit.editors.memit import Memit
from memedit.editors.rome import Rome
from memedit.engine.codebook import Codebook, Rule
from memedit.engine.encoders import HashingEncoder
from memedit.engine.interventions import Columns, Dense, LoRA, LowRank, Neurons, SideFFN
from tests.helpers import byte_tokenizer, tiny_model

DEVICE = os.environ.get("MEMEDIT_TEST_DEVICE", "cuda")
B, T, D_IN, D_OUT = 3, 5, 6, 4


def cuda(test: Any) -> Any:
    missing = DEVICE == "cuda" and not torch.cuda.is_available()
    reason = "There is no CUDA device: run pytest -m cuda where there is one."
    return pytest.mark.cuda(pytest.mark.skipif(missing, reason=reason)(test))


def _forms() -> dict[str, tuple[Any, dict[str, Tensor | str | float]]]:
    torch.manual_seed(0)
    on: Any = {"site": "s", "editor": "e"}
    wide, narrow = torch.randn(2, D_IN), torch.randn(2, D_OUT)
    lora = LoRA(site="s", a=torch.randn(2, D_IN), b=torch.randn(D_OUT, 2), scale=0.5)
    return {
        "low rank": (LowRank(**on), {"u": wide, "v": narrow}),
        "dense": (Dense(**on), {"delta": torch.randn(D_OUT, D_IN)}),
        "columns": (Columns(**on), {"units": torch.tensor([[1.0], [4.0]]), "values": narrow}),
        "neurons": (Neurons(**on), {"k": wide, "b": torch.zeros(2, 1), "v": narrow}),
        "side": (SideFFN(**on), {"w1": wide, "w2": narrow}),
        "lora": (lora, {}),
    }


def _rows(payload: dict[str, Tensor | str | float]) -> list[Row]:
    edit = Edit("prompt", "target")
    hit = Hit(Record(edit, 1, 1, payloads={"e": payload}), 1.0)
    return [Row("p", decision=Decision(hits)) for hits in ((hit,), (), (hit,))]


def _step(device: str) -> Step:
    last = torch.tensor([T - 1, T - 2, T - 1], device=device)
    return Step(True, last, torch.ones(B, T, dtype=torch.bool, device=device))


@pytest.mark.parametrize("name", list(_forms()))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_payloads_go_where_the_activations_are(name: str, dtype: torch.dtype) -> None:
    form, payload = _forms()[name]
    # A tensor that stays on the CPU cannot be computed with one that is nowhere.
    x, y = (torch.empty(B, T, d, device="meta", dtype=dtype) for d in (D_IN, D_OUT))
    out = form.bind(_rows(payload))(x, y, _step("meta"))
    assert out.device.type == "meta" and out.shape == y.shape and out.dtype == dtype


@cuda
@pytest.mark.parametrize("name", list(_forms()))
def test_forms_are_there_what_they_are_here(name: str) -> None:
    form, payload = _forms()[name]
    x, y = torch.randn(B, T, D_IN), torch.randn(B, T, D_OUT)
    here = form.bind(_rows(payload))(x, y, _step("cpu"))
    there = form.bind(_rows(payload))(x.to(DEVICE), y.to(DEVICE), _step(DEVICE))
    torch.testing.assert_close(there.cpu(), here, atol=1e-4, rtol=1e-4)
    if name != "lora":  # which has no gate: it is called with rows that want it
        assert torch.equal(there[1].cpu(), y[1])


@cuda
def test_a_codebook_is_there_what_it_is_here() -> None:
    x, y = torch.randn(B, T, D_IN), torch.randn(B, T, D_OUT)
    payload: Any = {"key": x[0, T - 1], "value": torch.ones(D_OUT), "label": "a"}
    form = Codebook(site="s", editor="e", rule=Rule(0.5))
    there = form.bind(_rows(payload))(x.to(DEVICE), y.to(DEVICE), _step(DEVICE)).cpu()
    assert torch.equal(there[0, T - 1], torch.ones(D_OUT)) and torch.equal(there[1:], y[1:])


FACTS = [
    Edit("The capital of France is", "Lyon", "France"),
    Edit("The capital of Spain is", "Vigo", "Spain"),
]
EDITORS: dict[str, Any] = {
    "note": "note",
    "ike": "ike",
    "serac": "serac",
    "grace": Grace(steps=3),
    "rome": Rome(statistics="identity", steps=3),
    "memit": Memit(statistics="identity", steps=3),
}


def _model(name: str, device: str) -> EditableModel:
    base = tiny_model("llama").to(device)
    memory = EditMemory(None, HashingEncoder(64))
    made = EditableModel(
        base, byte_tokenizer(), memory=memory, editor=EDITORS[name], scope="mention"
    )
    made.edit_many(FACTS)
    return made


@cuda
@pytest.mark.parametrize("name", list(EDITORS))
def test_editors_answer_there(name: str) -> None:
    model = _model(name, DEVICE)
    base, tokenizer = model.base, model.tokenizer
    options: Any = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 259}
    outside = tokenizer(["Water boils at", "Snow"], return_tensors="pt", padding=True)
    outside = {key: outside[key].to(DEVICE) for key in ("input_ids", "attention_mask")}
    # Out of scope bit for bit, in a batch with padding, and the caches that generation keeps.
    assert torch.equal(model(**outside).logits, base(**outside).logits)
    assert torch.equal(model.generate(**outside, **options), base.generate(**outside, **options))
    inside = tokenizer([FACTS[0].prompt], return_tensors="pt").input_ids.to(DEVICE)
    said = model.generate(inside, **options)
    assert said.device == inside.device and len(model.decide([FACTS[0].prompt])[0].hits)
    mixed = tokenizer([FACTS[0].prompt, "Water"], return_tensors="pt", padding=True)
    mixed = {key: mixed[key].to(DEVICE) for key in ("input_ids", "attention_mask")}
    both = model.generate(**mixed, **options)
    assert both.shape[0] == 2 and bool(torch.isfinite(model(**mixed).logits).all())


@cuda
def test_statistics_are_collected_there(tmp_path: Any) -> None:
    from memedit.editors.weights.statistics import collect

    model = _model("rome", DEVICE)
    made = collect(
        model.engine, [1], ["Snow is white and cold. " * 20], tokens=200, folder=tmp_path
    )
    assert made[0].tokens >= 100 and made[0].trace > 0
