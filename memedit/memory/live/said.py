"""Which records' texts may hold a word: one text to look through, not one object a record."""

from __future__ import annotations

from array import array
from bisect import bisect_right

from memedit.core.text import words_of
from memedit.memory.live.postings import Postings

_END = b"\n"  # folded words hold none: no word goes on over two texts
_LITTLE = 1 << 16  # bytes that are not worth closing up


class Said:
    """The texts of records in lower case, one behind the other.

    A word is looked for by the machine's own search, at some gigabytes a second.
    """

    def __init__(self) -> None:
        self._text = bytearray()
        self._starts, self._sequences = array("q"), array("q")
        self._places = Postings()  # sequence -> which text is its
        self._wasted = 0  # characters of what was removed

    def __len__(self) -> int:
        return len(self._places)

    def add(self, sequence: int, text: str) -> None:
        """Enter the text of a record."""
        if self._wasted > max(_LITTLE, len(self._text) // 2):
            self._close_up()
        # Folded words are in lower case already; folding takes ten times as long.
        lower = text.lower() if text.isascii() else " ".join(words_of(text))
        self._append(sequence, lower.encode() + _END)

    def _append(self, sequence: int, text: bytes | bytearray) -> None:
        self._places.add(sequence, len(self._starts))
        self._starts.append(len(self._text))
        self._sequences.append(sequence)
        self._text += text

    def remove(self, sequence: int) -> None:
        """Overwrite the text of a record: what was purged must not stay in RAM."""
        for at in self._places.get(sequence):
            start, end = self._span(at)
            self._text[start:end] = _END * (end - start)
            self._wasted += end - start
            self._places.discard(sequence, at)

    def _span(self, at: int) -> tuple[int, int]:
        last = at + 1 == len(self._starts)
        return self._starts[at], len(self._text) if last else self._starts[at + 1]

    def _close_up(self) -> None:
        """Give back the room of what was removed."""
        old, spans = self._text, {s: self._span(at) for s, at in self._places.items()}
        self.__init__()  # type: ignore[misc]
        for sequence, (start, end) in spans.items():
            self._append(sequence, old[start:end])

    def find(self, word: str) -> set[int]:
        """Sequences of the records whose text holds a folded word."""
        wanted, sequences, text = word.encode(), set[int](), self._text
        found = text.find(wanted)
        while found >= 0:
            end = found + len(wanted)
            # "disney+" ends where it ends, whatever comes behind it.
            goes_on = wanted[-1:] not in b"+#" and _is_part(text[end : end + 1])
            if goes_on or _is_part(text[found - 1 : found]):
                found = text.find(wanted, found + 1)
                continue
            at = bisect_right(self._starts, found) - 1
            sequences.add(self._sequences[at])
            # One hit a record is enough: on to the next record's text.
            found = text.find(wanted, self._span(at)[1])
        return sequences


def _is_part(character: bytes | bytearray) -> bool:
    """Whether a word goes on with this byte; of letters beyond ASCII every byte does."""
    return character.isalnum() or character > b"\x7f"
