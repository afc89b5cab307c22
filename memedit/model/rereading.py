"""Other readings of a request on which no edit seems to bear, as people leave things out.

Who writes to a firm's assistant says "your API", not the firm's name; puts two questions and a
story into one message; asks for a list of three things at once; misspells. So what bears on nothing
as a whole is read again: in the firm's name, spelt as the edits are and without "today", sentence
by sentence. The items of a list are read each by itself in any case, since the whole asks none of
them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from memedit.core.doubts import read_doubted
from memedit.core.errors import InvalidInputError
from memedit.core.opendays import DayAsked, tells_days
from memedit.core.passages import Conversation
from memedit.core.protocols import Encoder, IsTransformer
from memedit.core.questions import find_last_question
from memedit.core.text import find_sentence_starts, words_of
from memedit.core.types import Decision, Hit, Record, Role
from memedit.model.doubting import put_doubted_first
from memedit.model.ellipsis import fill_in
from memedit.model.moves import Move, find_moves
from memedit.model.shapes import find_hours_of, reshape
from memedit.model.spans import Span, find_spans

MOST_EDITS = 2_000
"""Edits of a namespace up to which it is looked at as one assistant's: by names and words."""
_LEAST, _SHARE = 3, 0.25
"""Edits, and their share, that must name what is taken for the assistant's own name."""
_MOST_PARTS, _MOST_ITEMS, _ITEM_WORDS = 4, 6, 12
_WORDS = 60
"""Words of a request up to which it is read again as a whole, and by items."""
_LETTERS, _CLOSE = 4, 0.75
_STEM = 5
_NAME_WORDS = 8
"""Words of a name: a text may be in capitals from beginning to end."""
_SURE = 0.6
"""Probability from which an edit counts that only the assistant's own name brought up."""
_SMALL = frozenset(
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
_ASKS = re.compile(
    r"\?|\b(?:who|whose|what|which|when|where|how|tell me|let me know|list|give|show|write|still|"
    r"need to know|wonder\w*|want to know)\b",
    re.IGNORECASE,
)
_LISTS = re.compile(
    r"\b(?:bullets?|lists?|table|csv|json|yaml|facts|items|rows?|lines?|steps|numbered|summar\w+|"
    r"compare|names?|both|leaflet|notice|e?mail|e-mail|text|note|quiz)\b",
    re.IGNORECASE,
)
# White space is looked at from its beginning only: a long run of it costs its length, not more.
_BETWEEN = re.compile(
    r"(?:(?<!\s)\s+|)(?:[,;]|\n|\b(?:and|as well as|plus)\b|&|(?<=\s)[+/](?=\s))\s*", re.IGNORECASE
)
_NUMBERED = re.compile(r"(?:^|(?<=\s))\(?\d[.)]\s")
_COUNTED = re.compile(r"(?<=\s)[1-6]\s(?=(?:the|an?|who|what|which|when|where|how)\b)")
"""Before each of several things on one line: "1) the port 2) the host", "1 the port 2 the host"."""
_MARK = re.compile(r"^(?:\W*\d+[.)]|\(?[a-h][.)]|[-*•–])\s*", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")
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
_NOW = re.compile(
    r"(?<!\bfrom)(?<!\buntil)(?<!\btill)(?<!\bby)(?<!\bto)(?<!\bor),? \b"
    r"(?:(?:as of )?(?:today|now)|nowadays|these days|currently|right now|at the moment|"
    r"at present|atm|rn)\b(?!['’]s\b| (?:that|or|on|then)\b)"
)


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
            words.update(_WORD.findall(record.edit.statement))
        least = max(_LEAST, _SHARE * len(records))
        # Of names that come equally often the longest: its parts come wherever it does.
        best = max(named, key=lambda name: (named[name], len(name)), default="")
        by_letter: dict[str, list[str]] = {}
        for word in words:
            if len(word) >= _LETTERS and word.islower():
                by_letter.setdefault(word[0], []).append(word)
        name = best if named[best] >= least else ""
        about = [_stem_words(record.edit.statement) - _stem_words(name) for record in records]
        names = frozenset(word for word in words if not word.islower())
        told = find_spans(records), find_moves(records)
        return cls(name, by_letter, names, about if name else (), known, *told)

    def writes(self, word: str) -> bool:
        """Whether an edit has a word, or its plural."""
        return any(w in self.names or w in self.words.get(w[0], ()) for w in (word, f"{word}s"))

    def is_about(self, turn: str) -> bool:
        """Whether a request has at least two words, or half of its own, of one edit."""
        own = _stem_words(turn)
        least = min(2, len(own))
        return bool(own) and any(len(own & edit) >= least for edit in self.edits)


def _stem_words(text: str) -> frozenset[str]:
    """The words of a text that say what it is about, without their endings."""
    words = (word.casefold() for word in _WORD.findall(text))
    return frozenset(word[:_STEM] for word in words if len(word) > 2 and word not in _SMALL)


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


@dataclass(frozen=True, slots=True)
class Readings:
    """Other texts that a request may be read as.

    Attributes:
        spelt: All of it, spelt as the edits are, and without "today" and its like.
        housed: All of it, in the assistant's own name.
        parts: Its sentences that ask something.
        items: What a list shall hold.
        filled: The question before it, and what it is when it takes its words from that one.
        shaped: All of it, asked in another shape.
        doubted: What it asks once more: the question before it, and what was answered.
        turn: Its own words.
    """

    spelt: tuple[str, ...] = ()
    housed: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()
    shaped: tuple[str, ...] = ()
    doubted: tuple[str, ...] = ()
    turn: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        return (
            *self.spelt, *self.housed, *self.parts, *self.items, *self.filled, *self.shaped,
            *self.doubted,
        )  # fmt: skip


def read_again(query: str, decision: Decision, house: House) -> Readings:
    """Other readings of a request: those of the whole and of its parts where nothing bears on it.

    Args:
        query: A text, or a conversation, of which the last turn is read.
        decision: What the scope said of it.
        house: Whose assistant answers.
    """
    last = getattr(query, "last", 0)
    turn, earlier = str(query)[last:].strip(), str(query)[:last].rstrip("\n")
    if decision.disagrees:  # a document is asked about, and answers for itself
        return Readings()
    if doubted := read_doubted(turn, earlier):
        return Readings(doubted=doubted, turn=turn)
    short = len(words_of(turn)) <= _WORDS
    items = tuple(items_of(turn)) if short else ()

    def whole(text: str) -> tuple[str, ...]:
        return (Conversation(earlier, text),) if text not in ("", turn) else ()

    faint = short and _rate_surest(decision) < _SURE
    spelt = drop_now(respell(turn, house)) if faint else turn
    filled: tuple[str, ...] = ()
    if wholes := fill_in(spelt, earlier):
        filled = (find_last_question(earlier), *wholes)
    if decision.bearing:
        # What is found in spite of a slip is found for sure, and in its role, without it.
        return Readings(spelt=whole(spelt), items=items, filled=filled, turn=turn)
    if not short:
        return Readings(parts=parts_of(turn))
    housed = whole(put_in_house_name(spelt, house))
    shaped = tuple(Conversation(earlier, text) for text in reshape(spelt))
    return Readings(whole(spelt), housed, parts_of(turn), items, filled, shaped, turn=turn)


def _rate_surest(decision: Decision) -> float:
    """Probability of the edit that most surely bears."""
    return max((max(hit.score or 0.0, hit.bearing or 0.0) for hit in decision.bearing), default=0.0)


def put_in_house_name(turn: str, house: House) -> str:
    """A question with the assistant's own name, where it names neither it nor another, and has to
    do with an edit; else ""."""
    if not house.name or house.name.casefold() in turn.casefold() or _names_another(turn, house):
        return ""
    if not _ASKS.search(turn) or not house.is_about(turn):
        return ""
    body = turn.rstrip(" ?.!")
    return f"{body} at {house.name}{turn[len(body) :]}"


def _names_another(turn: str, house: House) -> bool:
    """Whether a request names what no edit does: it is not about the assistant's own house."""
    starts = set(find_sentence_starts(turn))
    names = (match[0] for match in _NAME.finditer(turn) if match.start() not in starts)
    return any(word not in house.names and word != "I" for n in names for word in _WORD.findall(n))


def drop_now(turn: str) -> str:
    """A question without the words for the present, of which every edit speaks; as it is if none
    is left."""
    left = " ".join(_NOW.sub("", turn).split()) if _NOW.search(turn) else turn
    return left if len(words_of(left)) > 1 else turn


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

    return _WORD.sub(nearest, text) if house.known else text


def parts_of(turn: str) -> tuple[str, ...]:
    """The sentences of a turn that ask something and say of what; () where there is but one."""
    starts = find_sentence_starts(turn)
    if len(starts) < 2:
        return ()
    spans = zip(starts, [*starts[1:], len(turn)], strict=True)
    sentences = [turn[start:end].strip() for start, end in spans]
    asking = [text for text in sentences if _ASKS.search(text) and len(words_of(text)) > 2]
    # The last ones: people tell their story first, and ask at its end.
    return tuple(asking[-_MOST_PARTS:])


def items_of(turn: str) -> list[str]:
    """What a list, table or mail that is asked for shall hold, two things or more; else []."""
    for line in reversed(turn.split("\n\n")):
        if not _LISTS.search(line):
            continue
        _, colon, behind = line.partition(":")
        parts = (_MARK.sub("", part) for part in _BETWEEN.split(behind or line))
        found = [part.partition(". ")[0].strip(" .?!\"'") for part in parts]
        items = _choose_items(found)
        if len(items) > 1 and (colon or len(items) == len(found)):
            return items[:_MOST_ITEMS]
        split = _NUMBERED if len(_NUMBERED.findall(line)) > 1 else _COUNTED
        numbered = [part.partition(". ")[0].strip(" ,;.") for part in split.split(line)[1:]]
        if len(items := _choose_items(numbered)) > 1:
            return items[:_MOST_ITEMS]
    return []


def _choose_items(parts: Sequence[str]) -> list[str]:
    return [item for item in parts if 1 < len(words_of(item)) <= _ITEM_WORDS]


def decide_again(
    queries: Sequence[str],
    decisions: Sequence[Decision],
    house: House,
    decide: Callable[[Sequence[str]], list[Decision]],
) -> list[Decision]:
    """The decisions with what other readings of the queries find.

    Args:
        queries: Texts, or conversations.
        decisions: What the scope says of each.
        house: Whose assistant answers.
        decide: The scope.
    """
    readings = [read_again(q, d, house) for q, d in zip(queries, decisions, strict=True)]
    texts = [text for each in readings for text in each.texts]
    if not texts:
        return list(decisions)
    found = iter(decide(texts))
    return [
        _join_readings(own, each, [next(found) for _ in each.texts])
        for own, each in zip(decisions, readings, strict=True)
    ]


def _join_readings(own: Decision, readings: Readings, found: Sequence[Decision]) -> Decision:
    if readings.doubted:
        return put_doubted_first(own, found)
    each = iter(found)
    spelt, housed, parts, items, filled, shaped = (
        [next(each) for _ in texts]
        for texts in (
            readings.spelt, readings.housed, readings.parts, readings.items, readings.filled,
            readings.shaped,
        )
    )  # fmt: skip
    whole = [
        *spelt,
        *_find_new(filled, readings.turn),
        *(
            d
            for d in (*housed, *(d for d in shaped if _tells_hours(d, readings.turn)))
            if any((h.bearing or 0) >= _SURE for h in d.bearing)
        ),
    ]
    found_any = (d for d in whole if d.bearing or d.disagrees)
    best = max(found_any, key=lambda d: (bool(d.disagrees), _rate_surest(d)), default=None)
    sure = best is not None and _rate_surest(best) >= _SURE
    if filled and sure and _ids(own) <= _ids(filled[0]):
        own = replace(own, hits=(), informs=())  # what was asked before is asked no more
    if best is not None and (best.disagrees or _rate_surest(best) > _rate_surest(own)):
        own, parts = best, []
    asking = [d for d in parts if d.bearing]
    if len(asking) == 1 and not any(d.bearing for d in items):
        return asking[0]  # one question, with a story round it
    told = [decision.bearing for decision in asking] + [decision.hits for decision in items]
    for hits in told:
        own = add_informing(own, hits)
    return own


def _tells_hours(found: Decision, turn: str) -> bool:
    """Whether what is found names all that a turn asks the hours of, if it does ask for hours: the
    library's are not its canteen's."""
    asked, of_day = _stem_words(find_hours_of(turn)), DayAsked.of(turn) is not None
    facts = [hit.record.edit.statement for hit in found.bearing]
    return all(asked <= _stem_words(fact) and (tells_days(fact) or not of_day) for fact in facts)


def _ids(decision: Decision) -> set[str]:
    return {hit.record.id for hit in decision.bearing}


def _find_new(filled: Sequence[Decision], turn: str) -> list[Decision]:
    """What the readings of a turn ask that the question before it, the first of them, did not ask:
    another edit, or one that has the turn's own words."""
    if not filled:
        return []
    asked = _ids(filled[0])
    own = {word.casefold().removesuffix("s")[:_STEM] for word in _WORD.findall(turn)} - _SMALL

    def is_new(hit: Hit) -> bool:
        words = [word.casefold() for word in _WORD.findall(hit.record.edit.statement)]
        told = any(word.startswith(stem) for word in words for stem in own if len(stem) > 2)
        return hit.record.id not in asked or told

    return [each for each in filled[1:] if each.bearing and is_new(each.bearing[0])]


def add_informing(own: Decision, hits: Iterable[Hit]) -> Decision:
    """The decision with these edits, too: the answer depends on them, and on others."""
    known = _ids(own)
    new = [_make_informing(hit) for hit in hits if hit.record.id not in known]
    if not new:
        return own
    told = tuple(_make_informing(hit) for hit in own.hits)
    weighed = {hit.record.id: hit for hit in (*own.candidates, *told, *new)}
    return replace(
        own, hits=(), informs=(*told, *own.informs, *new), candidates=tuple(weighed.values())
    )


def _make_informing(hit: Hit) -> Hit:
    role: Role = "informs"
    return replace(hit, role=role, bearing=max(hit.bearing or 0.0, hit.score or 0.0))
