"""Runs batches on the base model: the only module that touches hooks, prefix keys and values, and
``generate``.

An editor describes what shall happen (prompts, a prefix, interventions, stops); the engine makes it
happen for one call and leaves nothing behind. Three mechanisms carry everything:

- *Prefix reuse.* The keys and values of ``Batch.prefix`` are computed once and copied into each
  call. The layout of a call is ``[prefix][padding][row]`` with a full-length attention mask, so
  positions count real tokens only and a padded row equals the same row alone.
- *Interventions* are forward hooks that live from just before the call to its end, also when it
  fails, and that act only in the thread that installed them.
- *The caller's view.* A repetition penalty or a user's own logits processor must not see the text
  an editor added (it would forbid the very answer): processors are shown the caller's prompt and
  the tokens generated since.
"""

from __future__ import annotations

import copy
import inspect
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache, LogitsProcessorList, StoppingCriteriaList
from transformers.generation.logits_process import (
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
)

from memedit.core.errors import ContextOverflowError, InvalidInputError
from memedit.core.protocols import Apply, Step
from memedit.core.sites import Sites, find
from memedit.core.types import Batch, Completion, Record, Row
from memedit.engine.kv import fork
from memedit.engine.loading import fingerprint, pad_id
from memedit.engine.processors import (
    CallerCriterion,
    CallerProcessor,
    CallerStreamer,
    Keeps,
    Leans,
    NotYet,
    OneOf,
    StopTokens,
)
from memedit.engine.tokens import Codec, left_pad, right_pad
from memedit.engine.transcript import Transcript

_KEPT_PREFIXES = 4
Before = Callable[[Any, Any], "Tensor | None"]
"""(positional arguments, keyword arguments) -> the first argument's new value, or None."""
After = Callable[[Tensor, Tensor], "Tensor | None"]
"""(input, output) -> the new output, or None to leave it."""


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
        self._prefixes: OrderedDict[tuple[object, ...], tuple[int, DynamicCache]] = OrderedDict()
        self._lock = threading.Lock()

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

    @cached_property
    def window(self) -> int | None:
        """Longest sequence the base accepts, in tokens; None if its config does not say."""
        config = self.base.config
        for name in ("max_position_embeddings", "n_positions", "n_ctx"):
            if isinstance(size := getattr(config, name, None), int):
                return size
        return None

    # The calls

    def generate(self, batch: Batch) -> list[Completion]:
        """Continue every row; ``batch.options`` are those of the base model's ``generate``.

        Raises:
            ContextOverflowError: prefix and prompt exceed the model's window.
        """
        rows = [self.codec.prompt(row, prefixed=bool(batch.prefix)) for row in batch.rows]
        if batch.prefix and self._sliding and len({len(row) for row in rows}) > 1:
            return self._by_length(batch, [len(row) for row in rows])
        ids, mask = (t.to(self.device) for t in left_pad(rows, self.codec.pad))
        setting = _Settings(batch.options, self.base.generation_config)
        copies = max(setting("num_beams", 1), setting("num_return_sequences", 1))
        stops = self.codec.stops(batch.stop)
        options = self._options(batch, setting, stops, width=ids.shape[1])
        full = mask
        if batch.prefix:
            length, cache = self._prefix(batch.prefix, len(batch) * copies, growing=True)
            options["past_key_values"] = cache
            full = torch.cat([mask.new_ones(len(batch), length), mask], dim=1)
        added = batch.prefix or any(row.rewritten for row in batch.rows)
        self.check_window(full.shape[1] + (setting("max_new_tokens", 20) if added else 0))
        repeated = [row for row in batch.rows for _ in range(copies)]
        with self._installed(batch, repeated, mask.repeat_interleave(copies, 0)):
            out = self.base.generate(input_ids=ids, attention_mask=full, **options)
        sequences = out if isinstance(out, Tensor) else out.sequences
        new = _seal(sequences[:, ids.shape[1] :], stops, setting.eos, self.codec.pad)
        each = setting("num_return_sequences", 1)
        return [self._completion(row, new[i * each :][:each]) for i, row in enumerate(batch.rows)]

    def score(self, batch: Batch) -> list[Completion]:
        """Sum of log p of every row's target after its prompt."""
        with torch.no_grad():
            values = -self.nll(batch)
        return [
            Completion(row.target or "", logprob=float(value), decision=row.decision)
            for row, value in zip(batch.rows, values, strict=True)
        ]

    def nll(self, batch: Batch) -> Tensor:
        """[B] negative log-likelihood of the targets, summed over tokens; differentiable."""
        prefixed = bool(batch.prefix)
        pairs = [self.codec.with_target(row, prefixed=prefixed) for row in batch.rows]
        ids, mask = right_pad([torch.cat(pair) for pair in pairs], self.codec.pad)
        logits = self._forward(batch, ids, mask, [len(prompt) - 1 for prompt, _ in pairs])
        losses = []
        for i, (prompt, target) in enumerate(pairs):
            start = len(prompt) - 1
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
        ids, mask = right_pad([tokens for tokens, _ in rows], self.codec.pad)
        last = [_last_asked(row, own) for row, (_, own) in zip(batch.rows, rows, strict=True)]
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
        ids, mask = right_pad([torch.tensor(e.input_ids) for e in encoded], self.codec.pad)
        seen: list[Tensor] = []

        def collect(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            seen.append(_first(args, kwargs).detach())

        handle = self.base.get_submodule(site).register_forward_pre_hook(collect, with_kwargs=True)
        try:
            with torch.no_grad():
                self._forward(Batch(tuple(Row(p) for p in prompts)), ids, mask)
        finally:
            handle.remove()
        return seen[0][torch.arange(len(prompts)), torch.tensor(columns)]

    def transcript(self, prefix: str, rows: int) -> Transcript:
        """``rows`` texts that begin with ``prefix`` and grow in rounds."""
        return Transcript(self, prefix, rows, reuse=not self._sliding)

    def prefix_for(self, prefix: str, rows: int) -> tuple[int, DynamicCache]:
        """(length, keys and values that may grow) of a prefix, for ``rows`` rows."""
        return self._prefix(prefix, rows, growing=True)

    def eos(self) -> frozenset[int]:
        """The tokens at which a text ends: ``generate``'s and the tokenizer's."""
        own = self.tokenizer.eos_token_id
        found = _Settings({}, self.base.generation_config).eos
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
        tensors = {id(t): t for t in (*self.base.parameters(), *self.base.buffers())}
        other = Engine(copy.deepcopy(self.base, tensors), self.tokenizer)
        other.__dict__["fingerprint"] = self.fingerprint
        other.kept, other.original = self.kept, self.original
        other.records = self.records if records is None else records
        for site, weight in changed_weights(self, changes or {}).items():
            with torch.no_grad():
                new = nn.Parameter(weight, requires_grad=False)
            other.base.get_submodule(site).weight = new
        return other

    @contextmanager
    def watch(
        self,
        *,
        before: Mapping[str, Before] | None = None,
        after: Mapping[str, After] | None = None,
    ) -> Iterator[None]:
        """Functions called at modules of the base, in this thread, for the length of the block.

        Args:
            before: Path of a module -> what sees (and may replace) its first input.
            after: Path of a module -> what sees (and may replace) its output.
        """
        with ExitStack() as stack:
            for site, see in (before or {}).items():
                module = self.base.get_submodule(site)
                handle = module.register_forward_pre_hook(_before(see), with_kwargs=True)
                stack.callback(handle.remove)
            for site, change in (after or {}).items():
                module = self.base.get_submodule(site)
                handle = module.register_forward_hook(_after(change), with_kwargs=True)
                stack.callback(handle.remove)
            yield

    @contextmanager
    def passed_over(self, blocks: Sequence[str]) -> Iterator[None]:
        """Blocks of the base that hand on what they are given, for the length of the block.

        Not while other threads use the model.
        """
        modules = [self.base.get_submodule(path) for path in blocks]
        wrapped = bool(modules) and self._gives_tuples(modules[0])

        def handed_on(*args: Any, **kwargs: Any) -> Any:
            hidden = _first(args, kwargs)
            return (hidden,) if wrapped else hidden

        try:
            for module in modules:
                module.forward = handed_on
            yield
        finally:
            for module in modules:
                vars(module).pop("forward", None)

    def _gives_tuples(self, block: Any) -> bool:
        """Whether a block gives its output in a tuple; seen once."""
        key = ("tuples", self.fingerprint)
        if key not in self.kept:

            def see(module: Any, args: Any, out: Any) -> None:
                self.kept[key] = isinstance(out, tuple)

            handle = block.register_forward_hook(see)
            try:
                with torch.no_grad():
                    self.base(input_ids=torch.tensor([[4, 5, 6]], device=self.device))
            finally:
                handle.remove()
        return bool(self.kept[key])

    # How they are done

    @cached_property
    def _sliding(self) -> bool:
        """Whether some layer sees a window of columns: padding after a prefix would use it up."""
        config = self.base.config.get_text_config()
        return bool(getattr(config, "sliding_window", None)) and bool(
            getattr(config, "use_sliding_window", True)
        )

    def _by_length(self, batch: Batch, lengths: Sequence[int]) -> list[Completion]:
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
            length, cache = self._prefix(batch.prefix, len(batch))
            full = torch.cat([mask.new_ones(len(batch), length), mask], dim=1)
            inputs |= {"attention_mask": full, "past_key_values": cache}
            if "position_ids" in inspect.signature(self.base.forward).parameters:
                inputs["position_ids"] = (full.cumsum(-1) - 1).clamp(min=0)[:, length:]
        self.check_window(inputs["attention_mask"].shape[1])
        ends = None if last is None else torch.tensor(last, device=self.device)
        with self._installed(batch, batch.rows, mask, ends):
            logits: Tensor = self.base(**inputs).logits
        return logits

    def check_window(self, length: int) -> None:
        """See that so many tokens fit.

        Raises:
            ContextOverflowError: they do not.
        """
        if self.window is not None and length > self.window:
            raise ContextOverflowError(
                f"The prompt with its edit needs {length:,} tokens, not {self.window:,}.",
                hint="Shorten the prompt, or use an editor with fewer demonstrations.",
            )

    def _options(
        self, batch: Batch, setting: _Settings, stops: tuple[int, ...], *, width: int
    ) -> dict[str, Any]:
        """The generation options of this call: stops added, processors given the caller's view."""
        options = dict(batch.options)
        options.setdefault("pad_token_id", self.codec.pad)
        if batch.prefix or any(row.rewritten for row in batch.rows):
            self._show_caller(batch, setting, stops, options, width)
        if held := self._held(batch, setting, stops, options, width):
            processors = [*held, *(options.get("logits_processor") or ())]
            options["logits_processor"] = LogitsProcessorList(processors)
        if stops:
            table = self._table(stops)
            least = width + max(1, setting("min_new_tokens", 0))
            eos = torch.tensor(setting.eos, dtype=torch.long, device=table.device)
            early = NotYet(table.index_fill(0, eos, True), least)
            processors = [*(options.get("logits_processor") or ()), early]
            criteria = [*(options.get("stopping_criteria") or ()), StopTokens(table)]
            options["logits_processor"] = LogitsProcessorList(processors)
            options["stopping_criteria"] = StoppingCriteriaList(criteria)
        return options

    def _answers(self, batch: Batch, texts: Sequence[Sequence[str]]) -> list[list[list[int]]]:
        """Per row the token sequences of the texts it may answer with."""
        prefixed = bool(batch.prefix)
        return [
            [self.codec.continuation(row, text, prefixed=prefixed) for text in each]
            for row, each in zip(batch.rows, texts, strict=True)
        ]

    def _held(
        self,
        batch: Batch,
        setting: _Settings,
        stops: tuple[int, ...],
        options: Mapping[str, Any],
        width: int,
    ) -> list[Any]:
        """What keeps answers to an edit's words; more of it where they are sampled, by ``generate``
        or by a processor of the caller's."""
        found: list[Any] = []
        samples = setting("do_sample", False) or bool(options.get("logits_processor"))
        texts = [row.answers or (row.only if samples else ()) for row in batch.rows]
        if any(texts):
            answers = self._answers(batch, texts)
            found.append(OneOf(answers, [*setting.eos, *stops], width))
        if any(row.leans for row in batch.rows):
            found.append(Leans([self._leaning(row) for row in batch.rows], width))
        if samples and any(row.keeps is not None or row.likeliest for row in batch.rows):
            kept = [self._kept(row) for row in batch.rows]
            found.append(Keeps(kept, width, [row.likeliest for row in batch.rows]))
        return found

    def _kept(self, row: Row) -> list[list[int]] | None:
        """The token sequences of a row's ``keeps``."""
        if row.keeps is None:
            return None
        return [ids for text in row.keeps for ids in self._forms(text)]

    def _leaning(self, row: Row) -> list[tuple[list[list[int]], float]]:
        """Per text of a row's ``leans`` its token sequences and how much likelier they get."""
        return [(self._forms(text), likelier) for text, likelier in row.leans]

    def _forms(self, text: str) -> list[list[int]]:
        """The token sequences of a text within a sentence and at a beginning."""
        return [ids for form in (f" {text}", text) if (ids := self.codec.ids(form).tolist())]

    def _table(self, stops: tuple[int, ...]) -> Tensor:
        """[V] bool, True at the stop tokens."""
        size = self.base.get_output_embeddings().weight.shape[0]
        table = torch.zeros(max(size, len(self.tokenizer)), dtype=torch.bool, device=self.device)
        table[list(stops)] = True
        return table

    def _show_caller(
        self,
        batch: Batch,
        setting: _Settings,
        stops: tuple[int, ...],
        options: dict[str, Any],
        width: int,
    ) -> None:
        """Wrap what looks back at the sequence, so that it sees the caller's own prompt."""
        prompts = [row.ids if row.ids is not None else torch.tensor([]) for row in batch.rows]
        own, _ = left_pad([p.cpu().long() for p in prompts], self.codec.pad)
        own = own.to(self.device)
        processors = [
            *_repetition(setting, options),
            *(options.pop("logits_processor", None) or ()),
        ]
        if processors:
            wrapped = [CallerProcessor(p, own, width) for p in processors]
            options["logits_processor"] = LogitsProcessorList(wrapped)
        if criteria := options.pop("stopping_criteria", None):
            seen = [CallerCriterion(c, own, width) for c in criteria]
            options["stopping_criteria"] = StoppingCriteriaList(seen)
        if streamer := options.pop("streamer", None):
            options["streamer"] = CallerStreamer(streamer, own, stops)

    def _prefix(
        self, prefix: str, copies: int, *, growing: bool = False
    ) -> tuple[int, DynamicCache]:
        """(length, keys and values for ``copies`` rows) of a prefix; computed on first use."""
        key = (prefix, *self._state())
        with self._lock:
            if key not in self._prefixes:
                self._prefixes[key] = self._compute(prefix)
                while len(self._prefixes) > _KEPT_PREFIXES:
                    self._prefixes.popitem(last=False)
            self._prefixes.move_to_end(key)
            length, cache = self._prefixes[key]
        fresh = fork(cache, growing=growing)
        if copies > 1:
            fresh.batch_repeat_interleave(copies)
        return length, fresh

    def _compute(self, prefix: str) -> tuple[int, DynamicCache]:
        bos = self.tokenizer.bos_token
        own = bool(bos) and prefix.startswith(bos)  # a chat template writes it out
        ids = self.codec.ids(prefix, special=not own)[None].to(self.device)
        self.check_window(ids.shape[1])
        cache = DynamicCache(config=self.base.config.get_text_config())
        with torch.no_grad():
            self.base(input_ids=ids, past_key_values=cache, use_cache=True)
        return ids.shape[1], cache

    def _state(self) -> Iterator[object]:
        """What the prefix's keys depend on besides its text: weights, device, dtype, adapters."""
        for parameter in self.base.parameters():
            yield parameter.data_ptr(), parameter._version, parameter.dtype
        if hasattr(self.base, "peft_config"):
            for module in self.base.modules():
                if hasattr(module, "_disable_adapters"):
                    yield module._disable_adapters, tuple(module.active_adapters)

    @contextmanager
    def _installed(
        self, batch: Batch, rows: Sequence[Row], mask: Tensor, last: Tensor | None = None
    ) -> Iterator[None]:
        """The batch's interventions, hooked in for the duration of the block."""
        with ExitStack() as stack:
            for intervention in batch.interventions:
                try:
                    module = self.base.get_submodule(intervention.site)
                except AttributeError:
                    raise InvalidInputError(
                        f"The base model has no module {intervention.site!r}.",
                        hint="Take paths from engine.sites.",
                    ) from None
                hook = _hook(intervention.bind(rows), mask, last)
                handle = module.register_forward_hook(hook, with_kwargs=True)
                stack.callback(handle.remove)
            yield


class _Settings:
    """Generation settings as ``generate`` resolves them: options, their config, the base's."""

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
    def eos(self) -> list[int]:
        eos = self("eos_token_id", [])
        if isinstance(eos, Tensor):
            eos = eos.tolist()
        return list(eos) if isinstance(eos, Sequence) else [int(eos)]


def _repetition(setting: _Settings, options: dict[str, Any]) -> list[Any]:
    """The built-in processors that look back at the prompt, taken out of the options."""
    found: list[Any] = []
    penalty, size = setting("repetition_penalty", 1.0), setting("no_repeat_ngram_size", 0)
    if penalty != 1.0:
        found.append(RepetitionPenaltyLogitsProcessor(float(penalty)))
        options["repetition_penalty"] = 1.0
    if size:
        found.append(NoRepeatNGramLogitsProcessor(size))
        options["no_repeat_ngram_size"] = 0
    return found


def _seal(ids: Tensor, stops: tuple[int, ...], eos: list[int], pad: int) -> Tensor:
    """Ids [n, T] cut at each row's first stop, which becomes end-of-sequence; then padding."""
    if not stops or not ids.numel():
        return ids
    ids = ids.clone()
    ends = torch.isin(ids, torch.tensor([*stops, *eos], device=ids.device))
    stopped = torch.isin(ids, torch.tensor(stops, device=ids.device))
    after = ends.cumsum(-1) - ends.long() > 0
    ids[stopped] = eos[0] if eos else pad
    ids[after] = pad
    return ids


def _first(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    value = args[0] if args else next(iter(kwargs.values()))
    assert isinstance(value, Tensor)
    return value


def _last_asked(row: Row, own: Tensor) -> int:
    """Where a row's question ends, in its ids with ``own`` [T] the caller's among them."""
    if row.asked is None or row.ids is None:
        return len(own) - 1
    dropped = len(row.ids) - int(own.sum())  # a first token that the prefix carries
    return int(own.nonzero()[row.asked - dropped - 1])


def _hook(apply: Apply, mask: Tensor, last: Tensor | None = None) -> Callable[..., Any]:
    """A forward hook for one call; the first pass it sees is the prompt's.

    ``last`` [B] is the column of each row's last prompt token; by default its last token.
    """
    thread, prompt = threading.get_ident(), [True]
    real = mask.bool()
    if last is None:
        last = real.shape[1] - 1 - real.flip(1).long().argmax(1)

    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> Any:
        if threading.get_ident() != thread:
            return None
        y = out[0] if isinstance(out, tuple) else out
        x = _first(args, kwargs)
        prefill = prompt[0]
        prompt[0] = False
        here = real if prefill else torch.ones(y.shape[:2], dtype=torch.bool, device=y.device)
        changed = apply(x, y, Step(prefill, last if prefill else None, here.to(y.device)))
        return (changed, *out[1:]) if isinstance(out, tuple) else changed

    return hook


def changed_weights(lm: Engine, changes: Mapping[str, Tensor]) -> dict[str, Tensor]:
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
        work = torch.promote_types(weight.dtype, torch.float32)
        with torch.no_grad():
            new = weight.to(work) + delta.to(weight.device, work)
        found[site] = new.to(weight.dtype)
    return found


def _before(see: Before) -> Callable[..., Any]:
    thread = threading.get_ident()

    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if threading.get_ident() != thread or (new := see(args, kwargs)) is None:
            return None
        if args:
            return (new, *args[1:]), kwargs
        name = next(iter(kwargs))
        return args, {**kwargs, name: new}

    return hook


def _after(change: After) -> Callable[..., Any]:
    thread = threading.get_ident()

    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> Any:
        if threading.get_ident() != thread:
            return None
        y = out[0] if isinstance(out, tuple) else out
        if (new := change(_first(args, kwargs), y)) is None:
            return None
        return (new, *out[1:]) if isinstance(out, tuple) else new

    return hook


def _token_of(offsets: Sequence[tuple[int, int]], character: int) -> int:
    """The token whose span holds a character.

    Raises:
        InvalidInputError: no token does.
    """
    for i, (start, end) in enumerate(offsets):
        if start <= character < end:
            return i
    raise InvalidInputError(f"No token holds character {character}.")
