"""What the editors do to a request to an upstream: one file each, named as the editor is.

A module has ``make_rewriter(editor)``, which gives the :class:`Rewriter` of an editor with its
settings. Nothing here knows the upstream's tokenizer, so that an answer cannot be kept to an edit's
words, as it is on a local model. Another package adds that of its editor through the entry-point
group ``memedit.rewriters``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol, TypeAlias

from memedit.core.errors import InvalidInputError
from memedit.core.registry import Registry, modules_in
from memedit.core.types import Decision
from memedit.editors import load_editor
from memedit.serving.upstream.placing import Form, Reading

AskUpstream: TypeAlias = Callable[[Sequence[tuple[str, str]], str], Awaitable[str]]
"""(worked examples, question) -> the upstream's reply: one line, greedy, short."""
Decide: TypeAlias = Callable[[str], Awaitable[Decision]]


class Rewriter(Protocol):
    """What an editor does to a request.

    Attributes:
        name: As receipts call it.
        form: How the facts stand in the request.
        scope: The scope it was made for; None: the default.
    """

    @property
    def name(self) -> str: ...
    @property
    def form(self) -> Form: ...
    @property
    def scope(self) -> str | None: ...

    async def read(self, query: str, reading: Reading, ask: AskUpstream, decide: Decide) -> Reading:
        """The reading of a query with its facts.

        Args:
            query: What the scope was asked.
            reading: What it said, without facts.
            ask: Puts a question of ours to the upstream.
            decide: The scope, for another query at the same moment.
        """


_REWRITERS = Registry(
    "rewriter", "memedit.rewriters", partial(modules_in, __name__, __path__), ("make_rewriter",),
    named=False,
)  # fmt: skip


def available() -> list[str]:
    """The editors that an upstream can be given; nothing is imported."""
    return _REWRITERS.names()


def load_rewriter(name: str) -> Rewriter:
    """The rewriter of an editor, with settings in brackets.

    Raises:
        InvalidInputError: an editor that has none, or a setting that an upstream cannot be given.
        UnknownNameError: there is no such editor.
        RegistrationError: what is registered makes no rewriter.
    """
    editor = load_editor(name)
    if editor.name not in available():
        raise InvalidInputError(
            f"{name!r} changes what happens inside of a model, which an upstream does not let us.",
            hint=f"With --upstream: --editor {', '.join(available())}.",
        )
    rewriter: Rewriter = _REWRITERS.find(editor.name).make_rewriter(editor)
    return rewriter
