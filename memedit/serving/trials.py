"""Trials: what a weight editor makes of the same edits, asked the same questions.

Fitting takes a weight editor seconds an edit, in the one thread that runs the model. So a trial
runs in steps, one edit or a few questions each, and whoever waits for an answer goes before each.
The served model's weights stay as they are: the edits are held beside them, for the trial alone.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from memedit.core.errors import InvalidEditError, MemeditError
from memedit.core.protocols import ChangesWeights
from memedit.core.types import Edit
from memedit.editors import load_editor
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.serving.errors import ApiError

if TYPE_CHECKING:
    from memedit.model.editable import EditableModel

T = TypeVar("T")
RunInTurn = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a function in the model's thread, between two batches."""
_AT_ONCE = 4  # questions of one step: whoever waits for an answer waits no longer than these take
_KEPT = 8  # trials that can still be looked at


@dataclass(slots=True, eq=False)
class Trial:
    """One trial, and how far it is.

    Attributes:
        state: running, done, failed or cancelled.
        edits: Edits to fit; those that the editor cannot take are in ``skipped``, with the reason.
        fitted: Edits fitted so far.
        data: Query and answer each, once the edits are fitted.
        error: Why it failed.
        seconds: Spent fitting.
    """

    id: str
    namespace: str
    editor: str
    edits: int
    state: str = "running"
    fitted: int = 0
    skipped: list[dict[str, str]] = field(default_factory=list)
    data: list[dict[str, str]] = field(default_factory=list)
    error: str | None = None
    seconds: float = 0.0

    def plain(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


class Trials:
    """The trials of one served model, one at a time.

    Args:
        model: What is served; its base is shared, its edits are not.
        step: See :data:`RunInTurn`.
        as_chat: Whether a text is put to the model as a chat.
    """

    def __init__(
        self, model: EditableModel, step: RunInTurn, as_chat: Callable[[str], bool]
    ) -> None:
        self._model, self._step, self._as_chat = model, step, as_chat
        self._trials: dict[str, Trial] = {}
        self._task: asyncio.Task[None] | None = None

    def begin(
        self,
        namespace: str,
        editor: str,
        edits: Sequence[Edit],
        queries: Sequence[str],
        max_tokens: int,
    ) -> Trial:
        """Start a trial.

        Args:
            namespace: Whose it is.
            editor: Name of a weight editor, with settings in brackets.
            edits: Fitted one after another, in this order.
            queries: Asked once the edits are fitted.
            max_tokens: Longest answer.

        Raises:
            ApiError: another trial runs, or there is nothing to edit.
            InvalidInputError: the editor changes no weights.
            UnknownNameError: there is no such editor.
        """
        if self._task is not None and not self._task.done():
            raise ApiError(409, "Another trial runs; wait, or cancel it.", code="trial_running")
        loaded = load_editor(editor)
        if not isinstance(loaded, ChangesWeights):
            raise ApiError(
                400, f"{editor!r} changes no weights; name one that does, such as rome.",
                code="invalid_value", param="editor",
            )  # fmt: skip
        if not edits:
            raise ApiError(400, "There are no edits to try.", code="invalid_value")
        trial = Trial(secrets.token_hex(6), namespace, editor, len(edits))
        self._trials[trial.id] = trial
        for old in list(self._trials)[:-_KEPT]:
            del self._trials[old]
        work = self._run(trial, loaded, edits, queries, max_tokens)
        self._task = asyncio.get_running_loop().create_task(work)
        return trial

    def get(self, id: str, namespace: str) -> Trial:
        """A trial of this namespace.

        Raises:
            ApiError: 404.
        """
        trial = self._trials.get(id)
        if trial is None or trial.namespace != namespace:
            raise ApiError(404, f"There is no trial {id!r}.", code="not_found")
        return trial

    async def cancel(self, trial: Trial) -> None:
        """End a trial; the step that runs is finished by the model's thread."""
        if trial.state == "running":
            await self.close()

    async def close(self) -> None:
        """End the trial that runs."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(
        self,
        trial: Trial,
        editor: Any,
        edits: Sequence[Edit],
        queries: Sequence[str],
        max_tokens: int,
    ) -> None:
        # Here, not above: a server in front of another engine starts without loading one.
        from memedit.model.editable import EditableModel

        try:
            with EditMemory(None, HashingEncoder(64)) as memory:
                rival: EditableModel = await self._step(
                    lambda: EditableModel(
                        self._model.base, self._model.tokenizer, memory=memory, editor=editor,
                        scope="everything",
                    )
                )  # fmt: skip
                for edit in edits:
                    await self._fit(trial, rival, edit)
                trial.data = await self._answers(rival, queries, max_tokens)
            trial.state = "done"
        except asyncio.CancelledError:
            trial.state = "cancelled"
            raise
        except MemeditError as error:
            trial.state, trial.error = "failed", str(error)
        except ApiError as error:
            trial.state, trial.error = "failed", error.message
        except Exception as error:
            trial.state, trial.error = "failed", f"{type(error).__name__}: {error}"
            raise

    async def _fit(self, trial: Trial, rival: EditableModel, edit: Edit) -> None:
        def fit() -> float:
            started = time.perf_counter()
            rival.edit(edit)
            return time.perf_counter() - started

        try:
            trial.seconds += await self._step(fit)
            trial.fitted += 1
        except InvalidEditError as error:
            trial.skipped.append({"prompt": edit.prompt, "reason": str(error)})

    async def _answers(
        self, rival: EditableModel, queries: Sequence[str], max_tokens: int
    ) -> list[dict[str, str]]:
        found: dict[str, str] = {}
        for chat in (False, True):
            texts = [text for text in queries if self._as_chat(text) is chat]
            for at in range(0, len(texts), _AT_ONCE):
                some = texts[at : at + _AT_ONCE]

                def ask(some: Sequence[str] = some, chat: bool = chat) -> list[str]:
                    answers = rival.ask(list(some), chat=chat, max_new_tokens=max_tokens)
                    return [answer.text for answer in answers]

                found |= dict(zip(some, await self._step(ask), strict=True))
        return [{"query": text, "answer": found[text]} for text in queries]
