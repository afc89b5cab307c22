"""A fact that says no: "Deploy tokens never expire.", where somebody asks whether they do.

A small base reads the fact and says yes: what the question takes for granted weighs more with it
than one short word. Where a question is a fact's own sentence without its negation, it is a no.
"""

from __future__ import annotations

import re

from memedit.core.text import find_sentence_starts
from memedit.editors.prompting.wording import SMALL, fold_words, stem_of

_NEGATION = re.compile(
    r"\b(?:never|no longer|not (?:yet )?|cannot|(?:is|are|was|were|do|does|did|can|has|have)n['’]t|"
    r"can['’]t)\b",
    re.IGNORECASE,
)
_BOUND = re.compile(
    r"[;:()]|,|\b(?:but|except|unless|if|when|while|until|before|after|without|only|just|than|and|"
    r"or|nor|by|from|since|because|alone|always|all|every|any|both|either|necessar\w*|must|should|"
    r"need|may|might)\b",
    re.IGNORECASE,
)
"""What a negation may be bound by, or spare: then more is said than no."""
_FILLING = frozenset(
    "currently now still ever anymore any more longer yet really actually at some point please pls "
    "i we you u he she they us me my our your can could may anyone people".split()
)
_FEWEST = 2
"""Telling words that a question and a sentence must share."""
_OVER = re.compile(r"\b(?:no longer|not\b[^.;]{1,60}\bany ?(?:more|longer))\b", re.IGNORECASE)
_PREMISE = re.compile(
    r"(?:(?:hi|hello|hey|so|ok|well)\b,? )?(?:since|because|as|now that|given that|seeing that) "
    r"(?P<said>[^,;.!?\n]{8,160}), (?=\w)",
    re.IGNORECASE,
)
_ASKER = re.compile(r"\b(?:i|we|my|our|me|us)\b", re.IGNORECASE)
_MOST_FACT = 200
_VERB = re.compile(r"\bno longer (?P<verb>\w+)", re.IGNORECASE)
_ENDED = re.compile(
    r"\b(?:used to|was|were|stop\w*|ceas\w*|ended|ends?|abolish\w*|scrapp\w*|nobody|no more|"
    r"no one|none|refus\w*|forbidden|banned?|fail\w*|gone|moved|left|retired|"
    r"sold out|without|off|until)\b",
    re.IGNORECASE,
)
"""In a premise that knows that it is over."""


_GIVES = frozenset(
    stem_of(word)
    for word in (
        "come comes offer offers offering sell sells selling sold serve serves served give gives "
        "given provide provides provided support supports supported run runs take takes taken "
        "accept accepts accepted make makes include includes ship ships deliver delivers have has "
        "carry carries"
    ).split()
)
"""Verbs of which one may stand for another: who offers something has it."""


def is_denied(question: str, fact: str) -> bool:
    """Whether one of a fact's sentences is a question's own, with a negation.

    Args:
        question: Without its mark and its verb's inversion; its words are compared.
        fact: One or more sentences.
    """
    if _NEGATION.search(question) or _BOUND.search(question):
        return False
    asked = _tell(question)
    starts = find_sentence_starts(fact)
    sentences = (fact[a:b] for a, b in zip(starts, [*starts[1:], len(fact)], strict=True))
    return len(asked) >= _FEWEST and any(
        len(_NEGATION.findall(each)) == 1
        and not _BOUND.search(each)
        and _tell(_NEGATION.sub(" ", each)) == asked
        for each in sentences
    )


def _tell(text: str) -> set[str]:
    """Stems of the words of a text that tell something."""
    return {stem_of(word) for word in fold_words(text) if word not in SMALL | _FILLING}


def denies_premise(words: str, fact: str) -> bool:
    """Whether a fact says that what words take for granted is so no longer: "As you sell tickets
    on the train, do you take cards?".

    Args:
        words: A user's.
        fact: One sentence; of more, more is to be told than no.
    """
    premise = _PREMISE.match(words.strip())
    if premise is None or _ASKER.search(premise["said"]) or _NEGATION.search(premise["said"]):
        return False
    if _ENDED.search(premise["said"]) or len(fact) > _MOST_FACT or not _OVER.search(fact):
        return False
    numbers, known = (set(re.findall(r"\d+", text)) for text in (premise["said"], fact))
    if len(find_sentence_starts(fact)) > 1 or not numbers <= known:
        return False
    told, given = _tell(_OVER.sub(" ", fact)), _tell(premise["said"])
    verb = _VERB.search(fact)
    missing, more = told - given, given - told
    # Another verb may stand for the fact's own; all else is to be the same.
    fits = missing <= (_tell(verb["verb"]) if verb else set()) & _GIVES
    return len(told & given) > _FEWEST and fits and more <= (_GIVES if missing else set())
