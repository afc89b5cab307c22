"""``EditableModel``: a deployed model with an edit memory, used as the model was used before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, overload

from memedit.core.chat import ChatFormat
from memedit.core.errors import InvalidEditError, InvalidInputError
from memedit.core.options import check_options, known_options
from memedit.core.progress import count_done, hearing
from memedit.core.protocols import Editor, Encoder, PrefersScope, Scope, leaves_of
from memedit.core.types import Edit, Record
from memedit.data.documents.reading import is_document
from memedit.engine import bases, loading
from memedit.engine.engine import Engine
from memedit.memory import Certificate, EditMemory, Event, Receipt
from memedit.model.amendable import AmendableModel
from memedit.model.amending import compare_in_place, compare_new, find_by, take_dates
from memedit.model.answering import Answering
from memedit.model.deciding import Decider
from memedit.model.feedback import OF_RECORD, TeachableModel
from memedit.model.fitting import Fitter, Payloads, check_needs, find_missing_needs, make_letting_go
from memedit.model.keeping import KeptModel
from memedit.model.prompts import read_texts
from memedit.model.reading import ReadingModel
from memedit.model.sequence import EditedModels, write_changes
from memedit.model.settings import (
    build_editor,
    build_scope,
    open_memory,
    read_settings,
)
from memedit.model.several import apply_default
from memedit.model.tuning import Tuning, tune

# None would be a target that was lost on its way: it is refused, not taken for "no target".
_UNSET: Any = object()
_OF_EDIT = ("subject", "target_true", "queries", "multiple", "because_of")
_OF_IMPORT = ("namespace", "source", "compare", "progress")
_OF_DOCUMENT = ("name", "namespace", "dry_run", "valid_from", "valid_until")
_OF_PURGE = ("subject", "document", "everything")


class EditableModel(KeptModel, TeachableModel, ReadingModel, AmendableModel):
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

    @known_options
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
        if isinstance(base, str | Path):
            raise InvalidInputError(
                "base must be a loaded model.", hint="Use EditableModel.from_pretrained(name)."
            )
        # First: nothing is opened, and no encoder loaded, for a base that is refused.
        bases.check(base)
        bases.check_tokenizer(tokenizer)
        store = memory if isinstance(memory, EditMemory) else open_memory(memory, encoder)
        tokenizer = loading.find_tokenizer(base) if tokenizer is None else tokenizer
        super().__init__(base, tokenizer, store)
        saved = read_settings(self.memory.path)
        self._editor: Editor = build_editor(editor, saved.get("editor"))
        preferred = "default"
        if isinstance(self.editor, PrefersScope):
            preferred = self.editor.default_scope
        # What somebody chose is kept or refused; a default may give way where it does not fit.
        given = scope is not None or bool(saved.get("scope"))
        scope = build_scope(scope, saved.get("scope"), preferred)
        self._decider = Decider(self.memory, scope, given=given)
        self._chat = ChatFormat.of(self.tokenizer)
        # Fitter and Answering are made anew at each use: what shall outlive a call is kept here.
        self._edited_models, self._kept = EditedModels(self.engine), dict[int, Payloads]()
        self.memory.when_purged(make_letting_go(self._edited_models, self._kept))
        # A request may have told what was purged.
        self.memory.when_purged(self.engine.kept.setdefault("translations", {}).clear)

    @classmethod
    @known_options
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

        Args:
            device: ``"auto"`` (the best here), or torch's name; None: ``$MEMEDIT_DEVICE``, or CPU.

        Raises:
            ModelNotFoundError: it cannot be found; the message names the offline alternatives.
            InvalidInputError: there is no such device here.
        """
        base, tokenizer = loading.load(model, dtype=dtype, device=device)
        return cls(base, tokenizer, memory=memory, editor=editor, scope=scope, encoder=encoder)

    # Editing

    @overload
    def edit(self, prompt: Edit, **options: Any) -> Receipt: ...
    @overload
    def edit(self, prompt: Path, **options: Any) -> Any: ...
    @overload
    def edit(self, prompt: str, target_new: str = ..., **options: Any) -> Receipt: ...
    @overload
    def edit(self, prompt: Sequence[Edit], **options: Any) -> list[Receipt]: ...

    def edit(self, prompt: Any, target_new: Any = _UNSET, **options: Any) -> Any:
        """Add a fact: from now on it is in force.

        Args:
            prompt: The prompt (``"The capital of France is"``), or a statement when no
                ``target_new`` is given, or an :class:`Edit`, or several, or a ``Path`` to a JSONL
                or CSV file, or to a document (:meth:`edit_document`).
            target_new: What the model shall say after the prompt.
            **options: ``subject``, ``target_true``, ``queries`` of the edit, ``multiple`` (one of
                several values: it replaces none of them; left out, its relation decides),
                ``because_of`` (ids of the edits that it rests on); ``namespace``, ``source``,
                ``valid_from``, ``valid_until`` of the record (dates, or aware datetimes, or either
                in ISO 8601).

        Returns:
            A receipt saying what was added, superseded, and what it conflicts with (one per edit),
            or the report of an import, or what a document changed.

        Raises:
            InvalidEditError: nothing was stored; the message says why.
            InvalidInputError: no such option; what is edited is no text, Edit or Path.
        """
        if isinstance(prompt, Path):
            if is_document(prompt):
                check_options("EditableModel.edit of a document", options, _OF_DOCUMENT)
                return self.edit_document(prompt, **options)
            check_options("EditableModel.edit of a file", options, _OF_IMPORT)
            return self.import_edits(prompt, **options)
        check_options("EditableModel.edit", options, (*_OF_EDIT, *OF_RECORD, "progress"))
        about = {k: options.pop(k) for k in _OF_EDIT if k in options}
        if isinstance(prompt, str):
            target = None if target_new is _UNSET else target_new
            if target is None and target_new is not _UNSET:
                raise InvalidEditError("target_new is None.", hint="Leave it out for a statement.")
            said = about.pop("multiple", None)
            edit = apply_default(Edit(prompt, target, **about), self.memory.encoder, said)
            return self._add_one(edit, **options)
        if about or target_new is not _UNSET:
            raise InvalidInputError(f"An {type(prompt).__name__} already says what is edited.")
        if isinstance(prompt, Edit):
            return self._add_one(prompt, **options)
        return self.edit_many(prompt, **options)

    def edit_many(
        self,
        edits: Sequence[Edit],
        *,
        compare: bool = False,
        progress: Callable[[int], None] | None = None,
        **options: Any,
    ) -> list[Receipt]:
        """Add many edits in one transaction: all or none. They are taken as they are: only the same
        prompt, or subject and wording, replaces.

        With ``compare`` each is compared in other words with what is in force, as by :meth:`edit`,
        and so with those before it; they are added one after the other, some 0.1 s each.
        ``progress`` hears how many are fitted (an editor of weights takes seconds for each), or
        read and stored where there is nothing to fit.
        """
        check_options("EditableModel.edit_many", options, OF_RECORD)
        if not isinstance(edits, Sequence) or not all(isinstance(edit, Edit) for edit in edits):
            raise InvalidInputError(
                f"edit takes a text, an Edit, a sequence of these, or a Path, not {edits!r:.60}.",
                hint="Edit(prompt, target_new), or Edit.from_statement(text).",
            )
        if not compare:
            return self._add(list(edits), progress=progress, **options)
        for edit in edits:
            self.check_edit(edit)  # all, before the first is added
        with hearing(progress):
            return [self._add_one(edit, **options) for edit in count_done(edits)]

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
        if refit:
            self._check_unmerged()
        return self._fitter.forget(ids, namespace, refit=refit)

    def purge(
        self, *ids: str, namespace: str | None = None, refit: bool = False, **what: Any
    ) -> Certificate:
        """Erase edits for good, with all that was made of them; there is no way back.

        Args:
            *ids: Of edits.
            namespace: Of the edits; default the view's.
            refit: Fit edits of weights anew that were fitted on them.
            **what: Instead of ids, ``subject``, ``document`` or ``everything``, as of
                :meth:`EditMemory.purge`.

        Raises:
            UnknownEditError: there is nothing to purge.
            EntangledEditError: others were fitted on them, and ``refit`` is not set.
        """
        check_options("EditableModel.purge", what, _OF_PURGE)
        if refit:
            self._check_unmerged()
        return self._fitter.purge(ids, namespace or self._now.namespace, what, refit=refit)

    def history(self, id: str | None = None) -> list[Event]:
        """All that happened to one edit, or to the memory, in order."""
        return self.memory.history(id)

    def restore(self, version: int) -> int:
        """Bring back the edits that were in force at ``version``; returns the new version."""
        return self.memory.restore(version)

    def _add_one(self, edit: Edit, **options: Any) -> Receipt:
        """Add an edit; what it corrects in other words is replaced with it."""
        with self.memory.comparing():
            self.check_edit(edit)
            self._decider.check()
            namespace = options.get("namespace", self._now.namespace)
            self.memory.check_reasons(edit, namespace)
            # Before it is fitted, which may take seconds: what the memory says already is not.
            find, dates = find_by(self._decider), take_dates(options)
            told = compare_new(self.memory, edit, namespace, find, **dates)
            return told if isinstance(told, Receipt) else self._add([edit], **options | told)[0]

    def _replace(self, record: Record, edit: Edit, **options: Any) -> Receipt:
        with self.memory.comparing():
            told = compare_in_place(self.memory, record, edit, find_by(self._decider), options)
            told["replaces"] = [record.id, *told["replaces"]]
            return self._add([edit], **{**options, **told})[0]

    def _add(self, edits: list[Edit], **options: Any) -> list[Receipt]:
        self._decider.check()
        # All are seen before the first is fitted: an error stores nothing.
        for edit in edits:
            self.check_edit(edit)
        self._check_unmerged()
        options.setdefault("namespace", self._now.namespace)
        progress = options.pop("progress", None)
        with hearing(progress):
            return self._fitter.add(edits, options)

    def _check_unmerged(self) -> None:
        if self._now.merged:
            raise InvalidInputError(
                "The edits are in the base's weights now.", hint="Edit outside of merged()."
            )

    def view(self) -> Engine:
        """The model with the edits of the current view in its weights, beside the base.

        It shares every other tensor with the base, which is not written.

        Raises:
            InvalidInputError: the editor does not change weights.
        """
        return self._answering.edited_model()

    @contextmanager
    def merged(self) -> Iterator[EditableModel]:
        """Context manager: the base's own weights hold the edits in force, for every prompt.

        For what needs the base itself (an export, another library), or many questions about many
        edits. Not while other threads use the model. Afterwards, whatever happened, every weight is
        bit for bit what it was.

        Raises:
            InvalidInputError: the editor does not change weights, or they are merged already.
        """
        changes = self._answering.changes()
        # The weights answer now: through the editor, too, every edit would count twice.
        with write_changes(self.engine, changes), self._set_view(edited=False, merged=True):
            yield self

    def check_edit(self, edit: Edit) -> None:
        """See that the editors in use can take this edit.

        Raises:
            InvalidEditError: it lacks what an editor needs.
        """
        for editor in leaves_of(self.editor):
            check_needs(edit, editor)

    @property
    def _fitter(self) -> Fitter:
        return Fitter(
            self.engine, self.memory, self.editor, self.scope, self._edited_models, self._kept
        )

    @property
    def _answering(self) -> Answering:
        parts = (self.engine, self.editor, self._decider, self._fitter, self._chat)
        return Answering(*parts, self._now, *self._helps)

    # Method and scope

    @property
    def editor(self) -> Editor:
        """The method that answers in scope; may be set, by instance or by name."""
        return self._editor

    @editor.setter
    def editor(self, editor: Editor | str) -> None:
        self._editor = build_editor(editor, None)

    @property
    def decider(self) -> Decider:
        """What finds the edits of a query: memory and scope."""
        return self._decider

    @property
    def scope(self) -> Scope:
        """What decides whether an edit is concerned; may be set, by instance or by name."""
        return self._decider.scope

    @scope.setter
    def scope(self, scope: Scope | str) -> None:
        self._decider.use(build_scope(scope, None, "default"), given=scope is not None)

    def unusable(self) -> list[Record]:
        """The edits in memory that no editor in use can do anything with.

        They lack what it needs: a subject, or a target.
        """
        leaves = leaves_of(self.editor)
        return [
            r for r in self.memory.records() if all(find_missing_needs(r.edit, e) for e in leaves)
        ]

    def calibrate_scope(
        self, queries: Sequence[str], *, max_false_fire: float = 0.001, confidence: float = 0.95
    ) -> Scope:
        """Set the scope's threshold from your own traffic, with a guarantee.

        Args:
            queries: Texts that concern no edit in memory, drawn from the traffic to come. It is
                warned of where they seem to: the threshold is then one that hardly an edit passes.
            max_false_fire: Highest acceptable share of such texts on which an edit fires.
            confidence: Probability, over the draw of ``queries``, that this holds.

        Returns:
            The scope now in use, its threshold as it was or higher; :meth:`save` keeps it.

        Raises:
            InvalidInputError: too few queries for the bound, or a scope that has no calibration.
        """
        decisions = self.decide(read_texts("calibrate_scope", queries))
        return self._decider.calibrate(decisions, max_false_fire, confidence)

    def compile_edits(self, *, progress: Callable[[int], None] | None = None) -> int:
        """Fit and store the payloads of every edit that was added without this editor.

        Edits from an import, or from another editor, are otherwise fitted when they first fire.
        Returns the number of edits fitted; may be interrupted and called again.
        """
        with hearing(progress):
            return self._fitter.compile()

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
        # There auto keeps the forms that it chose before.
        self.engine.kept.pop("forms", None)
        return found
