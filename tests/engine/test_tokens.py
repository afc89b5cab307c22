"""Token ids: targets, padding, insertions and stops."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from memedit.core.calls import Row
from memedit.core.chat import ChatFormat, Turn
from memedit.core.errors import InvalidInputError
from memedit.engine.tokens import Codec, find_inserted, pad_left, pad_right


@pytest.fixture
def codec(tiny_tokenizer: Any) -> Codec:
    return Codec(tiny_tokenizer, tiny_tokenizer.pad_token_id)


def test_padding_keeps_rows_and_says_where_they_are() -> None:
    rows = [torch.tensor([1, 2, 3]), torch.tensor([4])]
    ids, mask = pad_left(rows, 9)
    assert ids.tolist() == [[1, 2, 3], [9, 9, 4]]
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1]]
    ids, mask = pad_right(rows, 9)
    assert ids.tolist() == [[1, 2, 3], [4, 9, 9]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]


@pytest.mark.parametrize(
    ("prompt", "target", "joined"),
    [
        ("The sky is", "blue", "The sky is blue"),
        ("The sky is ", "blue", "The sky is blue"),
        ("Answer:\n", "blue", "Answer:\nblue"),
        ("The sky is", " blue ", "The sky is blue"),
    ],
)
def test_a_target_takes_exactly_one_space(
    codec: Codec, prompt: str, target: str, joined: str
) -> None:
    before, after = codec.with_target(Row(prompt, target=target), prefixed=True)
    assert codec.text(torch.cat([before, after])) == joined
    assert codec.text(after).strip() == "blue"


def test_a_chat_target_takes_no_space(codec: Codec) -> None:
    chat = ChatFormat("<|im_start|>user\n", "<|im_end|>\n", "assistant\n", "<|im_end|>\n", "")
    row = Row(
        "Sky?", target="blue", turn=Turn("<|im_start|>user\n", "<|im_end|>\nassistant\n", chat)
    )
    _, after = codec.with_target(row, prefixed=False)
    assert codec.text(after) == "blue"
    with pytest.raises(InvalidInputError):
        codec.with_target(Row("Sky?"), prefixed=False)


def test_the_callers_ids_are_used_until_the_prompt_is_rewritten(codec: Codec) -> None:
    odd = torch.tensor([5, 6, 7])
    assert codec.prompt(Row("abc", ids=odd), prefixed=False) is odd
    rewritten = codec.prompt(Row("abc", ids=odd, rewritten=True), prefixed=True)
    assert rewritten.tolist() == codec.ids("abc").tolist()


def test_stops_are_the_tokens_that_contain_the_text(codec: Codec) -> None:
    stops = codec.stops(["\n"])
    assert codec.ids("\n").tolist()[0] in stops
    assert not set(stops) & set(codec.ids("plain words").tolist())
    assert not set(stops) & set(codec.tokenizer.all_special_ids)
    assert set(codec.stops(["\n", "q"])) == set(stops) | set(codec.stops(["q"]))


def test_an_insertion_is_found_or_refused() -> None:
    assert find_inserted("ab cd", "ab X cd") in [(3, "X "), (2, " X")]
    assert find_inserted("abc", "Xabc") == (0, "X")
    assert find_inserted("abc", "abc") == (3, "")
    for rewritten in ("ab", "Xac", "XabYc"):
        with pytest.raises(InvalidInputError):
            find_inserted("abc", rewritten)


def test_a_reply_begins_without_the_space_before_it() -> None:
    """A real byte-level tokenizer of five words: its ``Ġ`` is the space within a word."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {"\u0120Lyon": 0, "Lyon": 1, "\u0120Ulm": 2, "\u0120": 3, "<unk>": 4}
    inner = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    fast: Any = PreTrainedTokenizerFast
    codec = Codec(fast(tokenizer_object=inner, unk_token="<unk>"), 4)
    given = torch.tensor([[0, 0], [2, 0], [1, 0], [3, 0]])
    assert codec.strip_spaces(given).tolist() == [[1, 0], [2, 0], [1, 0], [3, 0]]
    assert given[0, 0] == 0  # the caller's own is left alone
    assert codec.strip_spaces(given[:, :0]).shape == (4, 0)


def test_a_reply_may_begin_with_two_tokens_for_one() -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {"\u0120Lyon": 0, "L": 1, "y": 2, "o": 3, "n": 4, "Ly": 5, "on": 6, ".": 7, "<pad>": 8}
    inner = Tokenizer(models.BPE(words, [("L", "y"), ("o", "n")]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    fast: Any = PreTrainedTokenizerFast
    codec = Codec(fast(tokenizer_object=inner, pad_token="<pad>"), 8)
    given = torch.tensor([[0, 7, 8], [1, 7, 7]])
    assert codec.strip_spaces(given).tolist() == [[5, 6, 7, 8], [1, 7, 7, 8]]
    assert codec.strip_spaces(given, 3).tolist() == [[5, 6, 7], [1, 7, 7]]
    assert codec.text(codec.strip_spaces(given[:1])[0]) == "Lyon."
