"""EditableModel used as the model was used before, on tiny random models."""

from __future__ import annotations

import copy
import hashlib
import pickle
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch
from transformers import TextIteratorStreamer, pipeline

from memedit import Edit, EditableModel
from memedit.core.calls import Batch, Row
from memedit.core.errors import (
    InvalidEditError,
    InvalidInputError,
    MemeditError,
    UnknownEditError,
    UnknownNameError,
)

Tiny = Callable[[str], Any]
IN = "The capital of France is"
OUT = ("The colour of the sky is", "Two and two make", "My favourite river is the")


def weights(base: Any) -> str:
    digest = hashlib.sha256()
    for parameter in base.parameters():
        digest.update(parameter.detach().float().numpy().tobytes())
    return digest.hexdigest()


def hooks(base: Any) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in base.modules())


@pytest.fixture
def model(tiny: Tiny, tiny_tokenizer: Any) -> Iterator[EditableModel]:
    base = tiny("llama")
    before = weights(base)
    yield EditableModel(base, tiny_tokenizer, editor="ike", encoder="hashing")
    assert weights(base) == before
    assert hooks(base) == 0


@pytest.fixture
def edited(model: EditableModel) -> EditableModel:
    model.edit(IN, "Lyon", subject="France")
    return model


def inputs(model: EditableModel, *prompts: str, side: str = "left") -> Any:
    return model.tokenizer(list(prompts), return_tensors="pt", padding=True, padding_side=side)


def new_text(model: EditableModel, sequence: Any, given: Any) -> str:
    return str(model.tokenizer.decode(sequence[given.input_ids.shape[1] :]))


def test_without_edits_everything_is_the_bases(model: EditableModel) -> None:
    given = inputs(model, IN, *OUT)
    ours = model.generate(**given, max_new_tokens=6, do_sample=False)
    assert torch.equal(ours, model.base.generate(**given, max_new_tokens=6, do_sample=False))
    with torch.no_grad():
        assert torch.equal(model(**given).logits, model.base(**given).logits)


def test_in_scope_answers_come_from_the_fact_alone(edited: EditableModel) -> None:
    given = inputs(edited, IN)
    base = edited.base.generate(**given, max_new_tokens=8, do_sample=False)
    ours = edited.generate(**given, max_new_tokens=8, do_sample=False)
    assert torch.equal(ours[:, : given.input_ids.shape[1]], given.input_ids)
    assert "Fact" not in edited.tokenizer.decode(ours[0])
    with edited.unedited():
        assert torch.equal(edited.generate(**given, max_new_tokens=8, do_sample=False), base)
    answer = edited.ask(IN)
    assert answer.editor == "ike"
    assert answer.decision.hits[0].record.edit.target_new == "Lyon"


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_mixed_batch_equals_its_rows(edited: EditableModel, side: str) -> None:
    prompts = (OUT[0], IN, OUT[1], "Hello. " + IN)
    given = inputs(edited, *prompts, side="left")
    together = edited.generate(**given, max_new_tokens=6, do_sample=False)
    for prompt, line in zip(prompts, together, strict=True):
        alone = inputs(edited, prompt)
        single = edited.generate(**alone, max_new_tokens=6, do_sample=False)[0]
        tail = single[alone.input_ids.shape[1] :]
        assert line[given.input_ids.shape[1] :][: len(tail)].tolist() == tail.tolist()
    given = inputs(edited, *prompts, side=side)
    with torch.no_grad():
        logits = edited(**given).logits
        assert logits.shape[:2] == given.input_ids.shape
        for i, prompt in enumerate(prompts):
            real = given.attention_mask[i].bool()
            single = edited(**inputs(edited, prompt)).logits[0]
            torch.testing.assert_close(logits[i][real], single, atol=3e-5, rtol=1e-3)


def test_logits_of_an_edited_row_differ_and_loss_follows_them(edited: EditableModel) -> None:
    given = inputs(edited, IN, OUT[0])
    labels = given.input_ids.masked_fill(given.attention_mask == 0, -100)
    with torch.no_grad():
        ours, base = edited(**given, labels=labels), edited.base(**given, labels=labels)
    assert not torch.allclose(ours.logits[0], base.logits[0])
    torch.testing.assert_close(ours.logits[1], base.logits[1], atol=1e-5, rtol=1e-4)
    shifted = ours.logits[:, :-1].flatten(0, 1)
    expected = torch.nn.functional.cross_entropy(shifted, labels[:, 1:].flatten())
    torch.testing.assert_close(ours.loss, expected)
    assert torch.equal(edited(**given, logits_to_keep=1).logits, edited(**given).logits[:, -1:])


def test_sampling_with_a_seed_equals_the_base_out_of_scope(edited: EditableModel) -> None:
    given = inputs(edited, *OUT)
    options: dict[str, Any] = {"max_new_tokens": 8, "do_sample": True, "num_return_sequences": 2}
    torch.manual_seed(3)
    base = edited.base.generate(**given, **options)
    torch.manual_seed(3)
    assert torch.equal(edited.generate(**given, **options), base)


@pytest.mark.parametrize(
    "options",
    [
        {"num_beams": 3},
        {"num_beams": 4, "num_return_sequences": 2},
        {"do_sample": True, "num_return_sequences": 3},
        {"repetition_penalty": 1.3, "no_repeat_ngram_size": 2},
        {"max_length": 40},
        {"return_dict_in_generate": True},
    ],
)
def test_generation_options_work_on_mixed_batches(
    edited: EditableModel, options: dict[str, Any]
) -> None:
    given = inputs(edited, OUT[0], IN)
    options = {"max_new_tokens": 5, **options}
    if "max_length" in options:
        del options["max_new_tokens"]
    out = edited.generate(**given, **options)
    sequences = out if isinstance(out, torch.Tensor) else out.sequences
    copies = options.get("num_return_sequences", 1)
    assert sequences.shape[0] == 2 * copies
    assert torch.equal(
        sequences[:, : given.input_ids.shape[1]], given.input_ids.repeat_interleave(copies, 0)
    )
    assert sequences.shape[1] <= max(40, given.input_ids.shape[1] + 5)
    if "do_sample" not in options:
        alone = inputs(edited, OUT[0])
        base = edited.base.generate(**alone, **options)
        base = base if isinstance(base, torch.Tensor) else base.sequences
        tail = base[0, alone.input_ids.shape[1] :]
        if "max_length" not in options:
            assert sequences[0, given.input_ids.shape[1] :][: len(tail)].tolist() == tail.tolist()


def test_min_new_tokens_is_honoured_in_scope(edited: EditableModel) -> None:
    given = inputs(edited, IN)
    out = edited.generate(**given, max_new_tokens=12, min_new_tokens=12, do_sample=False)
    assert out.shape[1] == given.input_ids.shape[1] + 12


def test_options_that_cannot_be_honoured_are_refused_before_the_model_runs(
    edited: EditableModel,
) -> None:
    given = inputs(edited, IN)
    for option in ("output_scores", "output_hidden_states"):
        with pytest.raises(InvalidInputError, match=option):
            edited.generate(**given, **{option: True}, return_dict_in_generate=True)
    with pytest.raises(InvalidInputError, match="output_hidden_states"):
        edited(**given, output_hidden_states=True)
    outside = inputs(edited, OUT[0])
    out = edited.generate(
        **outside, output_scores=True, return_dict_in_generate=True, max_new_tokens=2
    )
    assert len(out.scores) == 2


def test_a_streamer_never_sees_the_added_context(edited: EditableModel) -> None:
    given = inputs(edited, IN)
    streamer = TextIteratorStreamer(edited.tokenizer)
    options: dict[str, Any] = {"max_new_tokens": 8, "do_sample": False, "streamer": streamer}
    thread = Thread(target=lambda: edited.generate(**given, **options))
    thread.start()
    streamed = "".join(streamer)
    thread.join()
    assert streamed.startswith(IN)
    assert "Fact" not in streamed
    answer = edited.generate(**given, max_new_tokens=8, do_sample=False)
    expected = edited.tokenizer.decode(answer[0], skip_special_tokens=True)
    assert streamed.replace(edited.tokenizer.eos_token, "").rstrip() == expected.rstrip()


def test_pipeline_and_chat_template(edited: EditableModel) -> None:
    generator: Any = pipeline(  # type: ignore[call-overload]
        "text-generation", model=edited, tokenizer=edited.tokenizer
    )
    text = generator(OUT[0], max_new_tokens=4, do_sample=False)[0]["generated_text"]
    base = inputs(edited, OUT[0])
    plain = edited.base.generate(**base, max_new_tokens=4, do_sample=False)
    assert text == edited.tokenizer.decode(plain[0], skip_special_tokens=True)
    chat = [{"role": "user", "content": "What is the capital of France?"}]
    reply = generator(chat, max_new_tokens=4, do_sample=False)[0]["generated_text"]
    assert reply[-1]["role"] == "assistant"
    answer = edited.ask("What is the capital of France?", chat=True)
    assert answer.editor == "ike"
    assert answer.decision.hits[0].view == "What is the capital of France?"


def test_chat_history_is_kept_and_only_the_last_turn_gets_the_fact(edited: EditableModel) -> None:
    messages = [
        {"role": "user", "content": "Let us talk about rivers."},
        {"role": "assistant", "content": "Gladly."},
        {"role": "user", "content": IN},
    ]
    ids = edited.tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    out = edited.generate(**ids, max_new_tokens=4, do_sample=False)
    assert torch.equal(out[:, : ids["input_ids"].shape[1]], ids["input_ids"])
    messages[2]["content"] = OUT[0]
    ids = edited.tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    out = edited.generate(**ids, max_new_tokens=4, do_sample=False)
    assert torch.equal(out, edited.base.generate(**ids, max_new_tokens=4, do_sample=False))


def test_forget_restores_the_base_and_restore_the_edit(edited: EditableModel) -> None:
    given = inputs(edited, IN)
    options: dict[str, Any] = {"max_new_tokens": 8, "do_sample": False}
    before, version = edited.generate(**given, **options), edited.memory.version
    identifier = next(iter(edited.memory.records())).id
    edited.forget(identifier)
    assert torch.equal(
        edited.generate(**given, **options), edited.base.generate(**given, **options)
    )
    with edited.at(version):
        assert torch.equal(edited.generate(**given, **options), before)
    edited.restore(version)
    assert torch.equal(edited.generate(**given, **options), before)
    with pytest.raises(UnknownEditError):
        edited.forget("no such id")
    assert [event.kind for event in edited.history(identifier)] == ["add", "forget", "restore"]


def test_superseding_and_dates(model: EditableModel) -> None:
    first = model.edit("The president of Ruritania is", "Ada", subject="Ruritania")
    second = model.edit("The president of Ruritania is", "Bob", subject="Ruritania")
    assert [record.id for record in second.superseded] == [first.id]
    assert model.edit("The president of Ruritania is", "Bob", subject="Ruritania").status == (
        "duplicate"
    )
    assert model.edit("The president of Ruritania is Bob.").id == second.id
    handover = datetime(2030, 1, 1, tzinfo=timezone.utc)
    model.edit("The president of Ruritania is", "Cid", subject="Ruritania", valid_from=handover)
    query = "The president of Ruritania is"

    def fact() -> str | None:
        return model.decide([query])[0].hits[0].record.edit.target_new

    with model.using(as_of=datetime(2031, 1, 1, tzinfo=timezone.utc)):
        assert fact() == "Cid"
    with model.using(as_of=datetime(2029, 1, 1, tzinfo=timezone.utc)):
        assert fact() == "Bob"


def test_an_answer_that_is_corrected_corrects_what_else_says_otherwise(
    model: EditableModel,
) -> None:
    """The fault: the sentence, which that question did not find, went on saying the other value."""
    ask = "The price of the Larch plan is"
    query = "What does the Larch plan cost?"
    wrong = Edit(ask, "30 euros", "Larch plan", queries=(query,))
    other = Edit(f"{ask} 40 euros.", None, excluded=(query,))
    beside = Edit.from_statement("The Larch plan has a speed of 50 megabits.")
    model.edit([wrong, other, beside])
    receipt = model.feedback(query, "60 euros", answer="30 euros").receipt
    assert receipt is not None
    assert {r.edit.statement for r in receipt.superseded} == {wrong.statement, other.prompt}
    assert {r.edit.statement for r in model.memory.records()} == {
        f"{ask} 60 euros", beside.prompt
    }  # fmt: skip


def test_an_answer_is_corrected_for_the_time_in_which_it_was_wrong(model: EditableModel) -> None:
    ask = "The capital of Ruritania is"
    model.edit(ask, "Strelsau", subject="Ruritania")
    year = datetime.now(timezone.utc).year + 13
    model.edit(ask, "Zenda", subject="Ruritania", valid_until=f"{year}-12-31")
    said = model.feedback(ask, "Hentzau", answer="Zenda").receipt
    end = datetime(year + 1, 1, 1, tzinfo=timezone.utc)
    assert said is not None and said.record.valid_until == end
    seen = []
    for day in (f"{year}-12-31", f"{year + 1}-01-01"):
        with model.using(as_of=day):
            seen.append(model.decide([ask])[0].hits[0].record.edit.target_new)
    assert seen == ["Hentzau", "Strelsau"]


def test_namespaces_do_not_see_each_other(model: EditableModel) -> None:
    model.edit(IN, "Lyon", subject="France", namespace="a")
    assert not model.decide([IN])[0]
    with model.using(namespace="a"):
        assert model.decide([IN])[0]
    with model.using(namespace="b"):
        assert not model.decide([IN])[0]


def test_save_and_load_give_the_same_answers(
    edited: EditableModel, tiny_tokenizer: Any, tmp_path: Path
) -> None:
    edited.edit("Our refund window is 60 days.")
    edited.save(tmp_path / "prod")
    again = EditableModel(edited.base, tiny_tokenizer, memory=tmp_path / "prod", encoder="hashing")
    for prompt in (IN, *OUT, "Our refund window is 60 days."):
        given = inputs(edited, prompt)
        options: dict[str, Any] = {"max_new_tokens": 6, "do_sample": False}
        assert torch.equal(edited.generate(**given, **options), again.generate(**given, **options))
    assert again.editor == edited.editor and again.scope == edited.scope
    assert len(again.memory) == 2


def test_edits_of_an_import_work_and_asking_never_writes(
    model: EditableModel, tmp_path: Path
) -> None:
    file = tmp_path / "facts.jsonl"
    file.write_text(
        '{"prompt": "The capital of France is", "target_new": "Lyon", "subject": "France"}\n'
        '{"prompt": "no target, ends in of"}\n'
        '{"statement": "Our refund window is 60 days."}\n',
        "utf-8",
    )
    report = model.edit(file)
    assert (report.added, [line for line, _, _ in report.refused]) == (2, [2])
    record = next(iter(model.memory.records()))
    assert model.ask(IN).editor == "ike"
    assert "ike" not in next(iter(model.memory.records())).payloads
    assert model.compile_edits() == 2 and model.compile_edits() == 0
    assert "ike" in model.memory.get(record.id).payloads


def test_explain_says_which_edit_and_what_the_base_would_have_said(edited: EditableModel) -> None:
    explanation = edited.explain(IN)
    plain = explanation.to_dict()
    assert plain["in_scope"] and plain["hits"][0]["fact"] == f"{IN} Lyon"
    assert plain["hits"][0]["mention"] == "France"
    assert plain["score"] >= plain["threshold"]
    with edited.unedited():
        assert plain["base_answer"] == edited.ask(IN).text
    outside = edited.explain(OUT[0])
    assert not outside.decision and outside.answer == outside.base_answer and outside.editor == ""


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("", "x"), InvalidEditError),
        (("   ", "x"), InvalidEditError),
        (("A prompt", ""), InvalidEditError),
        (("A prompt", None), InvalidEditError),
        (("The capital of France is",), InvalidEditError),
        (("nul\x00 here", "x"), InvalidEditError),
        (("surrogate \ud800", "x"), InvalidEditError),
        (("x" * 100_000, "y"), InvalidEditError),
        (("A prompt", 3), InvalidEditError),
    ],
)
def test_a_wrong_edit_is_refused_and_nothing_is_stored(
    model: EditableModel, arguments: tuple[Any, ...], error: type[MemeditError]
) -> None:
    version = model.memory.version
    with pytest.raises(error):
        model.edit(*arguments)
    assert len(model.memory) == 0 and model.memory.version == version


def test_wrong_use_is_explained(model: EditableModel, tiny_tokenizer: Any) -> None:
    with pytest.raises(InvalidEditError, match="does not occur"):
        model.edit("The capital of France is", "Lyon", subject="Spain")
    with pytest.raises(InvalidInputError, match="already says"):
        model.edit(Edit("a prompt", "b"), "c")  # type: ignore[call-overload]
    with pytest.raises(InvalidInputError, match="empty"):
        model.ask("  ")
    with pytest.raises(InvalidInputError, match="surrogate"):
        model.ask("a \ud800 b")
    for call in (lambda: model.decide(["a \ud800 b"]), lambda: model.score(["a"], ["\ud800"])):
        with pytest.raises(InvalidInputError, match="surrogate"):
            call()
    with pytest.raises(UnknownNameError, match="Did you mean: ike"):
        EditableModel(model.base, tiny_tokenizer, editor="ikee", encoder="hashing")
    with pytest.raises(InvalidInputError, match="from_pretrained"):
        EditableModel("some/model")


def test_a_very_long_query_goes_to_the_base(edited: EditableModel) -> None:
    window = edited.engine.window
    assert window is not None
    given = inputs(edited, "word " * (window // 8))
    out = edited.generate(**given, max_new_tokens=2, do_sample=False)
    assert torch.equal(out, edited.base.generate(**given, max_new_tokens=2, do_sample=False))


def test_the_wrapper_is_a_module_that_stands_for_its_base(edited: EditableModel) -> None:
    assert edited.config is edited.base.config
    assert edited.device == edited.base.device
    assert edited.eval() is edited
    assert edited.to("cpu") is edited
    with pytest.raises(AttributeError):
        edited.no_such_attribute  # noqa: B018


def test_bf16_and_peft_bases(tiny: Tiny, tiny_tokenizer: Any) -> None:
    from peft import LoraConfig, get_peft_model

    base = tiny("llama").to(torch.bfloat16)
    adapted: Any = get_peft_model(
        base, LoraConfig(r=2, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    )
    model = EditableModel(adapted, tiny_tokenizer, editor="ike", encoder="hashing")
    model.edit(IN, "Lyon", subject="France")
    given = inputs(model, OUT[0])
    options: dict[str, Any] = {"max_new_tokens": 4, "do_sample": False}
    assert torch.equal(model.generate(**given, **options), adapted.generate(**given, **options))
    assert model.ask(IN).editor == "ike"
    with_adapter = model(**inputs(model, IN)).logits
    with adapted.disable_adapter():
        without = model(**inputs(model, IN)).logits
    assert not torch.equal(with_adapter, without)


def test_score_is_the_engine_s_token_by_token(model: EditableModel) -> None:
    """In scope and out of it, with a distracting sentence: sums as the engine's own scores."""
    model.edit("The capital of France is", "Lyon", subject="France")
    prompts = ("The capital of France is", "The sky is", "It rained. The capital of France is")
    targets = ("Lyon", " blue ", "Rome")
    scores = model.score(prompts, targets)
    for prompt, target, score in zip(prompts, targets, scores, strict=True):
        (decision,) = model.decide([prompt])
        row = Row(prompt, target=target, decision=decision)
        (expected,) = (
            model.editor.run(Batch((row,)), model.engine.score)
            if decision
            else model.engine.score(Batch((row,)))
        )
        assert score.logprob == pytest.approx(expected.logprob, abs=1e-4)
        assert bool(score.decision) == bool(decision)
        assert len(score.ids) == len(score.logprobs) == len(score.greedy)
        text = model.tokenizer.decode(list(score.ids))
        assert text == f" {target.strip()}"
    with model.unedited():
        (base,) = model.score(prompts[:1], targets[:1])
    assert base.logprobs != scores[0].logprobs and not base.decision
    assert model.score([], []) == []


def test_score_s_greedy_tokens_are_the_base_s_most_likely(model: EditableModel) -> None:
    """Position by position the argmax of the base's own logits, read one token earlier."""
    (score,) = model.score(["The sky is"], ["blue"])
    whole = model.tokenizer("The sky is blue", return_tensors="pt").input_ids
    with torch.no_grad():
        logits = model.base(whole).logits[0]
    assert list(score.greedy) == logits[-len(score.ids) - 1 : -1].argmax(-1).tolist()
    assert score.right == tuple(g == i for g, i in zip(score.greedy, score.ids, strict=True))


def test_score_refuses_an_empty_target(model: EditableModel) -> None:
    with pytest.raises(InvalidInputError):
        model.score(["The sky is"], [" "])


def test_a_pipeline_prints_no_wall_of_names(
    edited: EditableModel, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level("INFO"):
        pipeline("text-generation", model=edited, tokenizer=edited.tokenizer)  # type: ignore[call-overload]
    assert "is not supported" not in caplog.text + "".join(capfd.readouterr())


def test_save_pretrained_says_where_the_edits_are_and_both_come_back(
    edited: EditableModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    edited.save_pretrained(tmp_path / "out")
    assert "without edits" in caplog.text and str(tmp_path / "out" / "memory") in caplog.text
    again = EditableModel.from_pretrained(
        tmp_path / "out", memory=tmp_path / "out" / "memory", encoder=edited.memory.encoder
    )
    assert [r.edit for r in again.memory.records()] == [r.edit for r in edited.memory.records()]
    weights, expected = again.base.state_dict(), edited.base.state_dict()
    assert all(torch.equal(weights[name], value) for name, value in expected.items())


@pytest.mark.parametrize("work", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_copy_is_refused_with_what_to_do(edited: EditableModel, work: Any) -> None:
    with pytest.raises(InvalidInputError, match="deepcopy.model.base.*save_pretrained"):
        work(edited)
    second = EditableModel(
        copy.deepcopy(edited.base),
        edited.tokenizer,
        memory=edited.memory,
        editor=edited.editor,
        scope=edited.scope,
    )
    assert second.ask(IN).text == edited.ask(IN).text
