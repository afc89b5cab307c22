"""Yes and no: which of them the facts' own words give.

A base reads "The lyricist of Ride is Lana Del Rey", is asked whether Taylor is the lyricist of
Ride, and says yes: what the question takes for granted weighs more with it than the note. Where a
question is the fact's own sentence with a value in its object's place, no reasoning is needed: the
object's own name is a yes, another one a no. All other questions are the base's to judge.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from memedit.core.opendays import judge_open_day
from memedit.core.types import Edit, Hit
from memedit.editors.prompting.bounds import judge_bound
from memedit.editors.prompting.comparing import (
    DO,
    Pair,
    Verdict,
    compare_sentences,
    compare_values,
)
from memedit.editors.prompting.deadlines import judge_deadline
from memedit.editors.prompting.negations import is_denied
from memedit.editors.prompting.polar import drop_order
from memedit.editors.prompting.supposing import judge_supposed

VERDICTS: tuple[Verdict, Verdict] = ("Yes", "No")
_PLAIN = re.compile(r"(is|are|was|were|does|did|do|has|have|had) (.+)", re.IGNORECASE)
_STATED = re.compile(r"(\D.*?) (is|are|was|were|has|have|had) (.+)", re.IGNORECASE)
_CONFIRM = re.compile(
    r"^(?:(?:so|and|ok|hi|hey)\b,? )?(?:(?:is|isn['’]?t) it (?:true|correct|right|so)|am i right) "
    r"that ",
    re.IGNORECASE,
)
_MODAL = re.compile(
    r"\b(?:can|could|may|might|must|shall|should|will|would|need|if|when|who|what|which|where|why|"
    r"how)\b|n['’]t\b",
    re.IGNORECASE,
)
"""In what says no plain thing."""
_TAG = re.compile(
    r"[\s,–—-]+(?:right|correct|true|yes|no|ok|okay|inn?it|eh|(?:(?:is|are|was|were|does|do|did|has|"
    r"have)n|can|won)['’]?t (?:i|we|you|u|it|he|she|they|there|that)|"
    r"(?:is|are|was|were|does|do|did|has|have) (?:it|he|she|they|that) not)\s*$",
    re.IGNORECASE,
)
_SO = re.compile(r"^(?:so|ok|and|well)\b,? ", re.IGNORECASE)
_CLEFT = re.compile(r"it(?: is| was|['’]?s) (.+?) (?:who|that|which) (.+)", re.IGNORECASE)
"""A statement that puts a part of it first: "it was Ada who …"."""
_LONGEST = 300
"""Characters of a question that may be a fact's own sentence, and of what is said behind it."""
_PAST, _PRESENT = frozenset("was were did had".split()), frozenset("is are does has have".split())
_HAPPENED = frozenset(
    "born birth birthplace die dies died death killed buried found founded founder founders create"
    " created creator invent invented inventor discovered built wrote written author composed"
    " composer directed produced painted designed signed published recorded filmed released won"
    " occur occurred happen happened cause named inspired based influenced followed commissioned"
    " donated war battle conflict involved".split()
)
"""What is told of at any time in the same way."""
_DID = frozenset(
    "began sang led made sold sank broke became got gave went held ran sat took told drew fought"
    " lost met paid sent spent stood swam taught thought left came chose drove fell flew grew knew"
    " shot spoke stole struck wore won wrote".split()
)
"""Verbs that tell of the past and do not end in "ed"."""
_STATES = frozenset({"open", "closed"})


def verdict_of(words: str, hits: Sequence[Hit]) -> Verdict | None:
    """What the best of the facts says to a question by its words alone; None: it is to be judged.

    Args:
        words: A user's, all of them.
        hits: The facts told, best first.
    """
    if not hits:
        return None
    best = hits[0].record.edit
    given = _find_stated(words, best)
    if given is None and _may_be_plain(words):
        given = _judge_told(words, best.statement)
        beside = (_judge_told(words, hit.record.edit.statement) for hit in hits[1:])
        if given and not {*beside} <= {None, given}:
            return None  # one of two notice periods
    return given


def _judge_told(words: str, fact: str) -> Verdict | None:
    """What a fact says to a question that supposes an amount, asks for a day on which something is
    open, whether a deadline is over, or whether an amount keeps a bound."""
    if given := judge_supposed(words, fact) or judge_deadline(words, fact):
        return given
    if given := judge_bound(drop_order(words), fact):
        return given
    is_so = judge_open_day(drop_order(words), fact)
    return None if is_so is None else VERDICTS[not is_so]


def verdict(words: str, edit: Edit) -> Verdict | None:
    """``Yes`` or ``No`` where a question is an edit's own sentence about a value, or says its value
    or another name of what the edit is about, or supposes an amount."""
    if not _may_be_plain(words):
        return None
    return _find_stated(words, edit) or judge_supposed(words, edit.statement)


def _may_be_plain(words: str) -> bool:
    """Whether some words are few enough to be a fact's own sentence."""
    return len(words) <= _LONGEST and "\n" not in words.strip()


def _find_stated(words: str, edit: Edit) -> Verdict | None:
    """What a question that is an edit's own sentence, or says its value, is by its words."""
    found = _find_plain(words) if _may_be_plain(words) else None
    if found is None:
        return None
    if _asks_of_now(found[0]) and is_denied(found[1], edit.statement):
        return "No"
    return _compare(*found, edit)


def _compare(verb: str, rest: str, edit: Edit) -> Verdict | None:
    """What a question about an edit's value, in two, is by its words."""
    if edit.target_new is None or not edit.subject:
        return None
    pair = Pair.of(verb, rest, edit)
    if _is_of_another_state(pair) or _is_of_another_time(pair):
        return None
    return compare_sentences(pair) or compare_values(pair)


def _asks_of_now(verb: str) -> bool:
    """Whether a question is not of what once was, which "no longer" grants."""
    return verb.casefold() not in _PAST


def _is_of_another_state(pair: Pair) -> bool:
    """Whether a question asks what is on a day, and a fact tells what happens: "open on 5 May" is
    another thing than "opens on 4 May"."""
    return pair.verb not in DO and bool(_STATES & {*pair.asked} - {*pair.fact})


def _is_of_another_time(pair: Pair) -> bool:
    """Whether a question asks what once was, and a fact tells what is now. What happens once, as a
    birth does, is the same at any time."""
    asked, fact = {*pair.asked}, {*pair.fact}
    if not (pair.verb in _PAST or "been" in asked) or _HAPPENED & (asked | fact):
        return False
    tells_past = any(word in _DID or word.endswith("ed") for word in fact)
    return not _PAST & fact and (bool(_PRESENT & fact) or not tells_past)


def _find_plain(words: str) -> tuple[str, str] | None:
    """(its verb, the rest) of a question, or of a statement that is to be confirmed: "It is £9,
    right?", "the fee is £9, yes or no". Whether one is asked for is not looked at."""
    asked_for, _, behind = drop_order(" ".join(words.split())).partition("?")
    if behind.strip(" .!"):
        return None
    plain = _CONFIRM.sub("", _TAG.sub("", asked_for).strip(" ,:;.!"))
    plain = _CLEFT.sub(r"\1 \2", _SO.sub("", plain))
    if found := _PLAIN.fullmatch(plain):
        return found[1], found[2]
    if _MODAL.search(plain):
        return None
    found = _STATED.fullmatch(plain)
    return (found[2], f"{found[1]} {found[3]}") if found else ("does", plain)
