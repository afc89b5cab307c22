"""Requests in other languages than English, which the packaged encoder and scope cannot read."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

_SURE = 0.5
"""Probability of its likeliest language from which a text is taken to be in it: names, code and a
few words of English stay below."""
_MOST = 2_000
"""Characters of a text that are looked at."""


def is_foreign(text: str) -> bool:
    """Whether a text is in another language than English, as far as one can tell.

    By its letters where most are of another script than Latin, else by langid's n-grams (Lui and
    Baldwin 2012, in py3langid's form).
    """
    text = text[:_MOST]
    letters = [character for character in text if character.isalpha()]
    if not letters:
        return False
    latin = sum(unicodedata.name(letter, "").startswith("LATIN") for letter in letters)
    if 2 * latin < len(letters):
        return True
    language, chance = _identifier().classify(text)
    return bool(language != "en" and chance >= _SURE)


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    """Loaded (about a second) when the first text is looked at."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
