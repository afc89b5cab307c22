"""One call of ``generate``: what an editor asks for, added to the caller's options.

A repetition penalty or a user's own logits processor must not see the text an editor added (it
would forbid the very answer): processors are shown the caller's prompt and the tokens generated
since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessorList, StoppingCriteriaList
from transformers.generation.logits_process import (
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
)

from memedit.core.calls import Batch, Row
from memedit.engine.processors import (
    CallerCriterion,
    CallerProcessor,
    CallerStreamer,
    Keeps,
    Leans,
    NotYet,
    OneOf,
    Shuns,
    StopTokens,
    Swaps,
)
from memedit.engine.tokens import Codec, pad_left

_VERBS = ("is", "are", "was", "were", "by", "called", "named")
"""What a value stands behind: "The president is"."""
_TELLING = 4
"""Letters of a token that begins hardly more than one word."""


class GenerationSettings:
    """What ``generate`` will go by: the call's options, then their config, then the model's."""

    def __init__(self, options: Mapping[str, Any], default: Any) -> None:
        self._options = options
        self._configs = [c for c in (options.get("generation_config"), default) if c is not None]

    def __call__(self, name: str, default: Any) -> Any:
        if (value := self._options.get(name)) is not None:
            return value
        for config in self._configs:
            if (value := getattr(config, name, None)) is not None:
                return value
        return default

    @property
    def eos(self) -> list[Any]:
        """Ids of ends, as many as are given, of whatever kind."""
        return self._list("eos_token_id")

    @property
    def pad(self) -> Any:
        """The id that is to stand behind answers; None where nobody says."""
        ids = self._list("pad_token_id")
        return ids[0] if len(ids) == 1 else ids or None

    def _list(self, name: str) -> list[Any]:
        value = self(name, [])
        if isinstance(value, Tensor):
            value = value.tolist()
        # A text is a sequence, too, and no ids.
        return list(value) if isinstance(value, list | tuple) else [value]


class Generation:
    """How the rows of a batch are continued.

    Args:
        base: A Hugging Face causal language model.
        codec: Of its tokenizer.
        batch: What is continued.

    Attributes:
        setting: The settings in force.
        stops: Tokens at which a row ends, sorted; they are not part of the answer.
        added: The model reads more than the caller wrote.
    """

    def __init__(self, base: Any, codec: Codec, batch: Batch) -> None:
        self._base, self._codec, self._batch = base, codec, batch
        self.setting = GenerationSettings(batch.options, base.generation_config)
        self.stops = codec.stops(batch.stop)
        self.added = bool(batch.prefix) or any(row.rewritten for row in batch.rows)

    @cached_property
    def _size(self) -> int:
        """Tokens that there are: a head may be padded beyond the vocabulary, and a tokenizer may
        have more tokens than the head."""
        size: int = self._base.get_output_embeddings().weight.shape[0]
        return max(size, len(self._codec.tokenizer))

    @cached_property
    def _eos(self) -> list[int]:
        """The tokens that end a text. An id that no token has ends none, as in the base."""
        return [token for token in self.setting.eos if 0 <= token < self._size]

    @property
    def answers(self) -> int:
        """Sequences that are given back for each row."""
        return max(1, int(self.setting("num_return_sequences", 1)))  # 0 is 1 to transformers

    @property
    def copies(self) -> int:
        """Sequences of each row that the model has at work: beams, or answers."""
        return max(int(self.setting("num_beams", 1)), self.answers)

    @property
    def budget(self) -> int:
        """Tokens that may be written, where the engine must see that they fit; else 0."""
        return int(self.setting("max_new_tokens", 20)) if self.added else 0

    def options(self, width: int) -> dict[str, Any]:
        """The call's options: stops added, processors given the caller's view.

        Args:
            width: Columns of the call's ``input_ids`` [B, width].
        """
        batch, setting, stops = self._batch, self.setting, self.stops
        options = dict(batch.options)
        firsts = _take_firsts(options)
        # Unset, transformers takes the end token, and says so at every call. The caller's may be no
        # token of the model's: whoever gives out the ids puts it behind them.
        options["pad_token_id"] = self._codec.pad
        self._drop_unfit(options)
        if self.added:
            self._show_caller(options, width)
        held = self._hold_to(options, width)
        # Hundreds of tokens may hold a stop (every one with a line break in it): see StopTokens.
        if stops:
            table = self._table()
            least = width + max(1, setting("min_new_tokens", 0))
            eos = torch.tensor(self._eos, dtype=torch.long, device=table.device)
            # First: what is taken for likeliest must not be a stop that is forbidden afterwards.
            held = [NotYet(table.index_fill(0, eos, True), least), *held]
            criteria = [*(options.get("stopping_criteria") or ()), StopTokens(table)]
            options["stopping_criteria"] = StoppingCriteriaList(criteria)
        if firsts or held:
            processors = [*firsts, *held, *(options.get("logits_processor") or ())]
            options["logits_processor"] = LogitsProcessorList(processors)
        return options

    def _hold_to(self, options: Mapping[str, Any], width: int) -> list[Any]:
        """What keeps answers to an edit's words; more of it where they are sampled, by ``generate``
        or by a processor of the caller's."""
        found: list[Any] = []
        rows, setting = self._batch.rows, self.setting
        samples = setting("do_sample", False) or bool(options.get("logits_processor"))
        texts = [() if row.formed else row.answers or (row.only if samples else ()) for row in rows]
        if any(texts):
            found.append(OneOf(self._answers(texts), [*self._eos, *self.stops], width))
        if any(row.swaps for row in rows):
            # First: what is leaned to is leaned to beside what will be said.
            found.append(Swaps([self._find_swapped(row) for row in rows], width))
        if any(row.leans or row.opens for row in rows):
            opens = [self._find_openings(row) for row in rows]
            starts = [self._starts(row) for row in rows]
            found.append(Leans([self._find_leanings(row) for row in rows], width, opens, starts))
        if any(row.shuns for row in rows):
            found.append(Shuns([self._find_shunned(row) for row in rows], width))
        if samples and any(row.keeps is not None or row.likeliest for row in rows):
            kept = [self._encode_kept(row) for row in rows]
            found.append(Keeps(kept, width, [row.likeliest for row in rows]))
        return found

    def _answers(self, texts: Sequence[Sequence[str]]) -> list[list[list[int]]]:
        """Per row the token sequences of the texts it may answer with."""
        prefixed = bool(self._batch.prefix)
        return [
            [self._codec.continuation(row, text, prefixed=prefixed) for text in each]
            for row, each in zip(self._batch.rows, texts, strict=True)
        ]

    def _encode_kept(self, row: Row) -> list[list[int]] | None:
        """The token sequences of a row's ``keeps``."""
        if row.keeps is None:
            return None
        return [ids for text in row.keeps for ids in self._forms(text)]

    def _find_leanings(self, row: Row) -> list[tuple[list[list[int]], float]]:
        """Per text of a row's ``leans`` its token sequences and how much likelier they get.

        A space that is a token of its own (before digits) begins anything: none is leaned to.
        """
        return [(self._find_telling_forms(text), likelier) for text, likelier in row.leans]

    def _find_swapped(self, row: Row) -> list[tuple[int, list[int], frozenset[int] | None]]:
        """Per pair of a row's ``swaps`` and form the first token of the one and the tokens of the
        other, where they begin otherwise; and where it is less than most of a word the tokens
        behind which a value stands."""
        return [
            (begun[0], other, None if self._tells(begun[0], old) else self._verbs())
            for old, new in row.swaps
            for begun, other in zip(self._forms(old), self._forms(new), strict=False)
            if begun[0] != other[0]
        ]

    def _verbs(self) -> frozenset[int]:
        return frozenset(ids[0] for verb in _VERBS for ids in self._forms(verb)[:1])

    def _tells(self, token: int, text: str) -> bool:
        """Whether a token begins hardly any other word than a text's first one."""
        letters, first = self._codec.text(torch.tensor([token])).strip(), text.split(" ")[0]
        # Of "Interlaken" "Inter" begins the internet.
        return letters == first or (len(letters) >= _TELLING and 2 * len(letters) > len(first))

    def _find_telling_forms(self, text: str) -> list[list[int]]:
        forms = self._forms(text)
        told = [ids for ids in forms if self._codec.text(torch.tensor(ids[:1])).strip()]
        return told or forms

    def _starts(self, row: Row) -> frozenset[int]:
        """The tokens that begin one of a row's ``starts``, within a sentence or at a beginning."""
        words = (form for word in row.starts for form in (word, word[:1].upper() + word[1:]))
        return frozenset(ids[0] for word in words for ids in self._forms(word))

    def _find_openings(self, row: Row) -> list[tuple[int, float]]:
        """The first tokens of a row's ``opens``, and how much likelier they get."""
        return [
            (ids[0], likelier)
            for text, likelier in row.opens
            for ids in self._find_telling_forms(text)
        ]

    def _find_shunned(self, row: Row) -> list[list[int]]:
        """The token sequences of a row's ``shuns``."""
        return [ids for text in row.shuns for ids in self._forms(text)]

    def _forms(self, text: str) -> list[list[int]]:
        """The token sequences of a text within a sentence and at a beginning."""
        return [ids for form in (f" {text}", text) if (ids := self._codec.ids(form).tolist())]

    def _drop_unfit(self, options: dict[str, Any]) -> None:
        """Take out what says how the base shall work, not what it shall write, and which what an
        editor adds leaves no room for: its prefix is a cache already, its gates see whole prompts.
        """
        for name in ("cache_implementation", "prefill_chunk_size"):
            if (self._batch.prefix or self._batch.interventions) and self.setting(name, None):
                options[name] = None  # a config may ask for it, too

    def _table(self) -> Tensor:
        """[V] bool, True at the stop tokens."""
        table = torch.zeros(self._size, dtype=torch.bool, device=self._base.device)
        table[list(self.stops)] = True
        return table

    def _show_caller(self, options: dict[str, Any], width: int) -> None:
        """Wrap what looks back at the sequence, so that it sees the caller's own prompt."""
        prompts = [row.ids if row.ids is not None else torch.tensor([]) for row in self._batch.rows]
        own, _ = pad_left([p.cpu().long() for p in prompts], self._codec.pad)
        own = own.to(self._base.device)
        processors = [
            *_repetition(self.setting, options),
            *(options.pop("logits_processor", None) or ()),
        ]
        if processors:
            wrapped = [CallerProcessor(p, own, width) for p in processors]
            options["logits_processor"] = LogitsProcessorList(wrapped)
        if criteria := options.pop("stopping_criteria", None):
            seen = [CallerCriterion(c, own, width) for c in criteria]
            options["stopping_criteria"] = StoppingCriteriaList(seen)
        if streamer := options.pop("streamer", None):
            chat = all(row.turn is not None for row in self._batch.rows)
            # A template ends where the reply begins: its first token must not bring a space along.
            first = self._codec.strip_spaces if chat else None
            options["streamer"] = CallerStreamer(streamer, own, self.stops, first)

    def seal(self, ids: Tensor) -> Tensor:
        """Ids [n, T] cut at each row's first stop, which becomes end-of-sequence; then padding."""
        if not self.stops or not ids.numel():
            return ids
        ids, eos = ids.clone(), self._eos
        ends = torch.isin(ids, torch.tensor([*self.stops, *eos], device=ids.device))
        stopped = torch.isin(ids, torch.tensor(self.stops, device=ids.device))
        # Behind the first end, but not that end itself.
        after = ends.cumsum(-1) - ends.long() > 0
        ids[stopped] = eos[0] if eos else self._codec.pad
        ids[after] = self._codec.pad
        return ids


def _take_firsts(options: dict[str, Any]) -> list[Any]:
    """The caller's processors that say ``first``, taken out of the options: they read the model's
    own scores, or forbid tokens, before an answer is kept to an edit's words. They look at no ids.
    """
    given = options.get("logits_processor") or ()
    firsts = [p for p in given if getattr(p, "first", False)]
    if firsts:
        options["logits_processor"] = [p for p in given if p not in firsts]
    return firsts


def _repetition(setting: GenerationSettings, options: dict[str, Any]) -> list[Any]:
    """The built-in processors that look back at the prompt, taken out of the options."""
    found: list[Any] = []
    penalty, size = setting("repetition_penalty", 1.0), setting("no_repeat_ngram_size", 0)
    # Handed on by ``generate`` it would see the editor's text; wrapped, it sees the caller's.
    if penalty != 1.0:
        found.append(RepetitionPenaltyLogitsProcessor(float(penalty)))
        options["repetition_penalty"] = 1.0
    if size > 0:  # below, transformers leaves it out
        found.append(NoRepeatNGramLogitsProcessor(size))
        options["no_repeat_ngram_size"] = 0
    return found
