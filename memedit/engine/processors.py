"""Shows a user's processors, criteria and streamers what the base would have shown them.

An editor may have rewritten the prompt. What the user passed to ``generate`` shall see the user's
own prompt followed by the generated tokens, and nothing of the text that was added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor, StoppingCriteria

_AGAINST = 1e6
"""What is ruled out is made this much unlikelier (natural log), not impossible: where a processor
of the caller's forbids what is left, the row goes on as it likes."""


def _join_seen(own: Tensor, ids: Tensor, width: int) -> Tensor:
    """[n, W + t] the caller's prompts [B, W], each repeated n / B times, and the t new tokens."""
    prompts = own.repeat_interleave(len(ids) // len(own), 0)
    return torch.cat([prompts, ids[:, width:]], dim=1)


class CallerProcessor(LogitsProcessor):
    """``inner`` on the caller's view of the sequence.

    Args:
        inner: The logits processor.
        own: [B, W] the caller's prompts, left-padded.
        width: Number of prompt columns in the engine's sequence.
    """

    def __init__(self, inner: Any, own: Tensor, width: int) -> None:
        self.inner, self.own, self.width = inner, own, width

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        result: Tensor = self.inner(_join_seen(self.own, input_ids, self.width), scores)
        return result


class CallerCriterion(StoppingCriteria):
    """``inner`` on the caller's view of the sequence; arguments as in :class:`CallerProcessor`."""

    def __init__(self, inner: Any, own: Tensor, width: int) -> None:
        self.inner, self.own, self.width = inner, own, width

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: Any) -> Tensor:
        done: Tensor = self.inner(_join_seen(self.own, input_ids, self.width), scores, **kwargs)
        return done


class StopTokens(StoppingCriteria):
    """Ends a row at a stop token. A table look-up: listing hundreds of tokens as end-of-sequence
    would make ``generate`` compare each with the whole vocabulary at every step.

    Args:
        table: [V] bool, True at stop tokens.
    """

    def __init__(self, table: Tensor) -> None:
        self.table = table

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: Any) -> Tensor:
        return self.table[input_ids[:, -1]]


class NotYet(LogitsProcessor):
    """Forbids the stop tokens of ``table`` ([V] bool) until a sequence has ``least`` columns."""

    def __init__(self, table: Tensor, least: int) -> None:
        self.table, self.least = table, least

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        if input_ids.shape[1] >= self.least:
            return scores
        # The table may be longer: the tokenizer has tokens that the head gives no score.
        return scores.masked_fill(self.table[: scores.shape[-1]], -float("inf"))


class OneOf(LogitsProcessor):
    """Keeps each row to one of its answers, and ends it there.

    Args:
        answers: Per row the token sequences it may generate; none: anything.
        ends: Tokens that end an answer.
        width: Number of prompt columns.
    """

    def __init__(
        self, answers: Sequence[Sequence[Sequence[int]]], ends: Sequence[int], width: int
    ) -> None:
        self.answers, self.ends, self.width = answers, list(ends), width

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        against = torch.zeros_like(scores)
        # Beams and several answers stand for a row one after another.
        copies = len(input_ids) // len(self.answers)
        for i, said in enumerate(input_ids[:, self.width :].tolist()):
            if allowed := self._allow_next(self.answers[i // copies], said):
                against[i] = -_AGAINST
                against[i, allowed] = 0.0
        return scores + against

    def _allow_next(self, answers: Sequence[Sequence[int]], said: list[int]) -> list[int]:
        begun = [answer for answer in answers if list(answer[: len(said)]) == said]
        found = {answer[len(said)] for answer in begun if len(answer) > len(said)}
        if any(len(answer) == len(said) for answer in begun):
            found.update(self.ends)
        return sorted(found)


class Leans(LogitsProcessor):
    """Makes the tokens of a text likelier until it has been said: its first one, and once some of
    it was said the next.

    A base that holds on to what it knows says the old value with one odds and the note's with
    another; this shifts the odds between them. Where neither is due, both stay unlikely.

    Args:
        texts: Per row, per text: the token sequences it may stand as, and how much likelier they
            get (natural log).
        width: Number of prompt columns.
        opens: Per row the tokens that are likelier to come first, and how much.
        starts: Per row the tokens that may come first without any text being due: a sentence.
    """

    def __init__(
        self,
        texts: Sequence[Sequence[tuple[Sequence[list[int]], float]]],
        width: int,
        opens: Sequence[Sequence[tuple[int, float]]] = (),
        starts: Sequence[frozenset[int]] = (),
    ) -> None:
        self.width, self.opens, self.starts = width, opens, starts
        self.texts = [
            [(forms, [_spell(form) for form in forms], likelier) for forms, likelier in each]
            for each in texts
        ]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        copies = len(input_ids) // len(self.texts)
        more: dict[tuple[int, int], float] = {}
        # Only where nothing was said yet: would the base begin with a sentence of its own?
        first = scores.argmax(-1).tolist() if input_ids.shape[1] == self.width else []
        for i, said in enumerate(input_ids[:, self.width :].tolist()):
            if self.opens and not said:
                more |= {(i, token): likelier for token, likelier in self.opens[i // copies]}
            if self.starts and first and first[i] in self.starts[i // copies]:
                continue
            for token, likelier in self._find_due(i // copies, said):
                # One token may begin several texts; it gets no likelier by that.
                more[i, token] = max(more.get((i, token), 0.0), likelier)
        if not more:
            return scores
        rows, tokens = torch.tensor(list(more), device=scores.device).T
        values = torch.tensor(list(more.values()), device=scores.device, dtype=scores.dtype)
        return scores.index_put((rows, tokens), values, accumulate=True)

    def _find_due(self, row: int, said: list[int]) -> Iterator[tuple[int, float]]:
        """The tokens that go on with what was said of a row's texts, or begin one, and how much
        likelier they get."""
        spelt = _spell(said) if self.texts[row] else ""
        for forms, spelt_forms, likelier in self.texts[row]:
            # What has been said once, in any form, is due no more.
            if not any(form in spelt for form in spelt_forms):
                begun = [pair for form in forms for pair in _find_begun(said, form)]
                most = max((length for length, _ in begun), default=0)
                # Of a text under way the first token is not leaned to: it would be said twice.
                yield from ((token, likelier) for length, token in begun if length == most)


class Swaps(LogitsProcessor):
    """Gives the beginning of a text the score of another's, which a base is used to, until it was
    begun: what it is about to say as it always did, it says anew. Elsewhere both are unlikely.

    Args:
        pairs: Per row (first token of the old text, token sequence of the new one, the tokens
            behind one of which it must stand; None: anywhere).
        width: Number of prompt columns.
    """

    def __init__(
        self, pairs: Sequence[Sequence[tuple[int, list[int], frozenset[int] | None]]], width: int
    ) -> None:
        self.pairs, self.width = pairs, width

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        copies = len(input_ids) // len(self.pairs)
        swapped = scores
        for i, said in enumerate(input_ids[:, self.width :].tolist()):
            spelt = _spell(said)
            # Two tokens: a long name may be said in fewer words.
            if any(_spell(new[:2]) in spelt for _, new, _ in self.pairs[i // copies]):
                continue
            for old, new, behind in self.pairs[i // copies]:
                if said and said[-1] == new[0]:
                    continue  # "New": "York" may be next
                if behind is not None and not behind.intersection(said[-1:]):
                    continue
                if scores[i, old] > scores[i, new[0]]:
                    swapped = scores.clone() if swapped is scores else swapped
                    swapped[i, [old, new[0]]] = scores[i, [new[0], old]]
        return swapped


class Shuns(LogitsProcessor):
    """Keeps answers from beginning with a phrase: the token that would end it is ruled out.

    Args:
        phrases: Per row the token sequences it may not begin with.
        width: Number of prompt columns.
    """

    def __init__(self, phrases: Sequence[Sequence[list[int]]], width: int) -> None:
        self.phrases, self.width = phrases, width
        self.longest = max((len(each) for row in phrases for each in row), default=0)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        if input_ids.shape[1] - self.width >= self.longest:
            return scores
        copies = len(input_ids) // len(self.phrases)
        pairs = [
            (i, phrase[-1])
            for i, said in enumerate(input_ids[:, self.width :].tolist())
            for phrase in self.phrases[i // copies]
            if phrase[:-1] == said
        ]
        if not pairs:
            return scores
        rows, tokens = torch.tensor(pairs, device=scores.device).T
        against = torch.full((), -_AGAINST, device=scores.device, dtype=scores.dtype)
        return scores.index_put((rows, tokens), against)


def _spell(tokens: Sequence[int]) -> str:
    """Tokens as characters, so that one sequence is looked for in another at the speed of C."""
    return "".join(map(chr, tokens))


def _find_begun(said: list[int], text: list[int]) -> Iterator[tuple[int, int]]:
    """(n, token): the sequence ends with the first n tokens of a text, which goes on with the
    token; n = 0: the token begins it."""
    for n, token in enumerate(text):
        # The last token is compared first: that rules most out without cutting slices.
        if n == 0 or (said and said[-1] == text[n - 1] and said[-n:] == text[:n]):
            yield n, token


class Keeps(LogitsProcessor):
    """Leaves a fact to no chance: where the likeliest token is the first of an answer, or begins or
    continues a text that is to be kept, it is taken. Everything else is drawn as it is drawn.

    Args:
        texts: Per row the token sequences to be kept; None: the row is drawn as it is.
        width: Number of prompt columns.
        always: Per row whether nothing of it is drawn.
    """

    def __init__(
        self,
        texts: Sequence[Sequence[list[int]] | None],
        width: int,
        always: Sequence[bool] = (),
    ) -> None:
        self.texts, self.width = texts, width
        self.always = always or [False] * len(texts)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        copies = len(input_ids) // len(self.texts)
        likeliest = scores.argmax(-1).tolist()
        taken = []
        for i, said in enumerate(input_ids[:, self.width :].tolist()):
            kept = self.texts[i // copies]
            holds = kept is not None and self._holds(said, likeliest[i], kept)
            taken.append(holds or self.always[i // copies])
        if not any(taken):
            return scores
        others = torch.ones_like(scores, dtype=torch.bool)
        # Of two tokens that are as likely the first is taken, as greedy decoding does.
        others.scatter_(1, scores.argmax(-1, keepdim=True), False)
        mine = torch.tensor(taken, device=scores.device)[:, None]
        return scores - _AGAINST * (others & mine)

    @staticmethod
    def _holds(said: list[int], best: int, kept: Sequence[list[int]]) -> bool:
        return not said or any(
            best == token for text in kept for _, token in _find_begun(said, text)
        )


class CallerStreamer:
    """Streams the caller's prompt and the answer up to its stop, never the added context."""

    def __init__(
        self,
        inner: Any,
        own: Tensor,
        stops: Sequence[int],
        first: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.inner, self.own, self.stops, self._first = inner, own, frozenset(stops), first
        self._started = self._stopped = False

    def put(self, value: Tensor) -> None:
        # ``generate`` puts the prompt first, all at once, with what the editor added.
        if not self._started:
            self._started = True
            self.inner.put(self.own)
        elif not self._stopped:
            self._stopped = bool(self.stops.intersection(value.flatten().tolist()))
            if not self._stopped:
                if self._first is not None:  # how the answer begins
                    value, self._first = self._first(value.reshape(-1, 1)).flatten(), None
                self.inner.put(value)

    def end(self) -> None:
        self.inner.end()
