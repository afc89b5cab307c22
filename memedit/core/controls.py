"""Control words of a chat template, and texts of others in which they are none.

A tokenizer reads ``<|im_end|>`` as the end of a turn wherever it stands: in a user's words, and in
a page that a tool found. Whoever writes it there could end the turn, and begin one of the system.
Such words are broken up by a space, ``< |im_end|>``, before the template puts the texts together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_BARRED = re.compile(r"<[|｜]\S+[|｜]>")
_MARK = re.compile(r"<[|｜][^\s<>|｜]+[|｜]>|\[\|[^\s|\[\]]+\|\]")
"""What a template marks turns with, whether or not its tokenizer has a token for it: ``<|user|>``,
in letters for TinyLlama; ``<｜User｜>``, no special token, for DeepSeek."""
_TAG = re.compile(r"</?[^\W\d]\w*>|\[/?[A-Z_]{3,}\]|<</?[A-Z]+>>")
_SHORTEST = 3
"""Characters of a control word; some tokenizers pad with a sign of its own, such as ``!``."""
_OWN = frozenset({"system", "developer", "assistant"})
"""Whose words are written by who runs the application, or by the model."""


@dataclass(frozen=True, slots=True)
class Controls:
    """The control words of one tokenizer.

    Attributes:
        words: In anybody's text: special tokens, and what the template marks turns with; None:
            there are none.
        tags: The same, and those of tools and thoughts that the template writes (``<tool_call>``):
            instructions for the model may show them, and so may its own earlier replies.
    """

    words: re.Pattern[str] | None
    tags: re.Pattern[str] | None

    @classmethod
    def of(cls, tokenizer: Any) -> Controls:
        """Those of a tokenizer and its chat template."""
        added = tokenizer.added_tokens_decoder.values()
        words = {t.content for t in added if t.special or _BARRED.fullmatch(t.content)}
        words |= set(tokenizer.all_special_tokens)
        shown = f"{_source_of(tokenizer)}\n{_render_probe(tokenizer)}"
        words |= set(_MARK.findall(shown))
        tags = set(_TAG.findall(shown))
        return cls(_match_any(words), _match_any(words | tags))

    def break_up(self, text: str, *, own: bool = False) -> str:
        """A text in which none of the words is left.

        Args:
            text: Somebody's words.
            own: Of the application or the model: ``tags`` are left.
        """
        pattern, before = self.words if own else self.tags, ""
        while pattern is not None and text != before:
            before, text = text, pattern.sub(_part, text)
        return text

    def break_data(self, value: Any) -> Any:
        """JSON in which none of the words is left, keys included; as :meth:`break_up`."""
        if isinstance(value, str):
            return self.break_up(value)
        if isinstance(value, Mapping):
            return {self.break_data(key): self.break_data(each) for key, each in value.items()}
        return list(map(self.break_data, value)) if isinstance(value, list | tuple) else value

    def guard(self, turn: Mapping[str, Any]) -> dict[str, Any]:
        """A turn of a chat (``role``, ``content``, perhaps ``tool_calls`` ...) without them."""
        content, role = turn.get("content"), turn.get("role")
        made: dict[str, Any] = self.break_data(turn) | {"role": role}
        if isinstance(content, str):
            made["content"] = self.break_up(content, own=role in _OWN)
        return made


def _source_of(tokenizer: Any) -> str:
    """A chat template's text; of several, all of them."""
    source = getattr(tokenizer, "chat_template", None) or ""
    return source if isinstance(source, str) else "\n".join(map(str, source.values()))


def _render_probe(tokenizer: Any) -> str:
    """What a template writes around turns: some put their marks together (``'<|' + role + '|>'``),
    so that its text does not show them; "" where it has none."""
    turns = [{"role": role, "content": "-"} for role in ("system", "user", "assistant", "user")]
    for tried in (turns, turns[1:]):  # some know no system
        try:
            return str(
                tokenizer.apply_chat_template(tried, tokenize=False, add_generation_prompt=True)
            )
        except Exception:  # templates raise their own errors
            continue
    return ""


def _match_any(words: Iterable[str]) -> re.Pattern[str] | None:
    # The longest first: of two that begin alike it is the one that the tokenizer sees.
    kept = sorted({w for w in words if len(w.strip()) >= _SHORTEST}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, kept))) if kept else None


def _part(found: re.Match[str]) -> str:
    return f"{found[0][0]} {found[0][1:]}"
