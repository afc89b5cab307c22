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
    | zugangs(?:code|daten)\w* | code[ ]d['’]accès | código[ ]de[ ]acceso )\b""",
    re.IGNORECASE | re.VERBOSE,
)


def is_secret(edit: Edit) -> bool:
    """Whether an edit tells what lets somebody in: it is said to who asks for it, and not beside
    other facts to who did not."""
    return _SECRET.search(f"{edit.prompt} {edit.subject or ''}") is not None
