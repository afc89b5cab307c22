"""Texts that grow in rounds hold what a text read at once holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from memedit.core.errors import ContextOverflowError
from memedit.engine.engine import Engine
from memedit.engine.transcript import Transcript

Tiny = Callable[[str], Any]
ROUNDS = (("Who is it?", "Where?", "x"), ("\nAnd then he said so:", " no", " yes, of course"))


@pytest.fixture(params=["llama", "gpt2", "mistral"])
def engine(request: pytest.FixtureRequest, tiny: Tiny, tiny_tokenizer: Any) -> Engine:
    return Engine(tiny(request.param), tiny_tokenizer)


def told(transcript: Any, rows: tuple[int, ...], stop: tuple[str, ...] = ()) -> list[list[str]]:
    """Two rounds; the second without the row that is not in ``rows``."""
    said = []
    for number, texts in enumerate(ROUNDS):
        alive = range(len(texts)) if number == 0 else rows
        for row in alive:
            transcript.say(row, texts[row])
        said.append(transcript.go_on(list(alive), stop=stop, tokens=7))
    return said


@pytest.mark.parametrize("rows", [(0, 1, 2), (0, 2), (1,)])
def test_nothing_read_twice_is_the_same_as_all_read_again(
    engine: Engine, rows: tuple[int, ...]
) -> None:
    letters = "".join(engine.codec.text(engine.codec.ids(c)) for c in "aeiou")
    for stop in ((), tuple(letters)):
        kept = told(engine.transcript("Once there was. ", 3), rows, stop)
        anew = Transcript(
            engine.base,
            engine.codec,
            engine.prefixes,
            "Once there was. ",
            3,
            ends=engine.ends(),
            reuse=False,
        )
        again = told(anew, rows, stop)
        assert kept == again
        assert any(kept[0])


def test_rows_of_a_batch_are_each_the_same_alone(engine: Engine) -> None:
    together = told(engine.transcript("Once. ", 3), (0, 1, 2))
    for row in range(3):
        alone = engine.transcript("Once. ", 1)
        for number, texts in enumerate(ROUNDS):
            alone.say(0, texts[row])
            assert alone.go_on([0], stop=(), tokens=7) == [together[number][row]]


def test_the_first_round_is_the_model_s_own_continuation(engine: Engine) -> None:
    ids = engine.codec.ids("Once. Who is it?", special=True)[None]
    own = engine.base.generate(ids, attention_mask=ids.new_ones(ids.shape), max_new_tokens=6,
                               do_sample=False)  # fmt: skip
    transcript = engine.transcript("Once. ", 1)
    transcript.say(0, "Who is it?")
    assert transcript.go_on([0], stop=(), tokens=6) == [engine.codec.text(own[0, ids.shape[1] :])]


def test_a_text_ends_with_its_first_stop(engine: Engine) -> None:
    free = engine.transcript("Once. ", 1)
    free.say(0, "Who is it?")
    [text] = free.go_on([0], stop=(), tokens=12)
    if len(text) < 4:
        pytest.skip("this random model says next to nothing")
    stopped = engine.transcript("Once. ", 1)
    stopped.say(0, "Who is it?")
    [short] = stopped.go_on([0], stop=(text[2],), tokens=12)
    assert short == text[: text.index(text[2]) + 1]


def test_a_text_that_outgrows_the_window_is_refused(engine: Engine) -> None:
    transcript = engine.transcript("Once. ", 1)
    transcript.say(0, "x" * ((engine.window or 0) + 1))
    with pytest.raises(ContextOverflowError):
        transcript.go_on([0], stop=(), tokens=5)
    assert transcript.go_on([], stop=(), tokens=5) == []
