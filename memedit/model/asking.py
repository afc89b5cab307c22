"""A model with a memory of edits, asked: texts, targets, decided rows, and why it answers so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any, overload

from torch import Tensor

from memedit.core.calls import Call, Completion, Row, Score
from memedit.core.errors import InvalidInputError
from memedit.core.moments import Moment
from memedit.core.types import Decision, check_text
from memedit.editors.prompting.choosing import is_able
from memedit.engine.engine import Engine
from memedit.model.answering import EVERYTHING, View
from memedit.model.dropin import DropIn
from memedit.model.explanation import Explanation
from memedit.model.options import check_lengths, refuse_unknown_options
from memedit.model.prompts import (
    Messages,
    Prompt,
    read_one,
    read_prompts,
    read_texts,
    take_asked,
)
from memedit.model.translating import Translate

if TYPE_CHECKING:
    from typing_extensions import Self

    from memedit.memory import EditMemory

SHORT = 24
"""New tokens of an answer, where the caller says nothing of them."""
_LENGTHS = frozenset({"max_new_tokens", "max_length", "max_time", "generation_config"})


class AskableModel(DropIn):
    """A drop-in that answers in a view of its memory.

    Args:
        base: A Hugging Face causal LM. It is wrapped, never changed.
        tokenizer: Its tokenizer.
        memory: Where the edits are.

    Attributes:
        translate: Requests in other languages are put into English by the base, for the scope
            alone. None: where the base answers chats and has at least a billion parameters.
        second_look: The base says, too, whether an edit that fired, or one that is near, bears on
            a request (:mod:`memedit.model.second_look`). None: as above.
    """

    def __init__(self, base: Any, tokenizer: Any, memory: EditMemory) -> None:
        super().__init__(base)
        self.tokenizer: Any = tokenizer
        self.engine = Engine(base, tokenizer)
        self.memory = memory
        self.translate: bool | None = None
        self.second_look: bool | None = None
        # Not an attribute: threads and tasks that ask at once see each their own view.
        self._view: ContextVar[View] = ContextVar("memedit_view", default=EVERYTHING)

    @property
    def _helps(self) -> tuple[bool, bool]:
        """Whether the base translates for the scope, and takes a second look."""
        given = (self.translate, self.second_look)
        able = None in given and is_able(self.engine)
        translates, looks = (able if each is None else each for each in given)
        return translates, looks

    # What a request sees

    @property
    def _now(self) -> View:
        return self._view.get()

    @contextmanager
    def _set_view(self, **changes: Any) -> Iterator[Self]:
        token = self._view.set(replace(self._now, **changes))
        try:
            yield self
        finally:
            self._view.reset(token)

    def unedited(self) -> AbstractContextManager[Self]:
        """Context manager: the base model answers, whatever is in memory."""
        return self._set_view(edited=False)

    def using(
        self, *, namespace: str | None = None, as_of: Moment | None = None
    ) -> AbstractContextManager[Self]:
        """Context manager: requests see this namespace, and the facts valid at ``as_of``.

        Raises:
            InvalidInputError: no date; an unusable name.
        """
        now = self._now
        if namespace is not None:
            check_text("namespace", namespace)
        moment = now.as_of if as_of is None else self.memory.moment(as_of)
        return self._set_view(namespace=namespace or now.namespace, as_of=moment)

    def at(self, moment: int | Moment) -> AbstractContextManager[Self]:
        """Context manager: requests see the memory as it was at a version or time.

        Raises:
            InvalidInputError: there is no such version; no date.
        """
        return self._set_view(memory=self.memory.at(moment))

    # Asking

    def decide(self, queries: Sequence[str]) -> list[Decision]:
        """What the scope says of each query, in the current view."""
        return self._answering.decide(read_texts("decide", queries))

    @overload
    def ask(
        self, prompts: str | Messages, *, chat: bool | None = ..., **options: Any
    ) -> Completion: ...
    @overload
    def ask(
        self,
        prompts: Sequence[str] | Sequence[Messages],
        *,
        chat: bool | None = ...,
        **options: Any,
    ) -> list[Completion]: ...

    def ask(self, prompts: Any, *, chat: bool | None = None, **options: Any) -> Any:
        """Answer one text or a batch of texts; greedy unless the options say otherwise.

        Args:
            prompts: The text or texts to continue; or messages of a chat, as
                ``{"role": "user", "content": ...}``: one conversation, or several.
            chat: Put each text into the model's chat template as a user's message. None: where the
                model has a template and the text does not break off: it ends as a sentence ends.
            **options: Options of ``generate``; by default 24 new tokens, or as many as the longest
                object of an edit that is asked needs.

        Raises:
            InvalidInputError: an empty prompt, ``chat`` without a chat template, no such option.
        """
        given, single = read_prompts("ask", prompts)
        grows = not options.keys() & _LENGTHS
        options = {"max_new_tokens": SHORT, "do_sample": False, **options}
        check_lengths(options, self.base.get_output_embeddings().weight.shape[0])
        way, rows = self._answering, [self.row(prompt, chat=chat) for prompt in given]
        with refuse_unknown_options(self.base):
            answers = way.answer(way.decide_rows(rows), options, grows=grows) if rows else []
        answers = [replace(a, text=a.text.strip()) for a in answers]
        return answers[0] if single else answers

    def score(self, prompts: Sequence[str], targets: Sequence[str]) -> list[Score]:
        """How likely each target is after its prompt, token by token (teacher forcing).

        The scope sees the prompt alone; the target takes one leading space.

        Raises:
            InvalidInputError: an empty prompt or target; an editor that scores with another model.
            ContextOverflowError: a text with its edit exceeds the model's window.
        """
        way = self._answering
        given, wanted = read_texts("score", prompts), read_texts("score", targets)
        if len(given) != len(wanted):
            raise InvalidInputError(f"{len(given)} prompts and {len(wanted)} targets.")
        rows = [
            # A target goes on from its prompt: a template would end the turn between them.
            replace(self.row(prompt, chat=False), target=target.strip())
            for prompt, target in zip(given, wanted, strict=True)
        ]
        return way.score(way.decide_rows(rows))

    def is_chat(self, text: str) -> bool:
        """Whether a text is asked as a chat message unless the caller says: the model has a chat
        template, and the text does not break off."""
        return self._answering.is_chat(text)

    def row(self, text: Prompt, *, chat: bool | None = None) -> Row:
        """A text, or messages, as they are asked, before the scope has seen them; ``chat`` as in
        :meth:`ask`.

        Raises:
            InvalidInputError: an empty text, or ``chat`` without a chat template.
        """
        way = self._answering
        return way.row(way.encode(read_one("row", text), chat=chat))

    def rows_of(self, prompts: Sequence[Tensor], aside: Translate | None = None) -> list[Row]:
        """Prompts given as ids [T] each, with what the scope says of them in the current view.

        Args:
            prompts: The ids.
            aside: Stands in for the engine's ``generate`` where the base puts them into English.
        """
        way = self._answering
        return way.decide_rows([way.row(ids) for ids in prompts], aside)

    def answer_rows(
        self,
        rows: Sequence[Row],
        call: Call | None = None,
        options: Mapping[str, Any] | None = None,
        aside: Call | None = None,
    ) -> list[Completion]:
        """Answers to decided rows: those in scope through the editor, in the current view.

        Args:
            rows: As :meth:`rows_of` gives them.
            call: Stands in for the engine's ``generate``, e.g. to hear the tokens. The rows it is
                handed may be rewritten, and keep the ``ids`` object of the rows given here.
            options: Options of ``generate``.
            aside: As ``call``, for what an editor has the base think about rows before it answers.
        """
        return self._answering.answer(rows, options, call, aside=aside)

    def concerns(self, row: Row) -> bool:
        """Whether the editors read a row: an edit is in scope, or a program may find one."""
        return self._answering.concerns(row)

    def reads(self, decision: Decision) -> bool:
        """Whether an edit that the decision names has a role in which the editors read edits."""
        return self._answering.reads(decision)

    def answering(self, decision: Decision, *, chat: bool, formed: bool = False) -> str:
        """The editor that answers what the scope decided so; "" where none reads it.

        Args:
            decision: Of the scope.
            chat: Whether the request is a chat.
            formed: Whether the caller gives the answer a form, such as JSON.
        """
        return self._answering.choose_editor(decision, chat=chat, formed=formed)

    def explain(
        self, query: str | Messages, *, chat: bool | None = None, **options: Any
    ) -> Explanation:
        """The answer, the base's answer, and the decision behind them."""
        query = read_one("explain", query)
        edited = self.ask(query, chat=chat, **options)
        with self.unedited():
            base = self.ask(query, chat=chat, **options)
        decision = edited.decision
        return Explanation(
            take_asked(query),
            edited.text,
            base.text,
            decision,
            edited.editor,
            self.memory.version,
        )
