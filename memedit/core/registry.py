"""Names with settings, as they are typed: ``rome``, ``rome(layer=5, variant=original)``."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any

from memedit.core.errors import InvalidInputError

_PATH = re.compile(
    r"""(?P<quoted>"[^"]*"|'[^']*')|(?<==)\s*(?P<bare>[\w.~:\\-]*[/\\][\w./~:\\-]*)(?=\s*[,)])"""
)
"""A path without quotes, as the value of a setting; what is quoted is passed over."""


def split(text: str, separator: str) -> list[str]:
    """The parts between separators that are not inside of brackets, stripped."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if character == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def called(text: str) -> tuple[str, dict[str, Any]]:
    """(name, settings) of ``name`` or ``name(setting=value, ...)``.

    Values are numbers, ``true``, ``false``, ``none``, words, paths, quoted texts, and lists of
    these in brackets.

    Raises:
        InvalidInputError: brackets that cannot be read.
    """
    name, bracket, rest = text.strip().partition("(")
    if not bracket:
        return name, {}
    try:
        call = ast.parse(f"_({_PATH.sub(_quoted, rest)}", mode="eval").body
        if not isinstance(call, ast.Call) or call.args or not isinstance(call.func, ast.Name):
            raise ValueError
        return name.strip(), {_key(word): _value(word.value) for word in call.keywords}
    except (SyntaxError, ValueError):
        raise InvalidInputError(
            f"{text!r} cannot be read.",
            hint='As in: rome(layer=5, variant=original), mend(hypernetwork="my folder").',
        ) from None


_SAVED = re.compile(r"[\w.-]+(\+[\w.-]+)*")


def saved_part(kind: str, saved: Any, find: Callable[[str], type[Any]]) -> tuple[str, Any]:
    """(name, settings) of an editor or scope as a memory's directory names it.

    The directory may be a stranger's, so what it says loads nothing else: settings that name files
    or models (a class lists them in ``places``, with the words that name none) are refused.

    Args:
        kind: "editor" or "scope", for messages.
        saved: ``{"name": ..., "settings": {...}}``.
        find: The class registered under a name.

    Raises:
        InvalidInputError: it is none of that, or names a file.
        UnknownNameError: nothing is registered under the name.
    """
    name = saved.get("name") if isinstance(saved, Mapping) else None
    settings = saved.get("settings") if isinstance(saved, Mapping) else None
    if not (isinstance(name, str) and _SAVED.fullmatch(name) and isinstance(settings, Mapping)):
        raise InvalidInputError(
            f"The saved {kind} has no name and settings.", hint=f"Name it yourself: {kind}=..."
        )
    for part in name.split("+"):
        for setting, words in getattr(find(part), "places", {}).items():
            if setting in settings and settings[setting] not in words:
                raise InvalidInputError(
                    f"The saved {kind} {part!r} reads {settings[setting]!r} ({setting}), and a "
                    "memory's directory may not say what else is read.",
                    hint=f"If you trust it, say it yourself: {kind}="
                    f'"{part}({setting}={settings[setting]})".',
                )
    return name, dict(settings)


def _quoted(path: re.Match[str]) -> str:
    return path["quoted"] or repr(path["bare"])


def _key(word: ast.keyword) -> str:
    if word.arg is None:
        raise ValueError
    return word.arg


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Name):
        return {"true": True, "false": False, "none": None}.get(node.id, node.id)
    if isinstance(node, ast.Tuple | ast.List):
        return tuple(_value(each) for each in node.elts)
    return ast.literal_eval(node)
