"""Finding the last user turn in a rendered chat prompt, for any chat template.

A deployed model is called with token ids, so a conversation arrives already rendered. The
template's markers are learned once, by rendering a probe conversation and looking at what stands
between its turns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_TOOLS = re.compile(
    r"<(tool_\w+)>.*?(?:</\1>|\Z)"
    r"|< (tool_\w+)>.*?(?:< /\2>|\Z)",  # in a user's words: see memedit.core.controls
    re.DOTALL,
)
# Letters alone: no template trims or escapes them, or has them itself.
_USER, _REPLY, _AGAIN = "QZUSERZQ", "QZREPLYZQ", "QZAGAINZQ"


def has_template(tokenizer: Any) -> bool:
    """Whether a tokenizer has a chat template: a chat can be put to its model."""
    return bool(getattr(tokenizer, "chat_template", None))


def thinks_aloud(tokenizer: Any) -> bool:
    """Whether a model begins its replies with a thought between marks, as its template tells."""
    return "<think>" in str(getattr(tokenizer, "chat_template", None) or "")


@dataclass(frozen=True, slots=True)
class ChatFormat:
    """The markers of one chat template.

    Attributes:
        user_open: What stands directly before a user's words.
        user_close: What stands directly after them.
        reply_open: What opens the assistant's turn.
        reply_close: What closes it.
        opening: What the template puts before the first user turn when there is no system prompt.
    """

    user_open: str
    user_close: str
    reply_open: str
    reply_close: str
    opening: str

    @classmethod
    def of(cls, tokenizer: Any) -> ChatFormat | None:
        """The tokenizer's format; None when it has no template or a template without markers."""
        if not has_template(tokenizer):
            return None
        user = {"role": "user", "content": _USER}
        reply = {"role": "assistant", "content": _REPLY}
        again = {"role": "user", "content": _AGAIN}

        def render(*messages: dict[str, str], prompt: bool) -> str:
            return str(
                tokenizer.apply_chat_template(
                    list(messages), tokenize=False, add_generation_prompt=prompt
                )
            )

        try:
            full = render(user, reply, again, prompt=True)
            closed = render(user, reply, prompt=False)
            bare = render(user, prompt=False)
        except Exception:  # templates raise their own errors, e.g. for an unknown role
            return None
        pieces = re.split(f"{_USER}|{_REPLY}|{_AGAIN}", full)
        if len(pieces) != 4:
            return None
        opening, to_reply, to_user, tail = pieces
        reply_close = _find_shared_start(closed.split(_REPLY)[-1], to_user)
        user_close = _find_shared_start(bare.split(_USER)[-1], to_reply)
        # A template that closes replies as it opens a user's turn leaves nothing: then it is both.
        user_open = to_user[len(reply_close) :] or to_user
        if not user_open.strip() or not tail.strip():
            return None
        # The mark of the first turn is no part of what stands before it.
        if opening.endswith(user_open):
            opening = opening[: -len(user_open)]
        return cls(user_open, user_close, to_reply[len(user_close) :], reply_close, opening)

    def split(self, text: str) -> tuple[str, Turn, str] | None:
        """(earlier words, frame of the last user turn, its words); None if ``text`` is no chat.

        The earlier words are the user's and the assistant's, one turn a line, without the system
        prompt and without template tokens.
        """
        start = text.rfind(self.user_open)
        if start < 0:
            return None
        start += len(self.user_open)
        close = self.user_close.rstrip() or self.reply_open.strip()
        end = text.find(close, start)
        if end < 0:
            return None
        turn = Turn(text[:start], text[end:], self)
        return self._collect_earlier(turn.before), turn, text[start:end]

    def _collect_earlier(self, before: str) -> str:
        turns = before.split(self.user_open)[1:-1]
        said = [part for turn in turns for part in self._split_turn(turn)]
        return "\n".join(line.strip() for s in said for line in s.split("\n") if line.strip())

    def collect_asked(self, before: str) -> str:
        """The user's own earlier words in what stands before the last turn, one turn a line."""
        turns = before.split(self.user_open)[1:-1]
        return "\n".join(self._split_turn(turn)[0] for turn in turns)

    def _split_turn(self, turn: str) -> list[str]:
        """The user's words of a turn, and the assistant's replies to them: no tool's, no system's.

        A template without markers between the two gives all of it.
        """
        close = self.user_close.strip()
        opening = self.reply_open.strip() or close
        if not opening:
            return [strip_tools(turn)]
        # Tools may come between several replies to one question.
        user, *replies = turn.split(opening)
        said = [user.split(close)[0] if close else user]
        end = self.reply_close.strip()
        said += [reply.split(end)[0] if end else reply for reply in replies]
        return [strip_tools(part) for part in said]


def strip_tools(words: str) -> str:
    """Words without what a tool was told and gave back, where templates put it into a turn."""
    return _TOOLS.sub(" ", words)


def _find_shared_start(a: str, b: str) -> str:
    n = 0
    while n < min(len(a), len(b)) and a[n] == b[n]:
        n += 1
    return a[:n]


@dataclass(frozen=True, slots=True)
class Turn:
    """What stands around the last user turn of a chat prompt, template tokens included.

    ``chat`` holds the markers of the template, for editors that add turns.
    """

    before: str
    after: str
    chat: ChatFormat
