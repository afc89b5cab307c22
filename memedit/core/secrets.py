"""Facts that let somebody in: passwords, codes, keys."""

from __future__ import annotations

import re
from collections.abc import Iterator

from memedit.core.types import Edit

_SECRET = re.compile(
    r"""\b(?: pass(?:word|code|phrase|wort|wörter)s? | kenn(?:wort|wörter)\w* | passwörter\w*
    | mots?[ ]de[ ]passe | contraseñas? | senhas? | wachtwoord\w* | has[lł]o | parol[aey]?
    | (?:wi-?fi|wlan|network|api|licen[cs]e|secret|private|access|encryption|recovery)[ -]keys?
    | pins? | pin-?codes? | (?:door|gate|alarm|access|entry|security|safe|lock|key|unlock|admin
        |override|master|emergency|backup)[ -]codes? | combination
    | codes?[ ](?:of|for|to)[ ](?:the[ ])?(?:door|gate|alarm|safe|lock|garage|entrance|building)
    | (?:access|api|auth\w*|bearer|secret)[ -]tokens? | client[ ]secret | credentials?
    | (?:wi-?fi|wlan|garage|lock-?box|keypad|recovery|2fa|one-time|login)[ -](?:codes?|phrase)
    | keys?[ ](?:of|for|to)[ ](?:the[ ])?(?:wi-?fi|wlan|network) | puk
    | codes?[ ](?:of|for|to)[ ](?:the[ ])?(?:\w+[ ])?(?:lock-?box|shed|lab|cellar|office|locker)
    | \w*tür-?codes? | deurcode | codes?[ ](?:de|du)[ ](?:la[ ])?(?:porte|portail)
    | código[ ]de[ ]la[ ]puerta | code[ ]für[ ](?:die|das|den)[ ](?:garage|tür|tor|haustür)
    | zugangs(?:code|daten)\w* | code[ ]d['’]accès | código[ ]de[ ]acceso )\b""",
    re.IGNORECASE | re.VERBOSE,
)

_WORD = re.compile(
    r"\b(?!(?:the|for|our|your|and|with|from|code|this|that|are|is|at|in|on|of)\b)[^\W_]{2,}"
)
_NAMES = {
    **dict.fromkeys("wlan network wi fi wireless internet online hotspot".split(), "wifi"),
    **dict.fromkeys(("pw", "pwd"), "password"),
}
"""Other names of what a secret is, or is of."""
_OF = re.compile(r" (?:for|of|to|on) (?:the |our |your )?([\w-]+(?: [\w-]+)?)")
_BESIDE, _LETTERS = 2, 5


def is_secret(edit: Edit) -> bool:
    """Whether an edit tells what lets somebody in: it is never among what is told beside the edits
    that bear."""
    texts = (edit.statement, edit.subject or "")
    return any(_SECRET.search(text) for text in texts)


def names_secret(edit: Edit, words: str) -> bool:
    """Whether words name what a secret is of, or what it is: "wifi", "the printer's PIN".

    Args:
        edit: One that :func:`is_secret`.
        words: A user's.
    """
    asked = _find_stems(words.casefold().replace("-", ""))
    return any(asked & _find_stems(around) for around in _look_around(edit))


def _find_stems(text: str) -> frozenset[str]:
    words = _WORD.findall(text)
    return frozenset(_stem(each) for word in words for each in (word, _NAMES.get(word, word)))


def _look_around(edit: Edit) -> Iterator[str]:
    """The words that tell which secret an edit is, folded: what it is called, and of what it is."""
    for text in (edit.prompt, edit.subject or ""):
        for found in _SECRET.finditer(text):
            before = text[: found.start()].split()[-_BESIDE:]
            behind = _OF.match(text, found.end())
            parts = (*before, found[0], behind[1] if behind else "")
            yield " ".join(parts).casefold().replace("-", "")


def _stem(word: str) -> str:
    return word.removesuffix("s")[:_LETTERS]
