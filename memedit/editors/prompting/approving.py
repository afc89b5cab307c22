"""Who wants no answer but a yes: "Please just confirm that", "…, that's alright, isn't it?".

What stands before such words may go by what is so no longer; a small base says yes to it. English
ones only.
"""

from __future__ import annotations

import re

from memedit.editors.prompting.polar import CONFIRM_IT, find_sentences

_APPROVE = re.compile(
    r"(?:so |and )?(?:(?:that|this|it)(?:['’]?s| is)|is (?:that|this|it)) "
    r"(?:alright|all right|ok|okay|fine|good)(?: (?:with|for) (?:you|u|me|us))?"
    r"(?:,? (?:isn['’]?t it|right|yes|yeah|innit))?\W*$|"
    r"(?:alright|all right|ok|okay|fine)\?$"
)
_REASON = re.compile(r"(?:if|unless|when|once)\b")


def wants_yes(words: str) -> bool:
    """Whether the last of a user's sentences asks for a yes to those before it, and no more."""
    sentences = find_sentences(words)
    if len(sentences) < 2 or any("?" in each for each in sentences[:-1]):
        return False
    last = sentences[-1]
    asks = CONFIRM_IT.match(last) or _APPROVE.match(last)
    return asks is not None and not _REASON.match(sentences[-2])
