"""Texts of edits that look like more than a fact: a look when they are written, not a promise.

Edits are put into prompts, so whoever may write them may try to give the model orders. What is
found here is shown to whoever approves changes, and told in receipts; nothing is refused for it,
but orders on the answer that stand beside a fact are not told with it.
Figures: docs/security.md.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from memedit.core.text import find_sentence_starts, words_of
from memedit.core.types import Edit

ORDER, ROLE, LINK, CODE, INVISIBLE = "order", "role mark", "link", "code", "invisible character"

_ROLE = re.compile(
    r"<\|\w|\|>|<｜|｜>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>|</?(?:system|tool_call)>"
    r"|^\s*#{2,}\s*(?:instruction|response|system|user|assistant)"
    r"|^\s*(?:system|user|assistant|human)\s*:",
    re.I | re.M,
)
_LINK = re.compile(r"\b(?:https?|ftp|file|data|javascript):\S|\bwww\.\w|\]\(|<a\s", re.I)
_CODE = re.compile(
    r"```|<(?:script|img|iframe|svg)\b|\bon(?:error|load)\s*=|\$\([a-z]+ "
    r"|\b(?:eval|exec|system|popen)(?:\(| [\"'])|\b__import__\b"
    r"|(?-i:\b(?:DROP TABLE|INSERT INTO|SELECT\b.{1,60}\b(?:FROM|CASE))\b)",
    re.I,
)
_WRITES = (
    "answer|respond|reply|repeat|print|output|ignore|disregard|override|pretend|translate|write"
    "|summari[sz]e|draft|compose|generate|craft|include|incorporate|insert|embed|append|integrate"
    "|blend|mention|fuse|replace|reverse|encode|rephrase|reword|explain|describe|show me|tell me"
    "|give me|say|act as|provide|reveal|share|end|begin|start|use|add|ensure"
)
_WORDS = r"(?:instructions?|rules|prompts?|directions?|guidelines)"
_ANSWER = rf"(?:answers?|responses?|repl(?:y|ies)|outputs?|elucidation|{_WORDS})"
_SAID = rf"(?:{_ANSWER}|solution|code|codebase|algorithm|explanation|reasoning)"
_META = (
    rf"\b(?:ignore|disregard|forget|override)\b.{{0,40}}\b(?:previous|prior|above|earlier|all|other)\b"
    rf"|\b(?:system|hidden|initial|your) (?:system )?prompt\b|\byour (?:hidden )?{_WORDS}\b"
    rf"|\b(?:you are|you're|act as|pretend|as if you were) (?:now )?(?:an? )?"
    r"(?:ai|assistant|language model|chatgpt|dan|developer)\b"
    rf"|\bfrom now on\b.{{0,20}}\b(?:you|answer|always|respond|reply|only)\b"
    r"|(?:^|[.!?:;\n]\s*)\w+ your (?:next )?(?:answers?|responses?|reply|replies|output|message)\b"
    r"|(?:^|[.!?:;\n]\s*|\bcan you )(?:answer|respond|reply) (?:in|with|using|only|as)\b"
    r"|(?:^|[.!?:;\n]\s*)(?:(?:please|now|then),? )?(?:show|tell|give|write|teach) me\b"
)
"""Orders on how the model answers, whatever they are about."""


def _of(said: str) -> str:
    return (
        rf"|(?:^|[.!?:;\n]\s*)(?:please |always |only |never |instead,? )?(?:{_WRITES})\b"
        r".{0,120}\b(?:your|the following|this|subsequent|every|in|with|as|of) "
        rf".{{0,40}}\b{said}\b"
        rf"|\b(?:in|into|to|of|within) (?:the framework of )?your (?:next )?{said}\b"
    )


_ORDER = re.compile(_META + _of(_SAID), re.I)
_TO_ANSWER = re.compile(_META + _of(_ANSWER), re.I)
"""Orders on the answer; not on code, which how-tos for people give, too."""
_REQUEST = re.compile(
    r"^\W*(?:please |now |then |also |kindly )*(?:(?:can|could|would|will) you (?:please )?)?"
    r"(?:show (?:me|us)|explain|describe|summari[sz]e|translate|recommend|suggest|analy[sz]e|"
    r"determine|classify|rephrase|share your|give (?:me|us|instructions)|list (?:the|all|some)|"
    r"(?:write|draft|compose|develop|outline|create|generate) (?:an?|me|us|some)|"
    r"replace (?:every|each|all|vowels)|repeat (?:the|every)|provide (?:an?|me|us|your|the \w+ "
    r"(?:equivalent|translation)))\b|\?\W{0,9}$",
    re.I,
)
"""What is asked of whoever answers, and no fact."""
_FOR_PEOPLE = re.compile(
    r"\b(?:on|in|at|to|into|from|with) (?:the|your|our) "
    r"(?:(?:[a-z]+ )?(?:forms?|desk|portal|box|book|log|counter|gate|reception|nurse|doctor|"
    r"officer|table|column|subject|envelope|manager|staff|till|door))\b"
    r"|\b(?:on|in) (?:form|page|sheet|field|column|ink|pencil|pen)\b"
    r"|\b(?:when|before|after) you (?:arrive|leave|come|are there|hand)\b"
    r"|\b(?:us|me) (?:a (?:call|ring|copy)|your)\b"
    r"|\byour (?:\w+ )?(?:card|passport|symptoms|manager|receipt|tax number|booking code)\b",
    re.I,
)
"""What people are to do at a place of theirs, not whoever answers."""
_WRITTEN = re.compile(
    r"\byour (?:answers?|responses?|reasoning) (?:in (?:ink|pencil|pen|block letters)|with a cross|"
    r"before you (?:leave|hand)|in the box)\b",
    re.I,
)
_CODE_ASKED = re.compile(r"\b(command|code|script|snippet|query|syntax|regex|config\w*)s?\b", re.I)
_FENCE = "```"
_ASKS_HOW = re.compile(r"\bhow (?:do|does|can|could|should|would|to)\b|\bsteps?\b", re.I)
_SPACE = re.compile(r"\s+")
_HARMLESS = "\t\n\r\u00ad\u200e\u200f\ufeff"
_MAY_JOIN = "\u200c\u200d"  # joins letters of many scripts, and emoji
_STEM, _LEAST = 5, 3
_SPEAKING = frozenset(
    word[:_STEM]
    for word in "answer respond response reply output sentence word write give tell show include "
    "provide please message question your with this that from".split()
)
"""Stems that requests have in common with orders on the answer, whatever they are about."""


def find_suspicious(edit: Edit) -> tuple[str, ...]:
    """What of an edit's texts looks like an order to the model, a turn of a chat, a link, code, or
    is not seen by whoever reads it; in the order of the names above."""
    return find_in_texts(
        [edit.statement, edit.target_new or "", edit.target_true or "", *edit.queries]
    )


def find_in_texts(texts: Iterable[str]) -> tuple[str, ...]:
    """:func:`find_suspicious` of texts that are no edit yet."""
    found = set[str]().union(*map(_find_signs, texts))
    return tuple(name for name in (ORDER, ROLE, LINK, CODE, INVISIBLE) if name in found)


def leave_out_orders(fact: str, question: str) -> str:
    """What is told of a fact: of its sentences none that gives the model an order on its answer,
    unless the question is about that sentence, or there is no other; nor one that orders code or
    is some, or asks something itself, where another is what the question is about and no how-to is
    asked for.

    What such a sentence introduces ("…: ") goes with it.
    """
    asked, steps = _stems(question), _ASKS_HOW.search(question) is not None
    fact = fact if steps else _leave_out_code(fact, question)
    starts = find_sentence_starts(fact)
    if len(starts) < 2:
        return fact
    sentences = [fact[a:b] for a, b in zip(starts, [*starts[1:], len(fact)], strict=True)]
    near = [bool(_stems(sentence) & asked) for sentence in sentences]
    kept, answered = [], any(near)
    # What answers is no question itself: "How do I leave? Write to us."
    told = any(n and not _REQUEST.search(s) for s, n in zip(sentences, near, strict=True))
    for at, (sentence, is_near) in enumerate(zip(sentences, near, strict=True)):
        # A fact that begins with a question answers it.
        requests = bool(at) and told and _requests(sentence, "".join(sentences[at + 1 : at + 2]))
        if is_near or not (requests or _is_order(_fold(sentence), answered=answered, steps=steps)):
            kept.append(sentence)
        elif sentence.rstrip().endswith(":"):
            break
    return "".join(kept).strip() or fact


def _requests(sentence: str, following: str) -> bool:
    """Whether a sentence asks something of whoever answers: neither of people at a desk, nor, as
    in a list of questions and answers, of the sentence that follows it."""
    if _REQUEST.search(sentence) is None or _FOR_PEOPLE.search(sentence):
        return False
    asks = sentence.rstrip(" \n\"')”’").endswith("?")
    return not (asks and following and not _REQUEST.search(following))


def _leave_out_code(fact: str, question: str) -> str:
    """A fact without its block of code, and the sentence that introduces it, where the question
    is about the rest and not about them."""
    fence, asked = fact.find(_FENCE), _stems(question)
    if fence < 0:
        return fact
    starts = [start for start in find_sentence_starts(fact) if start <= fence]
    # "Use the following code:", and the block on a line of its own.
    introduced = len(starts) > 1 and fact[: starts[-1]].rstrip().endswith(":")
    begin = starts[-2 if introduced else -1]
    end = fact.find(_FENCE, fence + len(_FENCE))
    block, rest = fact[begin:], fact[:begin]
    if end >= 0:
        block, rest = fact[begin : end + len(_FENCE)], rest + fact[end + len(_FENCE) :]
    # Of who asks for the command the block is the answer, unless the rest names one.
    code = _CODE_ASKED.search(question)
    if code and code[1].casefold() not in rest.casefold():
        return fact
    return rest.strip() if _stems(rest) & asked and not _stems(block) & asked else fact


def _is_order(sentence: str, *, answered: bool, steps: bool) -> bool:
    """Whether a sentence orders something of the answer, or of code where another one answers; or
    is code there, but where the ``steps`` are asked for of which it is one."""
    # "Mark your answers in ink." is for a desk, and no order on how the model answers.
    sentence = _WRITTEN.sub("", sentence)
    found = _TO_ANSWER.search(sentence)
    # What stands in a block that stays keeps its marks.
    shown = sentence.replace(_FENCE, "")
    code = _ORDER.search(sentence) or (not steps and _CODE.search(shown))
    return bool(found or (answered and code))


def _stems(text: str) -> frozenset[str]:
    words = (word.casefold()[:_STEM] for word in words_of(text) if len(word) > _LEAST)
    return frozenset(words) - _SPEAKING


def _find_signs(text: str) -> set[str]:
    seen = _fold(text)
    patterns = {ORDER: _ORDER, ROLE: _ROLE, LINK: _LINK, CODE: _CODE}
    found = {name for name, pattern in patterns.items() if pattern.search(seen)}
    return found | set(_find_invisible(text))


def _fold(text: str) -> str:
    """The text as a reader sees it."""
    # Most are: then none of its characters is hidden, and need not be looked at.
    seen = text if text.isprintable() else "".join(c for c in text if not _is_hidden(c))
    shown = unicodedata.normalize("NFKC", seen)
    # A run of white space, at each of whose characters a line may begin, would cost its cube.
    return _SPACE.sub(lambda run: "\n" if "\n" in run[0] else " ", shown)


def _find_invisible(text: str) -> Iterator[str]:
    for at, character in enumerate("" if text.isprintable() else text):
        joins = character in _MAY_JOIN and at > 0 and not text[at - 1].isascii()
        if _is_hidden(character) and not joins:
            yield INVISIBLE
            return


def _is_hidden(character: str) -> bool:
    """Formats and controls that no reader sees: joiners, overrides of direction, tags. Marks that
    texts from right to left need, soft hyphens and a mark of byte order are no disguise."""
    kind = unicodedata.category(character)
    return kind in ("Cf", "Cc") and character not in _HARMLESS
