"""Asking a model many things: in batches of like length, always composed the same way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from memedit.core.calls import Score
from memedit.core.types import Decision
from memedit.engine.tokens import pad_right
from memedit.evaluation.framing import CHAT, check, put_in_frame
from memedit.evaluation.measures.probes import Answer
from memedit.evaluation.schedule import chunks

if TYPE_CHECKING:
    from torch import Tensor

    from memedit.model.editable import EditableModel

T = TypeVar("T")
R = TypeVar("R")


class Asker:
    """Asks a model; greedy unless said otherwise.

    Args:
        model: Anything with ``ask``, ``score``, ``decide`` and ``forward`` of an EditableModel.
        tokens: The token budget of an answer; never the target's length.
        batch: Rows per call.
        frame: How a prompt is put, as in :func:`memedit.evaluation.framing.put_in_frame`.

    Raises:
        UnknownNameError: no such frame.
    """

    def __init__(
        self, model: EditableModel, *, tokens: int = 16, batch: int = 16, frame: str = "plain"
    ) -> None:
        check(frame)
        self.model, self.tokens, self.batch, self.frame = model, tokens, batch, frame
        self._ends = model.engine.ends()

    def frame_prompt(self, prompt: str) -> str:
        """The text that is asked."""
        return put_in_frame(self.frame, prompt)

    def decide(self, prompts: Sequence[str]) -> list[Decision]:
        """What the scope says of each prompt."""
        found: list[Decision] = []
        for start in range(0, len(prompts), self.batch):
            found += self.model.decide(prompts[start : start + self.batch])
        return found

    def answers(self, prompts: Sequence[str], **options: Any) -> list[Answer]:
        """The generated answer to each prompt, put into the frame."""
        options = {"max_new_tokens": self.tokens, "chat": self.frame == CHAT, **options}

        def ask(batch: Sequence[str]) -> list[Answer]:
            got = self.model.ask([self.frame_prompt(p) for p in batch], **options)
            return [Answer(c.text, self._is_finished(c.ids, options)) for c in got]

        return self.run_batched(prompts, ask, len)

    def scores(self, pairs: Sequence[tuple[str, str]]) -> list[Score]:
        """Each target under teacher forcing after its prompt, verbatim."""

        def score(batch: Sequence[tuple[str, str]]) -> list[Score]:
            return self.model.score([p for p, _ in batch], [t for _, t in batch])

        return self.run_batched(pairs, score, lambda pair: len(pair[0]))

    def rate_next_token(self, prompts: Sequence[str]) -> list[Tensor]:
        """[V] log-probabilities of the token after each prompt, verbatim; natural log."""
        import torch

        def rate_last(batch: Sequence[str]) -> list[Tensor]:
            rows = [torch.tensor(self.model.tokenizer(p).input_ids) for p in batch]
            # any id: it is masked
            ids, mask = (t.to(self.model.device) for t in pad_right(rows, 0))
            with torch.no_grad():
                logits = self.model(input_ids=ids, attention_mask=mask).logits
            ends = mask.sum(-1) - 1
            here = logits[torch.arange(len(rows), device=ends.device), ends]
            return list(here.float().log_softmax(-1).cpu())

        return self.run_batched(prompts, rate_last, len)

    def run_batched(
        self, items: Sequence[T], call: Callable[[Sequence[T]], list[R]], length: Callable[[T], int]
    ) -> list[R]:
        """``call`` on batches of items of like length; results in the order of ``items``."""
        # Like lengths share a batch: the padding of a long one would be computed for all.
        order = sorted(range(len(items)), key=lambda i: length(items[i]))
        results: dict[int, R] = {}
        for chunk in chunks(order, self.batch):
            results |= zip(chunk, call([items[i] for i in chunk]), strict=True)
        return [results[i] for i in range(len(items))]

    def _is_finished(self, ids: Tensor | None, options: dict[str, Any]) -> bool:
        if ids is None:
            return True
        tokens = ids[0].tolist()
        return len(tokens) < options["max_new_tokens"] or any(t in self._ends for t in tokens)
