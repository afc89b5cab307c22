"""Words by which two sentences that sound alike tell of different things.

"The practice opens at 8" and "closes at 6" sound nearly the same, and so do "the deputy head" and
"the head", "the team lead of billing" and "of search". An opposite, a word that makes a thing a
part or another of its kind, or one word of a sentence's frame that is another: then neither
sentence corrects the other.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher

from memedit.core.text import words_of

_OPPOSITES = tuple(
    (re.compile(rf"\b(?:{one})\b", re.IGNORECASE), re.compile(rf"\b(?:{two})\b", re.IGNORECASE))
    for one, two in (
        (r"open(?:s|ed|ing)?", r"clos(?:e|es|ed|ing)|shut(?:s|ting)?"),
        (
            r"starts?|started|starting|begins?|beginning|opens?",
            r"ends?|ended|ending|stops?|finish(?:es)?|closes?|shuts?|until",
        ),
        (
            r"at least|minimum|no less than|or more|from",
            r"at most|maximum|no more than|up to|limit(?:ed)?",
        ),
        (r"arrives?|arrival|arriving", r"leaves?|departs?|departure|departing"),
        (r"check[- ]?in", r"check[- ]?out"),
        (r"before", r"after"),
        (r"buy|bought|purchas\w+", r"sell|sold|sale"),
        (r"includ\w+", r"exclud\w+"),
        (r"borrow\w*|lend\w*|lent", r"reserv\w+|return\w*"),
        (r"sends?|sent", r"receives?|received"),
        (r"wins?|won", r"los(?:es?|t)"),
        (r"men|man|male", r"women|woman|female"),
        (r"adults?", r"child(?:ren)?|kids?"),
        (r"upload\w*", r"download\w*"),
        (r"import\w*", r"export\w*"),
        (r"indoor|inside", r"outdoor|outside"),
    )
)
_BOUNDS = {
    "above": re.compile(
        r"\b(?:by|until|till|no later than|before|latest)\s+(?:the\s+)?\d|\b(?:at most|up to|"
        r"maximum|limit|(?:can|may)\s+(?!be\b)\w+\s+(?:for\s+)?\d)",
        re.IGNORECASE,
    ),
    "below": re.compile(
        r"\b(?:from|after|since|as of)\s+(?:the\s+)?\d|\bmust\b.*\bat least|\bminimum",
        re.IGNORECASE,
    ),
}
_PARTS = frozenset(
    "first second third next deputy assistant vice assistants sous co junior senior spare mini "
    "express half double extra additional online beta draft trial temporary weekly monthly yearly "
    "early late old former previous only single both some most free".split()
)
"""Words that make a thing a part, or another of its kind."""
_FLOOR = re.compile(r"\b\w+ (?:floor|lesson|storey)\b", re.IGNORECASE)
"""What is a place or a time, though "first" stands before it."""
_PERIODS = {"week": "weekly", "month": "monthly", "year": "yearly"}
_COMMON = frozenset(
    "a an the of in on at by to for from with and or as it its is are was were be been has have "
    "had can may must will shall should do does did our we you your us they them their he she his "
    "her i my me this that these those there here now up per each every all any who which what "
    "when where than so if then not no one gets get got takes take lasts last costs cost pay pays "
    "charge closes close shuts shut stops ends opens open starts start begins begin gives give "
    "class".split()
)
_FRAME = 0.6
"""Share of the words of two sentences of one frame that are the same, in their order."""


def contrast(old: str, new: str) -> bool:
    """Whether words set two sentences apart; ``new`` with the old one's values."""
    old, new = (_FLOOR.sub(" ", text) for text in (old, new))
    if _bounds(old) & _bounds(new) == set() and _bounds(old) and _bounds(new):
        return True
    return _are_opposite(old, new) or _differ_in_part(old, new) or _differ_in_frame(old, new)


def _bounds(text: str) -> set[str]:
    """On which side a sentence bounds its value: "by 18:00", "at most" from above, "must stay at
    least" from below."""
    return {name for name, pattern in _BOUNDS.items() if pattern.search(text)}


def _are_opposite(old: str, new: str) -> bool:
    for one, two in _OPPOSITES:
        was = one.search(old) is not None, two.search(old) is not None
        now = one.search(new) is not None, two.search(new) is not None
        if {was, now} == {(True, False), (False, True)}:
            return True
    return False


def _differ_in_part(old: str, new: str) -> bool:
    was, now = set(words_of(old)), set(words_of(new))
    said = {_PERIODS[word] for word in (was | now) & _PERIODS.keys()}
    return bool(((was ^ now) & _PARTS) - said)


def _differ_in_frame(old: str, new: str) -> bool:
    """Whether one word with a meaning stands in another's place, and the rest is as it was."""
    one, two = ([_stem(word) for word in words_of(text)] for text in (old, new))
    matcher = SequenceMatcher(None, one, two, autojunk=False)
    if matcher.ratio() < _FRAME:
        return False
    return any(
        kind == "replace"
        and len([w for w in one[a:b] if w not in _COMMON]) == 1
        and len([w for w in two[c:d] if w not in _COMMON]) == 1
        and one[a:b] != two[c:d]
        for kind, a, b, c, d in matcher.get_opcodes()
    )


def _stem(word: str) -> str:
    # Marked, so that no stem is taken for a common word: "closed" is not "close".
    return word if word in _COMMON or len(word) < 5 else f"{word[:5]}-"
