"""A base asked for a yes or a no behind worked examples."""

from __future__ import annotations

import pytest

from memedit.core.calls import Batch, Row
from memedit.engine.engine import Engine
from memedit.engine.polls import Frame, Poll, Shown, measure_odds
from tests.helpers import byte_tokenizer, tiny_model

ORDER = "Say yes or no."
CASES = [Shown(f"Is {n} even?", n % 2 == 0) for n in range(24)]


@pytest.fixture(scope="module")
def lm() -> Engine:
    return Engine(tiny_model(), byte_tokenizer())


def test_the_odds_are_those_of_the_next_token(lm: Engine) -> None:
    """Computed with kept keys and values, several at once: as the model gives them alone."""
    poll = Poll(Frame("P: ", "\nA:"), ((5, 7), (9,)))
    found = measure_odds(["one?", "a longer one than that?"], poll, lm)
    for text, odds in zip(["one?", "a longer one than that?"], found, strict=True):
        ids = lm.codec.ids(f"P: {text}\nA:", special=True)[None]
        logits = lm.base(input_ids=ids).logits[0, -1].detach()
        wanted = float(logits[[5, 7]].logsumexp(-1) - logits[9])
        assert odds == pytest.approx(wanted, abs=1e-4)


def test_a_window_without_room_leaves_the_scope_alone(lm: Engine) -> None:
    poll = Poll(Frame("P: ", "\nA:"), ((5,), (9,)))
    assert lm.window is not None
    assert measure_odds(["x" * lm.window], poll, lm) == [None]


def test_another_bases_odds_are_put_on_the_scale_of_the_limits() -> None:
    poll = Poll(Frame("", ""), ((1,), (2,)), scale=(-3.0, -5.0))
    assert poll.adjust(-3.0, (0.63, -0.1)) == pytest.approx(0.63)
    assert poll.adjust(-5.0, (0.63, -0.1)) == pytest.approx(-0.1)
    assert poll.adjust(-4.0, (1.0, -1.0)) == pytest.approx(0)


def test_the_order_stands_before_the_examples(lm: Engine) -> None:
    poll = Poll.of(lm, ORDER, CASES[:2])
    assert poll is not None
    texts = (ORDER, "Is 0 even?", "assistant\nyes", "Is 1 even?")
    places = [poll.frame.prefix.index(text) for text in texts]
    assert places == sorted(places) and poll.frame.closes and "Is 2" not in poll.frame.prefix


def test_a_template_without_a_systems_turn_gets_the_order_in_the_first_one(lm: Engine) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('No system.') }}"
        "{% endif %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]"
    )
    poll = Poll.of(Engine(tiny_model(), tokenizer), ORDER, CASES[:1])
    assert poll is not None
    assert poll.frame.prefix == f"[user]{ORDER}\n\nIs 0 even?[assistant]yes[user]"
    assert poll.frame.closes == "[assistant]"


def test_a_base_that_tells_nothing_apart_is_not_heard(lm: Engine) -> None:
    """Random weights: their yes and no say nothing. One that thinks aloud begins with a thought."""
    poll = Poll.of(lm, ORDER, CASES[:2])
    assert poll is not None and poll.fit(CASES[2:], lm) is None
    tokenizer = byte_tokenizer()
    tokenizer.chat_template += "{# <think> #}"
    assert Poll.of(Engine(tiny_model(), tokenizer), ORDER, CASES[:2]) is None
    tokenizer.chat_template = None
    assert Poll.of(Engine(tiny_model(), tokenizer), ORDER, CASES[:2]) is None


def test_a_base_that_does_is_heard_on_its_own_scale(
    lm: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll = Poll(Frame("", ""), ((1,), (2,)))
    said = {each.asked: 5.0 if each.yes else 3.0 for each in CASES}
    monkeypatch.setattr(
        "memedit.engine.polls.measure_odds", lambda asked, *_: [said[each] for each in asked]
    )
    fitted = poll.fit(CASES, lm)
    assert fitted is not None and fitted.scale == (5.0, 3.0)
    said["Is 0 even?"] = 1.0  # a twelfth of the pairs in the wrong order
    assert poll.fit(CASES, lm) is None


def test_scores_are_the_bases_own(lm: Engine) -> None:
    """Whatever penalties a model's own settings name."""
    batch = Batch((Row("aaa"),), lm=lm)
    before = lm.next_logits(batch)
    old = lm.base.generation_config.repetition_penalty
    lm.base.generation_config.repetition_penalty = 1.7
    try:
        assert lm.next_logits(batch).equal(before)
    finally:
        lm.base.generation_config.repetition_penalty = old
