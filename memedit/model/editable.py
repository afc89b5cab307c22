"""``EditableModel``: a deployed model with an edit memory, used as the model was used before."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, is_dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, overload

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import CausalLMOutputWithPast

from memedit.core.chat import ChatFormat, spoken
from memedit.core.errors import (
    InvalidEditError,
    InvalidInputError,
    MemoryStoreError,
    UntrustedFileError,
)
from memedit.core.passages import Conversation
from memedit.core.progress import hearing, report
from memedit.core.protocols import Editor, Encoder, Scope, roles_of
from memedit.core.registry import saved_part
from memedit.core.types import (
    DEFAULT_NAMESPACE,
    Batch,
    Call,
    Completion,
    Decision,
    Edit,
    Hit,
    Record,
    Role,
    Row,
    Score,
)
from memedit.core.untrusted import read_json
from memedit.editors import editor_class, load_editor
from memedit.engine import bases, loading
from memedit.engine.engine import Engine
from memedit.memory import EditMemory, Event, ImportReport, MemoryView, Receipt
from memedit.model.deciding import candidates, in_force, suited
from memedit.model.dropin import Budget, Request, merge
from memedit.model.explanation import Explanation
from memedit.model.feedback import FeedbackReceipt, agrees, as_edit
from memedit.model.fitting import Fitter, Payloads, check_needs, lacking, leaves_of
from memedit.model.sequence import (
    EditedModels,
    changes_weights,
    dependents,
    refuse,
    ungated,
    written,
)
from memedit.model.tuning import Tuning, tune
from memedit.scope import load_scope, scope_class
from memedit.scope.documents import heeded

_UNSET: Any = object()
_SETTINGS_FILE = "model.json"
_CLOSED, _QUOTES = ("?", "!", ".", "？", "！", "。", "؟", "।"), " \t\r\n\"'”’»)"
"""How a sentence ends, and what may stand behind it."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class View:
    """What a request sees: which namespace, at which date, in which state of the memory."""

    edited: bool = True
    namespace: str = DEFAULT_NAMESPACE
    as_of: datetime | None = None
    memory: MemoryView | None = None
    merged: bool = False


_EVERYTHING = View()


class EditableModel(nn.Module):
    """A causal language model whose facts can be edited at runtime; its weights stay as they are.

    Args:
        base: Any Hugging Face causal LM, already loaded. It is wrapped, never changed.
        tokenizer: Its tokenizer; found through ``base.config`` when left out.
        memory: A directory (created on the first write), an open :class:`EditMemory`, or None for
            a memory in RAM.
        editor: Name or instance of the method that answers in scope; default: what the memory was
            saved with, else ``"auto"``: what suits the base. ``"a+b"`` chains editors.
        scope: Name or instance of what decides whether an edit is concerned.
        encoder: Name or instance of the sentence encoder; default the packaged MiniLM.

    With no edit in scope, ``generate`` and ``forward`` hand the caller's own tensors to ``base``:
    the result is the base's, bit for bit.

    Raises:
        EncoderMismatchError: the memory was built with another encoder.
        MemoryStoreError: the memory cannot be opened.
        UnknownNameError: no such editor or scope.
        UnsupportedArchitectureError: the base is no decoder with a key-value cache.
    """

    def __init__(
        self,
        base: Any,
        tokenizer: Any = None,
        *,
        memory: EditMemory | str | Path | None = None,
        editor: Editor | str | None = None,
        scope: Scope | str | None = None,
        encoder: Encoder | str | None = None,
    ) -> None:
        super().__init__()
        if isinstance(base, str | Path):
            raise InvalidInputError(
                "base must be a loaded model.", hint="Use EditableModel.from_pretrained(name)."
            )
        bases.check(base)
        self.base = base
        self.tokenizer: Any = tokenizer if tokenizer is not None else loading.find_tokenizer(base)
        self.engine = Engine(base, self.tokenizer)
        self.memory = memory if isinstance(memory, EditMemory) else _open(memory, encoder)
        saved = _saved_settings(self.memory.path)

        def part(kind: str, find: Callable[[str], type[Any]]) -> Callable[[], Any]:
            return lambda: saved_part(kind, saved[kind], find) if saved.get(kind) else None

        self.editor: Editor = _build(load_editor, editor, part("editor", editor_class), "auto")
        preferred = getattr(self.editor, "default_scope", "default")
        self.scope: Scope = _build(load_scope, scope, part("scope", scope_class), preferred)
        self._scope_given = scope is not None or bool(saved.get("scope"))
        self._scope_fits = False
        self._chat = ChatFormat.of(self.tokenizer)
        self._edited_models, self._kept = EditedModels(self.engine), dict[int, Payloads]()
        self._view: ContextVar[View] = ContextVar("memedit_view", default=_EVERYTHING)

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path | None = None,
        *,
        dtype: Any = None,
        device: Any = None,
        memory: EditMemory | str | Path | None = None,
        editor: Editor | str | None = None,
        scope: Scope | str | None = None,
        encoder: Encoder | str | None = None,
    ) -> EditableModel:
        """Load a base model and wrap it: a hub id, a folder, a GGUF file, or the packaged default.

        Raises:
            ModelNotFoundError: it cannot be found; the message names the offline alternatives.
        """
        base, tokenizer = loading.load(model, dtype=dtype, device=device)
        return cls(base, tokenizer, memory=memory, editor=editor, scope=scope, encoder=encoder)

    # Editing

    @overload
    def edit(self, prompt: Edit, **options: Any) -> Receipt: ...
    @overload
    def edit(self, prompt: Path, **options: Any) -> ImportReport: ...
    @overload
    def edit(self, prompt: str, target_new: str = ..., **options: Any) -> Receipt: ...
    @overload
    def edit(self, prompt: Sequence[Edit], **options: Any) -> list[Receipt]: ...

    def edit(self, prompt: Any, target_new: Any = _UNSET, **options: Any) -> Any:
        """Add a fact: from now on it is in force.

        Args:
            prompt: The prompt (``"The capital of France is"``), or a statement when no
                ``target_new`` is given, or an :class:`Edit`, or several, or a ``Path`` to a JSONL
                or CSV file.
            target_new: What the model shall say after the prompt.
            **options: ``subject``, ``target_true``, ``queries`` of the edit; ``namespace``,
                ``source``, ``valid_from``, ``valid_until`` of the record.

        Returns:
            A receipt saying what was added, superseded, and what it conflicts with (one per edit),
            or the report of an import.

        Raises:
            InvalidEditError: nothing was stored; the message says why.
        """
        about = {k: options.pop(k) for k in ("subject", "target_true", "queries") if k in options}
        if isinstance(prompt, str):
            target = None if target_new is _UNSET else target_new
            if target is None and target_new is not _UNSET:
                raise InvalidEditError("target_new is None.", hint="Leave it out for a statement.")
            return self._add([Edit(prompt, target, **about)], **options)[0]
        if about or target_new is not _UNSET:
            raise InvalidInputError(f"An {type(prompt).__name__} already says what is edited.")
        if isinstance(prompt, Edit):
            return self._add([prompt], **options)[0]
        if isinstance(prompt, Path):
            return self.import_edits(prompt, **options)
        return self.edit_many(prompt, **options)

    def edit_many(
        self,
        edits: Sequence[Edit],
        *,
        progress: Callable[[int], None] | None = None,
        **options: Any,
    ) -> list[Receipt]:
        """Add many edits in one transaction: all or none.

        ``progress`` hears how many are fitted (an editor of weights takes seconds for each), or
        read and stored where there is nothing to fit.
        """
        if not all(isinstance(edit, Edit) for edit in edits):
            raise InvalidInputError("edit_many takes Edit objects.", hint="Edit(prompt, target).")
        return self._add(list(edits), progress=progress, **options)

    def import_edits(
        self,
        path: str | Path,
        *,
        namespace: str | None = None,
        source: str = "",
        progress: Callable[[int], None] | None = None,
    ) -> ImportReport:
        """Add the edits of a JSONL or CSV file; refused lines are reported, the others kept.

        An interrupted import continues where it stopped when it is run again.
        """
        return self.memory.import_file(
            path, namespace=namespace or self._now.namespace, source=source, progress=progress
        )

    def feedback(
        self,
        question: str,
        text: str | None = None,
        *,
        subject: str | None = None,
        answer: str | None = None,
        chat: bool | None = None,
        **options: Any,
    ) -> FeedbackReceipt:
        """Tell what a user said of an answer; what was wrong is corrected from now on.

        Nothing is written when the answer was right: when ``text`` is None, or says what the model
        answered.

        Args:
            question: As it was asked. ``"What is akin to <bright>?"``, with its argument marked,
                makes ``text`` hold for every question of that form (see the editor ``memprompt``).
            text: The right answer, or what was meant; None: the answer was right.
            subject: What the question is about; guessed from its wording when None.
            answer: What the model had answered; when None, it is asked now.
            chat: Ask as a chat message, as in :meth:`ask`.
            **options: As for :meth:`edit`, of the record.

        Raises:
            InvalidEditError: an empty text, or a subject that does not occur in the question.
        """
        said = self.ask(question, chat=chat).text if answer is None else answer
        if text is None or agrees(said, text):
            return FeedbackReceipt(said, right=True)
        edit = as_edit(question, text, subject)
        options = {"source": "feedback", **options}
        return FeedbackReceipt(said, right=False, receipt=self.edit(edit, **options))

    def report_miss(self, query: str, id: str) -> Receipt:
        """Tell that ``query`` concerns an edit that did not fire: from now on it finds it.

        Raises:
            UnknownEditError: no such edit in force.
        """
        return self.memory.report(id, query, concerns=True, namespace=self._now.namespace)

    def report_false_fire(self, query: str, id: str | None = None) -> list[Receipt]:
        """Tell that edits fired on ``query`` and should not have: from now on they do not.

        Args:
            query: As it was asked.
            id: The edit that is meant; None: every edit that the query asks now, or whose answer
                it depends on.

        Raises:
            UnknownEditError: no such edit in force.
        """
        ids = [id] if id else [hit.record.id for hit in self.decide([query])[0].bearing]
        namespace = self._now.namespace
        return [self.memory.report(i, query, concerns=False, namespace=namespace) for i in ids]

    def forget(self, id: str, *, namespace: str | None = None, refit: bool = False) -> Record:
        """Remove an edit: afterwards it is as if it had never been added.

        Args:
            id: Its id.
            namespace: Where it is; default the view's.
            refit: Fit edits of weights anew that were fitted on this one.

        Raises:
            UnknownEditError: no such edit in force.
            EntangledEditError: others were fitted on it, and ``refit`` is not set.
        """
        return self.forget_many([id], namespace=namespace, refit=refit)[0]

    def forget_many(
        self, ids: Sequence[str], *, namespace: str | None = None, refit: bool = False
    ) -> list[Record]:
        """Remove several edits; as :meth:`forget`, but those that depend on each other may go
        together."""
        namespace = namespace or self._now.namespace
        gone = [self.memory.get(id, namespace=namespace) for id in dict.fromkeys(ids)]
        live = list(self.memory.records(namespace))
        later = dependents(gone, live, self._leaves())
        if later and not refit:
            raise refuse(gone, later)
        found = [self.memory.forget(record.id, namespace=namespace) for record in gone]
        for record in reversed(later):
            self.memory.forget(record.id, namespace=namespace, reason="refit")
        for group in _alike(later):
            self._add([record.edit for record in group], **_options_of(group[0]))
        return found

    def history(self, id: str | None = None) -> list[Event]:
        """All that happened to one edit, or to the memory, in order."""
        return self.memory.history(id)

    def restore(self, version: int) -> int:
        """Bring back the edits that were in force at ``version``; returns the new version."""
        return self.memory.restore(version)

    def _add(self, edits: list[Edit], **options: Any) -> list[Receipt]:
        self._check_scope()
        for edit in edits:
            self.check_edit(edit)
        if self._now.merged:
            raise InvalidInputError(
                "The edits are in the base's weights now.", hint="Edit outside of merged()."
            )
        options.setdefault("namespace", self._now.namespace)
        progress = options.pop("progress", None)
        with hearing(progress):
            payloads = self._fitter.new(edits, options)
            if len(edits) == 1:
                return [self.memory.add(edits[0], payloads=payloads[0], **options)]
            return self.memory.add_many(edits, payloads=payloads, progress=report, **options)

    def _edited_model(self, records: Sequence[Record]) -> Engine:
        """The model with these records in its weights; those never fitted are fitted now."""
        if self._now.merged:
            raise InvalidInputError("The edits are in the base's weights already.")
        return self._fitter.model(records)

    def view(self) -> Engine:
        """The model with the edits of the current view in its weights, beside the base.

        It shares every other tensor with the base, which is not written.

        Raises:
            InvalidInputError: the editor does not change weights.
        """
        self._check_changes_weights()
        return self._edited_model(self._in_force())

    @contextmanager
    def merged(self) -> Iterator[EditableModel]:
        """Context manager: the base's own weights hold the edits in force, for every prompt.

        For what needs the base itself (an export, another library), or many questions about many
        edits. Not while other threads use the model. Afterwards, whatever happened, every weight is
        bit for bit what it was.

        Raises:
            InvalidInputError: the editor does not change weights, or they are merged already.
        """
        self._check_changes_weights()
        if self._now.merged:
            raise InvalidInputError("The edits are in the base's weights already.")
        records = self._fitter.compiled(self._in_force())
        changes = self.editor.changes(records)  # type: ignore[attr-defined]
        with written(self.engine, changes), self._seen_as(edited=False, merged=True):
            yield self

    def _check_changes_weights(self) -> None:
        if not changes_weights(self.editor):
            raise InvalidInputError(
                f"Editor {self.editor.name!r} changes no weights.",
                hint="Use one that does, such as rome or memit.",
            )

    def _in_force(self) -> list[Record]:
        view = self._now
        return in_force(self._store, view.namespace, view.as_of) if view.edited else []

    def check_edit(self, edit: Edit) -> None:
        """See that the editors in use can take this edit.

        Raises:
            InvalidEditError: it lacks what an editor needs.
        """
        for editor in self._leaves():
            check_needs(edit, editor)

    def _leaves(self) -> tuple[Editor, ...]:
        return leaves_of(self.editor)

    @property
    def _fitter(self) -> Fitter:
        return Fitter(
            self.engine, self.memory, self.editor, self.scope, self._edited_models, self._kept
        )

    # What a request sees

    @property
    def _now(self) -> View:
        return self._view.get()

    @property
    def _store(self) -> EditMemory | MemoryView:
        return self.memory if self._now.memory is None else self._now.memory

    @contextmanager
    def _seen_as(self, **changes: Any) -> Iterator[EditableModel]:
        token = self._view.set(replace(self._now, **changes))
        try:
            yield self
        finally:
            self._view.reset(token)

    def unedited(self) -> Any:
        """Context manager: the base model answers, whatever is in memory."""
        return self._seen_as(edited=False)

    def using(self, *, namespace: str | None = None, as_of: datetime | None = None) -> Any:
        """Context manager: requests see this namespace, and the facts valid at ``as_of``."""
        now = self._now
        return self._seen_as(namespace=namespace or now.namespace, as_of=as_of or now.as_of)

    def at(self, moment: int | datetime) -> Any:
        """Context manager: requests see the memory as it was at a version or time."""
        return self._seen_as(memory=self.memory.at(moment))

    def decide(self, queries: Sequence[str]) -> list[Decision]:
        """What the scope says of each query, in the current view."""
        view, store = self._now, self._store
        if not view.edited or not len(store):
            return [Decision() for _ in queries]
        self._check_scope()
        found = candidates(self.scope, store, queries, view.namespace, view.as_of)
        decided = self.scope.decide(queries, found)
        return self._ready(list(map(heeded, queries, decided)))

    def _check_scope(self) -> None:
        """See once that the scope suits the memory."""
        if not self._scope_fits:
            self.scope = suited(self.scope, self.memory, given=self._scope_given)
            self._scope_fits = True

    def _ready(self, decisions: Sequence[Decision]) -> list[Decision]:
        """The decisions with the payloads of every edit compiled that the editors in use read."""
        done: dict[int, tuple[Hit, ...]] = {}

        def ready(hits: tuple[Hit, ...]) -> tuple[Hit, ...]:
            if hits and id(hits) not in done:
                records = self._fitter.compiled([hit.record for hit in hits])
                pairs = zip(hits, records, strict=True)
                done[id(hits)] = tuple(replace(hit, record=r) for hit, r in pairs)
            return done.get(id(hits), hits)

        told = [replace(d, hits=ready(d.hits)) if d else d for d in decisions]
        if "informs" not in self._roles():
            return told
        return [replace(d, informs=ready(d.informs)) if d.informs else d for d in told]

    def unusable(self) -> list[Record]:
        """The edits in memory that no editor in use can do anything with.

        They lack what it needs: a subject, or a target.
        """
        leaves = self._leaves()
        return [r for r in self.memory.records() if all(lacking(r.edit, e) for e in leaves)]

    def calibrate_scope(
        self, queries: Sequence[str], *, max_false_fire: float = 0.001, confidence: float = 0.95
    ) -> Scope:
        """Set the scope's threshold from your own traffic, with a guarantee.

        Args:
            queries: Texts that concern no edit in memory, drawn from the traffic to come.
            max_false_fire: Highest acceptable share of such texts on which an edit fires.
            confidence: Probability, over the draw of ``queries``, that this holds.

        Returns:
            The scope now in use; :meth:`save` keeps it.

        Raises:
            InvalidInputError: too few queries for the bound, or a scope that has no calibration.
        """
        decisions = self.decide(queries)
        calibrate = getattr(self.scope, "calibrate", None)
        if calibrate is None:
            raise InvalidInputError(
                f"The scope {self.scope!r} has no calibration.", hint="Use scope='classifier'."
            )
        self.scope = calibrate(decisions, max_false_fire, confidence)
        return self.scope

    def compile_edits(self, *, progress: Callable[[int], None] | None = None) -> int:
        """Fit and store the payloads of every edit that was added without this editor.

        Edits from an import, or from another editor, are otherwise fitted when they first fire.
        Returns the number of edits fitted; may be interrupted and called again.
        """
        fitter = self._fitter
        records = [r for r in self.memory.records() if fitter.missing(r)]
        together = fitter.in_turn and bool(records)
        done = 0
        with hearing(progress):
            for group in [records] if together else [[r] for r in records]:
                fresh = {record.sequence for record in group}
                others = [r for r in self.memory.records() if together and r.sequence not in fresh]
                self.memory.put_payloads(fitter.fits(group, others))
                done += len(group)
                report(done)
        return len(records)

    # Asking

    @overload
    def ask(self, prompts: str, *, chat: bool | None = ..., **options: Any) -> Completion: ...
    @overload
    def ask(
        self, prompts: Sequence[str], *, chat: bool | None = ..., **options: Any
    ) -> list[Completion]: ...

    def ask(self, prompts: Any, *, chat: bool | None = None, **options: Any) -> Any:
        """Answer one text or a batch of texts; greedy unless the options say otherwise.

        Args:
            prompts: The text or texts to continue.
            chat: Put each into the model's chat template as a user's message. None: where the model
                has a template and the text does not break off: it ends as a sentence ends.
            **options: Options of ``generate``; 24 new tokens by default.

        Raises:
            InvalidInputError: an empty prompt, or ``chat`` without a chat template.
        """
        single = isinstance(prompts, str)
        texts = [prompts] if single else list(prompts)
        options = {"max_new_tokens": 24, "do_sample": False, **options}
        rows = [self.row(text, chat=chat) for text in texts]
        answers = self._answer(self._decided(rows), options) if rows else []
        answers = [replace(a, text=a.text.strip()) for a in answers]
        return answers[0] if single else answers

    def score(self, prompts: Sequence[str], targets: Sequence[str]) -> list[Score]:
        """How likely each target is after its prompt, token by token (teacher forcing).

        The scope sees the prompt alone; the target takes one leading space.

        Raises:
            InvalidInputError: an empty prompt or target; an editor that scores with another model.
            ContextOverflowError: a text with its edit exceeds the model's window.
        """
        rows = [
            replace(self.row(prompt, chat=False), target=target.strip())
            for prompt, target in zip(prompts, targets, strict=True)
        ]
        batch = self._batch(self._decided(rows), {})
        if not rows:
            return []
        edited, base = partial(self._run, call=self._forced), partial(self._forced, self.engine)
        with torch.no_grad():
            scores = batch.route(self.concerns, edited, base)
        if not all(isinstance(score, Score) for score in scores):
            raise InvalidInputError(
                f"Editor {self.editor.name!r} answers with another model, token by token unlike "
                "the base.",
                hint="Measure what it generates instead (families: gen).",
            )
        return [replace(s, decision=r.decision) for s, r in zip(scores, batch.rows, strict=True)]

    def _run(self, batch: Batch, call: Callable[[Engine, Batch], list[T]]) -> list[T]:
        """Rows in scope through the editor, or as the model answers that holds every edit."""
        if changes_weights(self.editor) and ungated(self.editor, self.scope) and batch.rows:
            records = [hit.record for hit in batch.rows[0].decision.hits]
            return call(self._edited_model(records), batch)
        return self.editor.run(batch, partial(call, self.engine))

    @staticmethod
    def _forced(engine: Engine, batch: Batch) -> list[Score]:
        """The engine's answer to rows with targets: every token of the target rated."""
        codec, prefixed = engine.codec, bool(batch.prefix)
        pairs = [codec.with_target(row, prefixed=prefixed) for row in batch.rows]
        rows = tuple(
            replace(row, ids=torch.cat(pair), target="", rewritten=False, asked=len(pair[0]))
            for row, pair in zip(batch.rows, pairs, strict=True)
        )
        logits = engine.logits(replace(batch, rows=rows), [row.prompt for row in rows])
        return [
            _score(target, each[len(before) - 1 : -1])
            for each, (before, target) in zip(logits, pairs, strict=True)
        ]

    def rows_of(self, prompts: Sequence[Tensor]) -> list[Row]:
        """Prompts given as ids [T] each, with what the scope says of them in the current view."""
        return self._decided([self._row(ids) for ids in prompts])

    def answer_rows(
        self,
        rows: Sequence[Row],
        call: Call | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> list[Completion]:
        """Answers to decided rows: those in scope through the editor, in the current view.

        Args:
            rows: As :meth:`rows_of` gives them.
            call: Stands in for the engine's ``generate``, e.g. to hear the tokens. The rows it is
                handed may be rewritten, and keep the ``ids`` object of the rows given here.
            options: Options of ``generate``.
        """
        batch = self._batch(rows, options or {})
        edited, base = partial(self._edited, call=call), call or self.engine.generate
        return batch.route(self.concerns, edited, base)

    def explain(self, query: str, *, chat: bool | None = None, **options: Any) -> Explanation:
        """The answer, the base's answer, and the decision behind them."""
        edited = self.ask(query, chat=chat, **options)
        with self.unedited():
            base = self.ask(query, chat=chat, **options)
        decision = edited.decision
        return Explanation(
            query, edited.text, base.text, decision, edited.editor, self.memory.version
        )

    def _encode(self, text: str, *, chat: bool | None) -> Tensor:
        chat = self.is_chat(text) if chat is None else chat
        if not text.strip():
            raise InvalidInputError("The prompt is empty.")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise InvalidInputError("The prompt holds a lone surrogate.", hint="Read it as UTF-8.")
        if not chat:
            return self.engine.codec.ids(text, special=True)
        if not getattr(self.tokenizer, "chat_template", None):
            raise InvalidInputError(
                "The tokenizer has no chat template.", hint="Ask without chat, or set one."
            )
        rendered: Any = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
        )
        return self.engine.codec.ids(rendered)

    def is_chat(self, text: str) -> bool:
        """Whether a text is asked as a chat message unless the caller says: the model has a chat
        template, and the text does not break off."""
        closed = text.rstrip(_QUOTES).endswith(_CLOSED)
        return closed and bool(getattr(self.tokenizer, "chat_template", None))

    def row(self, text: str, *, chat: bool | None = None) -> Row:
        """A text as it is asked, before the scope has seen it; ``chat`` as in :meth:`ask`.

        Raises:
            InvalidInputError: an empty text, or ``chat`` without a chat template.
        """
        return self._row(self._encode(text, chat=chat))

    def _row(self, ids: Tensor) -> Row:
        """One prompt's ids [T] as a row: its text, or the last user turn of a chat."""
        if self._chat is not None:
            split = self._chat.split(self.engine.codec.text(ids, special=True))
            if split is not None:
                _, turn, words = split
                return Row(words, turn=turn, ids=ids)
        return Row(self.engine.codec.text(ids), ids=ids)

    def _decided(self, rows: Sequence[Row]) -> list[Row]:
        decisions = self.decide([self._query(row) for row in rows])
        return [replace(row, decision=d) for row, d in zip(rows, decisions, strict=True)]

    def _query(self, row: Row) -> str:
        """What the scope reads of a row: for a chat, what was said before and the last turn."""
        if row.turn is None or self._chat is None:
            return row.prompt
        split = self._chat.split(row.text)
        earlier, asked = split[0] if split else "", spoken(row.prompt)
        return Conversation(earlier, asked) if asked.strip() else earlier

    def _batch(self, rows: Sequence[Row], options: Mapping[str, Any]) -> Batch:
        return Batch(tuple(rows), recall=self.decide, lm=self.engine, options=options)

    def _answer(self, rows: Sequence[Row], options: Mapping[str, Any]) -> list[Completion]:
        batch = self._batch(rows, options)
        return batch.route(self.concerns, self._edited, self.engine.generate)

    def _edited(self, batch: Batch, call: Call | None = None) -> list[Completion]:
        """Rows in scope answered; by ``call`` instead of the engine's ``generate``, if given."""
        answers: list[Completion]
        if call is None:
            answers = self._run(batch, Engine.generate)
        else:
            answers = self.editor.run(batch, call)
        return [self._signed(answer, row) for row, answer in zip(batch.rows, answers, strict=True)]

    def _signed(self, answer: Completion, row: Row) -> Completion:
        """The answer with the edits it rests on: those a program found, else those in scope."""
        told = replace(
            answer, decision=answer.decision if answer.decision.bearing else row.decision
        )
        return replace(told, editor=answer.editor or self._who(told))

    def concerns(self, row: Row) -> bool:
        """Whether the editors read a row: an edit is in scope, or a program may find one."""
        return self.reads(row.decision) or (
            self._now.edited
            and bool(len(self._store))
            and any(e.considers(row) for e in self._leaves() if hasattr(e, "considers"))
        )

    def reads(self, decision: Decision) -> bool:
        """Whether an edit that the decision names has a role in which the editors read edits."""
        return bool(decision.read(self._roles()))

    def answering(self, decision: Decision, *, chat: bool) -> str:
        """The editor that answers what the scope decided so; "" where none reads it."""
        if not self.reads(decision):
            return ""
        choose = getattr(self.editor, "answering", None)
        name = self.editor.name
        return str(choose(decision, self.engine, chat=chat)) if choose else name

    def _roles(self) -> frozenset[Role]:
        return frozenset[Role]().union(*map(roles_of, self._leaves()))

    def _who(self, row: Row | Completion) -> str:
        """The editors that read an edit and held its payload for this row or answer; "": none."""

        def held(editor: Editor) -> bool:
            hits = row.decision.read(roles_of(editor))
            return any(editor.name in hit.record.payloads for hit in hits)

        return "+".join(editor.name for editor in self._leaves() if held(editor))

    # The drop-in

    def generate(self, inputs: Any = None, **options: Any) -> Any:
        """As the base model's ``generate``, with the edits in memory in force.

        Out of scope the call goes to the base unchanged. The added context of an edited row is
        never part of what is returned; its answer ends where the editor's form ends.

        Raises:
            InvalidInputError: an option that cannot be honoured for a row in scope.
            ContextOverflowError: a row in scope does not fit the model's window with its edit.
        """
        request = Request.of(inputs, options, self.base.generation_config)
        rows = self._rows(request.ids, request.mask)
        mine = [self.concerns(row) for row in rows]
        if not any(mine):
            arguments = () if inputs is None else (inputs,)
            return self.base.generate(*arguments, **options)
        request.check_supported()
        inside = [i for i, yes in enumerate(mine) if yes]
        outside = [i for i, yes in enumerate(mine) if not yes]
        budget = Budget.of(options, self.base.generation_config, width=request.width)
        batch = self._batch([rows[i] for i in inside], budget.options)
        new: dict[int, Any] = {i: c.ids for i, c in zip(inside, self._edited(batch), strict=True)}
        if outside:
            tail = request.generate(self.base, outside)
            each = len(tail) // len(outside)
            new |= {i: tail[n * each :][:each] for n, i in enumerate(outside)}
        return request.result([new[i] for i in range(len(rows))], self.engine.codec.pad)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        **options: Any,
    ) -> Any:
        """As the base model's ``forward``: logits [B, T, V] of the caller's own tokens.

        A call that continues from ``past_key_values``, or that passes embeddings, is the base's.

        Raises:
            InvalidInputError: an output other than logits and loss is asked for of a row in scope.
        """
        known = {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}
        given = {k: v for k, v in known.items() if v is not None} | options
        past = options.get("past_key_values")
        if input_ids is None or (past is not None and past.get_seq_length()):
            return self.base(**given)
        rows = self._rows(input_ids, attention_mask)
        mine = [self.concerns(row) for row in rows]
        if not any(mine):
            return self.base(**given)
        logits = merge(self.base, given, rows, mine, self._edited_logits)
        loss = None
        if labels is not None:
            size = self.base.config.get_text_config().vocab_size
            loss = self.base.loss_function(logits=logits, labels=labels, vocab_size=size)
        if keep := options.get("logits_to_keep", 0):
            logits = logits[:, -keep:] if isinstance(keep, int) else logits[:, keep]
        return CausalLMOutputWithPast(loss=loss, logits=logits)

    def _edited_logits(self, rows: Sequence[Row]) -> list[Tensor]:
        """[T, V] logits of each row in scope, at the caller's own tokens."""
        originals = {id(row.ids): row.prompt for row in rows}

        def call(engine: Engine, batch: Batch) -> list[Tensor]:
            return engine.logits(batch, [originals[id(row.ids)] for row in batch.rows])

        batch = self._batch([replace(row, target="") for row in rows], {})
        return self._run(batch, call)

    def _rows(self, ids: Tensor | None, mask: Tensor | None) -> list[Row]:
        """The rows of a call with their decisions; none while there is nothing in memory."""
        if ids is None or ids.dim() != 2 or not self._now.edited or not len(self._store):
            return []
        real = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask.bool()
        return self._decided([self._row(i[m]) for i, m in zip(ids, real, strict=True)])

    # Measuring

    def compare(self, editors: Sequence[str], data: str | Path, **options: Any) -> Any:
        """This base under several editors on the same cases: an A/B comparison.

        Args:
            editors: ``"ike"``, ``"ike-ungated"``, ``"ike@threshold"``, ``"none"``, ...
            data: A file of cases.
            **options: As for :func:`memedit.evaluation.runs.compare.compare`, which says what
                returns.
        """
        import importlib  # evaluation stands above this module: known here by name only

        return importlib.import_module("memedit.evaluation.runs.compare").compare(
            self, editors, data, **options
        )

    def tune(self, *, progress: Callable[[int, int], None] | None = None) -> Tuning:
        """Try the forms of ``editor="auto"`` on this base, on about forty invented facts.

        What holds best is kept on this machine, and used from now on for this base.

        Args:
            progress: Hears how many answers of how many are given.

        Raises:
            InvalidInputError: the tokenizer has no chat template.
        """
        found = tune(self, progress=progress)
        self.engine.kept.pop("forms", None)
        return found

    # Keeping

    def save(self, path: str | Path) -> Path:
        """Write memory, editor and scope settings to a directory. Weights are not part of it."""
        folder = Path(path)
        self.memory.save(folder)
        settings = {
            "editor": _settings_of(self.editor),
            "scope": _settings_of(self.scope),
            "base": loading.fingerprint(self.base),
        }
        _write_atomically(folder / _SETTINGS_FILE, json.dumps(settings, indent=2) + "\n")
        return folder

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "base":
                raise
            return getattr(self.base, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("config", "generation_config"):
            setattr(self.base, name, value)
        else:
            super().__setattr__(name, value)

    def __repr__(self) -> str:
        return (
            f"EditableModel({type(self.base).__name__}, editor={self.editor.name!r}, "
            f"scope={getattr(self.scope, 'name', type(self.scope).__name__)!r}, "
            f"edits={len(self.memory)})"
        )


def _options_of(record: Record) -> dict[str, Any]:
    """The options with which a record was added."""
    names = ("namespace", "source", "valid_from", "valid_until")
    return {name: getattr(record, name) for name in names}


def _alike(records: Sequence[Record]) -> list[list[Record]]:
    """Records in order, those together that were added together with the same options."""
    groups: list[list[Record]] = []
    for record in records:
        last = groups[-1][-1] if groups else None
        same = last is not None and last.version == record.version
        if last is not None and same and _options_of(last) == _options_of(record):
            groups[-1].append(record)
        else:
            groups.append([record])
    return groups


def _open(memory: str | Path | None, encoder: Encoder | str | None) -> EditMemory:
    if isinstance(encoder, str):
        from memedit.encoders import load_encoder

        encoder = load_encoder(encoder)
    return EditMemory(memory, encoder)


def _saved_settings(path: Path | None) -> dict[str, Any]:
    file = path / _SETTINGS_FILE if path is not None else None
    if file is None or not file.is_file():
        return {}
    try:
        return read_json(file)
    except (OSError, UntrustedFileError) as error:
        raise MemoryStoreError(
            f"The settings in {str(file)!r} cannot be read: {error}.",
            hint="Remove the file, or save the model anew: the edits are not in it.",
        ) from None


def _build(
    load: Callable[..., T], given: T | str | None, saved: Callable[[], Any], other: str
) -> T:
    """What was asked for, else what was saved (name and settings), else the other one."""
    if given is not None:
        return load(given) if isinstance(given, str) else given
    if (found := saved()) is None:
        return load(other)
    name, settings = found
    try:
        return load(name, **settings)
    except (TypeError, AttributeError) as error:  # settings of other types than these
        raise InvalidInputError(
            f"The saved settings of {name!r} cannot be used: {error}.",
            hint="Name editor and scope yourself.",
        ) from None


def _settings_of(part: Any) -> dict[str, Any]:
    settings = asdict(part) if is_dataclass(part) and not isinstance(part, type) else {}
    return {"name": part.name, "settings": settings}


def _write_atomically(file: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False, encoding="utf-8") as out:
        out.write(text)
    os.replace(out.name, file)


def _score(ids: Tensor, logits: Tensor) -> Score:
    """A target's tokens [T] under the logits [T, V] just before each."""
    here = logits.float().log_softmax(-1).cpu()
    return Score(
        ids=tuple(ids.tolist()),
        logprobs=tuple(here.gather(-1, ids.cpu()[:, None])[:, 0].tolist()),
        greedy=tuple(here.argmax(-1).tolist()),
    )
