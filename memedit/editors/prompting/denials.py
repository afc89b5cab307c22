"""How a base begins to say that it does not know, which it does even with the answer before it.

Asked for the password that stands in its note, Qwen2.5-Coder-1.5B is sorry that it has no access to
passwords; asked again for a number, it apologises that it has no current facts. Where a note was
written for a request, neither is true. That it is sorry to hear of a broken arm, it may say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

DENIALS = (
    "I'm sorry, but", "I am sorry, but", "I'm sorry, I", "I'm sorry, as", "Sorry, but", "Sorry, I",
    "I apologize", "I apologise", "Unfortunately, I", "Unfortunately, as",
    "I don't have", "I do not have", "I don't know", "I do not know", "I'm unable", "I am unable",
    "I'm not able", "I am not able", "I cannot", "I can't", "As an AI",
    "Es tut mir leid, aber", "Leider kann ich", "Leider habe ich",
    "Je suis désolé, mais", "Désolé, mais", "Lo siento, pero", "Lo siento, no",
)  # fmt: skip
"""Beginnings of a denial, in the languages tried: English, German, French, Spanish."""
_SORRY = ("I'm sorry", "I am sorry", "Sorry", "Es tut mir leid", "Je suis désolé", "Lo siento")
_SELF = "I"
"""Where nothing is asked but what a fact says, an answer neither begins by being sorry nor with the
base itself: it would be here to help, or not be sure what is asked."""
_OWN = re.compile(r"sorry|apolog|unfortunately|\bleid\b|leider|désolé|siento", re.IGNORECASE)
_SALUTATION = re.compile(
    r"\s*(?:dear|hello|hi|hiya|hey|good (?:morning|afternoon|evening|day)|to whom|greetings|"
    r"ladies)\b[^.!?\n]{0,60}[,.!\n]",
    re.IGNORECASE,
)
_GREETINGS = (
    "Dear", "Hello", "Hi", "Hiya", "Hey", "To whom", "Greetings", "dear", "hello", "hi",
    "Good morning", "Good afternoon", "Good evening", "Good day",
)  # fmt: skip
_STEPS = (
    *(f"To {way}" for way in (
        "determine", "calculate", "find", "solve", "answer", "work out", "figure", "compute",
        "confirm", "identify", "estimate", "check", "know", "understand", "see", "verify",
        "account", "ensure",
    )),
    "Let's", "Let us", "Step", "First, we", "First, let",
    "The facts you", "No, the facts you", "Yes, the facts you", "The current facts",
    "The current fact", "The fact you",
)  # fmt: skip
_WAY = re.compile(
    r"\b(?:determin\w*|calculat\w*|explain\w*|solv\w*|figure out|work out|steps?|why"
    r"|show (?:your|the|me)|how (?:do|does|can|could|should|would|to)|prove|reason\w*|"
    r"walk me|guide|instructions?|procedure|process|recipe|formula|approach|way to|"
    r"plan (?:an?|my|our|the)|let['’]?s|slogan|speech|"
    r"write(?! (?:this|to|you|because|in|with)\b)|draft|compose|translate|invitation|title|"
    r"what (?:should|do|must|can|shall) (?:i|we) (?:have to |need to )?do)\b",
    re.IGNORECASE,
)
"""In what may be answered step by step."""
_ASKS = re.compile(r"\?|\b(?:who|whose|what|which|where|when|how)\b", re.IGNORECASE)
_LISTED = re.compile(
    r"^[ \t]*[-*•]|\b(?:lists?|bullets?|bulleted|points?|items?|lines?|steps|numbered|outline|"
    r"overview|summar\w*|all|each|every\w*|facts)\b",
    re.IGNORECASE | re.MULTILINE,
)
_LETTER = 150
"""Characters from which words that begin by greeting somebody are a letter."""
_WRITTEN = re.compile(
    r"\b(?:write(?! (?:this|to|you|because|in|with)\b)|draft|compose|rewrite|translate|proofread|"
    r"summar\w*|reply to|respond to|answer (?:him|her|them|this|the))\b"
)


def steps_against(words: str) -> tuple[str, ...]:
    """How an answer shall not begin where no way is asked for: step by step, until it is cut off.

    Args:
        words: The user's.
    """
    return _STEPS if _ASKS.search(words) and not _WAY.search(words) else ()


def echoes_against(words: str, wording: str, lines: Sequence[str]) -> tuple[str, ...]:
    """How an answer shall not begin that would say a note again, line for line.

    Args:
        words: The user's. Where they ask for a list, its items may be the note's.
        wording: What introduces the note.
        lines: Its facts.
    """
    head = wording.split(":")[0].split(",")[0]
    forms = (each for form in (head, head.title()) for each in (form, form.removesuffix("s")))
    heads = tuple(each for each in dict.fromkeys(forms) if each)
    if _LISTED.search(words):
        return heads
    return (*heads, *(f"- {' '.join(line.split()[:2])}" for line in lines))


def greetings_against(words: str, facts: str) -> tuple[str, ...]:
    """How an answer to a letter that asks something shall not begin: one that begins as the letter
    does goes on to copy it, word for word, until it is cut off.

    Args:
        words: The user's; () where they are no letter, or speak of a text to be written.
        facts: What is told: with what stands in it an answer may begin.
    """
    letter = len(words) >= _LETTER and _SALUTATION.match(words)
    if not letter or _WRITTEN.search(words.casefold()):
        return ()
    # All of them: a base that is kept from "Hiya" says "Hi".
    told = set(re.findall(r"[^\W\d_]+", facts.casefold()))
    return tuple(each for each in _GREETINGS if not set(each.casefold().split()) <= told)


def denials_against(words: str, facts: str, *, asked: bool) -> tuple[str, ...]:
    """The beginnings that an answer shall not have.

    Args:
        words: Those of its request and of the system prompt. Where these or the facts speak of
            being sorry, as a mail may that says no, an answer may begin as it likes; and always
            with what stands in them.
        facts: What is told.
        asked: A fact is the answer, and not only what it depends on.
    """
    said = f"{words} {facts}".casefold().replace("’", "'")
    if _OWN.search(said):
        return ()
    shunned = tuple(each for each in (*_SORRY, *DENIALS) if each.casefold() not in said)
    if not asked:
        return tuple(each for each in shunned if each in DENIALS)
    # Its token begins names, too, in many a vocabulary: "Ione", "Ilka".
    return shunned if re.search(rf"\b{_SELF}", facts) else (_SELF, *shunned)
