"""What takes an earlier one's place in other words: "Customers may return goods within 30 days.",
then "Our refund window is 45 days.".

A small reader (:mod:`memedit.scope.adapted`), taught by pairs written by hand, says of each old one
whether it stays, is said again, or is replaced. To retire what should stay is the worse error: what
it is not quite sure of is told, and so is what it may not judge (several sentences, of which one is
corrected; what holds from a later day on; two old ones that hold side by side).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from memedit.core.text import find_sentence_starts, find_subject, words_of
from memedit.core.types import Edit, Hit, Record
from memedit.model.beside import says_beside
from memedit.model.changing import says_change, takes_back
from memedit.model.denying import DOUBTED, says_only_end
from memedit.model.judging import Judge
from memedit.model.later import holds_later
from memedit.model.restating import compare_forms, name_parts, numbers_of
from memedit.model.states import agree_in_state
from memedit.model.swapping import swaps
from memedit.scope.classifier import ClassifierScope

if TYPE_CHECKING:
    from memedit.scope.adapted import Adapted

SURE, POSSIBLE = 0.95, 0.5
"""Probability from which an old one is replaced, and from which it is told as a possible
conflict."""
TAKEN_BACK, CHANGED, PERHAPS_CHANGED = 0.6, 0.9, 0.1
"""Probability from which it is replaced by what takes back what it says, and by what speaks of a
change; and from which it is told that the latter may be about it."""
_ALIKE = 0.3
"""Cosine below which nothing is read."""
_MOST = 6
"""Old ones that are read beside a new one."""
_LONGEST = 240
"""Characters of a statement that is read; what is longer says more than one thing."""
_CHANGED = (
    r"(?:raised|lowered|increased|reduced|upgraded|updated|reset|set|shifted|moved|changed|lifted|"
    r"scrapped|removed|abolished|dropped|replaced|renamed|extended|shortened|switched|struck|"
    r"corrected|cut|wrong|written|directed|founded|born|invented|composed|painted|designed|built|"
    r"published|created|discovered|refereed|made|produced|penned|set up)\b"
)
_PAST = re.compile(
    r"\b(?:(?<!after it )(?<!before it )(?<!when it )(?:was|were)"
    rf"(?! (?:\w{{1,12}}ly )?{_CHANGED})|"
    r"had|used to|formerly|previously|once(?! (?:an?|every|per|you)\b)|"
    r"ran|stood|lived|worked|under the old)\b",
    re.IGNORECASE,
)
"""In what may hold no longer, where the old one is of now. What was changed, or made by somebody,
is so from then on."""
_ONLY_IF = re.compile(
    r"\b(?:(?:orders|purchases|bookings|parcels) (?:over|above|from|of|under)|"
    r"(?:from|over|above|below|under|at least|exceeding|more than|less than)\s"
    r"(?:[€$£]\s?\d|\d[\d.,]*\s?(?:€|\$|£|(?:euros?|dollars?|pounds?|kg|kilos?)\b)))",
    re.IGNORECASE,
)
"""In what holds for more than so much."""
_LISTS = re.compile(r",|\b(?:and|or)\b|&", re.IGNORECASE)
_TIME = r"\d{1,2}(?:[:.h]\d{2})?\s*(?:[ap]\.?m\b\.?|o'clock|h\b)?"
_SPAN = re.compile(
    rf"\b(?:from|between|open)\s+{_TIME}\s*(?:to|until|till|and|–|-)\s*{_TIME}", re.IGNORECASE
)
"""Two ends of a time, as of opening hours."""
_BEGINS = re.compile(r"\b(?:open|start|begin)s?\b|\bfrom\b", re.IGNORECASE)
_STOPS = re.compile(r"\b(?:(?:close|shut|end|stop|finish)(?:e?s)?|until|till|to)\b", re.IGNORECASE)


def find_succeeded(
    judge: Judge, edit: Edit, hits: Sequence[Hit], surely: float = SURE
) -> tuple[list[Record], list[Record]]:
    """(old ones whose place a new statement takes for sure, those whose place it may take), among
    some candidates. The reader sees at most six pairs.

    Args:
        surely: Probability from which it is sure.
    """
    near = sorted((h for h in hits if _may_be_read(h, edit)), key=lambda hit: -hit.similarity)
    reader = _load_reader(judge) if near else None
    if reader is None:
        return [], []
    from memedit.scope.adapted import REPLACES

    near = near[:_MOST]
    rated = reader.rate([(hit.record.edit.statement, edit.statement) for hit in near])[:, REPLACES]
    sure, perhaps, best = list[Record](), list[Record](), rated.max()
    for record, chance in zip([hit.record for hit in near], rated, strict=True):
        whole = record.edit.is_statement and edit.is_statement
        # Words of change are about one old one: the one that they fit best.
        needed = _require(record.edit.statement, edit.statement) if chance == best else SURE
        told = POSSIBLE if needed == SURE else PERHAPS_CHANGED
        if chance >= min(surely, needed) and _may_be_replaced(record.edit, edit):
            sure.append(record)
        elif chance >= (told if whole else SURE):  # of an object the scope tells, too
            perhaps.append(record)
    if _stand_beside(reader, sure):
        named = _find_named(sure, edit)
        return named, [record for record in sure if record not in named] + perhaps
    return sure, perhaps


def _require(old: str, new: str) -> float:
    """How sure the reader must be. To it words of change say nothing (it was taught by pairs in
    which they come and go); but who writes "now" is rather correcting something than not."""
    if takes_back(new, old):
        return TAKEN_BACK
    if numbers_of(old)[0] and not numbers_of(new)[0]:
        return SURE  # "Breakfast now includes eggs." leaves when it is served
    return CHANGED if says_change(new, old) else SURE


def _find_named(records: Sequence[Record], new: Edit) -> list[Record]:
    """Of some that hold side by side the one that a new statement names, and not the others: "the
    Basic plan" where there is a Pro plan, too."""
    said = {*words_of(new.statement)}
    each = [{*words_of(r.edit.statement)} for r in records]
    found = list[Record]()
    for n, record in enumerate(records):
        others = [words for m, words in enumerate(each) if m != n]
        own = [_drop_numbers(each[n] - words) for words in others]
        theirs = [_drop_numbers(words - each[n]) for words in others]
        if all(own) and all(theirs) and all(words <= said for words in own):
            found += [record] if not any(words & said for words in theirs) else []
    return found


def _drop_numbers(words: set[str]) -> set[str]:
    return {word for word in words if not any(map(str.isdigit, word))}


def _stand_beside(reader: Adapted, records: Sequence[Record]) -> bool:
    """Whether two old ones hold side by side: Mia's mobile number and that of her office. What
    would replace both may mean either."""
    from memedit.scope.adapted import STAYS

    said = [r.edit.statement for r in sorted(records, key=lambda record: record.sequence)]
    return bool((reader.rate(list(combinations(said, 2))).argmax(1) == STAYS).any())


def _may_be_read(hit: Hit, edit: Edit) -> bool:
    old = hit.record.edit
    if hit.passage is not None or old.multiple or not (edit.is_statement or old.is_statement):
        return False
    if says_only_end(old.statement) and says_only_end(edit.statement):
        return False  # they agree, or are about two things
    return hit.similarity >= _ALIKE and max(len(old.statement), len(edit.statement)) <= _LONGEST


def _may_be_replaced(old: Edit, new: Edit) -> bool:
    """Whether a new one says all that there is of an old one, and as of now.

    One that names the old value says more of it: that it is none, or was, or something else beside.
    Of two in one form the words that differ decide (:mod:`memedit.model.restating`): to the reader
    "Sara speaks Greek" and "Sara speaks Basque" are alike.
    """
    if _says_several(old.statement) or holds_later(new.statement, old.statement):
        return False
    if DOUBTED.search(new.statement) or agree_in_state(old.statement, new.statement):
        return False  # "Is parking free?", "Parking is not free."
    if name_parts(old.statement, new.statement) or swaps(old.statement, new.statement):
        return False  # "our emergency hotline", "the bus from the beach to the campsite"
    if says_beside(old.statement, new.statement):
        return False  # tea is not coffee, and "Lunch is now free." leaves when it is
    if _SPAN.search(old.statement) and _says_one_end(new.statement):
        return False  # "shuts at 7 pm" leaves when it opens
    if _ONLY_IF.search(new.statement) and not _ONLY_IF.search(old.statement):
        return False  # "free from 50 euros" leaves what less costs
    if says_only_end(new.statement) and _LISTS.search(old.statement):
        return False  # "The gym has closed." leaves the canteen
    back = takes_back(new.statement, old.statement)
    if _PAST.search(new.statement) and not (back or _PAST.search(old.statement)):
        return False
    if compare_forms(old.statement, new.statement) is not None and not back:
        return False  # "in the shed, not in the cellar" is of that form, and says what it replaces
    return not (old.target_new and find_subject(new.statement, old.target_new)[1])


def _says_several(text: str) -> bool:
    # What goes on in small letters behind a full stop is a sentence, too; a question and its answer
    # are one.
    said = text.split("? ", 1)[-1]
    return ";" in text.rstrip("; ") or len(find_sentence_starts(said.title())) > 1


def _says_one_end(text: str) -> bool:
    """Whether a sentence with a single number says when something begins or stops, not both."""
    return len(numbers_of(text)[0]) == 1 and bool(_BEGINS.search(text)) != bool(_STOPS.search(text))


def _load_reader(judge: Judge) -> Adapted | None:
    """The reader of the scope in use; None where it has none."""
    judge.check()
    scope = judge.scope
    if not isinstance(scope, ClassifierScope):
        return None
    # It loads torch, which a server in front of an upstream need not have loaded.
    from memedit.scope.adapted import SUCCESSION, load_adapted

    return load_adapted(scope.model, SUCCESSION)
