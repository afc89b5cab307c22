"""Texts of edits that look like more than a fact: a look when they are written, not a promise.

Edits are put into prompts, so whoever may write them may try to give the model orders. What is
found here is shown to whoever approves changes, and told in receipts; nothing is refused for it.
Figures: docs/security.md.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

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
    r"|\b(?:eval|exec|system|popen)\(|\b__import__\b"
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
_SAID = (
    r"(?:answers?|responses?|repl(?:y|ies)|outputs?|solution|code|codebase|algorithm|elucidation"
    rf"|explanation|reasoning|{_WORDS})"
)
_ORDER = re.compile(
    rf"\b(?:ignore|disregard|forget|override)\b.{{0,40}}\b(?:previous|prior|above|earlier|all|other)\b"
    rf"|\b(?:system|hidden|initial|your) (?:system )?prompt\b|\byour (?:hidden )?{_WORDS}\b"
    rf"|\b(?:you are|you're|act as|pretend|as if you were) (?:now )?(?:an? )?"
    r"(?:ai|assistant|language model|chatgpt|dan|developer)\b"
    rf"|\bfrom now on\b.{{0,20}}\b(?:you|answer|always|respond|reply|only)\b"
    rf"|(?:^|[.!?:;\n]\s*)(?:please |always |only |never |instead,? )?(?:{_WRITES})\b"
    rf".{{0,120}}\b(?:your|the following|this|subsequent|every|in|with|as|of) .{{0,40}}\b{_SAID}\b"
    r"|(?:^|[.!?:;\n]\s*)\w+ your (?:next )?(?:answers?|responses?|reply|replies|output|message)\b"
    r"|(?:^|[.!?:;\n]\s*|\bcan you )(?:answer|respond|reply) (?:in|with|using|only|as)\b"
    rf"|\b(?:in|into|to|of|within) (?:the framework of )?your (?:next )?{_SAID}\b",
    re.I,
)
_SPACE = re.compile(r"\s+")
_HARMLESS = "\t\n\r\u00ad\u200e\u200f\ufeff"
_MAY_JOIN = "\u200c\u200d"  # joins letters of many scripts, and emoji


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


def _find_signs(text: str) -> set[str]:
    shown = unicodedata.normalize("NFKC", "".join(c for c in text if not _is_hidden(c)))
    # A run of white space, at each of whose characters a line may begin, would cost its cube.
    seen = _SPACE.sub(lambda run: "\n" if "\n" in run[0] else " ", shown)
    patterns = {ORDER: _ORDER, ROLE: _ROLE, LINK: _LINK, CODE: _CODE}
    found = {name for name, pattern in patterns.items() if pattern.search(seen)}
    return found | set(_find_invisible(text))


def _find_invisible(text: str) -> Iterator[str]:
    for at, character in enumerate(text):
        joins = character in _MAY_JOIN and at > 0 and not text[at - 1].isascii()
        if _is_hidden(character) and not joins:
            yield INVISIBLE
            return


def _is_hidden(character: str) -> bool:
    """Formats and controls that no reader sees: joiners, overrides of direction, tags. Marks that
    texts from right to left need, soft hyphens and a mark of byte order are no disguise."""
    kind = unicodedata.category(character)
    return kind in ("Cf", "Cc") and character not in _HARMLESS
