"""A fact before a question, after worked examples: the form of the editors that ask again.

    {label}: {fact}
    Question: {question}
    Answer:

A text to be continued is no question: it keeps its own end, behind the fact.

The examples are the same for every edit, so that their keys and values are computed once. Entities
and facts are invented, none comes from a benchmark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from memedit.core.calls import Batch, Call, Row
from memedit.core.errors import ContextOverflowError
from memedit.core.types import Hit
from memedit.editors.prompting.forms import (
    END,
    awaits_reply,
    before_query,
    head,
    open_reply,
    split_at_view,
)

_FORM_END = "Answer:"


@dataclass(frozen=True, slots=True)
class Shot:
    """One worked example; ``fact`` is "" where there is none.

    ``context`` is a distracting sentence before the question, or "".
    """

    fact: str
    question: str
    answer: str
    context: str = ""


@dataclass(frozen=True, slots=True)
class Stated:
    """A row with what shall be stated before its question.

    Attributes:
        row: As it came.
        fact: One line; "" for a question that is asked of the model's own knowledge.
        hit: The hit it comes from, which says where the question begins; None: at the beginning.
    """

    row: Row
    fact: str
    hit: Hit | None = None


def pose(label: str, fact: str, question: str) -> str:
    """The form, up to the answer."""
    stated = f"{label}: {fact}{END}" if fact else ""
    return f"{stated}Question: {question}{END}Answer:"


def write_continued(label: str, shots: Sequence[Shot], repeats: int) -> str:
    """The worked examples before a text to be continued."""
    return "".join(
        f"{f'{label}: {s.fact}{END}' * repeats if s.fact else ''}{s.question} {s.answer}{END}{END}"
        for s in shots
    )


def prefix(label: str, shots: Sequence[Shot]) -> str:
    """The worked examples before a question, one empty line after each."""
    return "".join(f"{pose(label, s.fact, s.question)} {s.answer}{END}{END}" for s in shots)


def put_statement(item: Stated, label: str, repeats: int = 1) -> Row:
    """The row in the form, after the worked examples (:func:`ask_in_form`).

    Only the line is added where the row's own tokens are scored, in a chat, and before a text that
    is to be continued ("The capital of France is", "...\\nAnswer:"), ``repeats`` times there. A
    chat that awaits a reply gets it as the hidden beginning of the reply, as often.
    """
    row, hit = item.row, item.hit
    line = f"{label}: {item.fact}{END}" if item.fact else ""
    before, question = ("", row.prompt) if hit is None else split_at_view(row, hit)
    # A chat whose reply was begun already: nothing can be hidden at its beginning.
    opened = row.turn is not None and not awaits_reply(row.turn)
    if row.target == "" or opened or (row.turn is None and not _asks(question)):
        often = 1 if row.target == "" else repeats
        text = before_query(line * often, before, question) if line else row.prompt
        return row if text == row.prompt else replace(row, prompt=text, rewritten=True)
    if row.turn is not None:
        turn = replace(row.turn, after=row.turn.after + open_reply(line * repeats))
        return replace(row, turn=turn, rewritten=True)
    space = " " if question[-1:].isspace() else ""  # what follows begins behind it
    form = pose(label, item.fact, question.rstrip()) + space
    text = f"{before}{END if before else ''}{form}"
    return replace(row, prompt=text, rewritten=True)


def _asks(text: str) -> bool:
    return text.rstrip().endswith("?")


def ask_in_form(
    batch: Batch,
    items: Sequence[Stated],
    call: Call,
    label: str,
    shots: Sequence[Shot],
    repeats: int = 1,
) -> list[Any]:
    """``call`` on the rows of ``items`` in the form, after the worked examples.

    A chat gets the examples as earlier turns. Rows whose own tokens are scored get none. Where all
    of them are too long for the model's window with a row, it gets half of them.
    """
    try:
        return _ask_in_form(batch, items, call, label, shots, repeats)
    except ContextOverflowError:
        if len(items) > 1:  # each as if it were alone: a long row takes nothing from the others
            each = (batch.only([i]) for i in range(len(items)))
            parts = zip(each, items, strict=True)
            return [ask_in_form(b, [item], call, label, shots, repeats)[0] for b, item in parts]
        if not shots:
            raise
        return ask_in_form(batch, items, call, label, shots[: len(shots) // 2], repeats)


def _ask_in_form(
    batch: Batch,
    items: Sequence[Stated],
    call: Call,
    label: str,
    shots: Sequence[Shot],
    repeats: int,
) -> list[Any]:
    rows = (put_statement(item, label, repeats) for item in items)
    # After worked examples sampling only spoils the answer.
    told = replace(batch, rows=tuple(replace(row, likeliest=True) for row in rows))
    framed = prefix(label, shots)
    plain = write_continued(label, shots, repeats)

    def texts(part: Batch) -> list[Any]:
        if part.rows[0].target == "":
            return call(part)
        return part.route(
            lambda row: row.prompt.rstrip().endswith(_FORM_END),
            lambda rows: call(rows.with_prefix(framed).with_stop(END)),
            lambda rows: call(rows.with_prefix(plain).with_stop(END)),
        )

    def chats(part: Batch) -> list[Any]:
        first = head(part.rows[0])
        # A prefix is computed once and shared: only rows of one system prompt may have it in
        # common.
        if any(head(row) != first for row in part.rows):
            return part.route(lambda row: head(row) == first, chats, chats)
        if part.rows[0].target == "":
            return call(part)
        rest = part.map_rows(partial(_drop_shots, length=len(first)))
        turns = first + "".join(_turns(part.rows[0], label, shots, repeats))
        return call(rest.with_prefix(turns).with_stop(END))

    return told.route(lambda row: row.turn is None, texts, chats)


def _drop_shots(row: Row, *, length: int) -> Row:
    assert row.turn is not None
    return replace(row, turn=replace(row.turn, before=row.turn.before[length:]), rewritten=True)


def _turns(row: Row, label: str, shots: Sequence[Shot], repeats: int) -> list[str]:
    assert row.turn is not None
    chat = row.turn.chat
    return [
        f"{chat.user_open}{shot.question}{chat.user_close}{chat.reply_open}"
        f"{open_reply(f'{label}: {shot.fact}{END}' * repeats if shot.fact else '')} {shot.answer}"
        f"{chat.reply_close}"
        for shot in shots
    ]
