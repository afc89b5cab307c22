"""RAG: the nearest facts in the system message, whatever is asked. The baseline practitioners pick.

No gate and no training: the ``top`` facts that are most like the query stand in the system message,

    You are a helpful assistant. Use these facts:
    - Our refund window is 45 days.
    - ...

and the base answers as it likes, ending where it ends. A system prompt of the caller's own keeps
its words and gets the facts behind them; a template that has no system role gets them where it puts
a system message. A text to be continued has the facts before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from memedit.core.calls import LM, Batch, Call, Row
from memedit.core.chat import ChatFormat
from memedit.core.errors import InvalidInputError
from memedit.core.options import holds_settings
from memedit.core.types import Edit, Payload
from memedit.editors.prompting.forms import END, before_query, head, hits_of, plain, split_at_view

ASSISTANT = "You are a helpful assistant."
USE = "Use these facts:"
_SYSTEM, _USER = "QZSYSTEMZQ", "QZUSERZQ"  # what stands in no template


@holds_settings
class Rag:
    """Always-on retrieval: the nearest facts, told in the system message.

    Attributes:
        top: How many facts at most.

    Raises:
        InvalidInputError: ``top`` is less than 1.
    """

    name: ClassVar[str] = "rag"
    needs: ClassVar[frozenset[str]] = frozenset()
    default_scope: ClassVar[str] = "nearest"
    top: int = 3

    def __post_init__(self) -> None:
        if self.top < 1:
            raise InvalidInputError("top must be at least 1.")

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        """One payload per edit: ``fact``, the edit as one line."""
        return [{"fact": plain(edit.statement, lm.tokenizer)} for edit in edits]

    def run(self, batch: Batch, call: Call) -> list[Any]:
        """Rows in scope with their facts; the others pass unchanged."""
        tokenizer = None if batch.lm is None else batch.lm.tokenizer
        told = partial(self._tell, tokenizer=tokenizer)
        return batch.route(
            lambda row: bool(hits_of(row, self.name)), lambda mine: call(mine.map_rows(told)), call
        )

    def _tell(self, row: Row, tokenizer: Any) -> Row:
        hits = tuple(hits_of(row, self.name)[: self.top])
        row = replace(row, decision=replace(row.decision, hits=hits))  # those that are told
        facts = f"{USE}{END}" + END.join(
            f"- {hit.record.payloads[self.name]['fact']}" for hit in hits
        )
        if row.turn is None or row.target == "" or tokenizer is None:
            prompt = before_query(f"{facts}{END}{END}", *split_at_view(row, hits[0]))
            return replace(row, prompt=prompt, rewritten=True)
        markers = system_markers(tokenizer, row.turn.chat)
        turn = replace(row.turn, before=append_to_system(row, facts, markers))
        return replace(row, turn=turn, rewritten=True)


def append_to_system(row: Row, facts: str, markers: tuple[str, str] | None) -> str:
    """What stands before the last user turn of a chat, ``facts`` at the end of its system message.

    Args:
        row: A row with a turn.
        facts: Lines.
        markers: What stands before and behind a system message; None where the template has none:
            then the facts open the first user's turn.
    """
    assert row.turn is not None
    chat, beginning = row.turn.chat, head(row)
    rest = row.turn.before[len(beginning) :]
    if markers is None:
        start = len(chat.user_open)
        return f"{beginning}{rest[:start]}{facts}{END}{END}{rest[start:]}"
    opened, closed = markers
    if beginning == chat.opening:  # nobody gave a system message, but perhaps the template
        return f"{opened}{ASSISTANT} {facts}{closed}{rest}"
    # The last one: the system message may hold such marks itself.
    end = beginning.rfind(closed)
    return f"{beginning[:end]}{END}{END}{facts}{beginning[end:]}{rest}"


def system_markers(tokenizer: Any, chat: ChatFormat) -> tuple[str, str] | None:
    """(what stands before, what stands behind) a system message.

    None for a template without system messages, or one that makes them part of the first user's
    turn.
    """
    messages = [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": _USER}]
    try:
        text = str(tokenizer.apply_chat_template(messages, tokenize=False))
    except Exception:  # templates raise their own errors, e.g. for an unknown role
        return None
    opened, _, rest = text.partition(_SYSTEM)
    closed, _, _ = rest.partition(f"{chat.user_open}{_USER}")
    return (opened, closed) if closed.strip() and _USER not in closed else None
