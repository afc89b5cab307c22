"""HTML: what a reader sees of a page, and nothing that is fetched or run."""

from __future__ import annotations

import re
from collections.abc import Iterator

from memedit.core.errors import MissingExtraError
from memedit.data.documents.blocks import Block, Contents, flatten, make_table, refuse_unreadable

try:
    from bs4 import BeautifulSoup
    from bs4.builder import ParserRejectedMarkup
    from bs4.element import NavigableString, PreformattedString, Tag
except ImportError as error:  # told when it is needed
    _missing: ImportError | None = error
else:
    _missing = None

_UNSEEN = (
    "script", "style", "template", "noscript", "head", "nav", "svg", "math", "canvas", "iframe",
    "object", "embed", "video", "audio", "form", "button", "select", "textarea", "input", "dialog",
)  # fmt: skip
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])", re.I)
_BREAKS = frozenset(
    "address article aside blockquote body br center dd details div dl dt fieldset figcaption "
    "figure footer header hr html li main ol p section summary ul caption".split()
)
# Each takes two calls, and Python allows a thousand within each other.
_DEEPEST = 400
"""Elements within each other."""


def read_html(text: str) -> Contents:
    """A page, or a piece of one.

    Raises:
        InvalidInputError: elements too deep within each other, or no HTML that can be parsed.
        MissingExtraError: beautifulsoup4 is not installed.
    """
    if _missing is not None:
        raise MissingExtraError("beautifulsoup4", extra="documents") from _missing
    try:
        soup = BeautifulSoup(text, "html.parser")  # Python's own: knows no entities but characters
    except ParserRejectedMarkup as error:  # a marked section, "<![...>", of no known kind
        raise refuse_unreadable("HTML", str(error).rpartition("AssertionError: ")[2]) from None
    title = flatten(soup.title.get_text()) if soup.title is not None else ""
    for element in soup.find_all(_UNSEEN):
        element.extract()
    for element in soup.find_all(_is_hidden):
        element.extract()
    walk = _Walk()
    walk.take_in(soup)
    return Contents(tuple(walk.found), title)


def _is_hidden(element: Tag) -> bool:
    return (
        element.has_attr("hidden")
        or element.get("aria-hidden") == "true"
        or bool(_HIDDEN.search(str(element.get("style") or "")))
    )


def _is_markup(child: NavigableString) -> bool:
    """Whether it is a comment, a doctype or the like, which no reader sees."""
    return isinstance(child, PreformattedString)


class _Walk:
    """Collects text up to where the layout breaks it."""

    def __init__(self) -> None:
        self.found: list[Block] = []
        self._line: list[str] = []
        self._mark, self._depth = "", -1

    def take_in(self, element: Tag, deep: int = 0) -> None:
        """Take in what an element holds."""
        if deep > _DEEPEST:
            raise refuse_unreadable("HTML", f"more than {_DEEPEST} elements within each other")
        for child in element.children:
            if isinstance(child, Tag):
                self._element(child, deep)
            elif isinstance(child, NavigableString) and not _is_markup(child):
                self._line.append(str(child))
        if not deep:
            self._close()

    def _element(self, child: Tag, deep: int) -> None:
        name = child.name
        if name == "table":
            self._close()
            self._take(make_table(list(_rows(child))))
        elif name == "pre":
            self._close()
            code = child.get_text().strip("\n")
            self._take(Block("code", code) if code.strip() else None)
        elif len(name) == 2 and name[0] == "h" and name[1] in "123456":
            self._close()
            heading = flatten(child.get_text(" "))
            self._take(Block("heading", heading, int(name[1])) if heading else None)
        elif name in ("ul", "ol"):
            self._list(child, deep)
        elif name in _BREAKS:
            self._close()
            self.take_in(child, deep + 1)
            self._close()
        else:
            self.take_in(child, deep + 1)

    def _list(self, child: Tag, deep: int) -> None:
        self._close()
        self._depth += 1
        for number, item in enumerate(child.find_all("li", recursive=False), start=1):
            self._mark = f"{number}. " if child.name == "ol" else "- "
            self.take_in(item, deep + 1)
            self._close()
        self._depth -= 1
        self._mark = ""

    def _take(self, block: Block | None) -> None:
        if block is not None:
            self.found.append(block)

    def _close(self) -> None:
        text = flatten("".join(self._line))
        self._line = []
        if not text:
            return
        if self._depth >= 0:
            self.found.append(Block("item", f"{self._mark}{text}", self._depth))
            self._mark = ""
        else:
            self.found.append(Block("text", text))


def _rows(element: Tag) -> Iterator[list[str]]:
    for row in element.find_all("tr"):
        # Others are rows of a table that stands in a cell, and come with it.
        if row.find_parent("table") is element:
            yield [cell.get_text(" ") for cell in row.find_all(["td", "th"], recursive=False)]
