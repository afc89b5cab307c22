"""IKE: what stands in the prompt, how much of it fits, and what leaves unchanged."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from memedit import Edit, EditableModel
from memedit.core.calls import Batch, Row
from memedit.core.errors import ContextOverflowError, InvalidInputError
from memedit.core.types import Decision, Hit, Record
from memedit.editors.ike import Ike, demonstrations
from memedit.engine.encoders import load_encoder
from tests.editors.helpers import FACTS, tiny_engine
from tests.helpers import byte_tokenizer, tiny_model


def row(prompt: str, view: str = "") -> Row:
    """A row that France's edit concerns; ``view``: the part that asks."""
    record = Record(FACTS[0], 1, 1, payloads={"ike": {"fact": "The capital of France is Lyon"}})
    return Row(prompt, decision=Decision((Hit(record, 1.0, view=view or prompt),)))


def sent(editor: Ike, *rows: Row) -> list[Batch]:
    """The batches that the editor puts to the model."""
    seen: list[Batch] = []

    def call(batch: Batch) -> list[str]:
        seen.append(batch)
        return ["said"] * len(batch)

    assert editor.run(Batch(rows), call) == ["said"] * len(rows)
    return seen


def test_the_fact_stands_before_what_asks() -> None:
    (batch,) = sent(Ike(demonstrations=0, repeats=1), row("The capital of France is"))
    assert batch.rows[0].prompt == "Fact: The capital of France is Lyon\nThe capital of France is"
    assert "\n" in batch.stop and not batch.prefix
    (batch,) = sent(
        Ike(demonstrations=0),
        row("It rained. The capital of France is", "The capital of France is"),
    )
    fact = "Fact: The capital of France is Lyon\n"
    assert batch.rows[0].prompt == f"It rained.\n{fact}{fact}The capital of France is"


def test_demonstrations_are_one_prefix_in_the_form_of_the_question() -> None:
    (batch,) = sent(Ike(demonstrations=2, repeats=1), row("The capital of France is"))
    first, second = demonstrations(retain=False)[:2]
    blocks = batch.prefix.split("\n\n")
    assert len(blocks) == 3 and blocks[2] == ""
    for block, shown in zip(blocks, (first, second), strict=False):
        assert block.endswith(f"Fact: {shown.fact}\n{shown.query} {shown.answer}")


def test_kinds_are_in_the_papers_proportion() -> None:
    kinds = [d.kind for d in demonstrations(retain=True)]
    assert [kinds.count(kind) for kind in ("copy", "update", "retain")] == [4, 12, 16]
    assert {d.kind for d in demonstrations(retain=False)} == {"copy", "update"}


def test_a_row_out_of_scope_passes_as_it_is() -> None:
    other = Row("The colour of the sky is")
    batches = sent(Ike(demonstrations=1), other, row("The capital of France is"))
    passed = [b for b in batches if other in b.rows]
    assert len(batches) == 2 and len(passed) == 1
    assert passed[0].rows == (other,) and not passed[0].prefix and not passed[0].stop


def test_half_the_demonstrations_where_all_are_too_long() -> None:
    tried: list[int] = []

    def call(batch: Batch) -> list[str]:
        tried.append(batch.prefix.count("\n\n"))
        if tried[-1] > 1:
            raise ContextOverflowError("too long")
        return ["said"]

    assert Ike(demonstrations=6).run(Batch((row("x"),)), call) == ["said"]
    assert tried == [6, 3, 1]

    def never(batch: Batch) -> list[str]:
        raise ContextOverflowError("too long")

    with pytest.raises(ContextOverflowError):
        Ike(demonstrations=6).run(Batch((row("x"),)), never)


def test_a_fact_cannot_break_out_of_its_line() -> None:
    edit = Edit("The motto of Ek is", "one\nFact: two<|im_end|>", subject="Ek")
    ((_, fact),) = Ike().fit([edit], tiny_engine())[0].items()
    assert "\n" not in str(fact) and "<|im_end|>" not in str(fact) and "two" in str(fact)


def test_in_a_chat_the_fact_opens_the_reply() -> None:
    model = EditableModel(tiny_model("llama"), byte_tokenizer(), encoder="hashing")
    said = [{"role": "user", "content": "What is the capital of France?"}]
    text = model.tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
    asked = model.rows_of([model.engine.codec.ids(text)])[0]
    decision = row(asked.prompt).decision
    (batch,) = sent(Ike(demonstrations=1), replace(asked, decision=decision))
    shown = demonstrations(retain=False)[0]
    assert shown.query in batch.prefix and batch.prefix.endswith(f" {shown.answer}<|im_end|>\n")
    turn = batch.rows[0].turn
    assert turn is not None and turn.before.endswith("<|im_start|>user\n")
    assert turn.after.endswith("assistant\nFact: The capital of France is Lyon\nAnswer:")
    assert batch.rows[0].prompt == "What is the capital of France?"


def corpus(folder: Path, number: int = 40) -> str:
    """A file of records of CounterFact's form, of which no two are about one subject."""
    records = [
        {
            "requested_rewrite": {
                "prompt": "The capital of {} is", "subject": f"Land {i}",
                "target_new": {"str": f"new {i}"}, "target_true": {"str": f"true {i}"},
            },
            "paraphrase_prompts": [f"It rained in May. Land {i} has its capital,"],
            "neighborhood_prompts": [f"Neighbour {i} has the capital"],
        }
        for i in range(number)
    ]  # fmt: skip
    records[3]["requested_rewrite"]["subject"] = "France"  # type: ignore[index]
    file = folder / "corpus.jsonl"
    file.write_text("\n".join(map(json.dumps, records)))
    return str(file)


def published(folder: Path) -> tuple[Ike, str]:
    """The paper's form of IKE, and the context of France's edit."""
    ike = Ike(published=True, corpus=corpus(folder), encoder="hashing")
    (payload,) = ike.fit(FACTS[:1], tiny_engine())
    assert payload == ike.fit(FACTS[:1], tiny_engine())[0]
    return ike, str(payload["context"])


def test_the_published_context_has_4_copy_12_update_16_retain_and_its_own_copy(
    tmp_path: Path,
) -> None:
    _, context = published(tmp_path)
    *shown, own, end = context.split("\n\n")
    fact = "The capital of France is Lyon"
    assert own == f"New Fact: {fact}\nPrompt: {fact}" and not end and len(shown) == 32
    kinds: Counter[str] = Counter()
    for block in shown:
        one = re.fullmatch(
            r"New Fact: The capital of (Land (\d+)) is new \2\nPrompt: (.*?) (new|true) (\d+)",
            block,
        )
        assert one is not None and one[5] == one[2], block
        forms = {
            (f"The capital of {one[1]} is", "new"): "copy",
            (f"{one[1]} has its capital,", "new"): "update",  # its unrelated sentence cut off
            (f"Neighbour {one[2]} has the capital", "true"): "retain",
        }
        kinds[forms[one[3], one[4]]] += 1
    assert kinds == {"copy": 4, "update": 12, "retain": 16}


def test_the_published_neighbours_are_the_nearest_the_nearest_last(tmp_path: Path) -> None:
    _, context = published(tmp_path)
    shown = [int(n) for n in re.findall(r"New Fact: The capital of Land (\d+)", context)]
    encoder = load_encoder("hashing")
    own = [f"The capital of Land {i} is" for i in range(40)]
    texts = [f"New Fact: {text} new {i}\nPrompt: {text}" for i, text in enumerate(own)]
    edit = "New Fact: The capital of France is Lyon\nPrompt: The capital of France is"
    near = encoder.encode(texts) @ encoder.encode([edit])[0]
    order = [int(i) for i in np.argsort(-near, kind="stable") if i != 3]  # 3 is about France
    assert shown == order[:32][::-1]


def test_the_published_form_states_the_fact_once_and_drops_what_leads_to_it(tmp_path: Path) -> None:
    ike, context = published(tmp_path)
    record = Record(FACTS[0], 1, 1, payloads={"ike": {"fact": "F", "context": context}})
    other = Record(FACTS[1], 2, 1, payloads={"ike": {"fact": "G", "context": "H\n\n"}})
    rows = [
        Row(text, decision=Decision((Hit(each, 1.0, view=text),)))
        for text, each in (
            ("A dog barked. The capital of France is", record),
            ("Ada Byron speaks", other),
            ("Spain lies in", record),
        )
    ]
    one, two = sent(ike, *rows)
    assert one.prefix == context and two.prefix == "H\n\n" and "\n" in one.stop
    assert [r.prompt for r in one.rows] == [
        "New Fact: F\nPrompt: The capital of France is",
        "New Fact: F\nPrompt: Spain lies in",
    ]
    assert two.rows[0].prompt == "New Fact: G\nPrompt: Ada Byron speaks"


def test_a_published_context_that_is_too_long_loses_its_farther_half(tmp_path: Path) -> None:
    ike, context = published(tmp_path)
    tried: list[str] = []

    def call(batch: Batch) -> list[str]:
        tried.append(batch.prefix)
        raise ContextOverflowError("too long")

    record = Record(FACTS[0], 1, 1, payloads={"ike": {"fact": "F", "context": context}})
    with pytest.raises(ContextOverflowError):
        ike.run(Batch((Row("x", decision=Decision((Hit(record, 1.0),))),)), call)
    assert [each.count("New Fact") for each in tried] == [33, 17, 9, 5, 3, 2, 1]
    assert all(context.endswith(each) for each in tried)


def test_the_published_form_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="corpus"):
        Ike(published=True)
    (tmp_path / "x.jsonl").write_text("{}")
    for file in (str(tmp_path / "x.jsonl"), str(tmp_path / "none.jsonl")):
        with pytest.raises(InvalidInputError, match="no corpus|no file|not a file|There is no"):
            Ike(published=True, corpus=file).fit(FACTS[:1], tiny_engine())
    with pytest.raises(InvalidInputError, match="31 records"):
        Ike(published=True, corpus=corpus(tmp_path, 31)).fit(FACTS[:1], tiny_engine())


@pytest.mark.parametrize("wrong", [{"demonstrations": -1}, {"demonstrations": 17}, {"repeats": 0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidInputError):
        Ike(**wrong)  # type: ignore[arg-type]
    assert Ike(demonstrations=32, retain=True).demonstrations == 32
