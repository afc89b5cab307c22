"""Facts put into a request to a model that is not ours, in a chat and in a text to be continued.

An upstream's reply cannot be opened for it, and its tokenizer is unknown. So the facts stand in the
last user turn, directly before the part that asks, after demonstrations as earlier turns; and every
chat marker in use is taken out of it, whichever template the upstream has.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from memedit.core.calls import Row
from memedit.core.passages import Conversation
from memedit.core.types import Decision
from memedit.editors.prompting.forms import END, before_query, split_at_view, state_fact
from memedit.editors.prompting.notes import write_note
from memedit.editors.prompting.shots import Shot

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
_TEXTS = ("text", "input_text", "output_text")
"""Parts of a message that are text, in chats and in responses. A tuple, as roles are: a client may
send what has no hash."""
_ROLES = re.compile(r"(?:^|(?<=\s))#{2,}\s*(?=\w+\s*:)", re.IGNORECASE)


def one_line(text: str) -> str:
    """An edit's text as data: one line, without control characters and chat markers.

    Taking a marker out may join what stood around it into another, hence until none is left.
    """
    # Controls, unseen formats and breaks: one of them within a marker would hide it from us.
    text = "".join(" " if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"} else c for c in text)
    while (plain := _MARKERS.sub(" ", text)) != text:
        text = plain
    return " ".join(_ROLES.sub("", text).split())


@dataclass(frozen=True, slots=True)
class Form:
    """How an editor puts a fact.

    Attributes:
        label: What it calls it; for a note, the line that introduces it.
        shots: Worked examples.
        note: The facts stand as a note, and the base answers in its own words; else each before the
            part that asks, for an answer of one line.
        model: The name under which the upstream serves the model that answers; "": the request's.
    """

    label: str
    shots: tuple[Shot, ...] = ()
    note: bool = False
    model: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What becomes of one query.

    Attributes:
        decision: What the scope says, or which edits a chain of sub-questions rests on.
        version: Of the memory.
        facts: Lines to be read before the query; none: it passes as it is.
    """

    decision: Decision
    version: int
    facts: tuple[str, ...] = ()

    def place(self, text: str, form: Form, repeats: int = 1) -> str:
        """``text`` with the facts directly before the part that asks."""
        hit = self.decision.bearing[0]
        if form.note:
            lines = f"{' '.join(map(one_line, self.facts))}{END}"
        else:
            lines = "".join(state_fact(one_line(fact), form.label) * repeats for fact in self.facts)
        return before_query(lines, *split_at_view(Row(text), hit))

    def told(self, text: str, form: Form) -> str:
        """A user's words with the facts: as a note before them, or before the part that asks."""
        if not form.note:
            return self.place(text, form)
        return f"{write_note([one_line(fact) for fact in self.facts], form.label)}{END}{END}{text}"


def clean(text: str) -> str:
    """``text`` without lone surrogates, which JSON can carry and no tokenizer takes."""
    return text.encode("utf-8", "replace").decode()


def text_of(content: Any) -> str | None:
    """The text of a message's content; None where it has none."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    parts = [p.get("text") for p in content if isinstance(p, dict) and p.get("type") in _TEXTS]
    texts = [part for part in parts if isinstance(part, str)]
    return "\n".join(texts) if texts else None


def query_of(messages: Any) -> str:
    """What the scope reads of a conversation: earlier words, and the last user turn; "" if none."""
    if not isinstance(messages, list):
        return ""
    last = _find_last_user(messages)
    if last is None:
        return ""
    said = [text_of(m.get("content")) for m in messages[:last] if _talks(m)]
    earlier = [line.strip() for text in said if text for line in text.split("\n") if line.strip()]
    asked = text_of(messages[last].get("content")) or ""
    return Conversation("\n".join(map(clean, earlier)), clean(asked))


def _talks(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") in ("user", "assistant")


def _instructs(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") in ("system", "developer")


def _find_last_user(messages: Sequence[Any]) -> int | None:
    for at in range(len(messages) - 1, -1, -1):
        message = messages[at]
        if isinstance(message, dict) and message.get("role") == "user":
            content = message.get("content")
            if text_of(content) is not None:
                return at
            if not _brings_results(content):
                return None
    return None


def _brings_results(content: Any) -> bool:
    """Whether a user's turn only hands on what tools said, as Anthropic's clients do."""
    return (
        isinstance(content, list)
        and bool(content)
        and all(isinstance(part, dict) and part.get("type") == "tool_result" for part in content)
    )


def place_in_chat(messages: Sequence[Any], reading: Reading, form: Form) -> list[Any]:
    """The conversation with worked examples and the facts; the caller's messages stay otherwise.

    Args:
        messages: As the client sent them, with a user's turn; what is none stays, for the upstream
            to refuse.
        reading: Of that turn, with facts.
        form: The editor's.
    """
    last = _find_last_user(messages)
    assert last is not None
    own = [dict(message) if isinstance(message, dict) else message for message in messages]
    own[last]["content"] = _place_facts(own[last]["content"], reading, form)
    opening = 0
    # Instructions stay in front: many templates take a system's turn nowhere else.
    while opening < last and _instructs(own[opening]):
        opening += 1
    turns = [turn for shot in form.shots for turn in exchange(_ask_shot(shot, form), shot.answer)]
    return own[:opening] + turns + own[opening:]


def _place_facts(content: Any, reading: Reading, form: Form) -> str | list[Any]:
    """A message's content with the facts before the part that asks; images and such stay."""
    if isinstance(content, str):
        return reading.told(content, form)
    parts = [dict(part) if isinstance(part, dict) else part for part in content]
    for part in reversed(parts):
        if isinstance(part, dict) and part.get("type") in _TEXTS:
            part["text"] = reading.told(str(part.get("text", "")), form)
            break
    return parts


def _ask_shot(shot: Shot, form: Form, repeats: int = 1) -> str:
    return before_query(state_fact(shot.fact, form.label) * repeats, shot.context, shot.question)


def exchange(asked: str, answered: str) -> list[dict[str, Any]]:
    """A user's turn and the reply."""
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]


def place_in_prompt(prompt: str, reading: Reading, form: Form) -> str:
    """A text to continue with worked examples and the facts, which small models follow twice."""
    shown = "".join(f"{_ask_shot(shot, form, 2)} {shot.answer}{END}{END}" for shot in form.shots)
    return shown + reading.place(prompt, form, repeats=2)


def end_at_line(stop: Any) -> Any:
    """The stops of a request with the end of the completion's form added, where there is room; what
    are none stay."""
    if stop is None:
        return [END]
    if not isinstance(stop, str | list):
        return stop
    # OpenAI takes four at most.
    stops = [stop] if isinstance(stop, str) else list(stop)
    return stops if END in stops or len(stops) >= 4 else [*stops, END]
