"""Words by which a statement says that something changed: "now", "no longer", "has been raised to".

What takes back the very thing that an older one says ("in the library, no longer in room 7") surely
speaks of that, in whatever words; what only says that something changed may speak of what stands
beside it ("Night buses now have guards.").
"""

from __future__ import annotations

import re

from memedit.core.text import words_of

_CHANGES = re.compile(
    r"\b(?:now(?! (?:and|or)\b)|by now|these days|nowadays|from now on|no longer|any ?more|"
    r"any longer|no more|instead|rather than|in place of|since|after (?:the|its|her|his|our)|"
    r"(?:has|have) (?:now |just |already )?(?:been )?(?:moved|changed|raised|lowered|increased|"
    r"reduced|extended|shortened|switched|renamed|relocated|postponed|shifted|eased|tightened|"
    r"relaxed|revised|corrected|updated|upgraded|abolished|revoked|scrapped|lifted|dropped|stopped|"
    r"closed|ended|committed|cut|put (?:up|back|off)|brought (?:forward|back)|gone|risen|fallen|"
    r"grown|become|given|taken|left|sold|bought|split|pushed)|"
    r"earlier than|later than|new|got|stepped down)\b",
    re.IGNORECASE,
)
"""In what may speak of a change."""
_TAKEN_BACK = re.compile(
    r"(?:\b(?:no longer|instead of|rather than|in place of|no more|has stopped|have stopped|"
    r"(?:\w{1,15}ed|cut|put|gone)(?: \w{1,15}){0,3} from(?=[^.,;:!?]{1,60}\sto\b))|"
    r"(?:,|\band|\bbut) not|(?:\bnot|n['’]t)(?= (?:in|on|at|by|from|with|the)\b))"
    r"\s(?P<behind>[^.,;:!?]{1,80})|"
    r"(?P<before>[^.,;:!?]{1,80}?)\s(?:any ?more\b|any longer\b|stepped down\b|"
    r"(?:was|were|has been|have been)\s(?:replaced|succeeded|struck|scrapped|lifted|dropped|"
    r"removed)\b|(?:is|was|are|were|has been|have been)\s(?:wrong|abolished|gone|over)\b|"
    r"(?:has|have) (?:left|gone|retired|resigned)\b)",
    re.IGNORECASE,
)
_TO = re.compile(r"\s(?:to|but|by|and)\s.*$", re.IGNORECASE)
_SMALL = frozenset(
    "a an the is are was were be been being am of in on at by to for from with and or as its his "
    "her their it they he she we our us you your my i me this that these those there has have had "
    "do does did can may must will would no not only all any every each per now".split()
)
_NEAR = 4
"""Words beside the one that takes back of which one is the old one's."""
_STEM = 5
_LONGEST = 240
"""Characters of a statement that is read."""


def says_change(new: str, old: str) -> bool:
    """Whether a statement has a word of change that the older one has not."""
    return _CHANGES.search(new) is not None and _CHANGES.search(old) is None


def takes_back(new: str, old: str) -> bool:
    """Whether a statement says of what an older one says that it is so no longer: "not in the
    cellar" where that ends with "in the cellar"."""
    if max(len(new), len(old)) > _LONGEST:
        return False
    said = _stem(old)
    told = {*said[len(said) // 2 :]}
    for found in _TAKEN_BACK.finditer(new):
        if found["behind"] is not None:
            back = _stem(_TO.sub("", found["behind"]))[:_NEAR]
        else:
            back = _stem(found["before"])[-_NEAR:]
        if told & {*back} and {*back} <= {*said}:
            return True
    return False


def _stem(text: str) -> list[str]:
    return [w.rstrip("s")[:_STEM] for w in words_of(text) if w not in _SMALL]
