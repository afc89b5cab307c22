"""The banks of templates beside this module."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

_SLOT = re.compile(r"\{\{|\}\}|\{(\w+)\}")


@cache
def bank(name: str) -> Any:
    """The templates of ``name``.json."""
    return json.loads(
        files("memedit.training.requests").joinpath(f"{name}.json").read_text("utf-8")
    )


def fill(template: str, **slots: str) -> str:
    """The template with these slots filled, others left; braces in what fills them stay."""

    def one(match: re.Match[str]) -> str:
        if match.group(1) is None:
            return match.group()[0]
        return slots.get(match.group(1), match.group())

    return _SLOT.sub(one, template)
