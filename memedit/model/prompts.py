"""What a caller may hand over to be answered: a text, messages of a chat, or several of these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from memedit.core.errors import InvalidInputError

Messages: TypeAlias = "Sequence[Mapping[str, Any]]"
"""A conversation: ``{"role": ..., "content": ...}`` each, as ``apply_chat_template`` takes it."""
Prompt: TypeAlias = "str | Messages"

_TAKES = 'A text, a conversation [{"role": "user", "content": ...}], or a list of either.'


def read_prompts(call: str, given: object) -> tuple[list[Prompt], bool]:
    """(the prompts, whether one was given and not several).

    Args:
        call: What was called, for messages.

    Raises:
        InvalidInputError: something else, or a message without role and content.
    """
    if isinstance(given, str):
        return [given], True
    listed = _check_list(call, given)
    if listed and all(isinstance(each, Mapping) for each in listed):
        return [_conversation(listed)], True
    return [each if isinstance(each, str) else _conversation(_check_list(call, each))
            for each in listed], False  # fmt: skip


def read_one(call: str, given: object) -> Prompt:
    """The one prompt that is given.

    Raises:
        InvalidInputError: as :func:`read_prompts`; several.
    """
    found, single = read_prompts(call, given)
    if not single:
        raise InvalidInputError(f"{call} takes one prompt, not {len(found)}.", hint=_TAKES)
    return found[0]


def read_texts(call: str, given: object) -> list[str]:
    """A list of texts.

    Raises:
        InvalidInputError: something else, or a text that is none.
    """
    listed = [given] if isinstance(given, str) else _check_list(call, given)
    for at, each in enumerate(listed):
        if isinstance(given, str) or not isinstance(each, str):
            what = "one text" if isinstance(given, str) else f"{type(each).__name__} at {at}"
            raise InvalidInputError(f"{call} takes a list of texts, not {what}.")
        refuse_surrogates(each)
    return listed


def refuse_surrogates(text: str) -> None:
    """
    Raises:
        InvalidInputError: the text holds half a character, which JSON may carry and no tokenizer
            takes.
    """
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidInputError("The prompt holds a lone surrogate.", hint="Read it as UTF-8.")


def take_asked(prompt: Prompt) -> str:
    """The words that are to be answered: the text, or the last of the user's messages."""
    if isinstance(prompt, str):
        return prompt
    said = [message["content"] for message in prompt if message["role"] == "user"]
    return str(said[-1]) if said else ""


def _check_list(call: str, given: object) -> list[Any]:
    # These can be gone through, too, but what they hold are no prompts.
    if not isinstance(given, Iterable) or isinstance(given, str | bytes | Mapping):
        raise InvalidInputError(f"{call} cannot take {_describe(given)}.", hint=_TAKES)
    return list(given)


def _conversation(messages: Sequence[Any]) -> Messages:
    """Messages whose contents are texts; parts of type text are joined."""
    if not messages:
        raise InvalidInputError("A conversation without messages.", hint=_TAKES)
    made = []
    for at, message in enumerate(messages):
        role = message.get("role") if isinstance(message, Mapping) else None
        content = _content(message.get("content")) if isinstance(message, Mapping) else None
        if not isinstance(role, str) or content is None:
            raise InvalidInputError(
                f"Message {at} has no role and content: {_describe(message)}.", hint=_TAKES
            )
        made.append({**message, "content": content})
    return made


def _content(content: object) -> str | None:
    if isinstance(content, list | tuple):
        parts = [part.get("text") for part in content if isinstance(part, Mapping)]
        # A picture is no text: refused as a whole, rather than answered as if it were not there.
        texts = [part for part in parts if isinstance(part, str)]
        return "".join(texts) if len(texts) == len(content) else None
    return content if isinstance(content, str) else None


def _describe(given: object) -> str:
    return f"{given!r:.60}" if given is None or isinstance(given, Mapping) else type(given).__name__
