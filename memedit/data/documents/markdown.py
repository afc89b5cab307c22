"""Markdown and plain text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from memedit.data.documents.blocks import Block, Contents, flatten, make_table
from memedit.data.documents.html import read_html

# Settings in front of the text, as generators of sites write them.
_FRONT = re.compile(r"\A---[ \t]*\n(?P<settings>.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_TITLE = re.compile(r"^title:[ \t]*(['\"]?)(?P<title>.+?)\1[ \t]*$", re.MULTILINE)
_PARAGRAPH = re.compile(r"\n[ \t]*\n")


def read_text(text: str) -> Contents:
    """Plain text: a paragraph from one empty line to the next; its line breaks are its layout."""
    return Contents(tuple(Block("text", flatten(p)) for p in _PARAGRAPH.split(text) if p.strip()))


def read_markdown(text: str) -> Contents:
    """CommonMark with tables; what is HTML in it is read as HTML."""
    front = _FRONT.match(text)
    titled = _TITLE.search(front["settings"]) if front else None
    body = text[front.end() :] if front else text
    tokens = MarkdownIt("commonmark").enable("table").parse(body)
    return Contents(tuple(_Reader(tokens).blocks()), flatten(titled["title"]) if titled else "")


class _Reader:
    """Goes through the tokens once, with what is open around each."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._found: list[Block] = []
        self._lists: list[int | None] = []  # the next number of each open list; None: bullets
        self._mark = ""
        self._rows: list[list[str]] = []
        self._level = 0

    def blocks(self) -> list[Block]:
        """Everything that is said, in order."""
        for token in self._tokens:
            # A token that says nothing to a reader has no method.
            take = getattr(self, f"_{token.type}", None)
            if take is not None:
                take(token)
        return self._found

    def _heading_open(self, token: Token) -> None:
        self._level = int(token.tag[1:])

    def _heading_close(self, _: Token) -> None:
        self._level = 0

    def _inline(self, token: Token) -> None:
        text = _read_inline(token.children or ())
        if self._rows:
            self._rows[-1].append(text)
        elif self._level and text:
            self._found.append(Block("heading", text, self._level))
        elif text and self._lists:
            self._found.append(Block("item", f"{self._mark}{text}", len(self._lists) - 1))
            self._mark = ""
        elif text:
            self._found.append(Block("text", text))

    def _bullet_list_open(self, _: Token) -> None:
        self._lists.append(None)

    def _ordered_list_open(self, token: Token) -> None:
        self._lists.append(int(token.attrs.get("start", 1)))

    def _bullet_list_close(self, _: Token) -> None:
        self._lists.pop()

    _ordered_list_close = _bullet_list_close

    def _list_item_open(self, _: Token) -> None:
        number = self._lists[-1]
        self._mark = "- " if number is None else f"{number}. "
        if number is not None:
            self._lists[-1] = number + 1

    def _tr_open(self, _: Token) -> None:
        self._rows.append([])

    def _table_close(self, _: Token) -> None:
        found = make_table(self._rows)
        self._rows = []
        if found is not None:
            self._found.append(found)

    def _fence(self, token: Token) -> None:
        if token.content.strip():
            self._found.append(Block("code", token.content.strip("\n")))

    _code_block = _fence

    def _html_block(self, token: Token) -> None:
        self._found += read_html(token.content).blocks


def _read_inline(tokens: Sequence[Token]) -> str:
    """What inline tokens say: no marks, no addresses."""
    parts: list[str] = []
    for token in tokens:
        if token.type in ("text", "code_inline", "image"):
            parts.append(token.content)
        elif token.type in ("softbreak", "hardbreak"):
            parts.append(" ")
    return flatten("".join(parts))
