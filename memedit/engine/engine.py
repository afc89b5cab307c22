"""Runs batches on the base model.

An editor describes what shall happen (prompts, a prefix, interventions, stops); the engine makes it
happen for one call and leaves nothing behind. Three mechanisms carry everything: prefixes whose
keys and values are computed once (:mod:`memedit.engine.prefixes`), interventions that are hooks for
one call (:mod:`memedit.engine.hooks`), and a view of the call in which the caller's processors do
not see what an editor added (:mod:`memedit.engine.generation`).
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from memedit.core.calls import Batch, Completion, Row
from memedit.core.errors import InvalidInputError
from memedit.core.sites import Sites, find
from memedit.core.types import Record
from memedit.engine import hooks
from memedit.engine.generation import Generation, GenerationSettings
from memedit.engine.hooks import After, Before
from memedit.engine.loading import fingerprint, pad_id
from memedit.engine.prefixes import Prefixes
from memedit.engine.tokens import Codec, pad_left, pad_right
from memedit.engine.transcript import Transcript


class Engine:
    """One base model and its tokenizer; implements :class:`memedit.protocols.LM`.

    Args:
        base: A Hugging Face causal language model (PEFT-wrapped is fine). Never modified.
        tokenizer: Its tokenizer.

    Attributes:
        records: The edits that are in the weights of a :meth:`shadow`; none otherwise.
        kept: What editors computed of the original model, by their own keys (shared by shadows).
        original: The engine this one is a shadow of; itself otherwise.
    """

    def __init__(self, base: Any, tokenizer: Any) -> None:
        self.base = base
        self.tokenizer = tokenizer
        self.codec = Codec(tokenizer, pad_id(tokenizer, base.config))
        self.records: Sequence[Record] = ()
        self.kept: dict[Any, Any] = {}
        self.original: Engine = self
        self.prefixes = Prefixes(base, self.codec)

    @cached_property
    def sites(self) -> Sites:
        return find(self.base)

    @cached_property
    def fingerprint(self) -> str:
        return fingerprint(self.base)

    @property
    def device(self) -> torch.device:
        device: torch.device = self.base.device
        return device

    @property
    def window(self) -> int | None:
        """Longest sequence the base accepts, in tokens; None if its config does not say."""
        return self.prefixes.window

    # The calls

    def generate(self, batch: Batch) -> list[Completion]:
        """Continue every row; ``batch.options`` are those of the base model's ``generate``.

        Raises:
            ContextOverflowError: prefix and prompt exceed the model's window.
        """
        texts = [self.codec.prompt(row, prefixed=bool(batch.prefix)) for row in batch.rows]
        # With a window, padding between prefix and row would push the prefix out of sight.
        if batch.prefix and self.prefixes.sliding and len({len(text) for text in texts}) > 1:
            return self._generate_by_length(batch, [len(text) for text in texts])
        ids, mask = (t.to(self.device) for t in pad_left(texts, self.codec.pad))
        call = Generation(self.base, self.codec, batch)
        options = call.options(ids.shape[1])
        full, copies = mask, call.copies
        if batch.prefix:
            length, cache = self.prefixes.take(batch.prefix, len(batch) * copies, growing=True)
            options["past_key_values"] = cache
            full = torch.cat([mask.new_ones(len(batch), length), mask], dim=1)
        self.prefixes.check_window(full.shape[1] + call.budget)
        # ``generate`` repeats each row for its beams; gates must follow the rows of its tensors.
        rows = [row for row in batch.rows for _ in range(copies)]
        masks = mask.repeat_interleave(copies, 0)
        with hooks.install(self.base, batch.interventions, rows, masks):
            out = self.base.generate(input_ids=ids, attention_mask=full, **options)
        # A config may ask for a dict, though the options do not.
        sequences = out if isinstance(out, Tensor) else out.sequences
        new, each = call.seal(sequences[:, ids.shape[1] :]), call.answers
        return [self._completion(row, new[i * each :][:each]) for i, row in enumerate(batch.rows)]

    def score(self, batch: Batch) -> list[Completion]:
        """Sum of log p of every row's target after its prompt."""
        with torch.no_grad():
            values = -self.nll(batch)
        return [
            Completion(row.target or "", logprob=float(value), decision=row.decision)
            for row, value in zip(batch.rows, values, strict=True)
        ]

    def next_logits(self, batch: Batch) -> Tensor:
        """[B, V] float32 logits of what comes after every row, as the base has them."""
        heard: list[Tensor] = []

        def hear(ids: Tensor, scores: Tensor) -> Tensor:
            heard.append(scores.float())
            return scores

        options = {"max_new_tokens": 1, "do_sample": False, "logits_processor": [hear]}
        # What a model's own settings make of its logits concerns what it writes.
        self.generate(replace(batch, options=options | {"repetition_penalty": 1.0}))
        return torch.cat(heard)

    def next_states(self, batch: Batch, layer: int) -> Tensor:
        """[B, d] float32 output of a layer at the last token of every row.

        Args:
            batch: Rows behind its prefix; its options and interventions have no part in it.
            layer: From 0; those behind it are not run.

        Raises:
            InvalidInputError: there is no such layer.
            UnsupportedArchitectureError: where the base keeps its layers is not known.
        """
        plain = Batch(batch.rows, prefix=batch.prefix)
        texts = [self.codec.prompt(row, prefixed=bool(plain.prefix)) for row in plain.rows]
        ids, mask = pad_right(texts, self.codec.pad)
        heard: list[Tensor] = []

        def hear(inputs: Tensor, outputs: Tensor) -> None:
            heard.append(outputs.detach())
            raise _HeardEnough

        if plain.prefix:
            self.prefixes.take(plain.prefix, 1)  # all layers of it: others read them, too
        with self.watch(after={self.sites.block(layer): hear}), suppress(_HeardEnough):
            with torch.no_grad():
                self._forward(plain, ids, mask)
        ends = mask.sum(-1) - 1
        return heard[0][torch.arange(len(texts)), ends.to(heard[0].device)].float()

    def nll(self, batch: Batch) -> Tensor:
        """[B] negative log-likelihood of the targets, summed over tokens; differentiable."""
        prefixed = bool(batch.prefix)
        pairs = [self.codec.with_target(row, prefixed=prefixed) for row in batch.rows]
        ids, mask = pad_right([torch.cat(pair) for pair in pairs], self.codec.pad)
        logits = self._forward(batch, ids, mask, [len(prompt) - 1 for prompt, _ in pairs])
        losses = []
        for i, (prompt, target) in enumerate(pairs):
            start = len(prompt) - 1
            # The logits at a token are those of the next one.
            here = logits[i, start : start + len(target)].float().log_softmax(-1)
            losses.append(-here.gather(-1, target.to(here.device)[:, None]).sum())
        return torch.stack(losses)

    def logits(self, batch: Batch, originals: Sequence[str]) -> list[Tensor]:
        """Per row [T, V]: the logits at the caller's own T tokens, whatever was inserted.

        Args:
            batch: Rows with ``ids``; each prompt may have had one text inserted.
            originals: The prompts before the rewriting, in order.
        """
        prefixed = bool(batch.prefix)
        rows = [
            self.codec.insertion(row, original, prefixed=prefixed)
            for row, original in zip(batch.rows, originals, strict=True)
        ]
        ids, mask = pad_right([tokens for tokens, _ in rows], self.codec.pad)
        last = [_find_last_asked(row, own) for row, (_, own) in zip(batch.rows, rows, strict=True)]
        logits = self._forward(batch, ids, mask, last)
        return [logits[i, : len(own)][own.to(logits.device)] for i, (_, own) in enumerate(rows)]

    def read(self, prompts: Sequence[str], site: str, column: Callable[[str], int]) -> Tensor:
        """[B, d_in] input of module ``site`` at the token holding character ``column(prompt)``."""
        encoded = [
            self.tokenizer(p, return_offsets_mapping=True, add_special_tokens=True) for p in prompts
        ]
        columns = [
            _token_of(e.offset_mapping, column(p)) for e, p in zip(encoded, prompts, strict=True)
        ]
        ids, mask = pad_right([torch.tensor(e.input_ids) for e in encoded], self.codec.pad)
        seen: list[Tensor] = []

        def see(args: Any, kwargs: Any) -> None:
            seen.append(hooks.find_first_input(args, kwargs).detach())

        with self.watch(before={site: see}), torch.no_grad():
            self._forward(Batch(tuple(Row(p) for p in prompts)), ids, mask)
        return seen[0][torch.arange(len(prompts)), torch.tensor(columns)]

    def transcript(self, prefix: str, rows: int) -> Transcript:
        """``rows`` texts that begin with ``prefix`` and grow in rounds."""
        return Transcript(self.base, self.codec, self.prefixes, prefix, rows, ends=self.ends())

    def eos(self) -> frozenset[int]:
        """The tokens at which a text ends: ``generate``'s and the tokenizer's."""
        own = self.tokenizer.eos_token_id
        found = GenerationSettings({}, self.base.generation_config).eos
        return frozenset(found if own is None else [*found, int(own)])

    def ends(self) -> frozenset[int]:
        """The same, and the padding that stands behind them."""
        return self.eos() | {self.codec.pad}

    # The model as another one

    def shadow(
        self, changes: Mapping[str, Tensor] | None = None, records: Sequence[Record] | None = None
    ) -> Engine:
        """The model with other weights, beside this one: nothing of this one is written.

        Every tensor is shared but the changed weights, and the structure is a copy, so that hooks
        in one never act in the other.

        Args:
            changes: Site -> D [d_out, d_in], added to the module's weight; the sum is rounded once
                to the weight's dtype.
            records: What the changes stand for; by default those of this engine.

        Raises:
            InvalidInputError: a weight that other modules share (tied embeddings).
        """
        # As a memo it tells deepcopy that all tensors are copied already: only modules are.
        tensors = {id(t): t for t in (*self.base.parameters(), *self.base.buffers())}
        other = Engine(copy.deepcopy(self.base, tensors), self.tokenizer)
        # Whatever was fitted or learnt for the original is this one's too.
        other.__dict__["fingerprint"] = self.fingerprint
        other.kept, other.original = self.kept, self.original
        other.records = self.records if records is None else records
        for site, weight in compute_changed_weights(self, changes or {}).items():
            with torch.no_grad():
                new = nn.Parameter(weight, requires_grad=False)
            other.base.get_submodule(site).weight = new
        return other

    def watch(
        self,
        *,
        before: Mapping[str, Before] | None = None,
        after: Mapping[str, After] | None = None,
    ) -> AbstractContextManager[None]:
        """Functions called at modules of the base, in this thread, for the length of the block.

        Args:
            before: Path of a module -> what sees (and may replace) its first input.
            after: Path of a module -> what sees (and may replace) its output.
        """
        return hooks.watch(self.base, before, after)

    def passed_over(self, blocks: Sequence[str]) -> AbstractContextManager[None]:
        """Blocks of the base that hand on what they are given, for the length of the block.

        Not while other threads use the model.
        """
        tuples = bool(blocks) and self._gives_tuples(blocks[0])
        return hooks.pass_over(self.base, blocks, tuples=tuples)

    def _gives_tuples(self, block: str) -> bool:
        key = ("tuples", self.fingerprint)
        if key not in self.kept:
            self.kept[key] = hooks.gives_tuples(self.base, block)
        return bool(self.kept[key])

    # How they are done

    def _generate_by_length(self, batch: Batch, lengths: Sequence[int]) -> list[Completion]:
        """Rows of one length at a time, so that no row is padded."""
        results: dict[int, Completion] = {}
        for length in set(lengths):
            which = [i for i, n in enumerate(lengths) if n == length]
            results |= dict(zip(which, self.generate(batch.only(which)), strict=True))
        return [results[i] for i in range(len(batch))]

    def _completion(self, row: Row, ids: Tensor) -> Completion:
        return Completion(self.codec.text(ids[0]), ids=ids, decision=row.decision)

    def _forward(
        self, batch: Batch, ids: Tensor, mask: Tensor, last: Sequence[int] | None = None
    ) -> Tensor:
        """[B, T, V] logits of right-padded rows after the prefix, interventions installed.

        ``last`` [B] is where each row's prompt ends; by default where the row does.
        """
        ids, mask = ids.to(self.device), mask.to(self.device)
        inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": mask}
        if batch.prefix:
            length, cache = self.prefixes.take(batch.prefix, len(batch))
            full = torch.cat([mask.new_ones(len(batch), length), mask], dim=1)
            inputs |= {"attention_mask": full, "past_key_values": cache}
            # Some architectures count from the mask themselves, and take none.
            if "position_ids" in inspect.signature(self.base.forward).parameters:
                inputs["position_ids"] = (full.cumsum(-1) - 1).clamp(min=0)[:, length:]
        self.prefixes.check_window(inputs["attention_mask"].shape[1])
        ends = None if last is None else torch.tensor(last, device=self.device)
        with hooks.install(self.base, batch.interventions, batch.rows, mask, ends):
            logits: Tensor = self.base(**inputs).logits
        return logits


class _HeardEnough(Exception):
    """Ends a pass where what was wanted of it is known."""


def _find_last_asked(row: Row, own: Tensor) -> int:
    """Where a row's question ends, in its ids with ``own`` [T] the caller's among them."""
    if row.asked is None or row.ids is None:
        return len(own) - 1
    dropped = len(row.ids) - int(own.sum())  # a first token that the prefix carries
    return int(own.nonzero()[row.asked - dropped - 1])


def compute_changed_weights(lm: Engine, changes: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Site -> the weight with its change added, in the weight's own layout and dtype.

    Raises:
        InvalidInputError: a weight that other modules share (tied embeddings).
    """
    found: dict[str, Tensor] = {}
    for site, change in changes.items():
        weight: Tensor = lm.base.get_submodule(site).weight
        shared = {id(e.weight) for e in (lm.base.get_input_embeddings(),) if e is not None}
        if id(weight) in shared:
            raise InvalidInputError(
                f"The weight of {site!r} is also that of the token embedding.",
                hint="Edit another module: a tied weight cannot be changed in one place only.",
            )
        delta = change.T if lm.sites.is_conv1d(site) else change
        # Added in float32: the sum is rounded once, and the change not before it.
        work = torch.promote_types(weight.dtype, torch.float32)
        with torch.no_grad():
            new = weight.to(work) + delta.to(weight.device, work)
        found[site] = new.to(weight.dtype)
    return found


def _token_of(offsets: Sequence[tuple[int, int]], character: int) -> int:
    """The token whose span holds a character.

    Raises:
        InvalidInputError: no token does.
    """
    for i, (start, end) in enumerate(offsets):
        if start <= character < end:
            return i
    raise InvalidInputError(f"No token holds character {character}.")
