"""Another name that a request takes for an edit's: "I know that John Park is the CEO of Acme".

A former value is denied where it is known (:mod:`memedit.editors.prompting.former`). A user may
name one that nobody told us of, in the edit's own words; a small base then answers about him.
"""

from __future__ import annotations

import re

from memedit.core.types import Edit

_TOKEN = r"(?:(?:Dr|Mr|Mrs|Ms|Prof|St|[A-Z])\.|[A-Z]\w*(?:[-'’]\w+)*)"
_NO_NAMES = frozenset(
    "I It He She They That This There Who What Where Which When Is Are Was Does Do Did Has If"
    " Suppose Imagine Assume Assuming Pretend Maybe Perhaps Possibly Probably Say No Nobody Neither"
    " Only Even Unless Once While Although Though Whether Next Both Either On At In By Today So And"
    " But Or Not Now Then My Our Your His Her The A An Since Because As Given Knowing Considering"
    " Seeing Hello Hi Hey Well".split()
)
"""What begins a sentence, or a supposition, and no name."""
_NAME = (
    rf"(?-i:(?!(?:{'|'.join(sorted(_NO_NAMES))})\b)"
    rf"{_TOKEN}(?: (?:(?:of|de|van|von|der|da|la) )?{_TOKEN}){{0,3}})"
)
_VERB = re.compile(r"\s+(?P<verb>is|are)(?: (?:now|currently))?\s*$")
_STILL = r"(?: (?:still|now|currently|really))?"
_OF_ANOTHER = re.compile(
    r"\b(?:of|to|with|by|for|than|and|or|nor|from|like|named|called|near|behind|beside|deputy|vice)"
    r"\s+$",
    re.IGNORECASE,
)
"""Before what would be named: the wife of the CEO, the sister of John Park."""
_LONGER = re.compile(r"['’]|(?-i:\s+[A-Z])")
"""Behind what an edit is about: Acme Robotics Europe, Acme Robotics' rival."""
_ADJECTIVE = re.compile(r"\w{2,}(?:ish|ese|ian|can|ean|ic|ist|nch|tch|eek|wiss)|[A-Z]{2,}")
"""What somebody is, and no name: British, Catholic, CTO."""
_OPENS = re.compile(
    r"(?:^|[.!?]\s+|\n\s*)(?:(?:and|so|well|hello|hi|hey),? )?"
    r"(?:(?:(?:as )?(?:i|we) (?:all )?know(?: that)?|given(?: that)?|since|as|because|knowing that|"
    r"considering that|now that|seeing that),? )?$",
    re.IGNORECASE,
)
"""All that may stand before what is taken for granted."""
_CLOSES = re.compile(r"\s*(?:[.!]?$|[.!]\s|,\s(?!or\b)|;|\n)")
_DOUBTS = re.compile(
    r"\b(?:right|correct|true|sure|really|still|wrong|mistake\w*|instead|chang\w*|why|how come|"
    r"says?|said|told|heard|read|thought|believe|translate|rephrase|sentence|text|not|no longer|"
    r"was|were|yes|no|agree|false|"
    r"who(?:['’]s| is| else)|or who|which (?:one|is)|suppos\w*|imagin\w*|assum\w*|pretend\w*|"
    r"hypothe\w*|scenario|novel|story|film|fiction\w*|rumou?r\w*|claim\w*|according|proofread|"
    r"verify|check|let['’]s say|until|unless)\b|n['’]t\b|[\"“”]",
    re.IGNORECASE,
)
"""Of what is doubted, supposed, told of or to be put otherwise."""
_MOST = 2_000
"""Characters of a request."""


def find_other_name(words: str, edit: Edit) -> str:
    """The name that some words say is an edit's value, where the edit has another; "": none.

    Args:
        words: A user's.
        edit: Of a prompt that ends in "is", and a name.
    """
    value = edit.target_new or ""
    verb = _VERB.search(edit.prompt)
    if len(words) > _MOST or verb is None or not value[:1].isupper():
        return ""
    what = re.escape(edit.prompt[: verb.start()].strip())
    said = rf"(?P<name>{_NAME}) {verb['verb']}{_STILL} {what}(?![\w-])"
    turned = rf"(?<![\w-]){what} {verb['verb']}{_STILL} (?P<name>{_NAME})(?![\w-])"
    for pattern in (said, turned):
        for found in re.finditer(pattern, words, re.IGNORECASE):
            if _is_other(found, words, value):
                return found["name"]
    return ""


def _is_other(found: re.Match[str], words: str, value: str) -> bool:
    """Whether a name is another one, and of what an edit is about: not of a firm with a longer
    name, nor of somebody's wife."""
    name = found["name"]
    before, behind = words[: found.start()], words[found.end() :]
    adjective = _ADJECTIVE.fullmatch(name) and not _ADJECTIVE.fullmatch(value)
    whose = name.endswith(("'s", "’s")) or behind.startswith(("'", "’"))
    apart = _OF_ANOTHER.search(before) or _LONGER.match(behind)
    return not (_are_one(name, value) or adjective or whose or apart)


def correct_name(words: str, edit: Edit) -> str:
    """Words with an edit's own value where they take another name for it, whatever they ask then;
    as they are where they doubt or suppose it: that is to be denied, or played along with."""
    name, value = find_other_name(words, edit), edit.target_new or ""
    own = _words_of(value) - _words_of(edit.prompt) - {"the", "and"}
    if not name or _DOUBTS.search(words) or own & _words_of(words):
        return words
    spots = list(re.finditer(rf"(?<![\w-]){re.escape(name)}(?![\w-])", words))
    if not _is_granted(words, edit, spots[0].span() if spots else (0, 0)):
        return words
    # Who is named again is the same one where he is asked about; elsewhere he may be more.
    ends = [re.search(r"[.!?\n](?=\s|$)", words[spot.end() :]) for spot in spots[1:]]
    if not all(end is not None and end[0] == "?" for end in ends):
        return words
    corrected = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", lambda _: value, words)
    # "When did Park start?" would be about nobody.
    return (
        words if _words_of(name) & _words_of(corrected) - _words_of(edit.statement) else corrected
    )


def _is_granted(words: str, edit: Edit, spot: tuple[int, int]) -> bool:
    """Whether a sentence begins with what names an edit's value, and it ends there or goes on
    behind a comma."""
    what = _VERB.sub("", edit.prompt).strip()
    verb = r"(?: (?:is|are)(?: (?:now|currently))?)"
    behind = re.match(rf"{verb} {re.escape(what)}", words[spot[1] :], re.IGNORECASE)
    before = re.search(rf"{re.escape(what)}{verb} $", words[: spot[0]], re.IGNORECASE)
    begin = before.start() if before and not behind else spot[0]
    end = spot[1] + (behind.end() if behind else 0)
    opens = _OPENS.search(words[:begin]) is not None
    return bool(behind or before) and opens and _CLOSES.match(words[end:]) is not None


def _words_of(text: str) -> set[str]:
    return {word.casefold() for word in re.findall(r"[^\W\d_]{3,}", text)}


def _are_one(name: str, value: str) -> bool:
    """Whether two names may be the same: a surname, a misspelt capital."""
    one, other = ({*each.casefold().split()} for each in (name, value))
    return bool(one & other)
