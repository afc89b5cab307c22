"""Multiple choice: the option that a fact's own words are.

A base that is to say the letter at once compares nothing: told that the fee is £22 and asked for A)
£15, B) £30 or C) £22, Qwen2.5-Coder-1.5B says B. Where one of the options stands in the fact and no
other does, no reasoning is needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from memedit.editors.prompting.reckoning import counts

_LINE = re.compile(
    r"^ ?\(?(?:(?P<letter>[A-Ha-h1-8])[.):] ?|(?P<bare>[A-H]) )(?P<text>[^\s=+-][^\n]*)$",
    re.MULTILINE,
)
_INLINE = re.compile(
    r"(?:(?<=[\s,;:])|^)\(?(?P<letter>[A-Ha-h1-8])(?P<bare>)[.):] ?(?P<text>[^\n]+?)"
    r"(?=[,;.?]? (?:or )?\(?[B-Hb-h2-8][.):]|[.?] |[.?]? ?$)",
    re.MULTILINE,
)
_WORD = re.compile(r"[€$£]?[^\W_]+(?:[.:-][^\W_]+)*%?")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
_UNITS = {
    **dict.fromkeys(("min", "mins", "minute"), "minutes"),
    **dict.fromkeys(("h", "hr", "hrs", "hour"), "hours"),
    **dict.fromkeys(("sec", "secs", "second"), "seconds"),
    **{unit: f"{unit}s" for unit in ("day", "week", "month", "year", "euro", "dollar", "pound")},
}
"""Units as they are written in one form."""
_FEWEST = 2
_REVERSED = re.compile(
    r"\b(?:not|except|wrong|false|incorrect\w*|untrue|never|no longer|outdated|other than|"
    r"besides|before|"
    r"previous\w*|former\w*|used to|was|were|than|cannot|lacks?|without|instead)\b|n['’]t\b",
    re.IGNORECASE,
)
"""With which another option than the fact's is asked for, before the options."""
_ONCE = re.compile(r"\b(?:formerly|previously)\b", re.IGNORECASE)
"""In a fact that has an old value, too."""
_DENIED = re.compile(
    r"\b(?:not|no longer|never|nothing|without|except|instead|neither|cannot)\b|n['’]t\b",
    re.IGNORECASE,
)
"""In the sentence of a fact in which an option stands."""
_OPPOSITES = tuple(
    (re.compile(one, re.IGNORECASE), re.compile(other, re.IGNORECASE))
    for one, other in (
        (r"\bclos(?:e|es|ed|ing)\b", r"\bopen"),
        (r"\bmin(?:imum|imal)?\b|\b(?:smallest|lowest|least)\b",
         r"\bmax(?:imum|imal)?\b|\b(?:largest|highest|most)\b"),
    )
)  # fmt: skip
"""Of which a question asks one and a fact says the other."""
_CHOSEN = re.compile(
    r"\?|\b(?:which|what|who|when|where|how|choose|pick|select|options?|letter|quiz|fill in)\b",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"\b(?:list|numbered|items?|points?|summari[sz]e|translate|rewrite|rephrase|fix|"
    r"correct the|classify|"
    r"label|explain|sort|minutes|proofread|write|draft|agenda)\b",
    re.IGNORECASE,
)
"""Texts that are to be written, or worked on, and have items of their own."""
_WORDS_OF_NONE = frozenset("yes no true false none both all neither either".split())
_LONGEST = 4000


def find_options(words: str) -> dict[str, str]:
    """The options of a request by their letters, or numbers; {} where it offers no such choice."""
    return _find(words)[1]


def _find(words: str) -> tuple[str, dict[str, str]]:
    """What stands before the options, and these."""
    text = re.sub(r"[^\S\n]+", " ", words) if len(words) <= _LONGEST else ""
    for form in (_LINE, _INLINE):
        found = list(form.finditer(text))
        letters = [match["letter"] or match["bare"] for match in found]
        if len(found) < _FEWEST or not _follow_each_other(letters):
            continue
        stem = text[: found[0].start()]
        counted = letters[0] == "1"  # which things to be written often are
        cue = _CHOSEN.search(text) or (not counted and stem.rstrip().endswith(":"))
        if cue and not _OTHER.search(stem):
            texts = (match["text"].strip(" .,;?") for match in found)
            return stem, dict(zip(letters, texts, strict=True))
    return "", {}


def choice_of(words: str, facts: Sequence[str]) -> str | None:
    """The letter of the only option that stands in the first of the facts in which any does.

    Args:
        words: A user's, all of them.
        facts: What is told, best first.

    Returns:
        None where there is no such choice, or the facts' own words do not give it.
    """
    stem, options = _find(words)
    if not options or _REVERSED.search(stem) or counts(stem):
        return None
    if any(text.casefold() in _WORDS_OF_NONE for text in options.values()):
        return None
    for fact in facts:
        if held := _find_held(options, fact):
            if len(held) > 1:
                fact = _find_nearest(stem, fact)
                held = _find_held(options, fact)
            said = len(held) == 1 and _says_plainly(stem, fact, options[held[0]])
            return held[0] if said else None
    return None


def _says_plainly(stem: str, fact: str, option: str) -> bool:
    """Whether the sentences of a fact in which an option stands neither deny it nor say the
    opposite of what is asked."""
    own = _simplify(option)
    held = " ".join(part for part in _SENTENCE.split(fact) if own in _simplify(part)) or fact
    if _ONCE.search(fact) or _DENIED.search(held):
        return False
    both = (pair for one, other in _OPPOSITES for pair in ((one, other), (other, one)))
    return not any(
        asked.search(stem) and said.search(held) and not (asked.search(held) or said.search(stem))
        for asked, said in both
    )


def _find_held(options: Mapping[str, str], text: str) -> list[str]:
    """The letters of the options that stand in a text."""
    own = _simplify(text)
    return [letter for letter, option in options.items() if _simplify(option) in own]


def _find_nearest(stem: str, fact: str) -> str:
    """The sentence of a fact that has most of the words of what is asked; "" where two have."""
    asked = set(_simplify(stem).split())
    shared = {s: len(asked & set(_simplify(s).split())) for s in _SENTENCE.split(fact)}
    most = max(shared.values())
    nearest = [sentence for sentence, count in shared.items() if count == most]
    return nearest[0] if len(nearest) == 1 else ""


def _follow_each_other(letters: Sequence[str]) -> bool:
    first = ord(letters[0])
    return letters[0] in "Aa1" and [ord(letter) for letter in letters] == list(
        range(first, first + len(letters))
    )


def _simplify(text: str) -> str:
    """Its words and numbers between spaces, so that no part of a word is found."""
    kept = re.sub(r"(?<=\d),(?=\d{3})", "", text.casefold())
    words = (_UNITS.get(word, word) for word in _WORD.findall(kept))
    return f" {' '.join(words)} "
