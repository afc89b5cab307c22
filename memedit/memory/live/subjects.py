"""The subject door: which known subjects a text names, and where its sentences begin.

Subjects and texts are cut into words the same way, so a lookup costs one dictionary access per
word plus one per word sequence that begins like a known subject. Scripts written without spaces
(and Hangul, whose particles are attached) count one word per character.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from memedit.core.text import WORD, Word, find_words, subject_key
from memedit.memory.live.postings import Postings, code_of

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
    """Known subjects and the records about them.

    Attributes:
        odd: Records of whose subjects more must be known than the hashes.
    """

    def __init__(self) -> None:
        # By hashes: the texts themselves are in the records, and a dictionary takes ten times as
        # much. Of a million subjects two share one with a probability of 3e-8.
        self._sequences = Postings()  # a key's hash -> records
        self._lengths = Postings()  # a first word's hash -> lengths in words of subjects
        self._more: Counter[int] = Counter()  # (first word, length)'s hash -> further subjects
        self._count = 0
        self._the: Counter[str] = Counter()  # keys whose subject was written with a leading "the"
        self._literal: set[str] = set()  # keys without a word
        self.odd: set[int] = set()

    def __len__(self) -> int:
        return self._count

    def __contains__(self, subject: object) -> bool:
        return isinstance(subject, str) and code_of(subject_key(subject)) in self._sequences

    def add(self, sequence: int, subject: str) -> None:
        """Record ``sequence`` is about ``subject``."""
        self.add_many([(sequence, subject)])

    def add_many(self, pairs: Iterable[tuple[int, str]]) -> None:
        """Records that are about subjects, each known to :meth:`add` already or not at all."""
        fresh = dict[int, str]()
        hashed = []
        for sequence, subject in pairs:
            key = subject_key(subject)
            code = code_of(key)
            hashed.append((code, sequence))
            if code not in fresh and code not in self._sequences:
                fresh[code] = key
            self._enter_odd(sequence, subject, key)
        self._sequences.extend(hashed)
        self._count += len(fresh)
        self._enter(fresh.values())

    def arrays(self) -> dict[str, Any]:
        """What :meth:`from_arrays` needs, but for subjects that are ``odd``."""
        more = sorted(self._more.items())
        return {
            "subjects": self._sequences.keys(),
            "subjects.of": self._sequences.values(),
            "words": self._lengths.keys(),
            "words.lengths": self._lengths.values(),
            "more": np.array([code for code, _ in more], np.int64),
            "more.counts": np.array([count for _, count in more], np.int64),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any], odd: Iterable[tuple[int, str]]) -> SubjectIndex:
        """The index of :meth:`arrays`.

        Args:
            odd: Every record whose subject is ``odd``, and perhaps others.

        Raises:
            ValueError: arrays that are of no index.
        """
        made = cls()
        if (arrays["words.lengths"] < 1).any() or (arrays["more.counts"] < 1).any():
            raise ValueError("subjects of no word, or counts of nothing")
        made._sequences = Postings.of(arrays["subjects"], arrays["subjects.of"])
        made._lengths = Postings.of(arrays["words"], arrays["words.lengths"])
        counts = zip(arrays["more"].tolist(), arrays["more.counts"].tolist(), strict=True)
        made._more = Counter(dict(counts))
        keys = arrays["subjects"]  # ascending
        made._count = int((keys[1:] != keys[:-1]).sum()) + bool(len(keys))
        for sequence, subject in odd:
            made._enter_odd(sequence, subject, subject_key(subject))
        return made

    def _enter_odd(self, sequence: int, subject: str, key: str) -> None:
        if _has_the(subject, key):
            self._the[key] += 1
            self.odd.add(sequence)
        # Signs only, such as "???": no word of a text would lead to them.
        if not key[0].isalnum() and not WORD.match(key):
            self._literal.add(key)
            self.odd.add(sequence)

    def remove(self, sequence: int, subject: str) -> None:
        """Undo :meth:`add`; unknown pairs are ignored."""
        key = subject_key(subject)
        code = code_of(key)
        if sequence not in self._sequences.get(code):
            return
        self._sequences.discard(code, sequence)
        self.odd.discard(sequence)
        if _has_the(subject, key):
            self._the[key] -= 1
        if code not in self._sequences:
            self._count -= 1
            self._the.pop(key, None)
            self._leave(key)

    def _enter(self, keys: Iterable[str]) -> None:
        new = dict[int, tuple[int, int]]()
        for key in keys:
            words = key.split(" ")
            begins, length = code_of(words[0]), len(words)
            pair = code_of(f"{length} {words[0]}")
            if pair in new or length in self._lengths.get(begins):
                self._more[pair] += 1
            else:
                new[pair] = (begins, length)
        self._lengths.extend(new.values())

    def _leave(self, key: str) -> None:
        words = key.split(" ")
        self._literal.discard(key)
        begins, length = code_of(words[0]), len(words)
        pair = code_of(f"{length} {words[0]}")
        if pair not in self._more:
            self._lengths.discard(begins, length)
            return
        self._more[pair] -= 1
        if not self._more[pair]:
            del self._more[pair]

    def sequences(self, key: str) -> tuple[int, ...]:
        """Records about the subject with this :func:`subject_key`, newest first."""
        return tuple(sorted(self._sequences.get(code_of(key)), reverse=True))

    def mentions(self, text: str) -> list[Mention]:
        """The known subjects that ``text`` names, in order; none lies inside a longer one."""
        if not self._count:
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
                if code_of(key) in self._sequences:
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
        return set(self._lengths.get(code_of(word)))


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
