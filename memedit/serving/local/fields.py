"""Requests in other servers' forms, read; a field that is misspelt is refused.

OpenAI's own server refuses every field that it does not know. Here those of other servers
(``min_p``, ``chat_template_kwargs``) are let through, as clients send them to whatever they talk
to: only what is nearly the name of a field that this server heeds is taken for a slip.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from itertools import islice
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from memedit.serving.errors import ApiError, invalid, problems_of

T = TypeVar("T", bound=BaseModel)
_OTHERS = frozenset({"models", "parse_tool_calls", "speed"})
"""Fields of other servers that are nearly the name of one of ours."""
_NEAR = 0.8
_MOST, _LONGEST = 64, 64
"""Unknown fields that are compared, and their characters: what is sent costs no more than that."""


def read_request(kind: type[T], body: bytes) -> T:
    """The request in a body.

    Raises:
        ApiError: 400, it is none, or has a field that is nearly one that the server heeds.
    """
    try:
        wanted = kind.model_validate_json(body)
    except ValidationError as error:
        raise invalid(problems_of(error), kind) from None
    for place, name, near in _find_misspelt(wanted):
        raise ApiError(
            400, f"Unrecognized request argument: {place}{name}. Did you mean {near}?",
            code="unknown_parameter", param=f"{place}{name}",
        )  # fmt: skip
    return wanted


def _find_misspelt(wanted: BaseModel) -> Iterator[tuple[str, str, str]]:
    """(where, the field, what was meant) of a request and of its options of streams and texts."""
    inside = {name: getattr(wanted, name, None) for name in ("stream_options", "text")}
    for place, part in {"": wanted, **inside}.items():
        if not isinstance(part, BaseModel) or not part.model_extra:
            continue
        known = {_bare(name): name for name in type(part).model_fields}
        for name in islice(part.model_extra, _MOST):
            if len(name) <= _LONGEST and name not in _OTHERS:
                near = get_close_matches(_bare(name), known, n=1, cutoff=_NEAR)
                if near:
                    yield f"{place}." if place else "", name, known[near[0]]


def _bare(name: str) -> str:
    """A name without what is only spelling: ``maxTokens`` and ``max-tokens`` are ``max_tokens``."""
    return "".join(filter(str.isalnum, name)).casefold()
