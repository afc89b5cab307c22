"""A fact put into a request to a model that is not ours: IKE in chat form and as a completion.

An upstream's reply cannot be opened for it, and its tokenizer is unknown. So the fact stands in the
last user turn, directly before the part that asks, after demonstrations as earlier turns; and every
chat marker in use is taken out of it, whichever template the upstream has.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from memedit.editors._forms import END, before_query, split_at_view, stated
from memedit.editors.ike import Demonstration, demonstrations
from memedit.types import Decision, Hit, Row

_MARKERS = re.compile(
    r"<\|[^<>|]{0,64}\|>"  # ChatML, Llama 3, Phi, GPT: <|im_start|>, <|eot_id|>
    r"|<｜[^<>｜]{0,64}｜>"  # DeepSeek
    r"|\[/?(?:INST|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|SYSTEM_PROMPT)\]"  # Mistral, Llama 2
    r"|<</?SYS>>"
    r"|</?(?:s|unk|pad|bos|eos|mask)>"
    r"|</?(?:start|end)_of_(?:turn|text|image|role)>"  # Gemma, Granite
    r"|<(?:extra_id_\d+|sep|cls|system|user|assistant|human|tool|tool_call|think)>"
    r"|</(?:extra_id_\d+|sep|cls|system|user|assistant|human|tool|tool_call|think)>"
    r"|\[(?:CLS|SEP|PAD|UNK|MASK|BOS|EOS|gMASK|sop)\]",
    re.IGNORECASE,
)
_ROLES = re.compile(r"(?:^|(?<=\s))#{2,}\s*(?=\w+\s*:)", re.IGNORECASE)


def one_line(text: str) -> str:
    """An edit's text as data: one line, without control characters and chat markers.

    Taking a marker out may join what stood around it into another, hence until none is left.
    """
    text = "".join(" " if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"} else c for c in text)
    while (plain := _MARKERS.sub(" ", text)) != text:
        text = plain
    return " ".join(_ROLES.sub("", text).split())


def fact_of(decision: Decision) -> tuple[str, Hit]:
    """The best edit's statement as a line, and its hit."""
    hit = decision.hits[0]
    return one_line(hit.record.edit.statement), hit


def clean(text: str) -> str:
    """``text`` without lone surrogates, which JSON can carry and no tokenizer takes."""
    return text.encode("utf-8", "replace").decode()


def text_of(content: Any) -> str | None:
    """The text of a message's content; None where it has none."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    parts = [p.get("text") for p in content if isinstance(p, dict) and p.get("type") == "text"]
    texts = [part for part in parts if isinstance(part, str)]
    return "\n".join(texts) if texts else None


def query_of(messages: Any) -> str:
    """What the scope reads of a conversation: earlier words, and the last user turn; "" if none."""
    if not isinstance(messages, list):
        return ""
    last = _last_user(messages)
    if last is None:
        return ""
    said = [text_of(m.get("content")) for m in messages[:last] if _talks(m)]
    earlier = [line.strip() for text in said if text for line in text.split("\n") if line.strip()]
    return clean("\n".join([*earlier, text_of(messages[last].get("content")) or ""]))


def _talks(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") in {"user", "assistant"}


def _last_user(messages: Sequence[Any]) -> int | None:
    for at in range(len(messages) - 1, -1, -1):
        message = messages[at]
        if isinstance(message, dict) and message.get("role") == "user":
            return at if text_of(message.get("content")) is not None else None
    return None


def edited_chat(
    messages: Sequence[Mapping[str, Any]], decision: Decision, count: int
) -> list[dict[str, Any]]:
    """The conversation with demonstrations and the fact; the caller's messages stay otherwise.

    Args:
        messages: As the client sent them, with a user's turn.
        decision: In scope.
        count: Number of demonstrations.
    """
    fact, hit = fact_of(decision)
    last = _last_user(messages)
    assert last is not None
    own = [dict(message) for message in messages]
    own[last]["content"] = _with_fact(own[last]["content"], fact, hit)
    opening = 0
    while opening < last and own[opening].get("role") in {"system", "developer"}:
        opening += 1
    turns = [turn for d in demonstrations(retain=False)[:count] for turn in _turns(d)]
    return own[:opening] + turns + own[opening:]


def _with_fact(content: Any, fact: str, hit: Hit) -> Any:
    """A message's content with the fact before the part that asks; images and such stay."""
    if isinstance(content, str):
        return _form(content, fact, hit)
    parts = [dict(part) if isinstance(part, dict) else part for part in content]
    for part in reversed(parts):
        if isinstance(part, dict) and part.get("type") == "text":
            part["text"] = _form(str(part.get("text", "")), fact, hit)
            break
    return parts


def _form(text: str, fact: str, hit: Hit) -> str:
    return before_query(stated(fact), *split_at_view(Row(text), hit))


def _turns(shown: Demonstration) -> list[dict[str, Any]]:
    question = before_query(stated(shown.fact), shown.context, shown.query)
    return [{"role": "user", "content": question}, {"role": "assistant", "content": shown.answer}]


def edited_prompt(prompt: str, decision: Decision, count: int) -> str:
    """A text to continue with demonstrations and the fact, which small models follow twice."""
    fact, hit = fact_of(decision)
    shown = "".join(
        f"{before_query(stated(d.fact) * 2, d.context, d.query)} {d.answer}{END}{END}"
        for d in demonstrations(retain=False)[:count]
    )
    return shown + before_query(stated(fact) * 2, *split_at_view(Row(prompt), hit))


def ended(stop: Any) -> Any:
    """The stops of a request with the end of the completion's form added, where there is room."""
    if stop is None:
        return [END]
    stops = [stop] if isinstance(stop, str) else list(stop)
    return stops if END in stops or len(stops) >= 4 else [*stops, END]
