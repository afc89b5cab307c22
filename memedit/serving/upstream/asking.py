"""Questions of ours to an upstream: short, greedy, in OpenAI's form."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from memedit.serving.errors import ApiError
from memedit.serving.upstream import placing
from memedit.serving.upstream.relay import Relay, read

_SHORT = 48
"""Tokens of a sub-question's answer."""


def json_object(body: bytes) -> dict[str, Any]:
    """A JSON object; empty where the bytes are none."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def refuse_malformed() -> ApiError:
    """What is said of an answer that is not in OpenAI's form."""
    return ApiError(502, "The upstream's answer is malformed.", code="upstream_malformed")


@dataclass(frozen=True, slots=True)
class Upstream:
    """Asks one upstream.

    Attributes:
        relay: The way to it.
        model: Named in the questions; None: none is.
        chats: As chats, else as texts to continue.
        headers: Of the request that the questions are asked for: its key is theirs.

    Raises (its methods):
        ApiError: the upstream does not answer, or not in OpenAI's form.
    """

    relay: Relay
    model: Any = None
    chats: bool = True
    headers: Mapping[str, str] | None = None

    async def __call__(self, shown: Sequence[tuple[str, str]], question: str) -> str:
        """The first line of the reply to a question after worked examples."""
        if self.chats:
            turns = [turn for pair in shown for turn in placing.exchange(*pair)]
            said = await self.chat([*turns, {"role": "user", "content": question}], _SHORT)
        else:
            text = "".join(f"{asked} {answered}\n\n" for asked, answered in shown) + question
            said = await self._ask(("completions",), {"prompt": text, "stop": ["\n"]}, _SHORT)
        return said.split("\n")[0].strip()

    async def chat(self, messages: Sequence[Any], limit: int) -> str:
        """The reply to a conversation."""
        return await self._ask(("chat", "completions"), {"messages": messages}, limit)

    async def find_first_model(self) -> str:
        """The first model that the upstream lists."""
        content = await self._json("GET", ("models",), b"")
        try:
            return str(content["data"][0]["id"])
        except (KeyError, IndexError, TypeError):
            raise refuse_malformed() from None

    async def _ask(self, path: Sequence[str], asked: dict[str, Any], limit: int) -> str:
        named = {} if self.model is None else {"model": self.model}
        wanted = asked | named | {"max_tokens": limit, "temperature": 0}
        content = await self._json("POST", path, json.dumps(wanted).encode())
        try:
            choice = content["choices"][0]
            said = choice["message"]["content"] if "message" in choice else choice["text"]
            return str(said or "").strip()
        except (KeyError, IndexError, TypeError):
            raise refuse_malformed() from None

    async def _json(self, method: str, path: Sequence[str], body: bytes) -> dict[str, Any]:
        answer = await self.relay.send(method, path, self._choose_headers(), body)
        content = await read(answer)
        if answer.status_code != 200:
            raise ApiError(
                502, f"The upstream answers {answer.status_code} to /v1/{'/'.join(path)}.",
                code="upstream_error",
            )  # fmt: skip
        if not (found := json_object(content)):
            raise refuse_malformed()
        return found

    def _choose_headers(self) -> Iterable[tuple[str, str]]:
        if self.headers is None:
            return [("content-type", "application/json")]
        # Not compressed: the answer is read here.
        return [(name, value) for name, value in self.headers.items() if name != "accept-encoding"]
