"""One thread, many requests: a batch says what its rows say alone, and none harms another."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from memedit.core.types import Decision, Edit
from memedit.editors.note import Note
from memedit.editors.prompting.reasoning import MOST_NEW
from memedit.model.translating import MOST_NEW as MOST_TRANSLATED
from memedit.serving.errors import ApiError
from memedit.serving.local.batching import Batcher, Job, View
from memedit.serving.local.sampling import Piece, Sampling
from tests.serving.helpers import ELSEWHERE, QUESTION, tiny_edited


class Asked:
    """A job and what was heard of it."""

    def __init__(
        self, model: Any, text: str, *, namespace: str = "default", **options: Any
    ) -> None:
        settings = {"max_tokens": 10, "temperature": 0.0} | options
        self.texts = [""] * settings.get("n", 1)
        self.ends: list[str | None] = [None] * settings.get("n", 1)
        self.decision: Decision | None = None
        self.error: Exception | None = None
        self.done = threading.Event()
        ids = model.engine.codec.ids(text, special=True)
        self.job = Job(
            ids, View(namespace), Sampling(**settings), False, self.decided, self.heard, self.failed
        )

    def decided(self, decision: Decision, version: int) -> None:
        self.decision = decision

    def heard(self, index: int, piece: Piece) -> None:
        self.texts[index] += piece.text
        self.ends[index] = piece.finish or self.ends[index]
        if all(self.ends):
            self.done.set()

    def failed(self, error: Exception) -> None:
        self.error = error
        self.done.set()


def batcher(model: Any, **options: Any) -> Batcher:
    defaults = {"max_batch": 16, "max_tokens": 32_768, "wait": 0.2, "max_queue": 64}
    return Batcher(model, **(defaults | options))


def together(model: Any, asked: list[Asked], sizes: list[int] | None = None) -> None:
    made = batcher(model, ran=(sizes if sizes is not None else []).append)
    made.submit(*(each.job for each in asked))
    for each in asked:
        assert each.done.wait(60)
    made.close()


@pytest.fixture(scope="module")
def model() -> Any:
    model = tiny_edited()
    countries = ["France", "Spain", "Peru"]
    model.edit_many([Edit(f"The capital of {c} is", f"City {c}", c) for c in countries])
    model.edit("The capital of Chad is", "Rome", subject="Chad", namespace="other")
    return model


@pytest.mark.slow
def test_a_mixed_batch_says_what_its_rows_say_alone(model: Any) -> None:
    prompts: list[tuple[str, dict[str, Any]]] = [
        (QUESTION, {}), (ELSEWHERE, {}), ("The capital of Spain is", {"n": 2}),
        ("The capital of Chad is", {"namespace": "other"}), ("The capital of Chad is", {}),
        ("The capital of Peru is", {"temperature": 1.2, "seed": 3, "n": 2}),
        (ELSEWHERE, {"temperature": 0.9, "seed": 4}), ("x" * 300, {"max_tokens": 3}),
        (ELSEWHERE, {"stop": ("e",)}),
    ]  # fmt: skip
    mixed, sizes = [Asked(model, text, **options) for text, options in prompts], list[int]()
    together(model, mixed, sizes)
    assert sizes == [11]
    for (text, options), got in zip(prompts, mixed, strict=True):
        alone = Asked(model, text, **options)
        together(model, [alone])
        assert (got.texts, got.ends, got.error) == (alone.texts, alone.ends, None), text
        assert got.job.tokens == alone.job.tokens
    fired = [bool(each.decision) for each in mixed]
    assert fired == [True, False, True, True, False, True, False, False, False]


def test_one_that_fails_does_not_take_its_neighbours_along(model: Any) -> None:
    long = "The capital of France is " + "very " * 220  # fits the window, but not with its edit
    asked = [Asked(model, text) for text in (f"{long}France is", QUESTION, ELSEWHERE)]
    huge = Asked(model, "y" * 1_020, max_tokens=2)
    together(model, [*asked, huge])
    assert asked[1].error is None and asked[2].error is None and huge.error is None
    assert all(asked[1].ends) and all(asked[2].ends)


def test_what_nobody_waits_for_ends(model: Any) -> None:
    forever = Asked(model, ELSEWHERE, max_tokens=900)

    class Brief(Asked):
        """A job whose end ends the other, before the batcher's next step."""

        def heard(self, index: int, piece: Piece) -> None:
            super().heard(index, piece)
            if self.done.is_set():
                forever.job.cancelled.set()

    brief = Brief(model, ELSEWHERE, max_tokens=3)
    made = batcher(model)
    made.submit(forever.job, brief.job)
    assert brief.done.wait(60)
    after = Asked(model, ELSEWHERE, max_tokens=3)
    made.submit(after.job)
    assert after.done.wait(60)
    assert not forever.done.is_set()
    made.close()


class Held(Asked):
    """A job that keeps the batcher busy until it is let go."""

    def __init__(self, model: Any) -> None:
        super().__init__(model, ELSEWHERE)
        self.begun, self.go = threading.Event(), threading.Event()

    def decided(self, decision: Decision, version: int) -> None:
        self.begun.set()
        assert self.go.wait(60)


def test_a_full_queue_and_a_closed_one_refuse(model: Any) -> None:
    made = batcher(model, max_queue=2, max_batch=1, wait=0)
    held, waiting = Held(model), [Asked(model, ELSEWHERE) for _ in range(2)]
    made.submit(held.job)
    assert held.begun.wait(60)
    for each in waiting:
        made.submit(each.job)
    with pytest.raises(ApiError, match="Too many") as refused:
        made.submit(Asked(model, ELSEWHERE).job)
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})
    held.go.set()
    assert all(each.done.wait(60) for each in waiting)
    made.close()
    with pytest.raises(ApiError, match="shutting down"):
        made.submit(Asked(model, ELSEWHERE).job)


class Broken:
    """A shape that cannot be begun."""

    def begin(self) -> Any:
        raise MemoryError("no room")


def test_a_shape_that_cannot_begin_fails_its_own_request(model: Any) -> None:
    broken, other = Asked(model, QUESTION, shape=Broken()), Asked(model, QUESTION)
    together(model, [broken, other])
    assert isinstance(broken.error, MemoryError) and other.error is None
    assert other.texts[0] and other.ends[0]


class Leaves(Asked):
    """A job whose asker goes away as soon as it is decided."""

    def decided(self, decision: Decision, version: int) -> None:
        self.job.cancelled.set()
        self.done.set()  # nothing more is heard of it


def test_what_is_thought_beforehand_is_counted_and_ends_with_who_waits(model: Any) -> None:
    thinking = tiny_edited(editor=Note(reasons=True))
    thinking.edit("The capital of France is", "Lyon", subject="France")
    asked = "<|im_start|>user\nIs the capital of {} far?<|im_end|>\n<|im_start|>assistant\n"
    words, others = asked.format("France"), asked.format("old France")
    waits = Asked(thinking, words, n=2, max_tokens=3)
    alone, left = Asked(thinking, others, max_tokens=3), Leaves(thinking, f"{others} ")
    together(thinking, [alone, waits, left, Leaves(thinking, words)])
    assert waits.error is alone.error is None
    (counted,) = waits.job.thoughts.values()  # both answers rest on one thought
    assert 1 < waits.job.thought == counted <= MOST_NEW and waits.job.tokens <= 6
    assert 1 < alone.job.thought <= MOST_NEW
    assert left.job.thought <= 1  # else it would have gone on to its end
    outside = Asked(thinking, asked.format("Spain"), max_tokens=3)
    together(thinking, [outside])
    assert outside.job.thought == 0


class Later(threading.Event):
    """Is set once it has been looked at: whoever waited when the batch was put together is gone."""

    def is_set(self) -> bool:
        was = super().is_set()
        self.set()
        return was


def test_what_is_put_into_english_is_counted_and_ends_with_who_waits() -> None:
    model = tiny_edited()
    model.edit("The capital of France is", "Lyon", subject="France")
    model.translate = True
    chat = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
    asked, other = "Was ist die Hauptstadt von Frankreich?", "Wer wohnt heute in dem Haus?"
    waits, gone = Asked(model, chat.format(asked)), Leaves(model, chat.format(other))
    gone.job.cancelled = Later()
    english = Asked(model, chat.format("Who lives in the house?"))
    together(model, [waits, gone, english])
    assert waits.error is english.error is None
    assert 1 < waits.job.thought <= MOST_TRANSLATED and english.job.thought == 0
    assert gone.job.thought <= 1  # else it would have gone on to its end
    # What was broken off is not what whoever asks the same next is told.
    assert list(model.engine.kept["translations"]) == [asked]
    again = Asked(model, chat.format(asked))
    together(model, [again])
    assert again.job.thought == 0  # it is known
