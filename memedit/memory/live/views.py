"""Which parts of a request are compared with edits: its views.

A request is rarely the bare question. Instructions stand before and after it, options follow it, a
support ticket tells a story round it, and in a chat it leans on what was said before.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from memedit.core.text import find_sentence_starts, words_of
from memedit.memory.live.subjects import Mention

TAIL = 2_000
"""Characters at the end of a request that are looked at."""
SHORT = 400
"""Up to this length the whole tail, or the whole last turn, is a view of its own."""
MOST_VIEWS = 5  # each costs an encoding and a search
_STRETCH = 300
"""Longest view that reaches back to what a sentence depends on."""
_ELLIPTIC = 14
"""Words of a turn that names no known subject, up to which earlier turns say what it is about."""
_POINTING = frozenset(
    "it its he his him she her hers they them their theirs this that these those there".split()
)
_PRONOUN = re.compile(r"\b(?:(its|his|their)|(her)(?=\s+\w)|it|he|him|she|her|they|them)\b", re.I)
_REQUESTS = re.compile(
    r"\?|\b(?:who|whom|whose|what|which|when|where|why|how|tell me|let me know|to know|wonder\w*|"
    r"need|want|looking for|help|explain|describe|list|name|give|show|find|write|draft|translate|"
    r"compare|is it true|can i|may i|could you|please)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class View:
    """A part of a query to compare with edits; ``mentions`` count characters from its start."""

    text: str
    mentions: tuple[Mention, ...] = ()


def views(text: str, mentions: Callable[[str], list[Mention]]) -> list[View]:
    """The parts of a request to compare with edits, the likeliest first; [] for a blank one.

    1. The last sentence; where it names no known subject and depends on what came before ("They
       play"), extended backwards to the sentence that does.
    2. Sentences that seem to ask something, the last first: with what their pronouns stand for.
    3. Where none does, sentences that name a known subject.
    4. All of a short request.

    Of a :class:`~memedit.core.passages.Conversation` only the last turn asks; earlier turns say
    what it is about.
    """
    tail, turn = _tail(text, getattr(text, "last", 0))
    if not tail:
        return []
    request = _Request(tail, turn, find_sentence_starts(tail), mentions(tail))
    found: dict[str, View] = {}
    for view in (*request.latest(), *request.asking(), *request.whole()):
        found.setdefault(view.text, view)
    return list(found.values())[:MOST_VIEWS]


@dataclass(frozen=True, slots=True)
class _Request:
    """Attributes:
    tail: What is looked at.
    turn: Where the last turn begins in it.
    starts: Where its sentences do.
    found: The known subjects that it names, in order.
    """

    tail: str
    turn: int
    starts: Sequence[int]
    found: Sequence[Mention]

    def latest(self) -> list[View]:
        """The last sentence, with what it depends on."""
        last = self.starts[-1]
        if not self.found:
            return [View(self.tail[last:])]
        start = self._sentence_of(max(mention.start for mention in self.found))
        leans = depends(self.tail[last:]) if start >= self.turn else self._leans()
        if start < last and not leans:
            return [View(self.tail[last:])]
        return [self._view(start, len(self.tail))]

    def asking(self) -> Iterator[View]:
        """Sentences of the last turn that seem to ask; else those that name a subject."""
        spans = [span for span in self._spans() if span[0] >= self.turn]
        chosen = [span for span in spans if _REQUESTS.search(self.tail[slice(*span)])]
        if not chosen:
            chosen = [span for span in spans if self._find_within(*span)][-2:]
        for start, end in reversed(chosen):
            yield from self._put_in_context(start, end)

    def whole(self) -> list[View]:
        """The last turn, and with it what it depends on, where they are short."""
        size, turn = len(self.tail), self._sentence_of(min(self.turn, len(self.tail) - 1))
        starts = (0, turn) if turn and self._leans() else (turn,)
        return [self._view(start, size) for start in starts if size - start <= SHORT]

    def _put_in_context(self, start: int, end: int) -> Iterator[View]:
        # "They play": the pronoun's sentence once with its name filled in, once with what names it.
        sentence = self.tail[start:end].rstrip()
        before = [mention for mention in self.found if mention.end <= start]
        if self._find_within(start, end) or not before or not depends(sentence):
            yield self._view(start, start + len(sentence))
            # "And Germany?"
            if self.turn and len(words_of(sentence)) < 4:
                yield from self._elliptic(start, sentence)
            return
        if (resolved := _resolve(sentence, before[-1])) is not None:
            yield resolved
        reach = self._sentence_of(before[-1].start)
        start = reach if start + len(sentence) - reach <= _STRETCH else start
        yield self._view(start, end)

    def _elliptic(self, start: int, sentence: str) -> Iterator[View]:
        """ "And Germany?": what was asked before, asked of another subject."""
        before = [span for span in self._spans() if span[1] <= start]
        asked = [span for span in before if "?" in self.tail[slice(*span)]]
        own = self._find_within(start, start + len(sentence))
        old = self._find_within(*asked[-1]) if asked else ()
        if not own or not old:
            return
        question, new = self.tail[slice(*asked[-1])].strip(), own[-1]
        at = old[-1].start - asked[-1][0]
        text = question[:at] + new.text + question[old[-1].end - asked[-1][0] :]
        yield View(text, (replace(new, start=at, end=at + len(new.text)),))

    def _leans(self) -> bool:
        """Whether the last turn depends on earlier ones: "And the phone number?" names nothing."""
        turn = self.tail[self.turn :]
        short = self.turn > 0 and len(words_of(turn)) <= _ELLIPTIC
        return depends(turn) or (short and not self._find_within(self.turn, len(self.tail)))

    def _spans(self) -> list[tuple[int, int]]:
        return list(zip(self.starts, [*self.starts[1:], len(self.tail)], strict=True))

    def _sentence_of(self, at: int) -> int:
        return self.starts[bisect_right(self.starts, at) - 1]

    def _find_within(self, start: int, end: int) -> tuple[Mention, ...]:
        return tuple(m for m in self.found if m.start >= start and m.end <= end)

    def _view(self, start: int, end: int) -> View:
        return View(self.tail[start:end], _shift(self._find_within(start, end), start))


def depends(sentence: str) -> bool:
    """Whether a sentence needs what was said before it: it has a pronoun, or next to no words."""
    words = set(words_of(sentence))
    return len(words) < 3 or bool(words & _POINTING)


def _resolve(sentence: str, meant: Mention) -> View | None:
    """The sentence with its first pronoun replaced by what it stands for; None without one."""
    match = _PRONOUN.search(sentence)
    if match is None:
        return None
    said = f"{meant.text}'s" if match.group(1) or match.group(2) else meant.text
    text = sentence[: match.start()] + said + sentence[match.end() :]
    at = match.start()
    return View(text, (replace(meant, start=at, end=at + len(meant.text)),))


def _shift(mentions: Iterable[Mention], start: int) -> tuple[Mention, ...]:
    return tuple(
        replace(mention, start=mention.start - start, end=mention.end - start)
        for mention in mentions
    )


def _tail(text: str, last: int) -> tuple[str, int]:
    """The end of a text, cut at a word, and where in it what stood at ``last`` stands now."""
    text = str(text).rstrip()
    at = max(0, len(text) - TAIL)
    # Text without spaces, such as Chinese, is cut where it is.
    if at and not text[at - 1].isspace() and (cut := re.search(r"\s", text[at : at + 64])):
        at += cut.end()
    at += len(text[at:]) - len(text[at:].lstrip())
    return text[at:], max(0, last - at)
