"""From rows to token ids: targets and their leading space, padding, stop tokens, insertions.

The rules are those of the field's usual mistakes: the target takes exactly one leading space when
the prompt does not end in white space; special tokens never enter a target; masks are explicit and
never derived from ``ids == pad``, because many tokenizers pad with the end-of-sequence token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from memedit.core.calls import Row
from memedit.core.controls import Controls
from memedit.core.errors import InvalidInputError


def pad_left(rows: Sequence[Tensor], pad: int) -> tuple[Tensor, Tensor]:
    """Ids [B, T] and mask [B, T] (int64, 1 at real tokens), padded on the left."""
    width = max(len(row) for row in rows)
    ids = torch.full((len(rows), width), pad, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, width - len(row) :] = row
        mask[i, width - len(row) :] = 1
    return ids, mask


def pad_right(rows: Sequence[Tensor], pad: int) -> tuple[Tensor, Tensor]:
    """Ids [B, T] and mask [B, T] (int64, 1 at real tokens), padded on the right."""
    width = max(len(row) for row in rows)
    ids = torch.full((len(rows), width), pad, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return ids, mask


def _common_prefix(a: Sequence[Any], b: Sequence[Any]) -> int:
    n = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        n += 1
    return n


def find_inserted(original: str, rewritten: str) -> tuple[int, str]:
    """Where and what was inserted: ``rewritten == original[:at] + text + original[at:]``.

    Raises:
        InvalidInputError: ``rewritten`` is not ``original`` with one text inserted.
    """
    at = _common_prefix(original, rewritten)
    extra = len(rewritten) - len(original)
    if extra < 0 or original[at:] != rewritten[at + extra :]:
        raise InvalidInputError(
            "The editor rewrote the prompt so that the caller's own tokens have no logits.",
            hint="Call generate(), or pass the prompt and the target to score() separately.",
        )
    return at, rewritten[at : at + extra]


class Codec:
    """One tokenizer, seen the way the engine needs it."""

    def __init__(self, tokenizer: Any, pad: int) -> None:
        self.tokenizer = tokenizer
        self.pad = pad
        self._stops: dict[str, tuple[int, ...]] = {}

    @cached_property
    def controls(self) -> Controls:
        """What must not stand in the texts of a chat."""
        return Controls.of(self.tokenizer)

    def ids(self, text: str, *, special: bool = False) -> Tensor:
        """[T] int64 token ids; ``special`` adds what the tokenizer puts before a text."""
        return torch.tensor(
            self.tokenizer(text, add_special_tokens=special).input_ids, dtype=torch.long
        )

    def text(self, ids: Tensor, *, special: bool = False) -> str:
        """Ids [T] back to text, verbatim; ``special`` keeps the special tokens visible."""
        decoded: str = self.tokenizer.decode(
            ids, skip_special_tokens=not special, clean_up_tokenization_spaces=False
        )
        return decoded

    def strip_spaces(self, ids: Tensor, most: int | None = None) -> Tensor:
        """Generated ids [n, T] whose texts begin without a space, [n, at least T].

        Only first tokens are exchanged: ``" Lyon"`` becomes ``"Lyon"``, be it one token or two.

        Args:
            ids: One answer a row, padded on the right.
            most: Tokens that a row may have; None: any number.
        """
        begun = ids[:, :1].flatten().tolist()
        rows = [self._strip_space(token) for token in begun]
        if all(new.tolist() == [old] for new, old in zip(rows, begun, strict=True)):
            return ids
        width = ids.shape[1] - 1 + max(map(len, rows))
        made = ids.new_full((len(ids), width), self.pad)
        for row, new, old in zip(made, rows, ids, strict=True):
            row[: len(new)] = new
            row[len(new) : len(new) + len(old) - 1] = old[1:]
        return made[:, : most if most is None else max(most, ids.shape[1])]

    def _strip_space(self, token: int) -> Tensor:
        """The tokens [k] that say the same without a leading space; the token alone without one."""
        own = torch.tensor([token])
        text = self.text(own)
        # Tokens of nothing but white space would become nothing.
        if not text.startswith(" ") or not text.strip():
            return own
        other = self.ids(text.lstrip(" "))
        return other if self.text(other) == text.lstrip(" ") else own

    def prompt(self, row: Row, *, prefixed: bool) -> Tensor:
        """[T] ids of a row's whole text; the caller's own ids while the prompt is as it was.

        ``prefixed`` rows follow a prefix, which already carries the special tokens.
        """
        if row.ids is None or row.rewritten:
            # Of a chat the template has written the special tokens already.
            return self.ids(row.text, special=not prefixed and row.turn is None)
        ids = row.ids.cpu()
        if (
            prefixed
            and len(ids)
            and int(ids[0]) == self.tokenizer.bos_token_id
            and row.turn is None
        ):
            ids = ids[1:]
        return ids

    def with_target(self, row: Row, *, prefixed: bool) -> tuple[Tensor, Tensor]:
        """(prompt ids [P], target ids [T]) of a row to score, tokenised jointly.

        The target is what follows the longest common prefix of prompt and prompt + target, so
        merges over the boundary and sentencepiece's extra space fall on the right side.

        Raises:
            InvalidInputError: the row has no target.
        """
        if not row.target:
            raise InvalidInputError("A row without a target cannot be scored.")
        special = not prefixed and row.turn is None
        text = row.text
        opened = row.turn is not None and not row.rewritten  # the template opened the reply
        space = "" if opened or not text or text[-1].isspace() else " "
        prompt = self.prompt(row, prefixed=prefixed)
        joint = self.ids(text + space + row.target.strip(), special=special)
        # The joint tokens may differ from the prompt's own at its end (a merge over the boundary).
        shared = _common_prefix(prompt.tolist(), joint.tolist())
        return joint[:shared], joint[shared:]

    def continuation(self, row: Row, text: str, *, prefixed: bool) -> list[int]:
        """Ids of ``text`` as what the model would generate after a row's prompt."""
        prompt, ids = self.with_target(replace(row, target=text), prefixed=prefixed)
        whole = len(prompt) == len(self.prompt(row, prefixed=prefixed))
        found: list[int] = (ids if whole else self.ids(text)).tolist()
        return found

    def insertion(self, row: Row, original: str, *, prefixed: bool) -> tuple[Tensor, Tensor]:
        """Ids [T'] of a rewritten row with the caller's ids kept verbatim, and a mask of them.

        Returns:
            (ids [T'], own [T'] bool: True at the caller's own tokens, in order).
        """
        ids = self.prompt(Row(original, turn=row.turn, ids=row.ids), prefixed=prefixed)
        if not row.rewritten:
            return ids, torch.ones(len(ids), dtype=torch.bool)
        at, text = find_inserted(original, row.prompt)
        # In a chat the prompt is the last turn only, the ids are of the whole conversation.
        at += len(row.turn.before) if row.turn else 0
        cut = self._token_at(ids, at, special=row.turn is not None)
        extra = self.ids(text)
        own = torch.ones(len(ids) + len(extra), dtype=torch.bool)
        own[cut : cut + len(extra)] = False
        return torch.cat([ids[:cut], extra, ids[cut:]]), own

    def _token_at(self, ids: Tensor, character: int, *, special: bool) -> int:
        """First token that starts at or after a character of the decoded text (bisection)."""
        low, high = 0, len(ids)
        while low < high:
            middle = (low + high) // 2
            if len(self.text(ids[:middle], special=special)) < character:
                low = middle + 1
            else:
                high = middle
        # At 0, the text must still come after the beginning-of-sequence token, which decodes to "".
        if special or low:
            return low
        bos = self.tokenizer.bos_token_id
        return int(len(ids) > 0 and int(ids[0]) == bos)

    def stops(self, texts: Sequence[str]) -> tuple[int, ...]:
        """Ids of all ordinary tokens whose text contains one of ``texts``; sorted."""
        found: set[int] = set()
        for text in texts:
            # Once for each text: to decode a whole vocabulary takes a noticeable while.
            if text not in self._stops:
                self._stops[text] = self._find_containing(text)
            found.update(self._stops[text])
        return tuple(sorted(found))

    def _find_containing(self, text: str) -> tuple[int, ...]:
        special = set(self.tokenizer.all_special_ids)
        size = len(self.tokenizer)
        pieces = self.tokenizer.batch_decode(
            [[i] for i in range(size)], clean_up_tokenization_spaces=False
        )
        return tuple(i for i, piece in enumerate(pieces) if text in piece and i not in special)
