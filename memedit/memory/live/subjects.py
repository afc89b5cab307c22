"""The subject door: which known subjects a text names, and where its sentences begin.

Subjects and texts are cut into words the same way, so a lookup costs one dictionary access per
word plus one per word sequence that begins like a known subject. Scripts written without spaces
(and Hangul, whose particles are attached) count one word per character.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from memedit.core.text import WORD, Word, find_words, subject_key

_TRIES, _SHORT = 20_000, 8
"""Runs of words looked up in one text; beyond, only those of so many words. Ordinary text needs
hundreds: this bounds the work that a memory of subjects "a", "a a", "a a a" can make."""


@dataclass(frozen=True, slots=True)
class Mention:
    """``text[start:end]`` names the subject of the records ``sequences`` (newest first)."""

    text: str
    start: int
    end: int
    key: str
    sequences: tuple[int, ...]


class _Line:
    """The words of a text joined once, so that a run of them is a slice; and how much is tried."""

    def __init__(self, words: Sequence[Word]) -> None:
        self.words, self._tries = words, 0
        self._joined = " ".join(word.text for word in words)
        self._starts = [0]
        for word in words:
            self._starts.append(self._starts[-1] + len(word.text) + 1)

    def text(self, at: int, length: int) -> str:
        """``length`` words from word ``at``, one space between them."""
        return self._joined[self._starts[at] : self._starts[at + length] - 1]

    def takes_try(self, length: int) -> bool:
        """Whether a run is worth a look: many are looked at, thousands of long ones are not."""
        self._tries += 1
        return self._tries <= _TRIES or length <= _SHORT


class SubjectIndex:
    """Known subjects and the records about them."""

    def __init__(self) -> None:
        # Most subjects have one record, and most first words one subject: a number stands for it.
        self._sequences: dict[str, int | set[int]] = {}
        # First word -> numbers of subjects by their length in words, or the one length.
        self._lengths: dict[str, int | dict[int, int]] = {}
        self._the: Counter[str] = Counter()  # keys whose subject was written with a leading "the"
        self._literal: set[str] = set()  # keys without a word

    def __len__(self) -> int:
        return len(self._sequences)

    def __contains__(self, subject: object) -> bool:
        return isinstance(subject, str) and subject_key(subject) in self._sequences

    def add(self, sequence: int, subject: str) -> None:
        """Record ``sequence`` is about ``subject``."""
        key = subject_key(subject)
        known = self._sequences.get(key)
        if known is None:
            self._enter(key)
            self._sequences[key] = sequence
        elif isinstance(known, int):
            self._sequences[key] = {known, sequence}
        else:
            known.add(sequence)
        if _has_the(subject, key):
            self._the[key] += 1

    def remove(self, sequence: int, subject: str) -> None:
        """Undo :meth:`add`; unknown pairs are ignored."""
        key = subject_key(subject)
        known = self._sequences.get(key)
        if known != sequence and (known is None or isinstance(known, int) or sequence not in known):
            return
        if isinstance(known, set):
            known.remove(sequence)
        if _has_the(subject, key):
            self._the[key] -= 1
        if isinstance(known, int) or not known:
            del self._sequences[key]
            self._the.pop(key, None)
            self._leave(key)

    def _enter(self, key: str) -> None:
        words = key.split(" ")
        # Signs only, such as "???": no word of a text would lead to them.
        if not key[0].isalnum() and not WORD.match(key):
            self._literal.add(key)
        # The key itself where it is the word: a string less.
        first, length = words[0] if len(words) > 1 else key, len(words)
        known = self._lengths.get(first)
        if known is None:
            self._lengths[first] = length
            return
        lengths = {known: 1} if isinstance(known, int) else known
        lengths[length] = lengths.get(length, 0) + 1
        self._lengths[first] = lengths

    def _leave(self, key: str) -> None:
        words = key.split(" ")
        self._literal.discard(key)
        lengths = self._lengths[words[0]]
        if isinstance(lengths, int):
            del self._lengths[words[0]]
            return
        lengths[len(words)] -= 1
        if not lengths[len(words)]:
            del lengths[len(words)]
        if not lengths:
            del self._lengths[words[0]]

    def sequences(self, key: str) -> tuple[int, ...]:
        """Records about the subject with this :func:`subject_key`, newest first."""
        found = self._sequences.get(key, ())
        return (found,) if isinstance(found, int) else tuple(sorted(found, reverse=True))

    def mentions(self, text: str) -> list[Mention]:
        """The known subjects that ``text`` names, in order; none lies inside a longer one."""
        if not self._sequences:
            return []
        words = find_words(text)
        line = _Line(words)
        spans = [span for at in range(len(words)) for span in self._spans(line, at)]
        for key in self._literal:
            spans += [(*match.span(), key) for match in re.finditer(re.escape(key), text)]
        return [
            Mention(text[start:end], start, end, key, self.sequences(key))
            for start, end, key in _outermost(spans)
        ]

    def _spans(self, line: _Line, at: int) -> Iterable[tuple[int, int, str]]:
        words = line.words
        # The article belongs to the mention where the subject was written with one: "the Who".
        after_the = bool(at) and words[at - 1].text == "the"
        lengths = self._lengths_from(words[at].text)
        for length in sorted(lengths, reverse=True) if len(lengths) > 1 else lengths:
            if at + length > len(words) or not line.takes_try(length):
                continue
            for key in _singular_too(line.text(at, length)):
                if key in self._sequences:
                    first = at - 1 if after_the and self._the[key] else at
                    yield words[first].start, words[at + length - 1].end, key
                    if not after_the:
                        return  # the others from here lie inside this one
                    break

    def _lengths_from(self, word: str) -> set[int]:
        """Lengths, in words, of the subjects that begin with this word."""
        lengths = self._lengths_known(word)
        # A plural of one word begins with the word and an "s".
        return lengths | {1} if 1 in self._lengths_known(word[:-1]) else lengths

    def _lengths_known(self, word: str) -> set[int]:
        known = self._lengths.get(word)
        return set() if known is None else {known} if isinstance(known, int) else set(known)


def _singular_too(key: str) -> tuple[str, ...]:
    """A subject, and without its final "s": "Irbits", "the Smiths' dog" name Irbit, the Smith."""
    plural = len(key) > 4 and key[-1] == "s" and key[-2].isalpha()
    return (key, key[:-1]) if plural else (key,)


def _has_the(subject: str, key: str) -> bool:
    # The cheap tests first: a start asks this of every record.
    if subject.lstrip("\"'“‘«( ")[:3].casefold() != "the" or key.startswith("the "):
        return False
    words = find_words(subject)
    return bool(words) and words[0].text == "the"


def _outermost(spans: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """The spans that lie in no other one, in order of their start."""
    kept: list[tuple[int, int, str]] = []
    reached = -1
    # Of spans that begin together the longest comes first.
    for start, end, key in sorted(spans, key=lambda span: (span[0], -span[1])):
        if end > reached:
            kept.append((start, end, key))
            reached = end
    return kept
