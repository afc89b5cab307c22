"""Tools: how a model's template writes calls, what it may write, and reading what it wrote.

Two families write calls in a form that is the same from model to model: ``<tool_call>`` and JSON
between tags (Hermes, Qwen 2.5 and 3 and many others), and bare JSON (Llama 3). Which one a model
is of is seen in its own template, by a call put through it.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from memedit.serving.local.shaping import Shape, Shaper, refuse, write_json_rule
from memedit.serving.local.turns import Asker
from memedit.serving.tooling import Tool

_NAME, _KEY, _VALUE = "qz_tool", "qz_key", "qz_value"
_PROBE = {
    "type": "function",
    "function": {
        "name": _NAME,
        "description": "A probe.",
        "parameters": {
            "type": "object",
            "properties": {_KEY: {"type": "string", "description": "A key."}},
            "required": [_KEY],
        },
    },
}
_JSON = r'\{{"name":\s*"qz_tool",\s*"{}":\s*\{{"qz_key":\s*"qz_value"\}}\}}'


@dataclass(frozen=True, slots=True)
class Style:
    """How a family of models writes calls.

    Attributes:
        arguments: The key of the arguments, beside ``name``.
        opens, closes: Tags around a call; "": it is the whole answer.
    """

    arguments: str
    opens: str = ""
    closes: str = ""


HERMES = Style("arguments", "<tool_call>", "</tool_call>")
LLAMA = Style("parameters")
_SEEN = {
    HERMES: re.compile(rf"<tool_call>\s*{_JSON.format('arguments')}\s*</tool_call>"),
    LLAMA: re.compile(_JSON.format("parameters")),
}


def find_style(render: Callable[..., str]) -> Style | None:
    """The style of a chat template; None: it shows no tools, or writes calls in no known form.

    Args:
        render: Of messages and tools, to a text.
    """
    user = {"role": "user", "content": "Hello"}
    function = {"name": _NAME, "arguments": {_KEY: _VALUE}}
    call = {"id": "qzqzqzqzq", "type": "function", "function": function}
    reply = {"role": "assistant", "content": "", "tool_calls": [call]}
    told = {"role": "tool", "content": "5", "name": _NAME, "tool_call_id": "qzqzqzqzq"}
    try:
        if _NAME not in render([user], [_PROBE]):
            return None
        text = render([user, reply, told], [_PROBE])
    except Exception:  # templates raise their own errors
        return None
    return next((style for style, seen in _SEEN.items() if seen.search(text)), None)


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools of one request.

    Attributes:
        must: A call is all the answer may be.
        many: There may be several calls.
    """

    style: Style
    tools: Sequence[Tool]
    must: bool = False
    many: bool = True

    def shape(self, shaper: Shaper, schema: Mapping[str, Any] | None, asker: Asker = ()) -> Shape:
        """What the answer may look like: calls of these tools with arguments of their schemas.

        Args:
            shaper: Of the model.
            schema: Of an answer that is no call; None: any text.
            asker: Whose they are.

        Raises:
            ApiError: a schema cannot be kept to.
        """
        answer = None if schema is None else f"start: {write_json_rule(schema)}"
        others = () if answer is None or self.must else (answer,)
        own = [f"start: {write_json_rule(tool.function.schema_)}" for tool in self.tools]
        parts = [*others, *own]
        rules = self._write_calls(shaper, len(others), shaper.judge(parts, asker))
        more = ' ("\\n" call)*' if self.many and self.style.opens else ""
        if self.must:
            start = f"call{more}"
        elif schema is not None:
            rules.append(f"answer: {write_json_rule(schema)}")
            start = f"answer | call{more}"
        else:
            rules += self._write_text(shaper)
            start = f"text | led{more}"
        rules.insert(0, f"start: {start}")
        return shaper.compile("\n".join(rules), "tools", parts=parts, asker=asker)

    def _write_calls(self, shaper: Shaper, others: int, told: Sequence[str]) -> list[str]:
        """The rules of a call, ``call``, and of what follows its first tag, ``after``.

        Args:
            shaper: Of the model.
            others: Grammars of an answer that is no call, which stand before those of the tools.
            told: Why each cannot be kept to, or "".
        """
        for why in told[:others]:
            if why:
                raise refuse("response_format", why)
        bodies = map(self._write_call, self.tools, told[others:])
        body = f"body: {' | '.join(bodies)}"
        if not self.style.opens:
            return [body, "call: body"]
        after = f'after: "\\n" body "\\n" {self._tag(self.style.closes, shaper)}'
        return [body, after, f"call: {self._tag(self.style.opens, shaper)} after"]

    def _write_text(self, shaper: Shaper) -> list[str]:
        """The rules of an answer without a call (``text``), and of a call behind text (``led``)."""
        opens = self.style.opens
        if not opens:
            # Blanks as JSON has them: what stands behind them is read as a call, too.
            return ["text: /[ \\t\\r\\n]*[^ \\t\\r\\n{](.|\\n)*/", "led: call"]
        tag = self._tag(opens, shaper)
        if shaper.is_special(opens):
            # Spelt in letters the tag would be read as a call, whose arguments no schema has seen.
            spelt = f"/(.|\\n)*{re.escape(opens)}(.|\\n)*/"
            return ["text: TEXT", f"TEXT: /(.|\\n)*/ & ~{spelt}", f"led: TEXT {tag} after"]
        # Lazy: where the tag stands, the text has ended and a call begins.
        return ["text: TEXT", "TEXT: /(.|\\n)*/", f"head[lazy]: TEXT {tag}", "led: head after"]

    def _tag(self, tag: str, shaper: Shaper) -> str:
        return tag if shaper.is_special(tag) else json.dumps(tag)

    def _write_call(self, tool: Tool, why: str) -> str:
        """The expression of a tool's call; ``why`` its schema cannot be kept to, or ""."""
        function = tool.function
        if why and function.strict:
            raise refuse("tools", f"{function.name}: {why}")
        head = f'{{"name": {json.dumps(function.name)}, "{self.style.arguments}": '
        # What a tool needs not be strict about may say more than can be kept to.
        rule = write_json_rule({"type": "object"} if why else function.schema_)
        return f"{json.dumps(head)} {rule} {json.dumps('}')}"


@dataclass(frozen=True, slots=True)
class Call:
    """A tool's call.

    Attributes:
        arguments: JSON.
    """

    name: str
    arguments: str
    id: str = field(default_factory=lambda: f"call_{secrets.token_hex(12)}")

    def plain(self) -> dict[str, Any]:
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": "function", "function": function}


class CallReader:
    """Takes an answer as it grows, and tells calls from text.

    Args:
        style: How the model writes calls.
        names: Of the tools it may call; anything else is text.
    """

    def __init__(self, style: Style, names: Collection[str]) -> None:
        self._style, self._names, self._held = style, names, ""
        self._inside = self._plain = False
        self.found = 0

    def add(self, text: str, *, last: bool = False) -> tuple[str, list[Call]]:
        """(text that may be shown, calls that are complete)."""
        self._held += text
        shown, calls = "", list[Call]()
        if not self._style.opens:
            begun = self._held.lstrip(" \t\r\n")[:1]  # JSON's blanks, as the grammar has them
            self._plain = self._plain or begun not in ("", "{")
            if last or self._plain:
                shown, self._held = self._held, ""
                call = None if self._plain else self._read(shown)
                shown, calls = ("", [call]) if call else (shown, [])
        else:
            while self._go_on():
                before, call = self._take()
                shown += before
                calls += [call] if call else []
            shown += self._release(last)
        self.found += len(calls)
        if self.found and not shown.strip():
            shown = ""  # blanks between calls are nobody's text
        return shown, calls

    def _go_on(self) -> bool:
        return (self._style.closes if self._inside else self._style.opens) in self._held

    def _take(self) -> tuple[str, Call | None]:
        if not self._inside:
            before, _, self._held = self._held.partition(self._style.opens)
            self._inside = True
            return before.rstrip(), None
        body, _, self._held = self._held.partition(self._style.closes)
        self._inside = False
        call = self._read(body)
        return ("" if call else f"{self._style.opens}{body}{self._style.closes}"), call

    def _release(self, last: bool) -> str:
        """What cannot be the beginning of a call."""
        if last:
            shown = (self._style.opens if self._inside else "") + self._held
            self._held, self._inside = "", False
            return shown
        if self._inside:
            return ""
        opens = self._style.opens
        keep = next((n for n in range(len(opens), 0, -1) if self._held.endswith(opens[:n])), 0)
        text = self._held[: len(self._held) - keep]
        shown = text.rstrip()  # blanks before a call are nobody's text
        self._held = self._held[len(shown) :]
        return shown

    def _read(self, body: str) -> Call | None:
        try:
            said = json.loads(body)
            name, arguments = said["name"], said[self._style.arguments]
            if name not in self._names or not isinstance(arguments, dict):
                return None
            written = json.dumps(arguments, ensure_ascii=False, allow_nan=False)
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        # Half a surrogate pair, which JSON may spell, has no place in an answer.
        return Call(name, written.encode("utf-8", "replace").decode())
