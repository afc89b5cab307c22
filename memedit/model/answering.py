"""A prompt's way: to ids, to a row, to a decision, through the editor, to an answer that is signed.

Nothing here knows the model that asks; what a request sees of the memory is its :class:`View`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import torch
from jinja2 import TemplateError
from torch import Tensor

from memedit.core.calls import Batch, Call, Completion, Row, Score
from memedit.core.chat import ChatFormat, has_template
from memedit.core.errors import InvalidInputError
from memedit.core.passages import Conversation
from memedit.core.protocols import (
    ChangesWeights,
    ChoosesEditor,
    Considers,
    Editor,
    leaves_of,
    roles_of,
)
from memedit.core.types import DEFAULT_NAMESPACE, Decision, Hit, Record, Role
from memedit.engine.engine import Engine
from memedit.memory import EditMemory, MemoryView
from memedit.model.deciding import Decider
from memedit.model.fitting import Fitter
from memedit.model.judging import list_in_force
from memedit.model.prompts import Messages, Prompt, refuse_surrogates, take_asked
from memedit.model.second_look import look_again
from memedit.model.sequence import is_ungated
from memedit.model.translating import (
    Translate,
    Translating,
    decide_in_english,
    name_places,
    request_of,
    translate_rows,
)
from memedit.model.values import tell_together

_CLOSED, _QUOTES = ("?", "!", ".", "？", "！", "。", "؟", "।"), " \t\r\n\"'”’»)"
"""How a sentence ends, and what may stand behind it."""
_TRANSLATIONS = 512
"""Translated texts that are kept."""
_SPARE = 4
"""Tokens beside an object's: a space, the end."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class View:
    """What a request sees: which namespace, at which date, in which state of the memory."""

    edited: bool = True
    namespace: str = DEFAULT_NAMESPACE
    as_of: datetime | None = None
    memory: MemoryView | None = None
    merged: bool = False


EVERYTHING = View()
"""The default namespace as it is now."""


@dataclass(frozen=True, slots=True)
class Answering:
    """How prompts are answered in one view of the memory.

    Attributes:
        engine: The unedited model.
        editor: The method.
        decider: Memory and scope.
        fitter: Compiles what the editor must remember of edits.
        chat: The markers of the tokenizer's chat template; None without one.
        view: What the request sees.
        translates: The base puts queries in other languages into English, for the scope.
        looks: The base says, too, whether an edit bears.
    """

    engine: Engine
    editor: Editor
    decider: Decider
    fitter: Fitter
    chat: ChatFormat | None
    view: View = EVERYTHING
    translates: bool = False
    looks: bool = False

    @property
    def store(self) -> EditMemory | MemoryView:
        """The memory in this view."""
        return self.decider.memory if self.view.memory is None else self.view.memory

    @property
    def live(self) -> bool:
        """Whether there is anything that could be in scope."""
        return self.view.edited and bool(self.store.count(self.view.namespace))

    @property
    def in_force(self) -> list[Record]:
        """The edits in force in this view."""
        view = self.view
        return list_in_force(self.store, view.namespace, view.as_of) if view.edited else []

    @property
    def leaves(self) -> tuple[Editor, ...]:
        """The editors in use."""
        return leaves_of(self.editor)

    @property
    def roles(self) -> frozenset[Role]:
        """The roles in which the editors read edits."""
        return frozenset[Role]().union(*map(roles_of, self.leaves))

    def edited_model(self) -> Engine:
        """The model with the edits in force in its weights, beside the base.

        Raises:
            InvalidInputError: the editor changes no weights, or they are in the base's already.
        """
        self._require_changing()
        return self.fitter.model(self.in_force)

    def changes(self) -> Mapping[str, Tensor]:
        """Site -> the change [d_out, d_in] of its weight that the edits in force amount to.

        Raises:
            InvalidInputError: as :meth:`edited_model`.
        """
        return self._require_changing().changes(self.fitter.compile_records(self.in_force))

    def _require_changing(self) -> ChangesWeights:
        if not isinstance(self.editor, ChangesWeights):
            raise InvalidInputError(
                f"Editor {self.editor.name!r} changes no weights.",
                hint="Use one that does, such as rome or memit.",
            )
        if self.view.merged:
            raise InvalidInputError("The edits are in the base's weights already.")
        return self.editor

    # From text to decision

    def decide(self, queries: Sequence[str], aside: Translate | None = None) -> list[Decision]:
        """What the scope says of each query, with the payloads of what the editors read; ``aside``
        stands in for the engine's ``generate`` where the base puts queries into English.

        Raises:
            EncoderMismatchError: the scope asked for does not fit the memory's encoder.
        """
        # Neither encoder nor scope is loaded while there is nothing to find.
        if not self.live:
            return [Decision() for _ in queries]
        view, store = self.view, self.store

        look = partial(look_again, engine=self.engine) if self.looks else None

        def decide(texts: Sequence[str]) -> list[Decision]:
            return self.decider.decide(texts, view.namespace, view.as_of, store, look)

        if self.translates:
            translate = partial(self._recall_english, call=name_places(queries, aside))
            return self._compile_hits(decide_in_english(queries, decide, translate))
        return self._compile_hits(decide(queries))

    def _recall_english(self, texts: Sequence[str], call: Translating | None = None) -> list[str]:
        """Each text in English, by the base; of a chat the same turns come again and again. ""
        where it takes no chats, or none so long: others may be asked in the same batch."""
        if not has_template(self.engine.tokenizer):
            return [""] * len(texts)
        kept: dict[str, str] = self.engine.kept.setdefault("translations", {})
        # Other threads keep and let go meanwhile: what is needed here is held here.
        known = {text: said for text in texts if (said := kept.get(text)) is not None}
        if new := [text for text in dict.fromkeys(texts) if text not in known]:
            rows = {text: self.row(self.encode(request_of(text), chat=True)) for text in new}
            made = translate_rows(rows, self.engine, call)
            known |= {text: said or "" for text, said in made.items()}
            kept |= {text: said for text, said in made.items() if said is not None}
        # The oldest first; another thread may have let go of it in the meantime.
        for text in list(kept)[:-_TRANSLATIONS]:
            kept.pop(text, None)
        return [known[text] for text in texts]

    def _compile_hits(self, decisions: Sequence[Decision]) -> list[Decision]:
        """The decisions with the payloads of every edit compiled that the editors in use read."""
        # Editors that fit payloads read one value each; those that read text can tell several.
        if not any(editor.needs for editor in self.leaves):
            decisions = list(map(tell_together, decisions))
        # Scopes give many queries the same hits: they are compiled once.
        done: dict[int, tuple[Hit, ...]] = {}

        def ready(hits: tuple[Hit, ...]) -> tuple[Hit, ...]:
            if hits and id(hits) not in done:
                records = self.fitter.compile_records([hit.record for hit in hits])
                pairs = zip(hits, records, strict=True)
                done[id(hits)] = tuple(replace(hit, record=r) for hit, r in pairs)
            return done.get(id(hits), hits)

        told = [replace(d, hits=ready(d.hits)) if d.hits else d for d in decisions]
        if "informs" not in self.roles:
            return told
        return [
            replace(d, informs=ready(d.informs), companions=ready(d.companions))
            if d.informs or d.companions
            else d
            for d in told
        ]

    def is_chat(self, text: str) -> bool:
        """Whether a text is asked as a chat message unless the caller says: the model has a chat
        template, and the text does not break off."""
        closed = text.rstrip(_QUOTES).endswith(_CLOSED)
        return closed and has_template(self.engine.tokenizer)

    def encode(self, prompt: Prompt, *, chat: bool | None) -> Tensor:
        """[T] ids of a text, or of a chat: messages, or one whose only message is the text;
        ``chat`` None: as :meth:`is_chat` says.

        Raises:
            InvalidInputError: an empty text, ``chat`` without a chat template, messages that are
                no chat or that the template refuses.
        """
        text = take_asked(prompt)
        if not text.strip():
            raise InvalidInputError("The prompt is empty.")
        refuse_surrogates(text)
        if isinstance(prompt, str):
            if not (self.is_chat(text) if chat is None else chat):
                return self.engine.codec.ids(text, special=True)
            prompt = [{"role": "user", "content": text}]
        elif chat is False:
            raise InvalidInputError("Messages are a chat.", hint="Leave chat=False out.")
        # Without special tokens: the template has written them.
        return self.engine.codec.ids(self._render(prompt))

    def _render(self, messages: Messages) -> str:
        if not has_template(self.engine.tokenizer):
            raise InvalidInputError(
                "The tokenizer has no chat template.", hint="Ask without chat, or set one."
            )
        turns = [self.engine.codec.controls.guard(message) for message in messages]
        try:
            return str(
                self.engine.tokenizer.apply_chat_template(
                    turns, tokenize=False, add_generation_prompt=True
                )
            )
        except TemplateError as error:
            raise InvalidInputError(f"The model's chat template says: {error}.") from error

    def row(self, ids: Tensor) -> Row:
        """One prompt's ids [T] as a row: its text, or the last user turn of a chat."""
        if self.chat is not None:
            # Special tokens are what marks the turns: the text must show them.
            split = self.chat.split(self.engine.codec.text(ids, special=True))
            if split is not None:
                _, turn, words = split
                return Row(words, turn=turn, ids=ids)
        return Row(self.engine.codec.text(ids), ids=ids)

    def decide_rows(self, rows: Sequence[Row], aside: Translate | None = None) -> list[Row]:
        """The rows with what the scope says of each; ``aside`` as for :meth:`decide`."""
        decisions = self.decide([self._query(row) for row in rows], aside)
        return [replace(row, decision=d) for row, d in zip(rows, decisions, strict=True)]

    def _query(self, row: Row) -> str:
        """What the scope reads of a row: for a chat, what was said before and the last turn."""
        if row.turn is None or self.chat is None:
            return row.prompt
        split = self.chat.split(row.text)
        earlier, asked = split[0] if split else "", row.words
        # An empty turn asks nothing: what was said before it is all there is to read.
        return Conversation(earlier, asked) if asked.strip() else earlier

    def concerns(self, row: Row) -> bool:
        """Whether the editors read a row: an edit is in scope, or a program may find one."""
        return self.reads(row.decision) or (
            self.live and any(e.considers(row) for e in self.leaves if isinstance(e, Considers))
        )

    def reads(self, decision: Decision) -> bool:
        """Whether an edit that the decision names has a role in which the editors read edits."""
        return bool(decision.read(self.roles))

    def choose_editor(self, decision: Decision, *, chat: bool, formed: bool = False) -> str:
        """The editor that answers what the scope decided so; "" where none reads it."""
        if not self.reads(decision):
            return ""
        if isinstance(self.editor, ChoosesEditor):
            return self.editor.answering(decision, self.engine, chat=chat, formed=formed)
        return self.editor.name

    # From decision to answer

    def answer(
        self,
        rows: Sequence[Row],
        options: Mapping[str, Any] | None = None,
        call: Call | None = None,
        *,
        aside: Call | None = None,
        grows: bool = False,
    ) -> list[Completion]:
        """Answers to decided rows: those the editors read through them, the others the base's.

        Args:
            rows: Of :meth:`decide_rows`.
            options: Options of ``generate``.
            call: Stands in for the engine's ``generate``.
            aside: The same for what an editor has the base think about rows beforehand.
            grows: An edit may need more new tokens than the options have: then it gets them.
        """
        batch = replace(self._batch(rows, options or {}), aside=aside)
        base = call or self.engine.generate

        def answer_edited(mine: Batch) -> list[Completion]:
            return self._answer_edited(self._grow(mine) if grows else mine, call=call)

        return batch.route(self.concerns, answer_edited, base)

    def _grow(self, batch: Batch) -> Batch:
        """The batch with as many new tokens as the longest object that is asked has, and some."""
        objects = {h.record.edit.target_new or "" for row in batch.rows for h in row.decision.hits}
        # "": passages and statements have no object, and max wants something.
        longest = max(len(self.engine.codec.ids(text)) for text in objects | {""})
        tokens = max(int(batch.options["max_new_tokens"]), longest + _SPARE)
        return replace(batch, options={**batch.options, "max_new_tokens": tokens})

    def trim_reply(self, row: Row, ids: Tensor | None, most: int | None = None) -> Tensor | None:
        """[n, T] ids of an edited answer as the row's caller gets them, ``most`` at most: a chat's
        reply begins without the space that the text before it asked for."""
        return ids if ids is None or row.turn is None else self.engine.codec.strip_spaces(ids, most)

    def answer_edited(self, rows: Sequence[Row], options: Mapping[str, Any]) -> list[Completion]:
        """Answers to rows that the editors read (:meth:`concerns`)."""
        return self._answer_edited(self._batch(rows, options))

    def score(self, rows: Sequence[Row]) -> list[Score]:
        """How each decided row's target is rated, token by token (teacher forcing).

        Raises:
            InvalidInputError: an empty target; an editor that scores with another model.
            ContextOverflowError: a text with its edit exceeds the model's window.
        """
        if not rows:
            return []
        batch = self._batch(rows, {})
        edited, base = partial(self._run, call=_force_targets), partial(_force_targets, self.engine)
        with torch.no_grad():
            scores = batch.route(self.concerns, edited, base)
        if not all(isinstance(score, Score) for score in scores):
            raise InvalidInputError(
                f"Editor {self.editor.name!r} answers with another model, token by token unlike "
                "the base.",
                hint="Measure what it generates instead (families: gen).",
            )
        return [replace(s, decision=r.decision) for s, r in zip(scores, batch.rows, strict=True)]

    def logits(self, rows: Sequence[Row]) -> list[Tensor]:
        """[T, V] logits of each row that the editors read, at the caller's own tokens."""
        # Editors may leave rows out or reorder them; a row's ids stay the object they are.
        originals = {id(row.ids): row.prompt for row in rows}

        def call(engine: Engine, batch: Batch) -> list[Tensor]:
            return engine.logits(batch, [originals[id(row.ids)] for row in batch.rows])

        batch = self._batch([replace(row, target="") for row in rows], {})
        return self._run(batch, call)

    def _batch(self, rows: Sequence[Row], options: Mapping[str, Any]) -> Batch:
        return Batch(tuple(rows), recall=self.decide, lm=self.engine, options=options)

    def _run(self, batch: Batch, call: Callable[[Engine, Batch], list[T]]) -> list[T]:
        """Rows in scope through the editor, or as the model answers that holds every edit."""
        together = is_ungated(self.editor, self.decider.scope)
        if isinstance(self.editor, ChangesWeights) and together and batch.rows:
            # Ungated, all rows have the same edits in scope: all of them.
            records = [hit.record for hit in batch.rows[0].decision.hits]
            return call(self.fitter.model(records), batch)
        return self.editor.run(batch, partial(call, self.engine))

    def _answer_edited(self, batch: Batch, call: Call | None = None) -> list[Completion]:
        """Rows in scope answered; by ``call`` instead of the engine's ``generate``, if given."""
        answers: list[Completion]
        if call is None:
            answers = self._run(batch, Engine.generate)
        else:
            answers = self.editor.run(batch, call)
        return [self._sign(answer, row) for row, answer in zip(batch.rows, answers, strict=True)]

    def _sign(self, answer: Completion, row: Row) -> Completion:
        """The answer with the edits it rests on: those a program found, else those in scope."""
        told = replace(
            answer, decision=answer.decision if answer.decision.bearing else row.decision
        )
        told = replace(told, editor=answer.editor or self._name_readers(told))
        # Looking at an older state of the memory is no use of its edits.
        if told.editor and self.view.memory is None:
            self.decider.memory.count_use(hit.record for hit in told.decision.bearing)
        return told

    def _name_readers(self, row: Row | Completion) -> str:
        """The editors that read an edit and held its payload for this row or answer; "": none."""

        def holds(editor: Editor) -> bool:
            hits = row.decision.read(roles_of(editor))
            return any(editor.name in hit.record.payloads for hit in hits)

        return "+".join(editor.name for editor in self.leaves if holds(editor))


def _force_targets(engine: Engine, batch: Batch) -> list[Score]:
    """The engine's answer to rows with targets: every token of the target rated."""
    codec, prefixed = engine.codec, bool(batch.prefix)
    pairs = [codec.with_target(row, prefixed=prefixed) for row in batch.rows]
    rows = tuple(
        replace(row, ids=torch.cat(pair), target="", rewritten=False, asked=len(pair[0]))
        for row, pair in zip(batch.rows, pairs, strict=True)
    )
    logits = engine.logits(replace(batch, rows=rows), [row.prompt for row in rows])
    return [
        # One to the left: the logits at a token are those of the next.
        _score(target, each[len(before) - 1 : -1])
        for each, (before, target) in zip(logits, pairs, strict=True)
    ]


def _score(ids: Tensor, logits: Tensor) -> Score:
    """A target's tokens [T] under the logits [T, V] just before each."""
    # In float32: half precision would round the small probabilities away.
    here = logits.float().log_softmax(-1).cpu()
    return Score(
        ids=tuple(ids.tolist()),
        logprobs=tuple(here.gather(-1, ids.cpu()[:, None])[:, 0].tolist()),
        greedy=tuple(here.argmax(-1).tolist()),
    )
