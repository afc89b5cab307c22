"""What a base leaves out of the sums that it writes: the ones that are free, the share that is paid
back.

Under "up to six tyres a year are free, every further one costs €4" a base of 1.5B writes 9 * 4, and
under "gets back 35% of the fare" 60 * (1 - 35 / 100), which is what remains. Both are mended where
the fact says so in plain words and the request says nothing else. English only.
"""

from __future__ import annotations

import re

from memedit.editors.prompting.wording import SMALL, fold_words, form_of, write_digits

_TIMES = re.compile(r"(\d+(?:\.\d+)?) ?\* ?(\d+(?:\.\d+)?)")
_FREE = re.compile(
    r"\b(?:up to|the first|first) (?P<free>\d+)\b(?! ?(?:[€£$%]|percent|euros?|pounds?|dollars?))"
    r"[^.;]{0,80}?\b(?:free|at no (?:cost|charge)|for nothing|without charge)\b|"
    r"\b(?P<lets>\d+) (?!euros?|pounds?|dollars?|percent|cents?)[^.;\d]{0,60}\b(?:free|included)\b",
    re.IGNORECASE,
)
_FURTHER = re.compile(
    r"\b(?:further|additional|extra|other|more|beyond|above|over)\b[^.;]{0,40}?"
    r"(?P<sign>[€£$] ?)?(?P<price>\d+(?:\.\d+)?)",
    re.IGNORECASE,
)
_USED = re.compile(
    r"\b(?:already|used|beyond|extra|further|more|another|additional|on top|besides|after|free|"
    r"gone|over|too many|paid|pay for|chargeable|had (?:my|our)|not|lost|ended|third|no|"
    r"\w+ (?:years|months|nights))\b|n['’]t\b",
    re.IGNORECASE,
)
"""In what may count from where the free ones end, or count something else."""
_FOR_SOME = re.compile(
    r"\b(?:an?|per|each) (?:month|night|head|person|child|family|visit)\b|\bstudents?\b|"
    r"\bfor new\b|\borders? (?:of|from)\b|^buy\b|\bvisitors?\b|\badults?\b",
    re.IGNORECASE,
)
_REST = re.compile(
    r"(?P<whole>\d+(?:\.\d+)?) ?\* ?\( ?1 ?- ?(?P<share>\d+(?:\.\d+)?) ?/ ?100 ?\)|"
    r"(?P<all>\d+(?:\.\d+)?) ?- ?(?P=all) ?\* ?(?P<part>\d+(?:\.\d+)?) ?/ ?100"
)
_BACK = re.compile(
    r"\b(?:gets? back|gets?|receives?|refund\w*|reimburse\w*)\b"
    r"[^.;]{0,40}?(?P<share>\d+(?:\.\d+)?) ?(?:%|percent|per cent)(?: of\b|[^.;]{0,20}\bback\b)",
    re.IGNORECASE,
)
_GETS = re.compile(
    r"\b(?:gets?|receives?|back|refund\w*|reimburs\w*|claim|compensat\w*|owe)\b", re.IGNORECASE
)
"""In what asks for the share that is paid back."""
_TO_OTHERS = re.compile(
    r"\b(?:customers?|guests?|sellers?|buyers?|tenants?|artists?|agents?|agency|agencies|shops?|"
    r"platforms?|students?|cancels?|commission|tax(?:es)?|retain\w*|kept|keeps?|charged?|costs?|funds?|"
    r"pensions?|discount\w*)\b",
    re.IGNORECASE,
)
"""In a fact of which nobody knows to whom the share goes."""
_REMAINS = re.compile(
    r"\b(?:off|discount\w*|cheaper|reduc\w*|keep\w*|los[et]\w*|left|remain\w*|rest|cost me|net|"
    r"myself|still (?:pay|owe)|withh\w+|deduct\w*|minus|fee)\b",
    re.IGNORECASE,
)
"""In what is about the part that stays, or that is taken off."""


def count_the_free(formula: str, facts: str, words: str) -> str:
    """A formula without the things that a fact gives free: "9 * 4" is "(9 - 6) * 4"; as it is where
    that is not plain.

    Args:
        formula: Numbers, brackets and operations.
        facts: What is told, numerals in digits.
        words: A user's.
    """
    found, free, further = _TIMES.fullmatch(formula), _FREE.search(facts), _FURTHER.search(facts)
    if found is None or free is None or further is None or _USED.search(words):
        return formula
    if _FOR_SOME.search(facts):
        return formula
    price, given = float(further["price"]), int(free["free"] or free["lets"])
    things = _name_counted(str(given), facts)
    for count, each in (found.groups(), found.groups()[::-1]):
        if float(each) != price or not count.isdigit() or int(count) <= given:
            continue
        # The same things are counted, given free and paid for.
        if things & _name_counted(count, write_digits(words)) and things & _forms(further[0]):
            return f"({count} - {given}) * {each}"
    return formula


def _name_counted(number: str, text: str) -> set[str]:
    """What a text counts so many of: the one or two words behind the number."""
    found = re.search(rf"\b{number} ((?:[a-z-]+ )?[a-z-]+)", text, re.IGNORECASE)
    return _forms(found[1]) if found else set()


def _forms(text: str) -> set[str]:
    return {form_of(word) for word in fold_words(text) if word not in SMALL}


def take_what_is_paid_back(formula: str, facts: str, words: str) -> str:
    """A formula of the share that a fact says is paid back, where it is that of the rest:
    "60 * (1 - 35 / 100)" is "60 * 35 / 100". Arguments as of :func:`count_the_free`."""
    found, back = _REST.fullmatch(formula), _BACK.search(facts)
    if found is None or back is None or not _GETS.search(words) or _TO_OTHERS.search(facts):
        return formula
    if _REMAINS.search(words) or _REMAINS.search(back[0]) or "after the refund" in words:
        return formula
    share = found["share"] or found["part"]
    whole = found["whole"] or found["all"]
    return f"{whole} * {share} / 100" if float(share) == float(back["share"]) else formula
