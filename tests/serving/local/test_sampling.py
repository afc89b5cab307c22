"""The rows of one generation: text piece by piece, stops, and choices by closed form."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from memedit.serving.local.sampling import Chooser, Detokenizer, Generation, Sampling, StopText
from tests import helpers


def decode(tokens: Sequence[int]) -> str:
    return bytes(tokens).decode("utf-8", "replace")


@given(st.text(max_size=30), st.lists(st.text(min_size=1, max_size=4), max_size=4))
def test_pieces_make_the_text_up_to_the_first_stop(text: str, stops: list[str]) -> None:
    detokenizer, stop = Detokenizer(decode), StopText(stops)
    pieces = [stop.add(detokenizer.add(token)) for token in text.encode()]
    pieces += [stop.add(detokenizer.rest()), "" if stop.stopped else stop.rest()]
    found = [(text.find(s), s) for s in stops if s in text]
    # The stop that is complete first ends the answer, before where it began.
    ends = [at + len(s) for at, s in found]
    whole = text[: min(at for at, s in found if at + len(s) == min(ends))] if found else text
    assert "".join(pieces) == whole


@given(st.text(max_size=20))
def test_no_piece_holds_half_a_character(text: str) -> None:
    detokenizer = Detokenizer(decode)
    assert all("\ufffd" not in detokenizer.add(t) for t in text.replace("\ufffd", "").encode())


def test_a_real_tokenizer_agrees_with_itself() -> None:
    tokenizer = helpers.byte_tokenizer()
    text = "Grüße, 世界 🎉 and\nmore"
    detokenizer = Detokenizer(lambda ids: str(tokenizer.decode(ids)))
    pieces = [detokenizer.add(i) for i in tokenizer(text).input_ids]
    assert "".join(pieces) + detokenizer.rest() == text


def generation(**options: object) -> Generation:
    settings = {"max_tokens": 1_000, **options}
    return Generation(0, Sampling(**settings), decode, lambda *_: None, lambda: False)  # type: ignore[arg-type]


def test_samples_follow_the_softmax() -> None:
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0])
    row = generation(temperature=0.7, seed=1)
    chosen = torch.stack([row.choose(logits) for _ in range(4_000)]).argmax(-1)
    share = torch.bincount(chosen, minlength=4) / 4_000
    assert torch.allclose(share, (logits / 0.7).softmax(-1), atol=0.03)


@pytest.mark.parametrize("option", ["temperature", "top_p"])
def test_next_to_nothing_is_greedy(option: str) -> None:
    row = generation(**{option: 5e-324}, seed=1)
    assert int(row.choose(torch.tensor([1.0, 2.0, -80.0])).argmax()) == 1


def test_top_p_keeps_the_smallest_set_that_reaches_it() -> None:
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    for top_p, kept in ((0.5, {0}), (0.51, {0, 1}), (0.8, {0, 1}), (0.81, {0, 1, 2})):
        row = generation(top_p=top_p, seed=2)
        assert {int(row.choose(logits).argmax()) for _ in range(300)} == kept


def test_penalties_by_hand() -> None:
    row = generation(temperature=0, presence_penalty=0.5, frequency_penalty=0.25)
    row.tokens = [1, 1, 3]
    got = row.choose(torch.zeros(5))
    assert torch.allclose(got, torch.tensor([0.0, -1.0, 0.0, -0.75, 0.0]))


def test_a_seed_does_not_depend_on_the_neighbours() -> None:
    scores = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    alone = generation(seed=5)
    expected = [int(alone.choose(scores[1]).argmax()) for _ in range(50)]
    rows = [generation(seed=1), generation(seed=5), generation(temperature=0)]
    chooser = Chooser(rows)
    ids = torch.zeros(3, 1, dtype=torch.long)
    got = [chooser(ids, scores) for _ in range(50)]
    assert [int(each[1].argmax()) for each in got] == expected
    assert all(torch.equal(each[2], scores[2]) for each in got)  # a greedy row is left alone


def test_where_a_form_ends_an_answer_has_begun() -> None:
    row = generation(temperature=1, seed=3)
    chooser = Chooser([row], not_first=[0, 1])
    scores = torch.tensor([[50.0, 50.0, 1.0, 1.0]])
    first = {int(chooser(torch.zeros(1, 1), scores).argmax()) for _ in range(50)}
    assert first == {2, 3}
    row.tokens = [2]
    assert int(chooser(torch.zeros(1, 1), scores).argmax()) in {0, 1}


@pytest.mark.parametrize("limit", [1, 3])
def test_length_and_end(limit: int) -> None:
    row = generation(max_tokens=limit)
    done = [row.push(65, frozenset({9})) for _ in range(limit)]
    assert done == [False] * (limit - 1) + [True] and row.finish == "length"
    ended = generation()
    assert not ended.push(65, frozenset({9})) and ended.push(9, frozenset({9}))
    assert ended.finish == "stop" and ended.tokens == [65]
