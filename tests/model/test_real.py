"""What is promised of the runtime, on the real default model and encoder."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
from typing import Any

import pytest
import torch

from memedit import Edit, EditableModel
from tests.helpers import shared_data

PROMPTS = int(os.environ.get("MEMEDIT_PROMPTS", "100"))
"""1,000 are bit-identical too, in two minutes: set MEMEDIT_PROMPTS=1000."""
CASES = 24 if "MEMEDIT_LONG_TESTS" in os.environ else 16


def digest(base: Any) -> str:
    found = hashlib.sha256()
    for parameter in base.parameters():
        found.update(parameter.detach().numpy().tobytes())
    return found.hexdigest()


def records(name: str, count: int) -> list[dict[str, Any]]:
    with gzip.open(shared_data(name), "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line, _ in zip(lines, range(count), strict=False)]


@pytest.fixture(scope="module")
def edited(smollm: tuple[Any, Any], minilm: Any) -> EditableModel:
    model = EditableModel(*smollm, encoder=minilm)
    model.edit_many(
        [
            Edit(
                rewrite["prompt"].replace("{}", rewrite["subject"]),
                rewrite["target_new"]["str"],
                rewrite["subject"],
            )
            for rewrite in (
                r["requested_rewrite"] for r in records("counterfact_full.jsonl.gz", 400)
            )
        ]
    )
    return model


def varied_prompts() -> list[str]:
    """Questions, sentences and neighbours of the edits: cut short, none repeated."""
    full = records("counterfact_full.jsonl.gz", 400)
    texts = [r["question"] for r in records("downstream/nq_open_dev.jsonl.gz", PROMPTS)]
    texts += [r["text"] for r in records("text/me_ppl_1k.jsonl.gz", PROMPTS)]
    texts += [text for r in full[:PROMPTS] for text in r["neighborhood_prompts"][:1]]
    return list(dict.fromkeys(text[:40].strip() for text in texts))


def out_of_scope(model: EditableModel, texts: list[str], count: int) -> list[str]:
    """``count`` of them, drawn; no more is decided than that takes."""
    drawn, found = random.Random(0).sample(texts, len(texts)), list[str]()
    while len(found) < count and drawn:
        asked, drawn = drawn[:25], drawn[25:]
        decided = zip(asked, model.decide(asked), strict=True)
        found += [text for text, decision in decided if not decision.bearing]
    assert len(found) >= count
    return found[:count]


@pytest.mark.slow
def test_logits_out_of_scope_are_the_bases_bit_for_bit(edited: EditableModel) -> None:
    before = digest(edited.base)
    outside = out_of_scope(edited, varied_prompts(), PROMPTS)
    for start in range(0, PROMPTS, 25):
        batch = outside[start : start + 25]
        given = edited.tokenizer(batch, return_tensors="pt", padding=True)
        with torch.no_grad():
            assert torch.equal(edited(**given).logits, edited.base(**given).logits), batch
    assert digest(edited.base) == before
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in edited.base.modules())


def test_prefix_reuse_gives_the_uncached_text(smollm: tuple[Any, Any]) -> None:
    from memedit.core.calls import Batch, Row
    from memedit.engine.engine import Engine

    engine = Engine(*smollm)
    prefix = "Fact: Oz is in Peru\nOz is in Peru\n\nFact: Ana plays chess\nAna plays chess\n\n"
    prompts = [
        "Fact: The capital of France is Lyon\nThe capital of France is",
        "Fact: Bo speaks Dutch\nThe mother tongue of Bo, who was born in a small town, is",
        "Who?",
    ]
    for beams in (1, 2):
        options = {"max_new_tokens": 6, "do_sample": False, "num_beams": beams}
        rows = tuple(Row(p) for p in prompts)
        cached = engine.generate(Batch(rows, prefix=prefix, options=options))
        for prompt, answer in zip(prompts, cached, strict=True):
            ids = torch.cat([engine.codec.ids(prefix), engine.codec.ids(prompt)])[None]
            plain = engine.base.generate(ids, attention_mask=torch.ones_like(ids), **options)
            tail = plain[0, ids.shape[1] :].tolist()
            assert answer.ids is not None and answer.ids[0, : len(tail)].tolist() == tail


def test_a_small_counterfact_run_keeps_its_figures(edited: EditableModel) -> None:
    """The benchmark in small, so that a regression is seen by the tests."""
    cases = records("counterfact_full.jsonl.gz", 400)[-CASES:]
    prompts = [
        (r["requested_rewrite"]["prompt"].replace("{}", r["requested_rewrite"]["subject"]),
         r["requested_rewrite"]["target_new"]["str"])
        for r in cases
    ]  # fmt: skip
    decisions = edited.decide([p for p, _ in prompts])
    prompts = [prompt for prompt, decision in zip(prompts, decisions, strict=True) if decision]
    answers = edited.ask([p for p, _ in prompts], max_new_tokens=10)
    right = sum(
        t.casefold() in a.text.casefold() for a, (_, t) in zip(answers, prompts, strict=True)
    )
    assert right >= 0.95 * len(cases) - 1
    paraphrases = [
        (p, r["requested_rewrite"]["target_new"]["str"])
        for r in cases[: CASES // 2]
        for p in r["paraphrase_prompts"]
    ]
    answers = edited.ask([p for p, _ in paraphrases], max_new_tokens=10)
    right = sum(
        t.casefold() in a.text.casefold() for a, (_, t) in zip(answers, paraphrases, strict=True)
    )
    assert right >= 0.65 * len(paraphrases)
