"""Whether an answer says a value, however it writes it: numbers, prices, times and dates.

Both sides are brought into one form (:func:`make_canonical`) and compared as whole words, as
SQuAD's containment does; unlike there the whole answer counts, not its first sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_NUMBERS = {word: n for n, word in enumerate(_UNITS)}
_NUMBERS |= {word: 10 * n for n, word in enumerate(_TENS, 2)}
_MONTHS = (
    "january february march april may june july august september october november december"
).split()
_MONTH = "|".join(f"{m}|{m[:3]}" for m in _MONTHS)
_NUMBER = re.compile(rf"\b(?:{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})\b")
_TIME = r"(\d{1,2})(?:[:.](\d\d))?"
_HALF = re.compile(rf"\b{_TIME}\s*(am|pm)\b")
_RANGE = re.compile(rf"\b{_TIME}\s*(?:-|–|to|and|until)\s*({_TIME}\s*(am|pm))\b")
_MONEY = ((r"€|\beur\b|\beuros?\b", "euro"), (r"\$|\busd\b|\bdollars?\b", "dollar"),
          (r"£|\bgbp\b|\bpounds?\b", "pound"))  # fmt: skip
_MEASURES = (
    (r"min(?:ute)?s?", "minute"), (r"h(?:ou)?rs?", "hour"), (r"secs?|seconds?", "second"),
    (r"kgs?|kilos?|kilogram(?:me)?s?", "kg"), (r"km|kilomet(?:re|er)s?", "km"),
    (r"cm|centimet(?:re|er)s?", "cm"), (r"met(?:re|er)s?", "metre"), (r"lit(?:re|er)s?", "litre"),
    (r"cents?|ct", "cent"),
)  # fmt: skip
_CONTRAST = re.compile(
    r"\b(?:not|no|never|instead|rather|than|previously|formerly|former|earlier|before|old|was|were|"
    r"used|until|longer|isnt|wasnt|arent|doesnt|dont|didnt|cannot|cant|from|wrong|incorrect)\b"
)
_BREAK = re.compile(r"[.!?]\s|\n|[,;:]\s")
_YES = re.compile(
    r"^(?:yes|yep|yeah|yup|correct|right|true|sure|certainly|absolutely|indeed|of course|exactly|"
    r"that is (?:right|correct|true)|thats (?:right|correct|true)|you are (?:right|correct)|"
    r"it is (?:true|correct)|you can|affirmative)\b"
)
_NO = re.compile(
    r"^(?:no|nope|not|false|incorrect|wrong|unfortunately|sorry|that is (?:not|wrong|incorrect)|"
    r"thats (?:not|wrong|incorrect)|it is not|its not|you cannot|you cant|you do not|you dont|"
    r"negative)\b"
)
_NEGATED = re.compile(r"\b(?:not|no|never|cannot|cant|isnt|wont|doesnt|dont|didnt|longer)\b")

_FEWEST = 3
"""Letters of a word that has a plural."""

Polarity = Literal["yes", "no"]


def make_canonical(text: str) -> str:
    """One way to write it: lower case, words apart by one space, no punctuation or articles.

    ``"€4.50"``, ``"4,50 Euro"`` -> ``"4.5 euro"``; ``"forty-five"`` -> ``"45"``; ``"9,210"`` ->
    ``"9210"``; ``"2 to 7 p.m."`` -> ``"14:00 19:00"``; ``"January 31st"`` -> ``"31 january"``;
    ``"45-min"`` -> ``"45 minute"``; ``"Thursdays"`` -> ``"thursday"``.
    """
    text = re.sub(r"(?<=[a-z0-9] )A\b(?!['’])", "lettera", text)  # "coach A": no article
    text = text.casefold().replace("\u00a0", " ").replace("\u202f", " ")
    text = re.sub(r"[’‘']", "", text)
    text = re.sub(r"\b([ap])\.\s?m\b\.?", r"\1m", text)
    text = _times(_numbers(text))
    text = _dates(text)
    for pattern, name in _MONEY:
        text = re.sub(rf"(?:{pattern})\s?(\d[\d.]*)", rf"\1 {name}", text)
        text = re.sub(pattern, f" {name} ", text)
    for pattern, name in _MEASURES:
        text = re.sub(rf"(?<=\d)[\s-]?(?:{pattern})\b", f" {name}", text)
    text = re.sub(r"\b(mon|tues|wednes|thurs|fri|satur|sun)days\b", r"\1day", text)
    text = re.sub(r"\b0(\d:\d\d)", r"\1", text)
    text = re.sub(r"%", " percent ", text).replace("per cent", "percent")
    text = re.sub(r"(?<!\d)[.:]|[.:](?!\d)", " ", text)  # those inside of numbers stay
    text = re.sub(r"[^\w.:]+|_", " ", text)
    text = re.sub(r"\b(?:a|an|the)\b", " ", text)
    return " ".join(text.split())


def _numbers(text: str) -> str:
    """Digits for words up to 999, no thousands' commas, no closing zeros."""
    text = _NUMBER.sub(lambda found: str(_NUMBERS[found.group()]), text)
    text = re.sub(r"\b([2-9]0)[\s-]([1-9])\b(?![:.]\d)", _sum, text)
    text = re.sub(r"\b(?:a|1) hundred\b", "100", text)
    text = re.sub(r"\b([2-9]) hundred\b", r"\g<1>00", text)
    text = re.sub(r"\b([1-9])00 and (\d{1,2})\b", lambda m: str(int(m[1]) * 100 + int(m[2])), text)
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    text = re.sub(r"\b(\d+),(\d{1,2})\b(?!,)", r"\1.\2", text)
    text = re.sub(r"\b(\d+\.\d*?[1-9])0+\b|\b(\d+)\.0+\b", lambda m: m[1] or m[2], text)
    return re.sub(r"\b(\d+)(?:st|nd|rd|th)\b", r"\1", text)


def _sum(found: re.Match[str]) -> str:
    return str(int(found[1]) + int(found[2]))


def _times(text: str) -> str:
    text = _RANGE.sub(lambda m: f"{m[1]}:{m[2] or '00'} {m[6]} {m[3]}", text)
    return _HALF.sub(lambda m: f"{int(m[1]) % 12 + 12 * (m[3] == 'pm')}:{m[2] or '00'}", text)


def _dates(text: str) -> str:
    text = re.sub(
        r"\b(\d{4})-(\d\d)-(\d\d)\b",
        # Within bounds: an answer may hold dates that there are not.
        lambda m: f"{int(m[3])} {_MONTHS[min(max(int(m[2]), 1), 12) - 1]} {m[1]}",
        text,
    )
    text = re.sub(rf"\b({_MONTH})\.? (\d{{1,2}})\b(?!:)", lambda m: f"{m[2]} {m[1]}", text)
    return re.sub(
        rf"\b(\d{{1,2}})\.? (?:of )?({_MONTH})\b",
        lambda m: f"{m[1]} {next(x for x in _MONTHS if x.startswith(m[2]))}",
        text,
    )


def says(answer: str, alternatives: Iterable[str]) -> bool:
    """Whether the answer holds one of the alternatives as whole words, the last one also in its
    plural or as an owner: "the airline's confirmation".

    One of up to two letters with a capital ("Go", "O") is looked for as it is written.
    """
    own = f" {make_canonical(answer)} "
    return any(_holds(answer, own, each) for each in alternatives)


def _holds(answer: str, own: str, wanted: str) -> bool:
    if len(wanted) <= 2 and any(c.isupper() for c in wanted):
        return re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", answer) is not None
    value = make_canonical(wanted)
    if not value:
        return False
    plural = value[-1].isalpha() and len(value.rpartition(" ")[2]) >= _FEWEST
    return f" {value} " in own or (plural and f" {value}s " in own)


def says_all(answer: str, groups: Iterable[Sequence[str]]) -> bool:
    """Whether the answer says one alternative of every group."""
    return all(says(answer, group) for group in groups)


def asserts(answer: str, alternatives: Iterable[str]) -> bool:
    """Whether the answer says one of these as what holds.

    A value that follows a word of contrast in its part of the sentence is not: "It is 45 days, not
    30 days", "no longer 30 days", "changed from 30".
    """
    wanted = list(alternatives)
    return any(
        says(part, wanted) and not _CONTRAST.search(make_canonical(part))
        for part in _BREAK.split(f"{answer} ")
    )


def find_polarity(answer: str) -> Polarity | None:
    """Whether an answer begins with a yes or a no; None where it does not say."""
    first = make_canonical(re.sub(r"^\W*(?:answer|a)\s*:", "", answer.strip(), flags=re.IGNORECASE))
    if _YES.match(first):
        return "yes"
    return "no" if _NO.match(first) else None


def agrees(answer: str, wanted: Polarity, groups: Sequence[Sequence[str]]) -> bool:
    """Whether an answer to a yes/no question is right.

    One that says neither is, when it says the values it rests on (one of every group), and does
    not deny what is to be affirmed.
    """
    found = find_polarity(answer)
    if found is not None:
        return found == wanted
    denies = _NEGATED.search(make_canonical(_BREAK.split(answer.strip() + " ")[0])) is not None
    return bool(groups) and says_all(answer, groups) and not (wanted == "yes" and denies)
