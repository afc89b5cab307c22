"""What a request asks for piece by piece: its sentences, the items of a list, the questions within
a sentence ("tell him what it costs and when we close"), the keys of a program's data."""

from __future__ import annotations

import re
from collections.abc import Sequence

from memedit.core.text import find_sentence_starts, words_of

_MOST_PARTS, _MOST_ITEMS, _ITEM_WORDS = 4, 6, 12
ASKS = re.compile(
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
_WRITES = re.compile(
    r"\b(?:e?mails?|e-mails?|an? letter|letters? to|note|notice|message|msg|text|lines?|sentences?|"
    r"paragraph|reply|draft|leaflet|sign|post|announcement|json|yaml|csv|dict|python|table|"
    r"bullets?|lists?)\b",
    re.IGNORECASE,
)
_PROGRAMS = re.compile(
    r"\b(?:json|yaml|toml|csv|dict(?:ionary)?|object|python|constants?|variables?|config|keys?)\b",
    re.IGNORECASE,
)
_KEY = re.compile(
    r"[\"'`“‘]([A-Za-z]\w{1,30}(?: \w{1,20}){0,2})[\"'`”’]"
    r"|\b([A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+)\b"
)
_HUMPS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ENDS = re.compile(
    r"[,;:()\n]|\.\s|\s(?:and|as well as|plus|so|but|because|&|\+|/)\s", re.IGNORECASE
)
_CLAUSE = re.compile(
    r"(?:\b(?:at|by|from|until|till|for|on|in|to|up to|after|beside|with|under|of)\s)?"
    r"\b(?:(?:who|whose|what|which|when|where|how|whether)\b|if\s(?:he|she|they|it|we|you|there)\b)",
    re.IGNORECASE,
)
_RELATIVE = re.compile(r"(?:who|which)\b", re.IGNORECASE)
_LEADS = re.compile(
    r"(?:\b(?:know|tell|tell \w+|says?|explain\w*|explain to \w+|ask\w*|wonder\w*|is|about|"
    r"mention\w*|find out|see|from|for|with|of|to)\s)$",
    re.IGNORECASE,
)
"""Before "who" and "which" where they ask, and tell no more of a noun."""
_LEAD = 40
_THING = re.compile(
    r"(?:^|\b(?:know|mention|say|tell \w+|give \w+|needs?|explain|asked (?:for|about)|with|w/?)\s)"
    r"(?=(?:the|our|your|his|her|their)\s)",
    re.IGNORECASE,
)
_FORM = re.compile(
    r"^(?:max\w*\.? |at most |just |only )?\d[\d-]* ?(?:\w+ )?"
    r"(?:sentences?|lines?|words?|points?|rows?)\b|"
    r"^(?:(?:please|pls|can you|could you|i) )?(?:write|draft|send|make|give|need|compose)\b|"
    r"\b(?:nothing else|no explanation|please|pls|polite\w*|friendly|short|sign\w*|thanks?|thx)\b",
    re.IGNORECASE,
)
_CLAUSE_WORDS = 20
_MARK = re.compile(r"^(?:\W*\d+[.)]|\(?[a-h][.)]|[-*•–])\s*", re.IGNORECASE)


def parts_of(turn: str) -> tuple[str, ...]:
    """The sentences of a turn that ask something and say of what; () where there is but one."""
    starts = find_sentence_starts(turn)
    if len(starts) < 2:
        return ()
    spans = zip(starts, [*starts[1:], len(turn)], strict=True)
    sentences = [turn[start:end].strip() for start, end in spans]
    asking = [text for text in sentences if ASKS.search(text) and len(words_of(text)) > 2]
    # The last ones: people tell their story first, and ask at its end.
    return tuple(asking[-_MOST_PARTS:])


def items_of(turn: str) -> list[str]:
    """What a list, table or mail that is asked for shall hold, two things or more; else []."""
    return _split_items(turn)[0]


def lists_more(turn: str) -> bool:
    """Whether a list names more than its items: single words, or what was cut short."""
    items, parts = _split_items(turn)
    return any(part not in items and not is_about_form(part) for part in parts if part)


def _split_items(turn: str) -> tuple[list[str], list[str]]:
    """The items of a list, and all that stands where items do."""
    for line in reversed(turn.split("\n\n")):
        if not _LISTS.search(line):
            continue
        _, colon, behind = line.partition(":")
        parts = (_MARK.sub("", part) for part in _BETWEEN.split(behind or line))
        found = [part.partition(". ")[0].strip(" .?!\"'") for part in parts]
        items = _choose_items(found)
        if len(items) > 1 and (colon or len(items) == len(found)):
            return items[:_MOST_ITEMS], found
        split = _NUMBERED if len(_NUMBERED.findall(line)) > 1 else _COUNTED
        numbered = [part.partition(". ")[0].strip(" ,;.") for part in split.split(line)[1:]]
        if len(items := _choose_items(numbered)) > 1:
            return items[:_MOST_ITEMS], numbered
    return [], []


def _choose_items(parts: Sequence[str]) -> list[str]:
    return [item for item in parts if 1 < len(words_of(item)) <= _ITEM_WORDS]


def clauses_of(turn: str) -> list[str]:
    """What a text that is to be written shall tell, question by question: "he needs to know what it
    costs and when we close" holds two."""
    if not _WRITES.search(turn):
        return []
    starts = find_sentence_starts(turn)
    spans = zip(starts, [*starts[1:], len(turn)], strict=True)
    pieces = (
        piece for start, end in spans for piece in _ENDS.split(turn[start:end].rstrip(" .!?"))
    )
    clauses = (_find_clause(piece.lstrip()).strip(" \"'") for piece in pieces)
    return [each for each in clauses if 2 < len(words_of(each)) <= _CLAUSE_WORDS][:_MOST_ITEMS]


def asks_besides(turn: str, pieces: Sequence[str]) -> bool:
    """Whether a sentence of a request asks something, and holds none of the pieces: "A list of A
    and B. Are you open on Sunday?"."""
    starts = find_sentence_starts(turn)
    sentences = (turn[i:j] for i, j in zip(starts, [*starts[1:], len(turn)], strict=True))
    return any(
        "?" in sentence
        and not _WRITES.search(sentence)
        and not any(piece in sentence for piece in pieces)
        for sentence in sentences
    )


def is_about_form(piece: str) -> bool:
    """Whether a piece says how a text is to be: "3-4 sentences", "nothing else"."""
    return _FORM.search(piece) is not None


def _find_clause(piece: str) -> str:
    """What a piece of a sentence asks, from the question word on or behind what leads to a thing;
    "": nothing."""
    for match in _CLAUSE.finditer(piece):
        start = match.start()
        # What leads to it is a word or two; all that stands before would be read for each of many.
        before = piece[max(0, start - _LEAD) : start]
        if not _RELATIVE.match(match[0]) or not before or _LEADS.search(before):
            return piece[start:]
    thing = _THING.search(piece)
    return piece[thing.end() :] if thing else ""


def keys_of(turn: str) -> list[str]:
    """The names of what a program or a file that is to be written shall hold, as words:
    "cool_hours" is "cool hours"."""
    if not _PROGRAMS.search(turn):
        return []
    named = (match[1] or match[2] for match in _KEY.finditer(turn))
    words = (" ".join(_HUMPS.sub(" ", name).replace("_", " ").split()).casefold() for name in named)
    return list(dict.fromkeys(each for each in words if each))[:_MOST_ITEMS]
