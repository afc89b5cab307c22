"""The engine on tiny random models: what it returns equals the straightforward computation."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import LogitsProcessor, StoppingCriteria

from memedit.core.calls import Apply, Batch, Row, Step
from memedit.core.errors import ContextOverflowError, InvalidInputError
from memedit.engine.engine import Engine

ARCHITECTURES = "gpt2 gptj gpt_neox llama mistral qwen2 qwen3 gemma2 gemma3_text phi3 opt".split()
PREFIX = "A fact: one.\nAnother fact: two.\n\n"
PROMPTS = ("The capital of France is", "Who?", "A much longer prompt than the two others: tell me")

Tiny = Callable[[str], Any]


@dataclass(frozen=True)
class Shift:
    """Adds ``amount`` to the output of ``site`` and remembers what it saw."""

    site: str
    amount: float
    seen: list[tuple[bool, list[int] | None, tuple[int, ...]]]
    fail: bool = False

    def bind(self, rows: Sequence[Row]) -> Apply:
        def apply(x: Tensor, y: Tensor, step: Step) -> Tensor:
            last = None if step.last is None else step.last.tolist()
            self.seen.append((step.prefill, last, tuple(y.shape[:2])))
            if self.fail:
                raise RuntimeError("broken intervention")
            return y + self.amount

        return apply


def engine_of(tiny: Tiny, tokenizer: Any, arch: str = "llama") -> Engine:
    return Engine(tiny(arch), tokenizer)


def batch_of(*prompts: str, **kwargs: Any) -> Batch:
    options = {"max_new_tokens": 8, "do_sample": False, **kwargs.pop("options", {})}
    return Batch(tuple(Row(p) for p in prompts), options=options, **kwargs)


def hooks(base: Any) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in base.modules())


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("beams", [1, 3])
def test_prefix_reuse_equals_the_uncached_run(
    tiny: Tiny, tiny_tokenizer: Any, arch: str, beams: int
) -> None:
    engine = engine_of(tiny, tiny_tokenizer, arch)
    options = {"num_beams": beams}
    for _ in range(2):  # computed, then reused
        together = engine.generate(batch_of(*PROMPTS, prefix=PREFIX, options=options))
        for prompt, answer in zip(PROMPTS, together, strict=True):
            ids = torch.cat([engine.codec.ids(PREFIX, special=True), engine.codec.ids(prompt)])
            plain = engine.base.generate(
                ids[None],
                attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                max_new_tokens=8,
                do_sample=False,
                num_beams=beams,
                pad_token_id=engine.codec.pad,
            )[0, len(ids) :]
            assert answer.ids is not None
            assert answer.ids[0, : len(plain)].tolist() == plain.tolist()


@pytest.mark.parametrize("arch", ["llama", "gpt2", "gemma3_text", "opt"])
def test_logits_after_a_prefix_equal_the_uncached_logits(
    tiny: Tiny, tiny_tokenizer: Any, arch: str
) -> None:
    engine = engine_of(tiny, tiny_tokenizer, arch)
    rows = tuple(Row(p, ids=engine.codec.ids(p)) for p in PROMPTS)
    with torch.no_grad():
        ours = engine.logits(Batch(rows, prefix=PREFIX), PROMPTS)
        for row, logits in zip(rows, ours, strict=True):
            assert row.ids is not None
            ids = torch.cat([engine.codec.ids(PREFIX, special=True), row.ids])
            plain = engine.base(ids[None]).logits[0, -len(row.ids) :]
            torch.testing.assert_close(logits, plain, atol=2e-5, rtol=1e-4)


def test_inserted_text_keeps_the_callers_tokens(tiny: Tiny, tiny_tokenizer: Any) -> None:
    engine = engine_of(tiny, tiny_tokenizer)
    codec, text, extra = engine.codec, "It rains. The sky is", "Fact: green\n"
    ids = codec.ids(text)
    row = Row("It rains. " + extra + "The sky is", ids=ids, rewritten=True)
    with torch.no_grad():
        (logits,) = engine.logits(Batch((row,)), [text])
        cut = len(codec.ids("It rains. "))
        whole = torch.cat([ids[:cut], codec.ids(extra), ids[cut:]])
        plain = engine.base(whole[None]).logits[0]
    expected = torch.cat([plain[:cut], plain[cut + len(codec.ids(extra)) :]])
    torch.testing.assert_close(logits, expected)
    with pytest.raises(InvalidInputError, match="no logits"):
        engine.logits(Batch((Row("something else", ids=ids, rewritten=True),)), [text])


def test_sampling_is_reproducible_and_sequences_belong_to_their_row(
    tiny: Tiny, tiny_tokenizer: Any
) -> None:
    engine = engine_of(tiny, tiny_tokenizer)
    options = {"do_sample": True, "num_return_sequences": 3, "temperature": 1.5}
    runs = []
    for _ in range(2):
        torch.manual_seed(7)
        runs.append(engine.generate(batch_of(*PROMPTS, prefix=PREFIX, options=options)))
    assert [c.text for c in runs[0]] == [c.text for c in runs[1]]
    assert all(c.ids is not None and c.ids.shape[0] == 3 for c in runs[0])


def test_sampling_after_a_prefix_equals_the_uncached_run(tiny: Tiny, tiny_tokenizer: Any) -> None:
    engine = engine_of(tiny, tiny_tokenizer)
    ids = torch.cat([engine.codec.ids(PREFIX, special=True), engine.codec.ids(PROMPTS[0])])
    options = {"do_sample": True, "num_return_sequences": 4, "temperature": 2.0, "top_k": 20}
    for seed in range(5):
        torch.manual_seed(seed)
        ours = engine.generate(batch_of(PROMPTS[0], prefix=PREFIX, options=options))[0]
        torch.manual_seed(seed)
        plain = engine.base.generate(
            ids[None],
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            max_new_tokens=8,
            pad_token_id=engine.codec.pad,
            **options,
        )
        assert ours.ids is not None
        assert ours.ids.tolist() == plain[:, len(ids) :].tolist()


def test_an_answer_ends_at_its_stop_and_never_begins_with_it(
    tiny: Tiny, tiny_tokenizer: Any
) -> None:
    engine = engine_of(tiny, tiny_tokenizer)
    long = {"max_new_tokens": 20, "suppress_tokens": list(range(256, 300))}  # one byte a token
    checked, eos = 0, engine.base.generation_config.eos_token_id
    for prompt in ("abc", "The sky", "xyz 123", "hello there", "Q: 1?"):
        free = engine.generate(batch_of(prompt, options=long))[0]
        assert free.ids is not None
        tokens = free.ids[0].tolist()
        new = next((i for i in range(1, 20) if tokens[i] not in tokens[:i]), None)
        stop = engine.codec.text(free.ids[0, new : new + 1]) if new else "\ufffd"
        if stop == "\ufffd":
            continue
        checked += 1
        answer = engine.generate(batch_of(prompt, options=long, stop=(stop,)))[0]
        assert answer.ids is not None
        assert answer.ids[0].tolist() == [*tokens[:new], eos]
        assert stop not in answer.text
        first = engine.codec.text(free.ids[0, :1])
        if first != "\ufffd":
            forced = engine.generate(batch_of(prompt, options=long, stop=(first,)))[0]
            assert forced.ids is not None and int(forced.ids[0, 0]) != tokens[0]
    assert checked


def test_processors_see_the_callers_prompt(tiny: Tiny, tiny_tokenizer: Any) -> None:
    engine = engine_of(tiny, tiny_tokenizer)
    own = engine.codec.ids("question")
    seen: list[list[int]] = []

    class Spy(LogitsProcessor):
        def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
            seen.append(input_ids[0].tolist())
            return scores

    class Stop(StoppingCriteria):
        def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: Any) -> Tensor:
            return torch.tensor([input_ids.shape[1] >= len(own) + 2])

    row = Row("fact\nquestion", ids=own, rewritten=True)
    options = {"max_new_tokens": 6, "logits_processor": [Spy()], "stopping_criteria": [Stop()]}
    answer = engine.generate(Batch((row,), prefix=PREFIX, options=options))[0]
    assert answer.ids is not None and answer.ids.shape[1] == 2
    assert seen[0] == own.tolist()
    assert seen[1] == own.tolist() + answer.ids[0, :1].tolist()


def test_repetition_options_do_not_forbid_words_of_the_fact(
    tiny: Tiny, tiny_tokenizer: Any
) -> None:
    engine = engine_of(tiny, tiny_tokenizer)
    own = engine.codec.ids("q")
    row = Row("abcabcabc\nq", ids=own, rewritten=True)
    plain = engine.generate(Batch((row,), options={"max_new_tokens": 1, "do_sample": False}))[0]
    assert plain.ids is not None
    fact = engine.codec.text(plain.ids[0])
    row = Row(f"{fact}{fact}\nq", ids=own, rewritten=True)
    free = engine.generate(Batch((row,), options={"max_new_tokens": 1, "do_sample": False}))[0]
    penalised = engine.generate(
        Batch((row,), options={"max_new_tokens": 1, "do_sample": False, "repetition_penalty": 1e9})
    )[0]
    assert free.ids is not None and penalised.ids is not None
    assert penalised.ids.tolist() == free.ids.tolist()


@pytest.mark.parametrize("arch", ["llama", "gpt2"])
def test_interventions_act_for_one_call_with_padding_known(
    tiny: Tiny, tiny_tokenizer: Any, arch: str
) -> None:
    engine = engine_of(tiny, tiny_tokenizer, arch)
    site = engine.sites.mlp_out(1)
    before = engine.generate(batch_of(*PROMPTS))
    shift = Shift(site, 3.0, [])
    batch = batch_of(*PROMPTS, interventions=(shift,), options={"num_beams": 2})
    engine.generate(batch)
    width = max(len(engine.codec.ids(p, special=True)) for p in PROMPTS)
    prefill = [entry for entry in shift.seen if entry[0]]
    assert prefill == [(True, [width - 1] * 6, (6, width))]
    assert {entry[2] for entry in shift.seen if not entry[0]} == {(6, 1)}
    assert hooks(engine.base) == 0
    assert [c.text for c in engine.generate(batch_of(*PROMPTS))] == [c.text for c in before]


@pytest.mark.parametrize("prefix", ["", "<|im_start|>A fact.\n"])
def test_the_prompts_end_is_told_where_targets_follow(
    tiny: Tiny, tiny_tokenizer: Any, prefix: str
) -> None:
    """Whatever is behind it in the same pass, and wherever a text was inserted."""
    engine = engine_of(tiny, tiny_tokenizer)
    shift = Shift(engine.sites.mlp_out(1), 0.0, [])
    ends = [len(engine.codec.ids(p)) - 1 for p in PROMPTS]
    rows = tuple(Row(p, target="Lyon") for p in PROMPTS)
    engine.nll(Batch(rows, interventions=(shift,), prefix=prefix))
    assert shift.seen.pop()[1] == ends
    bos = torch.tensor([tiny_tokenizer.bos_token_id])
    given = [torch.cat([bos, engine.codec.ids(f"{p} Lyon")]) for p in PROMPTS]
    forced = tuple(
        Row(f"Hm. {p}", target="", ids=ids, asked=end + 2, rewritten=True)
        for p, ids, end in zip(PROMPTS, given, ends, strict=True)
    )
    originals = [f"{p} Lyon" for p in PROMPTS]
    forced = tuple(
        replace(row, prompt=f"Hm. {o}") for row, o in zip(forced, originals, strict=True)
    )
    engine.logits(Batch(forced, interventions=(shift,), prefix=prefix), originals)
    added = len(engine.codec.ids("Hm. "))
    assert shift.seen.pop()[1] == [end + added + (0 if prefix else 1) for end in ends]


def test_no_hook_stays_after_an_error(tiny: Tiny, tiny_tokenizer: Any) -> None:
    engine = engine_of(tiny, tiny_tokenizer)
    good = Shift(engine.sites.mlp_out(0), 1.0, [])
    bad = Shift(engine.sites.mlp_out(1), 1.0, [], fail=True)
    with pytest.raises(RuntimeError, match="broken"):
        engine.generate(batch_of("a", interventions=(good, bad)))
    with pytest.raises(InvalidInputError, match="no module"):
        engine.generate(batch_of("a", interventions=(good, Shift("no.such", 1.0, []))))
    assert hooks(engine.base) == 0


def test_hooks_do_not_reach_other_threads(tiny: Tiny, tiny_tokenizer: Any) -> None:
    engine = engine_of(tiny, tiny_tokenizer)
    ids = engine.codec.ids("hello")[None]
    with torch.no_grad():
        plain = engine.base(ids).logits
    others: list[Tensor] = []

    @dataclass(frozen=True)
    class Ask(Shift):
        def bind(self, rows: Sequence[Row]) -> Apply:
            def apply(x: Tensor, y: Tensor, step: Step) -> Tensor:
                def ask() -> None:
                    with torch.no_grad():
                        others.append(engine.base(ids).logits)

                thread = threading.Thread(target=ask)
                thread.start()
                thread.join()
                return y + 5.0

            return apply

    ask = Ask(engine.sites.mlp_out(1), 5.0, [])
    engine.generate(batch_of("a", interventions=(ask,), options={"max_new_tokens": 1}))
    assert len(others) == 1
    assert torch.equal(others[0], plain)


def test_nll_equals_the_naive_sum_and_carries_gradients(tiny: Tiny, tiny_tokenizer: Any) -> None:
    engine = engine_of(tiny, tiny_tokenizer)
    rows = (Row("The capital of France is", "Lyon"), Row("Two plus two =", "four of them"))
    losses = engine.nll(Batch(rows))
    for row, loss in zip(rows, losses, strict=True):
        prompt = engine.codec.ids(row.prompt, special=True)
        target = engine.codec.ids(f" {row.target}")
        logits = engine.base(torch.cat([prompt, target])[None]).logits[0].log_softmax(-1)
        naive = -sum(logits[len(prompt) - 1 + i, t] for i, t in enumerate(target))
        torch.testing.assert_close(loss, naive, atol=1e-4, rtol=1e-5)
    (gradient,) = torch.autograd.grad(losses.sum(), [next(engine.base.parameters())])
    assert gradient.abs().sum() > 0
    scored = engine.score(Batch(rows))
    torch.testing.assert_close(
        torch.tensor([-c.logprob for c in scored if c.logprob is not None]), losses.detach()
    )
    with pytest.raises(InvalidInputError, match="target"):
        engine.nll(Batch((Row("no target"),)))


def test_greedy_text_has_the_score_of_its_tokens(tiny: Tiny, tiny_tokenizer: Any) -> None:
    engine = engine_of(tiny, tiny_tokenizer)
    ids = torch.cat([engine.codec.ids(PREFIX, special=True), engine.codec.ids("The sky is")])
    scored = engine.score(Batch((Row("The sky is", "blue"),), prefix=PREFIX))[0]
    target = engine.codec.ids(" blue")
    with torch.no_grad():
        logits = engine.base(torch.cat([ids, target])[None]).logits[0].log_softmax(-1)
    naive = sum(float(logits[len(ids) - 1 + i, t]) for i, t in enumerate(target))
    assert scored.logprob == pytest.approx(naive, abs=1e-4)


def test_read_returns_the_modules_input_at_the_subject(tiny: Tiny, tiny_tokenizer: Any) -> None:
    engine = engine_of(tiny, tiny_tokenizer)
    prompts = ["In Rome it rains", "The river of Paris"]
    site = engine.sites.mlp_out(1)
    vectors = engine.read(prompts, site, lambda p: p.index("Rome" if "Rome" in p else "Paris") + 3)
    seen: list[Tensor] = []
    handle = engine.base.get_submodule(site).register_forward_pre_hook(
        lambda module, args: seen.append(args[0].detach())
    )
    for prompt in prompts:
        with torch.no_grad():
            engine.base(engine.codec.ids(prompt, special=True)[None])
    handle.remove()
    for prompt, vector, states in zip(prompts, vectors, seen, strict=True):
        end = prompt.index("Rome" if "Rome" in prompt else "Paris") + 4
        column = len(engine.codec.ids(prompt[:end], special=True)) - 1
        torch.testing.assert_close(vector, states[0, column], atol=1e-5, rtol=1e-4)


def test_a_prompt_beyond_the_window_is_refused(tiny: Tiny, tiny_tokenizer: Any) -> None:
    engine = engine_of(tiny, tiny_tokenizer)
    assert engine.window is not None
    with pytest.raises(ContextOverflowError, match="tokens"):
        engine.generate(batch_of("x" * (engine.window + 1)))


def test_prefix_follows_a_change_of_weights(tiny: Tiny, tiny_tokenizer: Any) -> None:
    engine = engine_of(tiny, tiny_tokenizer)
    row = Row("abc", ids=engine.codec.ids("abc"))
    with torch.no_grad():
        before = engine.logits(Batch((row,), prefix=PREFIX), ["abc"])[0]
        weight = engine.base.get_submodule(engine.sites.mlp_out(0)).weight
        saved = weight.clone()
        try:
            weight.mul_(3.0)
            after = engine.logits(Batch((row,), prefix=PREFIX), ["abc"])[0]
            whole = torch.cat([engine.codec.ids(PREFIX, special=True), engine.codec.ids("abc")])
            plain = engine.base(whole[None]).logits[0, -3:]
        finally:
            weight.copy_(saved)
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, plain, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("options", [{}, {"num_beams": 2}, {"do_sample": True}], ids=str)
def test_a_row_is_kept_to_its_answers(
    tiny: Tiny, tiny_tokenizer: Any, options: dict[str, Any]
) -> None:
    """Word for word, and then it ends; the other rows of the batch say what they say alone."""
    engine = engine_of(tiny, tiny_tokenizer)
    answers = ("New York", "New York City", "Lyon")
    free, kept = Row(PROMPTS[1]), Row(PROMPTS[0], answers=answers)
    settings: dict[str, Any] = {"max_new_tokens": 30, "do_sample": False, **options}
    for seed in range(5):
        torch.manual_seed(seed)
        both = engine.generate(Batch((free, kept), stop=("\n",), options=settings))
        assert both[1].text.strip() in answers
    if not options.get("do_sample"):
        alone = engine.generate(Batch((free,), stop=("\n",), options=settings))
        assert both[0].text == alone[0].text


def test_a_form_of_the_callers_has_the_first_word(tiny: Tiny, tiny_tokenizer: Any) -> None:
    """What it forbids is forbidden before an answer is kept to an edit's words, which it is not."""
    engine = engine_of(tiny, tiny_tokenizer)
    brace = int(engine.codec.ids("{")[0])

    class Braces(LogitsProcessor):
        first = True

        def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
            seen.append(scores)
            return torch.full_like(scores, -float("inf")).index_fill(1, torch.tensor([brace]), 0.0)

    seen: list[Tensor] = []
    row = Row(PROMPTS[0], answers=("Lyon",), formed=True)
    options = {"max_new_tokens": 3, "do_sample": False, "logits_processor": [Braces()]}
    (answer,) = engine.generate(Batch((row,), options=options))
    assert answer.text == "{{{" and all(scores.isfinite().all() for scores in seen)


def test_answers_that_the_caller_forbids_are_not_forced(tiny: Tiny, tiny_tokenizer: Any) -> None:
    engine = engine_of(tiny, tiny_tokenizer)
    row = Row(PROMPTS[0], answers=("Lyon",))
    first = engine.codec.continuation(row, "Lyon", prefixed=False)[0]
    options = {"max_new_tokens": 4, "do_sample": False, "bad_words_ids": [[first]]}
    (answer,) = engine.generate(Batch((row,), options=options))
    assert answer.ids is not None and first not in answer.ids[0].tolist()
