"""Facts that let somebody in: passwords, codes, keys."""

from __future__ import annotations

import re

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


def is_secret(edit: Edit) -> bool:
    """Whether an edit tells what lets somebody in: it is never among what is told beside the edits
    that bear."""
    texts = (edit.statement, edit.subject or "")
    return any(_SECRET.search(text) for text in texts)
