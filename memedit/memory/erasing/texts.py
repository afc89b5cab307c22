"""The texts that shall be found nowhere any more, and how they are found in texts and bytes."""

from __future__ import annotations

import heapq
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

_FEW = 400
"""Up to so many texts are each looked for within others; beyond, only the longest are, and the
rest compared with whole ones."""
_SEARCHED = 200
"""Most texts that files are searched for: the longest."""


@dataclass(frozen=True)
class Texts:
    """What purged edits said and no other edit says.

    Attributes:
        own: Texts of the purged edits that no other edit holds.
        shared: How many others they had, which stay: another edit says them too.
        searched: Those of ``own`` that files are searched for: long enough to stand nowhere by
            chance, and no part of a longer word of another edit.
    """

    own: tuple[str, ...] = ()
    shared: int = 0
    searched: tuple[str, ...] = ()

    @classmethod
    def left(cls, texts: Iterable[str], others: Iterable[Sequence[str]]) -> Texts:
        """Of some texts those that none of the other edits, each with its texts, holds."""
        found: dict[str, list[str]] = {}  # by the text in small letters
        for text in dict.fromkeys(text.strip() for text in texts if text.strip()):
            found.setdefault(text.casefold(), []).append(text)
        total = sum(map(len, found.values()))
        sought = set(found if len(found) <= _FEW else heapq.nlargest(_SEARCHED, found, key=len))
        parts = set[str]()
        for other in others:
            if not found:
                break
            held = {text.strip().casefold() for text in other}
            whole = "\n".join(held)
            # As characters first, which is fast; only what is there is looked at as words.
            within = {text for text in sought if text in whole}
            said = {text for text in held if text in found}
            said |= {text for text in within - said if _pattern([text]).search(whole)}
            parts |= within - said
            sought -= said
            for text in said:
                del found[text]
        own = tuple(text for forms in found.values() for text in forms)
        rare = [text for each in sought - parts for text in found[each] if _is_rare(text)]
        searched = sorted(rare, key=lambda text: (-len(text), text))[:_SEARCHED]
        return cls(own, total - len(own), tuple(searched))

    @cached_property
    def _words(self) -> re.Pattern[str] | None:
        # The longest first: of alternatives a regular expression takes the first that fits.
        telling = sorted(filter(_is_telling, self.own), key=len, reverse=True)
        return _pattern(telling) if telling else None

    def are_in(self, text: str) -> bool:
        """Whether a text says one of these, as whole words. Common words alone tell nothing."""
        if self._words is None or not text:
            return False
        return bool(self._words.search(text))

    @cached_property
    def _forms(self) -> tuple[bytes, ...]:
        found: dict[bytes, None] = {}
        for text in self.searched:
            # As it is, within JSON, within JSON in JSON (the audit log's entries), and in CSV.
            forms = [text, text.replace('"', '""')]
            for ascii in (True, False):  # a snapshot's records are JSON of letters as they are
                escaped = json.dumps(text, ensure_ascii=ascii)[1:-1]
                forms += [escaped, json.dumps(escaped, ensure_ascii=ascii)[1:-1]]
            found.update(dict.fromkeys(form.encode() for form in forms))
            # Office documents and some programs' logs are in UTF-16.
            found.update(dict.fromkeys(text.encode(f"utf-16-{order}") for order in ("le", "be")))
        return tuple(found)

    @property
    def longest(self) -> int:
        """Bytes of the longest form."""
        return max(map(len, self._forms), default=0)

    def are_within(self, content: bytes) -> bool:
        """Whether bytes hold one of :attr:`searched`: in UTF-8 or UTF-16, or as JSON or CSV."""
        return any(form in content for form in self._forms)


def _pattern(texts: Iterable[str]) -> re.Pattern[str]:
    """One of these texts as whole words."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, texts))})(?!\w)", re.I)


def _is_telling(text: str) -> bool:
    """Names, numbers and longer wordings; not "yes", "green" or "in force"."""
    if " " in text.strip():
        return len(text) >= 8
    special = any(c.isupper() or c.isdigit() or ord(c) > 127 for c in text)
    return len(text) >= 12 or (special and len(text) >= 3)


def _is_rare(text: str) -> bool:
    return len(text.encode()) >= (10 if " " in text else 12)
