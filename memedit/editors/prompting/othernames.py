"""Another name that a request takes for an edit's: "I know that John Park is the CEO of Acme".

A former value is denied where it is known (:mod:`memedit.editors.prompting.former`). A user may
name one that nobody told us of, in the edit's own words; a small base then answers about him.
"""

from __future__ import annotations

import re

from memedit.core.types import Edit

_NAME = r"(?-i:[A-Z][\w.'’-]*(?: (?:(?:of|de|van|von|der|da|la) )?[A-Z][\w.'’-]*){0,3})"
_VERB = re.compile(r"\s+(?P<verb>is|are)(?: (?:now|currently))?\s*$")
_STILL = r"(?: (?:still|now|currently|really))?"
_NO_NAMES = frozenset("I It He She They That This There Who What Where Which When".split())
_DOUBTS = re.compile(
    r"\b(?:right|correct|true|sure|really|still|wrong|mistake\w*|instead|chang\w*|why|how come|"
    r"says?|said|told|heard|read|thought|believe|translate|rephrase|sentence|text|not|no longer|"
    r"was|were)\b|n['’]t\b|[\"“”]",
    re.IGNORECASE,
)
"""Of what is doubted, told of or to be put otherwise."""
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
            name = found["name"].strip(" .'’-")
            if name.split()[0] not in _NO_NAMES and not _are_one(name, value):
                return name
    return ""


def correct_name(words: str, edit: Edit) -> str:
    """Words with an edit's own value where they take another name for it, whatever they ask then;
    as they are where they doubt it: that is to be denied."""
    name = find_other_name(words, edit)
    if not name or _DOUBTS.search(words):
        return words
    return words.replace(name, edit.target_new or "")


def _are_one(name: str, value: str) -> bool:
    """Whether two names may be the same: a surname, a misspelt capital."""
    one, other = ({*each.casefold().split()} for each in (name, value))
    return bool(one & other)
