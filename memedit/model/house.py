"""Whose assistant answers, as far as its edits tell: its name and its words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from memedit.core.days import MONTH, WEEKDAY
from memedit.core.errors import InvalidInputError
from memedit.core.protocols import Encoder, IsTransformer
from memedit.core.text import find_sentence_starts, words_of
from memedit.core.types import Record
from memedit.model.itemising import ASKS
from memedit.model.moves import Move, find_moves
from memedit.model.spans import Span, find_spans

MOST_EDITS = 2_000
"""Edits of a namespace up to which it is looked at as one assistant's: by names and words."""
_LEAST, _SHARE = 3, 0.25
"""Edits, and their share, that must name what is taken for the assistant's own name."""
_LETTERS, _CLOSE = 4, 0.75
STEM = 5
_LEAST_WORDS = 2
_SPEAKS = re.compile(r"\b(?:i|i['’]\w+|my|me|your|pls|please|thanks?)\b", re.IGNORECASE)
_NAME_WORDS = 8
"""Words of a name: a text may be in capitals from beginning to end."""
SMALL = frozenset(
    "the and are was were has have had does did can could may might must shall should will would "
    "for from with about into over under after before your you our its his her their they this "
    "that these those there what which who whom whose when where why how many much long old often "
    "not any some all get got let tell know need want please just one two out off per"
    " time day".split()
)
_NAME = re.compile(
    r"[^\W\d_a-z][\w'’-]*(?: (?:& |of |the |and )?[^\W\d_a-z][\w'’-]*| \d{1,4}[A-Z]?\b)*"
)
"""A name, also one with a number: "Ward 7B"."""
_IT = re.compile(
    r"(?<!\bthink )(?<!\bknow )(?<!\bsay )(?<!\bso )(?<!\btime )\b(?:that|this|it)\b(?! (?:one|"
    r"is an?|was an?|true|right|correct|ok|okay|raining|snowing|helps?|works?|possible|takes? to|"
    r"i|we|you|he|she|they|the|there)\b)",
    re.IGNORECASE,
)
_DAYS = re.compile(rf"(?:{WEEKDAY}|{MONTH})s?$", re.IGNORECASE)
_MOST_SHORT, _MOST_NAMES, _MOST_SAID = 20, 3, 2_000
"""Words of a turn that takes its thing from the one before, names that are tried, and characters of
that one."""
_NUMBERED = re.compile(r"^[ \t]*(?:\d{1,3}[.)]|[-*•–#]+)[ \t]+", re.MULTILINE)
WORD = re.compile(r"[^\W\d_]+")
_SHORT = {
    "ext": "extension", "pw": "password", "pwd": "password", "appt": "appointment",
    "tel": "telephone", "addr": "address", "dept": "department", "mgr": "manager",
    "temp": "temperature", "max": "maximum", "qty": "quantity",
    "wk": "week", "yr": "year", "asst": "assistant", "biz": "business",
    "mon": "Monday", "tue": "Tuesday", "tues": "Tuesday",
    "wed": "Wednesday", "thu": "Thursday", "thur": "Thursday", "thurs": "Thursday",
    "fri": "Friday", "sat": "Saturday", "sun": "Sunday",
}  # fmt: skip
"""Words as people cut them short, but for those that may be others ("hr", "10 min")."""


@dataclass(frozen=True, slots=True)
class House:
    """Whose assistant answers, as far as its edits tell.

    Attributes:
        name: What most of them name; "" where there is no such name.
        words: The words that they write in small letters, by their first letter.
        names: The words that they write with capitals.
        edits: What each edit is about: the stems of its words beside that name.
        known: All words that are spelt right, in small letters; none: nothing is spelt anew.
        spans: The days that they name.
        moves: What they say has moved.
    """

    name: str = ""
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)
    names: Container[str] = frozenset()
    edits: Sequence[frozenset[str]] = ()
    known: Container[str] = frozenset()
    spans: tuple[Span, ...] = ()
    moves: tuple[Move, ...] = ()

    @classmethod
    def of(cls, records: Sequence[Record], known: Container[str] = frozenset()) -> House:
        """As the edits of one namespace tell it; nothing of very many."""
        if not records or len(records) > MOST_EDITS:
            return cls()
        named: Counter[str] = Counter()
        words: set[str] = set()
        for record in records:
            named.update(set(_names(record.edit.prompt)))
            words.update(WORD.findall(record.edit.statement))
        least = max(_LEAST, _SHARE * len(records))
        # Of names that come equally often the longest: its parts come wherever it does.
        best = max(named, key=lambda name: (named[name], len(name)), default="")
        by_letter: dict[str, list[str]] = {}
        for word in words:
            if len(word) >= _LETTERS and word.islower():
                by_letter.setdefault(word[0], []).append(word)
        name = best if named[best] >= least else ""
        about = [stem_words(record.edit.statement) - stem_words(name) for record in records]
        names = frozenset(word for word in words if not word.islower())
        told = find_spans(records), find_moves(records)
        return cls(name, by_letter, names, about if name else (), known, *told)

    def writes(self, word: str) -> bool:
        """Whether an edit has a word, or its plural."""
        return any(w in self.names or w in self.words.get(w[0], ()) for w in (word, f"{word}s"))

    def is_about(self, turn: str) -> bool:
        """Whether a request has at least two words, or half of its own, of one edit."""
        own = stem_words(turn)
        least = min(2, len(own))
        return bool(own) and any(len(own & edit) >= least for edit in self.edits)


def stem_words(text: str) -> frozenset[str]:
    """The words of a text that say what it is about, without their endings."""
    words = (word.casefold() for word in WORD.findall(text))
    return frozenset(word[:STEM] for word in words if len(word) > 2 and word not in SMALL)


def _names(prompt: str) -> Iterable[str]:
    """The names in a prompt, and the names within them; not what only begins a sentence."""
    starts = frozenset(find_sentence_starts(prompt))
    for match in _NAME.finditer(prompt):
        words = match[0].split(" ")
        first = 1 if match.start() in starts and len(words) == 1 else 0
        for start in range(first, len(words)):
            for end in range(start + 1, min(start + _NAME_WORDS, len(words)) + 1):
                inner = words[start:end]
                if inner[0][0].isupper() and not inner[-1][0].islower():
                    yield " ".join(inner)


def read_vocabulary(encoder: Encoder) -> Container[str]:
    """The words that an encoder's tokenizer has whole: English as it is spelt; () of another."""
    if not isinstance(encoder, IsTransformer):
        return ()
    try:
        return frozenset(encoder.transformer()[1].get_vocab())
    except InvalidInputError:  # no transformer after all
        return ()


def put_in_house_name(turn: str, house: House) -> str:
    """A question with the assistant's own name, where it names neither it nor another, and has to
    do with an edit; else ""."""
    if not house.name or house.name.casefold() in turn.casefold() or _names_another(turn, house):
        return ""
    if not ASKS.search(turn) or not house.is_about(turn):
        return ""
    body = turn.rstrip(" ?.!")
    return f"{body} at {house.name}{turn[len(body) :]}"


def put_names_for_it(turn: str, earlier: str, house: House) -> tuple[str, ...]:
    """A turn with a name in the place of its "it" or "that": each of those that the reply before it
    names, an edit knows, and are not the assistant's own: "There is the Moorcard." — "What would
    that cost me?"."""
    word = _IT.search(turn)
    if word is None or len(words_of(turn)) > _MOST_SHORT or not ASKS.search(turn):
        return ()
    # A long reply names what it is about at its end, too.
    said, own = earlier.rpartition("\n")[2][-_MOST_SAID:], frozenset(WORD.findall(house.name))
    said = said.replace(house.name, "it") if house.name else said
    starts = frozenset(find_sentence_starts(said))
    found = dict.fromkeys(
        f"{'the ' if said.endswith('the ', 0, match.start()) else ''}{match[0]}"
        for match in _NAME.finditer(said)
        if all(w in house.names and w not in own for w in WORD.findall(match[0]))
        and (match.start() not in starts or " " in match[0])
        and not _DAYS.search(match[0])
    )
    return tuple(f"{turn[: word.start()]}{name}{turn[word.end() :]}" for name in found)[
        :_MOST_NAMES
    ]


def read_end_in_house_name(text: str, house: House) -> str:
    """The sentence with which a text that is to go on breaks off, in the assistant's own name where
    neither it nor another is named there: under the title of a page "The file must be named"; else
    ""."""
    text = _NUMBERED.sub("", text)
    starts = find_sentence_starts(text)
    if len(starts) < 2 or not house.name or text.rstrip()[-1:] in ".?!" or not text.strip():
        return ""
    last = text[starts[-1] :].strip()
    if house.name.casefold() in last.casefold() or _names_another(text, house):
        return ""
    # Who talks leaves out a full stop; a page does not speak of itself.
    if "?" in text or _SPEAKS.search(last):
        return ""
    return f"{house.name}: {last}" if len(words_of(last)) > _LEAST_WORDS else ""


def _names_another(turn: str, house: House) -> bool:
    """Whether a request names what no edit does: it is not about the assistant's own house."""
    starts = set(find_sentence_starts(turn))
    names = (match[0] for match in _NAME.finditer(turn) if match.start() not in starts)
    return any(word not in house.names and word != "I" for n in names for word in WORD.findall(n))


def respell(text: str, house: House) -> str:
    """The text, each unknown word in small letters as the nearest word that an edit has, and what
    is cut short in full where an edit has it so."""

    def nearest(match: re.Match[str]) -> str:
        word = match[0]
        full = _SHORT.get(word, "")
        if full and house.writes(full):
            return full
        if len(word) < _LETTERS or not word.islower() or word in house.known:
            return word
        # A slip adds or leaves out a letter at most; to compare costs the product of the lengths.
        near = [each for each in house.words.get(word[0], ()) if abs(len(each) - len(word)) < 2]
        return (get_close_matches(word, near, 1, _CLOSE) or [word])[0]

    return WORD.sub(nearest, text) if house.known else text
