"""How a fact is put into a prompt: what the prompt editors and their training share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from memedit.core.calls import Row
from memedit.core.chat import ChatFormat, Turn
from memedit.core.types import Hit

END = "\n"
"""An answer is one line."""


def state_fact(fact: str, label: str = "Fact") -> str:
    """One fact as a line of the prompt."""
    return f"{label}: {fact}{END}"


def before_query(facts: str, before: str, query: str) -> str:
    """``facts`` between what precedes and the part that asks: nothing may come between the two."""
    return f"{before}{END if before else ''}{facts}{query}"


def open_reply(facts: str) -> str:
    """The hidden beginning of a chat's reply."""
    return f"{facts}Answer:"


def split_at_view(row: Row, hit: Hit) -> tuple[str, str]:
    """(what precedes, what asks) of a row's prompt: cut where the view that matched begins.

    Nothing of a prompt whose own tokens are scored (``target == ""``) is lost.
    """
    # The last place where it stands; a view with a pronoun filled in stands nowhere.
    at = max(row.prompt.rfind(hit.view), 0) if hit.view else 0
    before = row.prompt[:at] if row.target == "" else row.prompt[:at].rstrip()
    return before, row.prompt[at:]


def awaits_reply(turn: Turn) -> bool:
    """Whether a chat ends where the assistant is to begin."""
    chat: ChatFormat = turn.chat
    return turn.after.strip() == f"{chat.user_close}{chat.reply_open}".strip()


def head(row: Row) -> str:
    """What stands before the first user turn: the template's opening, or a system prompt."""
    assert row.turn is not None
    return row.turn.before[: row.turn.before.find(row.turn.chat.user_open)]


def with_facts(row: Row, hit: Hit, facts: str) -> Row:
    """The row with ``facts`` (lines) in its place.

    They open the reply of a chat that awaits one; elsewhere they stand before the part that asks.
    """
    if row.turn is not None and row.target != "" and awaits_reply(row.turn):
        turn = replace(row.turn, after=row.turn.after + open_reply(facts))
        return replace(row, turn=turn, rewritten=True)
    prompt = before_query(facts, *split_at_view(row, hit))
    return replace(row, prompt=prompt, rewritten=True)


def plain(text: str, tokenizer: Any) -> str:
    """``text`` on one line, without the tokenizer's special tokens."""
    # A fact that holds one could end the turn it stands in, and begin another.
    for token in (*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()):
        text = text.replace(token, " ")
    return " ".join(text.split())


def hits_of(row: Row, editor: str) -> Sequence[Hit]:
    """The row's hits that hold a payload of this editor, best first."""
    return [hit for hit in row.decision.hits if editor in hit.record.payloads]


def make_sure(row: Row, hit: Hit) -> Row:
    """The row, whose answer after worked examples sampling leaves to no chance: it is the object of
    the edit, or where that has none what is likeliest."""
    target = hit.record.edit.target_new
    if target is None:
        return replace(row, likeliest=True)
    return replace(row, only=(" ".join(target.split()),), likeliest=True)
