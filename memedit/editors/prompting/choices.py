"""Multiple choice: the option that a fact's own words are.

A base that is to say the letter at once compares nothing: told that the fee is £22 and asked for A)
£15, B) £30 or C) £22, Qwen2.5-Coder-1.5B says B. Where one of the options stands in the fact and no
other does, no reasoning is needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from memedit.editors.prompting.reckoning import counts
from memedit.editors.prompting.rivals import is_of_another, shared_words

_LINE = re.compile(
    r"^ ?\(?(?:(?P<letter>[A-Ha-h1-8])[.):] ?|(?P<bare>[A-H]) )(?P<text>[^\s=+-][^\n]*)$",
    re.MULTILINE,
)
_INLINE = re.compile(
    r"(?:(?<=[\s,;:])|^)\(?(?P<letter>[A-Ha-h1-8])(?P<bare>)[.):] ?(?P<text>[^\n]+?)"
    r"(?=[,;.?]? (?:or )?\(?[B-Hb-h2-8][.):]|[.?] |[.?]? ?$)",
    re.MULTILINE,
)
_BARE = re.compile(
    r"(?<=[\s:])(?P<letter>[A-H])(?P<bare>) (?P<text>[^\n,;?]{1,60}?)"
    r"(?=,? (?:or )?[B-H] |[?;]|[.,]? ?$|\. )",
    re.MULTILINE,
)
"""Letters without a mark, where one is to be said: "do you dial A 778, B 779 or C 780?"."""
_WORD = re.compile(r"[€$£]?[^\W_]+(?:[.:-][^\W_]+)*%?")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
_CLAUSE = re.compile(
    r",\s|\s[–—]\s|\s(?:and|but|while|whereas|or)\s|\s(?=(?:to (?=[A-Z\d])|until|till)\b)"
)
_BRACKETED = re.compile(r"\([^()]*\)")
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
_DENIED = re.compile(
    r"\b(?:not|no longer|never|nothing|without|except|instead|neither|cannot)\b|n['’]t\b",
    re.IGNORECASE,
)
"""In the sentence of a fact in which an option stands."""
_OPPOSITE = re.compile(
    r"\b(?:not|except|wrong|false|incorrect\w*|untrue|never|no longer|outdated|other than|besides|"
    r"previous\w*|former\w*|used? to|odd one|which (?:two|three|ones)|all that|several|cannot|"
    r"lacks?|without|instead)\b|n['’]t\b",
    re.IGNORECASE,
)
"""In what asks for another option than the one that is so, or for several."""
_NO_OPTION = re.compile(
    r"\?|\b(?:of (?:the above|these|them)|none|both|don['’]t know|depends)\b|^(?:yes|no)\b",
    re.IGNORECASE,
)
_NONE = re.compile(r"(?:none|neither)\b(?: of\b.{0,30})?$", re.IGNORECASE)
_CHOSEN = re.compile(
    r"\?|\b(?:which|what|who|when|where|how|choose|pick|select|options?|letter|quiz|test|exam|"
    r"fill in)\b",
    re.IGNORECASE,
)
_LETTER = re.compile(r"\bletter\b", re.IGNORECASE)
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
    return split_options(words)[1]


def is_plain_choice(stem: str, options: Mapping[str, str]) -> bool:
    """Whether one of the options is asked for, and not the one that is none, or all of them."""
    odd = any(
        text.casefold() in _WORDS_OF_NONE or _NO_OPTION.search(text) for text in options.values()
    )
    return bool(options) and not odd and _OPPOSITE.search(stem) is None


def find_none(options: Mapping[str, str]) -> str | None:
    """The letter of the option that none of the others is it; None: there is no such option."""
    return next((letter for letter, text in options.items() if _NONE.match(text)), None)


def split_options(words: str) -> tuple[str, dict[str, str]]:
    """What stands before the options, and these."""
    text = re.sub(r"[^\S\n]+", " ", words) if len(words) <= _LONGEST else ""
    for form in (_LINE, _INLINE, *([_BARE] if _LETTER.search(text) else [])):
        found = list(form.finditer(text))
        letters = [match["letter"] or match["bare"] for match in found]
        if len(found) < _FEWEST or not _follow_each_other(letters):
            continue
        stem = text[: found[0].start()]
        counted = letters[0] == "1"  # which things to be written often are
        cue = _CHOSEN.search(text) or (not counted and stem.rstrip().endswith(":"))
        if cue and not _OTHER.search(stem):
            if all(match["text"].rstrip().endswith("?") for match in found[:-1]):
                continue  # questions, each of its own
            texts = (match["text"].strip(" .,;?/|") for match in found)
            return stem, dict(zip(letters, texts, strict=True))
    return "", {}


def choice_of(words: str, facts: Sequence[str]) -> str | None:
    """The letter of the only option that the first of the facts in which any stands says of what
    is asked, where no other fact says another of it.

    Args:
        words: A user's, all of them.
        facts: What is told, best first.

    Returns:
        None where there is no such choice, or the facts' own words do not give it: also where two
        options fit equally.
    """
    stem, options = split_options(words)
    if not options or _REVERSED.search(stem) or counts(stem):
        return None
    if any(text.casefold() in _WORDS_OF_NONE for text in options.values()):
        return None
    choice = _Choice(stem, options)
    given = [found for fact in facts if (found := choice.read(fact))]
    if not given:
        return None
    best, *others = given
    sure = all(each.letter == best.letter or each.shared < best.shared for each in others)
    return best.letter if sure else None


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a fact says to a choice.

    Attributes:
        letter: Of the option that it gives; None where options stand in it and none is given.
        shared: The words that it shares with what is asked.
    """

    letter: str | None
    shared: frozenset[str] = frozenset()


class _Choice:
    """What is asked, and the options."""

    def __init__(self, stem: str, options: Mapping[str, str]) -> None:
        self._stem = stem
        self._options = {
            letter: _BRACKETED.sub("", text).strip() or text for letter, text in options.items()
        }
        self._forms = {
            letter: (_simplify(text), _simplify(self._options[letter]))
            for letter, text in options.items()
        }

    def read(self, fact: str) -> _Reading | None:
        """What a fact says to it; None where no option stands there."""
        if not (held := self._find_held(fact)):
            return None
        said = [_Reading(letter, shared_words(self._stem, part))
                for letter, part in self._find_said(fact)]  # fmt: skip
        if not said:
            return _Reading(None)
        best = max(said, key=lambda each: len(each.shared))
        letter = best.letter or ""
        equal = any(each.letter != letter and not each.shared < best.shared for each in said)
        if equal or self._is_asked_about(letter, held) or self._is_denied(letter, fact):
            return _Reading(None)
        return best

    def _find_said(self, fact: str) -> list[tuple[str, str]]:
        """(letter, the words) of each part of a fact in which one option stands alone and that is
        of what is asked."""
        found = []
        for clause, whole in self._find_parts(fact):
            letters = self._find_held(clause)
            if len(letters) == 1:
                own = self._options[letters[0]]
                if not any(is_of_another(self._stem, each, own) for each in (clause, whole)):
                    found.append((letters[0], whole))
        return found

    def _find_parts(self, fact: str) -> list[tuple[str, str]]:
        """The clauses of a fact in which options stand, each alone and with what leads to it."""
        found, missed = [], set(self._find_held(fact))
        for sentence in _SENTENCE.split(fact):
            lead, here = "", set(self._find_held(sentence))
            for clause in _CLAUSE.split(sentence) if here else ():
                lead = f"{lead} {clause}"
                if held := self._find_held(clause):
                    found.append((clause, lead))
                    lead, here, missed = "", here - {*held}, missed - {*held}
            if here:  # what stands in none of its clauses is made of several
                found.append((sentence, sentence))
                missed -= here
        return [*found, (fact, fact)] if missed else found  # "Dr. Roth" is in one

    def _is_asked_about(self, letter: str, held: Sequence[str]) -> bool:
        """Whether what is asked names an option and none of the others that stand in a fact:
        "Whom does Ada report to?"."""
        others = " ".join(self._options[other] for other in held if other != letter)
        own = shared_words(self._stem, self._options[letter])
        return bool(others and own - shared_words(self._stem, others))

    def _is_denied(self, letter: str, fact: str) -> bool:
        """Whether the sentences of a fact in which an option stands say that it is not so."""
        held = [part for part in _SENTENCE.split(fact) if letter in self._find_held(part)]
        return _DENIED.search(" ".join(held) or fact) is not None

    def _find_held(self, text: str) -> list[str]:
        """The letters of the options that stand in a text, with what they say in brackets or
        without."""
        said = _simplify(text)
        return [
            letter for letter, forms in self._forms.items()
            if any(form.strip() and form in said for form in forms)
        ]  # fmt: skip


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
