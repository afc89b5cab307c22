"""The counterfactual adapter: examples, what training reads against what the runtime asks, and the
whole job on a tiny model."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from memedit.core.calls import Batch, Row
from memedit.core.errors import InvalidInputError
from memedit.editors.prompting.adapter import WEIGHTS, Adapter
from memedit.editors.serac import Serac
from memedit.engine import loading
from memedit.engine.engine import Engine
from memedit.engine.tokens import Codec
from memedit.model.editable import EditableModel
from memedit.scope import Nearest
from memedit.training.counterfactual import Renderer
from memedit.training.examples import Example, Examples
from memedit.training.jobs import train_adapter
from memedit.training.loop import Schedule
from tests.training.test_scope import records, world

TEXTS = ["The weather was fine on the first day of the long trip."]


def test_examples_answer_with_the_fact_or_decline() -> None:
    examples, rng = Examples(world(), TEXTS), random.Random(0)
    drawn = [examples.draw(rng) for _ in range(600)]
    declined = [e for e in drawn if not e.answer]
    assert 0.3 < len(declined) / len(drawn) < 0.5
    for example in drawn:
        stated = any(example.answer in fact for fact in example.facts)
        assert stated and example.query and 1 <= len(example.facts) <= 3
    asked = {(e.facts, e.before, e.query) for e in drawn if e.answer}
    assert not asked & {(e.facts, e.before, e.query) for e in declined}
    again = Examples(world(), TEXTS)
    assert again.draw(random.Random(5)) == examples.draw(random.Random(5))


def test_training_reads_what_the_runtime_asks(tiny: Any, tiny_tokenizer: Any) -> None:
    """The rendered prompt of an example is, token for token, what Serac sends to the engine."""
    base = tiny("llama")
    render = Renderer(
        tiny_tokenizer, Codec(tiny_tokenizer, loading.pad_id(tiny_tokenizer, base.config))
    )
    model = EditableModel(
        base,
        tiny_tokenizer,
        editor=Serac(counterfactual="base"),
        scope=Nearest(),
        encoder="hashing",
    )
    model.edit("Ada Byron was born in", "Oslo", subject="Ada Byron")
    fact = "Ada Byron was born in Oslo"
    seen: list[list[int]] = []

    def call(batch: Batch) -> list[Any]:
        seen.extend(render.codec.prompt(row, prefixed=False).tolist() for row in batch.rows)
        return model.engine.generate(batch)

    cases = (
        ("It rained. Ada Byron was born in", "It rained.", "Ada Byron was born in", False),
        ("Where was Ada Byron born?", "", "Where was Ada Byron born?", False),
        ("Where was Ada Byron born?", "", "Where was Ada Byron born?", True),
    )
    for text, before, query, chat in cases:
        way = model._answering
        row = way.decide_rows([way.row(way.encode(text, chat=chat))])[0]
        options = {"max_new_tokens": 1, "do_sample": False}
        model.editor.run(Batch((row,), options=options), call)
        prompt, target = render(Example((fact,), query, "Oslo", before, chat))
        assert seen[-1] == prompt
        assert tiny_tokenizer.decode(target[:-1]).strip() == "Oslo"
        assert target[-1] == tiny_tokenizer.eos_token_id
        assert render(Example((fact,), query, "", before, chat)) == (prompt, target[-1:])


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    from tests.helpers import byte_tokenizer, tiny_model

    folder = tmp_path_factory.mktemp("job")
    tiny_model("llama").save_pretrained(folder / "base")
    byte_tokenizer().save_pretrained(folder / "base")
    (folder / "facts.jsonl").write_text(records(world()))
    (folder / "text.txt").write_text(TEXTS[0] + "\n")
    return {
        "data": [folder / "facts.jsonl"],
        "texts": [folder / "text.txt"],
        "model": str(folder / "base"),
        "schedule": Schedule(steps=4, batch=4, save_every=2, rate=1e-2, warmup=1),
        "folder": folder,
    }


def run(job: dict[str, Any], out: str, report: Any = lambda step, values: None) -> Path:
    chosen = {k: v for k, v in job.items() if k != "folder"}
    data, texts = chosen.pop("data"), chosen.pop("texts")
    train_adapter(data, texts, job["folder"] / out, report=report, **chosen)
    return Path(job["folder"] / out)


@pytest.mark.slow
def test_the_job_saves_an_adapter_for_its_base(job: dict[str, Any]) -> None:
    losses: list[float] = []
    out = run(job, "whole", lambda step, values: losses.append(values["loss"]))
    manifest = json.loads((out / "manifest.json").read_text())
    base, _ = loading.load(job["model"])
    assert manifest["base"] == loading.fingerprint(base)
    assert set(manifest["metrics"]) == {"answered", "declined"} and len(losses) == 4
    adapter = Adapter.load(out)
    assert any(module.b.abs().max() > 0 for module in adapter.modules)
    assert not (out / "checkpoint.safetensors").exists()

    class Stop(Exception):
        pass

    def interrupt(step: int, values: dict[str, float]) -> None:
        if step == 3:
            raise Stop

    with pytest.raises(Stop):
        run(job, "parts", interrupt)
    again = Adapter.load(run(job, "parts"))
    assert all(torch.equal(m.b, n.b) for m, n in zip(adapter.modules, again.modules, strict=True))


def test_a_checkpoint_is_of_files_that_were_data_and_of_others_that_were_texts(
    job: dict[str, Any],
) -> None:
    def interrupt(step: int, values: dict[str, float]) -> None:
        if step == 3:
            raise KeyboardInterrupt

    more = job["folder"] / "more.jsonl"
    more.write_text(records(world()[:3]))
    with pytest.raises(KeyboardInterrupt):
        run({**job, "data": [*job["data"], more]}, "moved", interrupt)
    with pytest.raises(InvalidInputError, match="other settings: the data, the texts"):
        run({**job, "texts": [more, *job["texts"]]}, "moved")


@pytest.mark.slow
def test_training_goes_on_from_an_adapter(job: dict[str, Any]) -> None:
    first = run(job, "first")
    still = {**job, "schedule": Schedule(steps=1, batch=1, rate=1e-12, warmup=1), "start": first}
    second = run(still, "second")
    a, b = Adapter.load(first), Adapter.load(second)
    assert all(
        torch.allclose(m.b, n.b, atol=1e-4) for m, n in zip(a.modules, b.modules, strict=True)
    )
    assert b.manifest["start"] == a.manifest
    cut = Path(job["folder"] / "cut")
    shutil.copytree(first, cut)
    tensors = load_file(cut / WEIGHTS)
    tensors.popitem()
    save_file(tensors, cut / WEIGHTS)
    with pytest.raises(InvalidInputError, match="does not fit"):
        run({**still, "start": cut}, "third")


@pytest.mark.slow
def test_the_interventions_are_pefts_adapter(job: dict[str, Any]) -> None:
    from peft import PeftModel

    out = run(job, "peft")
    base, tokenizer = loading.load(job["model"])
    ids = tokenizer("Where was Ada born?", return_tensors="pt").input_ids
    engine = Engine(base, tokenizer)
    adapter = Adapter.load(out)
    row = Row("Where was Ada born?", target="", ids=ids[0])
    ours = engine.logits(Batch((row,), interventions=adapter.modules), [row.prompt])[0]
    with torch.no_grad():
        plain = base(ids).logits[0]
        wrapped = PeftModel.from_pretrained(base, out)
        theirs = wrapped(ids).logits[0]
    assert torch.allclose(ours, theirs, atol=2e-3)
    assert (theirs - plain).abs().max() > 0.05
    wrapped.unload()


def test_a_folder_without_an_adapter_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="memedit train counterfactual"):
        Adapter.load(tmp_path)
