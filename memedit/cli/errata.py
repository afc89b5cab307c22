"""``memedit errors``: the page of errors, for who has memedit and not its documentation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.markdown import Markdown

from memedit.cli import render
from memedit.core.errors import PAGE, MemoryStoreError
from memedit.core.registry import unknown_name

_TITLE = re.compile(r"^####? `(\w+)`\n", re.MULTILINE)
_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")


def errors(
    name: Annotated[
        str | None, typer.Argument(help="A class, or a code over HTTP; all of them if left out.")
    ] = None,
) -> None:
    """Say what an error means: its cause and its cure.

    memedit errors MemoryStoreError
    """
    sections = read_sections()
    if name is None:
        for known in sections:
            render.say(known)
        return
    found = next((known for known in sections if known.casefold() == name.casefold()), None)
    if found is None:
        raise unknown_name("error", name, sections)
    render.stdout().print(Markdown(f"**`{found}`** {sections[found]}"))


def read_sections() -> dict[str, str]:
    """What is written of each class of errors and each code over HTTP, in Markdown without links:
    what they lead to is not here.

    Raises:
        MemoryStoreError: the page is not there.
    """
    # A wheel holds a copy; a clone has the page itself.
    kept = Path(__file__).with_name("errors.md")
    page = kept if kept.is_file() else Path(__file__).resolve().parents[2] / PAGE
    try:
        text = page.read_text("utf-8")
    except OSError as error:
        hint = "Install memedit again."
        raise MemoryStoreError(f"{page} cannot be read: {error}.", hint=hint) from error
    parts = _TITLE.split(text)
    return {
        title: _LINK.sub(r"\1", said.partition("\n## ")[0]).strip()
        for title, said in zip(parts[1::2], parts[2::2], strict=True)
    }
