"""Several editors on one model, the first outermost: programs, then prompts, then activations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from memedit.core.calls import LM, Batch, Call
from memedit.core.errors import InvalidInputError
from memedit.core.protocols import Editor, leaves_of
from memedit.core.types import Edit, Payload


class Chain:
    """``Chain(a, b).run(batch, call)`` is ``a.run(batch, b.run(·, call))``.

    Every member sees the rows that hold its own payload; payloads are stored per member.

    Raises:
        InvalidInputError: no editors, or two of one name (their payloads would collide).
    """

    def __init__(self, *editors: Editor) -> None:
        self.editors: tuple[Editor, ...] = tuple(
            leaf for editor in editors for leaf in leaves_of(editor)
        )
        names = [editor.name for editor in self.editors]
        if not names or len(set(names)) < len(names):
            raise InvalidInputError(f"A chain needs distinct editors, not {names}.")

    @property
    def name(self) -> str:
        return "+".join(editor.name for editor in self.editors)

    @property
    def needs(self) -> frozenset[str]:
        return frozenset().union(*(editor.needs for editor in self.editors))

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        """Not used: the model fits and stores each member's payloads under its own name.

        Raises:
            InvalidInputError: always.
        """
        raise InvalidInputError("A chain has no payload of its own; fit its editors.")

    def run(self, batch: Batch, call: Call) -> list[Any]:
        ask = batch.ask
        # From the inside out: each call is wrapped in the editor before it.
        for editor in reversed(self.editors):
            call = partial(_run, editor, ask=ask, call=call)
            if batch.lm is not None:
                ask = partial(_run, editor, ask=ask, call=ask or batch.lm.generate)
        return call(batch)


def _run(editor: Editor, batch: Batch, *, ask: Call | None, call: Call) -> list[Any]:
    """The editor, which may put further questions to the editors inside it."""
    return editor.run(replace(batch, ask=ask), call)
