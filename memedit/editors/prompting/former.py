"""A value that a fact had before, and that a request still goes by.

"I have the £2.50 for a new card ready, that's the right amount?": a small base reads that a card
costs £4.20, and says yes. Where the request names the former value, the note says that it is one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from memedit.core.text import normalise
from memedit.core.types import Edit
from memedit.editors.prompting.notes import core_of
from memedit.editors.prompting.polar import drop_order, find_sentences, gives_reason
from memedit.editors.prompting.still import OPENING, asks_whether_still
from memedit.editors.prompting.supposing import Amount, find_amounts, judge_supposed
from memedit.editors.prompting.synonyms import means_one_of
from memedit.editors.prompting.wording import (
    SMALL,
    fold_words,
    form_of,
    split_words,
    write_digits,
)

_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*(?:(?:st|nd|rd|th)\b)?")
_UNIT = re.compile(r"(?<=\d)(?=(?:p|kg|gb|mb|tb|km|mins?|hrs?|[ap]m)\b)")
_HOUR = re.compile(r"(?<!\d)0(?=\d[:.]\d)")
_CLAUSE = re.compile(
    r"[,;.!?:](?!\d)\s*|\s[-–—]+\s|"
    r"\b(?:since|because|as|now that|given that|so|that['’]s|and|but)\b",
    re.IGNORECASE,
)
_TAG_BEHIND, _FEWEST = re.compile(r",? (?:right|correct)\s*\?*\s*$", re.IGNORECASE), 4
_BEHIND_PREMISE = re.compile(
    r"(?:since|because|as|now that|given that|considering(?: that)?) "
    r"(?P<said>(?:[^,;.!?\n]|(?<=\d)[.,](?=\d)){8,120}), (?=\w)",
    re.IGNORECASE,
)
_DOUBTS = re.compile(
    r"\b(?:why|how come|right|correct|true|sure|still|more|less|extra|chang\w*|charg\w*|wrong|"
    r"mistake\w*|instead|rais\w*|different|translate|rephrase|sentence|text)\b",
    re.IGNORECASE,
)
"""Behind a premise that is doubted, or what is asked about: it is to be denied, not corrected."""
_BEHIND = re.compile(
    r"[,;.!?:](?!\d)\s*|\s[-–—]+\s|\b(?:since|because|as|so|and|but)\b", re.IGNORECASE
)
"""Between what is said and what is asked of it."""
_ITS = re.compile(r"(?:it|that|this|they|he|she|there)\b", re.IGNORECASE)
_PART = re.compile(r"[€£$] ?\d[\d.,:]*|\d[\d.,:]*(?: ?(?:%|°C|[^\W\d_]+))?")
_TAG = re.compile(
    r"[\s,;:–—-]*\b(?:right|correct|true|yes|yeah|eh|inn?it|(?P<leave>ok|okay)|"
    r"(?:is|was|are|were|does|do|has)n['’]?t (?:it|that|this|he|she|they)|"
    r"(?:is|are|does) (?:it|that|this|he|she) not|i (?:suppose|guess|assume|take it))$"
)
_ABOUT_IT = re.compile(
    r"(?:(?:is|isn['’]?t) (?:that|this|it)|(?:that|this|it)(?: is|['’]?s))(?: still| really| now)?"
    r"(?: (?:(?P<so>right|correct|true|so|the case)|the (?P<sure>(?:right|correct|current) )?"
    r"(?P<noun>\w+)))?(?: then)?|(?P<same>(?:the )?same again)"
)
"""What is asked of what was said: "Is that the right amount?"."""
_SAID = re.compile(r".*\b(?:said|says?|told (?:me|us)|heard|read|reads|thought|think)\b(?: that)?")
_TURNED = re.compile(
    r"\b(?:chang\w*|no longer|not|never|different|other|was|were|did|used to|before|previous\w*|"
    r"former\w*|wrong|old|outdated|increase\w*|raised?|more|less|than|if|how|what|who|when|where|"
    r"which|why|paid|cost|lost|left|spent|owe\w*|from|off|too|plus|ago|last|another|extra)\b|n['’]t\b"
)
"""In what does not go by a value."""
_BOUND = re.compile(
    r"\b(?:up to|at least|at most|max\w*|min\w*|within|until|till|no (?:more|later|less|earlier)|"
    r"over|under|before|after|by|may|can|between|from)\b",
    re.IGNORECASE,
)
"""In a fact of which another value is no denial: who may weigh 12 kg may weigh 10."""
_LIMITS = frozenset("limit maximum minimum deadline max min cutoff".split())
_NOUNS = {
    "money": frozenset("amount price sum fee cost total one".split()),
    "clock": frozenset("time deadline cutoff one".split()),
    "number": frozenset({"number", "one"}),
    "name": frozenset("one place room person name address".split()),
}
"""What a value of a kind is called."""
_IS = re.compile(
    r"(?:my|our|the|his|her|their|this|that|an?) [^,]*?(?:\b(?:is|are|costs?)\b|['’]s\b)"
)
_END = re.compile(r" (?:of|for|in|on|at|to|is|are|was|were|costs?|has|have)\b| [€£$]?\d")
"""Behind the words that tell what a fact is about."""
_STILL = frozenset("right correct still".split())
_FILLING = frozenset(
    "the in on at it its is are that there so still just only now currently always surely right"
    " correct we you they he she your our us one s mr mrs ms dr hi hello hey ok well please"
    " sharp pound pounds euro euros dollar dollars quid".split()
)
"""Words that say nothing of a thing beside what a fact says of it."""
_NO_VALUES = frozenset("yes no none true false on off never always not".split())
_MOST, _LONGEST = 600, 60
"""Characters of a request, and of a value."""


def find_former(words: str, edit: Edit, known: Iterable[str]) -> str:
    """The former value of an edit that words go by; "": they name none, or the new one too.

    Args:
        words: A user's.
        edit: What is told.
        known: Values that it had before.
    """
    if len(words) > _MOST:
        return ""
    new = edit.statement if edit.target_new is None else edit.target_new
    if _names(_fold(words), _tell(new)):
        return ""
    values = (value.strip(" .") for value in known if 0 < len(value.strip(" .")) <= _LONGEST)
    return next((value for value in values if _is_named(words, value, new)), "")


def _is_named(words: str, value: str, new: str) -> bool:
    asked, told = _fold(words), _tell(value) - _tell(new)
    if value.casefold() in _NO_VALUES or not _names(asked, told):
        return False
    if any(map(str.isdigit, value)):
        found, now = find_amounts(asked), find_amounts(_fold(new))
        return all(
            any(_may_be(each, amount) for each in found if each.size == amount.size)
            for amount in find_amounts(_fold(value))
            if amount not in now and amount.size == amount.size  # of "3.500" it is not a number
        )
    # Where people write capitals, "may" and "long" are no names.
    capitals = re.search(r"[A-Z]", re.sub(r"\bI\b", "", words[1:]))
    names = [word for word in split_words(value) if word[:1].isupper()]
    written = f" {' '.join(split_words(words))} "
    return not (capitals and names) or f" {names[-1]} " in written


def _may_be(asked: Amount, own: Amount) -> bool:
    """Whether a number may be meant as a value is: not 12 people, where that is 12 places."""
    if asked.kind or not asked.behind or asked.behind in SMALL | _FILLING:
        return not (asked.kind and own.kind) or asked.kind == own.kind
    return not own.kind and (not own.behind or form_of(asked.behind) == form_of(own.behind))


def find_supposed(words: str, fact: str) -> str:
    """The amount that a part of some words takes a fact to say, where it says another one; ""."""
    if len(words) > _MOST:
        return ""
    for part in map(str.strip, _CLAUSE.split(words)):
        # What "it" weighs is the asker's.
        if not part or _ITS.match(part) or judge_supposed(f"{part}, right?", fact) != "No":
            continue
        plain = write_digits(part)
        found = _PART.search(plain)
        if found is None or len(_NUMBER.findall(plain)) > 1:
            return ""
        amount, _, behind = found[0].rstrip(" .,:").rpartition(" ")
        return amount if behind.casefold() in SMALL and amount else found[0].rstrip(" .,:")
    return ""


def confirms(words: str, former: str, fact: str) -> bool:
    """Whether words ask for no more than that a value that they name is so: "That's right?".

    Args:
        words: A user's, which name it.
        former: The value, which is so no longer.
        fact: What is told instead.
    """
    sentences = find_sentences(drop_order(words).casefold()) if len(words) <= _MOST else []
    if not sentences:
        return False
    if len(sentences) > 1 and sentences[-2].endswith("?") and _is_aside(sentences[-1]):
        del sentences[-1]
    *earlier, last = sentences
    asked = last.rstrip(" ?.!")
    tag = _TAG.search(asked)
    plain = asked[: tag.start()] if tag else asked
    if tag and not plain and earlier:  # "Nairobi is the capital. Correct?"
        plain = earlier.pop().rstrip(" .!")
    if (tag and tag["leave"]) or not (tag or last.endswith("?")):
        return False
    parts = [part for each in _BEHIND.split(plain) if (part := each.strip())]
    about = _ABOUT_IT.fullmatch(parts[-1]) if parts else None
    if about is None:
        claimed = bool(tag and parts) and _claims(parts[-1], former, fact)
        return claimed or _asks_whether_still(parts, asked, former, fact)
    said = ", ".join(parts[:-1]) or (earlier[-1] if earlier else "")
    if not _names_alone(said, former):
        return False
    if about["same"]:
        return any(map(str.isdigit, former))
    if about["noun"]:
        fits = _fits(about["noun"], former, fact, sure=about["sure"] is not None)
        # "My deposit is £900. Is that the right amount?" asks of a deposit.
        own = not _IS.match(said) or _claims(said.strip(" .?!"), former, fact)
        return fits and own and not _TURNED.search(said)
    return bool(tag or about["so"]) and _claims(_SAID.sub("", said).strip(" .?!"), former, fact)


def _asks_whether_still(parts: Sequence[str], asked: str, former: str, fact: str) -> bool:
    """Whether nothing is asked but if a value is still so."""
    plain = _fold(OPENING.sub("", asked))
    opened = OPENING.match(asked) is not None
    turned = _TURNED.search(plain.replace("still cost ", "still costs "))
    if len(parts) > 1 + opened or turned or _BOUND.search(fact):
        return False
    return _names_alone(plain, former) and asks_whether_still(plain, _fold(former), fact)


def correct_premise(words: str, former: str, edit: Edit) -> str:
    """Words that begin with what is so no longer ("Since the fee is still £5, …?"), with what is so
    instead: what they take for granted weighs more with a small base than a note; as they are where
    they say no such thing.

    Args:
        words: A user's.
        former: The value that they name; "": they may name another amount that the fact has not.
        edit: What is told.
    """
    first = _BEHIND_PREMISE.match(words) if len(words) <= _MOST else None
    if first is None or _TURNED.search(first["said"]) or _doubts(words[first.end() :]):
        return words
    said = first["said"]
    if former and former in said and edit.target_new is not None:
        fits, new = _claims(said.casefold(), former, edit.statement), core_of(edit.target_new)
    else:
        former, new = find_supposed(said, edit.statement), _find_only_amount(edit.statement)
        fits = bool(former and new)
    whole = rf"(?<!\w){re.escape(former)}(?!\w)"
    corrected, count = re.subn(whole, lambda _: new, said) if fits else (said, 0)
    if count != 1:
        return words
    return f"{words[: first.start('said')]}{corrected}{words[first.end('said') :]}"


def _doubts(rest: str) -> bool:
    """Whether what follows a premise may ask whether it holds, not only what follows from it."""
    asked = _TAG_BEHIND.sub("", rest)
    # "Since it is 30 days, right?" asks nothing else.
    return len(asked.split()) < _FEWEST or _DOUBTS.search(asked) is not None


def _find_only_amount(fact: str) -> str:
    """The one amount of a fact, as it is written there; "" where it has more, or none."""
    found = [each.rstrip(" .,:") for each in _PART.findall(fact)]
    return found[0] if len(found) == 1 else ""


def _is_aside(sentence: str) -> bool:
    """Whether a sentence behind a question only says why it is asked."""
    turns = re.search(r"[?\d]|\bno\b|\bnot\b|n['’]t\b|\b(?:or|if)\b", sentence)
    return turns is None and gives_reason(sentence)


def _claims(said: str, former: str, fact: str) -> bool:
    """Whether something says of what a fact is about that a value is so, and nothing else."""
    if _BOUND.search(fact) or not _names_alone(said, former):
        return False
    told = {form_of(word) for word in fold_words(fact)}
    known = told | {form_of(word) for word in (*fold_words(former), *_FILLING)}
    words = fold_words(re.sub(r"['’]s\b|\bcomes? to\b", " ", _fold(said)))
    forms = {form_of(word) for word in words if not re.search(r"\d", word)}
    if not all(each in known or means_one_of(each, told) for each in forms):
        return False
    kind = _find_kind(former)
    if kind == "clock":  # "It's 7:00, right?"
        return bool(forms & told - _FILLING or _STILL & {*words})
    return kind != "name" or _says_which(forms, fact)


def _says_which(forms: Collection[str], fact: str) -> bool:
    """Whether words say what a fact is of what it is about: the contact, of the emergency contact
    for the site; or, as of "The Mona Lisa hangs in", the whole of what it is about."""
    *about, head = [form_of(word) for word in fold_words(_END.split(fact, maxsplit=1)[0])] or [""]
    named = {*about} - SMALL
    return head in forms or (len(named) > 1 and named <= {*forms})


def _names_alone(said: str, value: str) -> bool:
    """Whether something names a value, and no number beside it."""
    plain, told = _fold(said), _tell(value)
    numbers = {_tell_number(each) for each in _NUMBER.findall(plain)}
    return _names(plain, told) and (numbers <= told or not any(map(str.isdigit, value)))


def _fits(noun: str, value: str, fact: str, *, sure: bool) -> bool:
    """Whether a value is one of what a noun calls it, and a fact tells no bound that it keeps;
    ``sure``: the noun is called the right one."""
    if noun in _LIMITS and _BOUND.search(fact):
        return True
    named = form_of(noun) in {form_of(word) for word in fold_words(fact)}
    called = noun in _NOUNS[_find_kind(value)] and (sure or noun in _LIMITS)
    return (named or called) and not _BOUND.search(fact)


def _find_kind(value: str) -> str:
    kinds = {each.kind for each in find_amounts(_fold(value))}
    if kinds & {"euro", "pound", "dollar", "percent"}:
        return "money"
    if kinds:
        return "clock" if "clock" in kinds else "number"
    return "number" if any(map(str.isdigit, value)) else "name"


def _tell(value: str) -> frozenset[str]:
    """What tells a value from others: its numbers, else its last name, else all of it."""
    if numbers := _NUMBER.findall(_fold(value)):
        return frozenset(map(_tell_number, numbers))
    names = [word for word in split_words(value) if word[:1].isupper()]
    if names:
        return frozenset({names[-1].casefold()})
    words = [word for word in split_words(normalise(value)) if word not in SMALL]
    return frozenset({" ".join(words)} if words else ())


def _tell_number(number: str) -> str:
    return _HOUR.sub("", number.replace(",", "").removesuffix(".00"))


def _fold(words: str) -> str:
    plain = re.sub(r"(?<=\d),(?=\d{3}\b)", "", write_digits(words.casefold()))
    return " ".join(_UNIT.sub(" ", _HOUR.sub("", plain)).split())


def _names(asked: str, value: frozenset[str]) -> bool:
    return bool(value) and all(
        re.search(rf"(?<![\w.,:])(?:[€£$] ?)?{re.escape(each)}(?:\.00)?(?![\w]|[.,:]\d)", asked)
        for each in value
    )
