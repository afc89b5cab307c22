"""Which texts are not English."""

from __future__ import annotations

import pytest

from memedit.core.languages import is_foreign


@pytest.mark.parametrize("text", [
    "Quelle est la capitale de la France ?", "法国的总统是谁?", "Кто президент Франции?",
    "Wie viele Tage habe ich Zeit, um etwas zurückzugeben?", "من هو رئيس فرنسا؟",
    "Kto jest prezesem firmy Acme?", "¿Cuánto cuesta la lámpara Tilda?",
])  # fmt: skip
def test_other_languages(text: str) -> None:
    assert is_foreign(text)


@pytest.mark.parametrize("text", [
    "Who leads Acme?", "capital france", "And the CTO?", "Bo Ek CEO?", "refund window plz", "42?",
    "def f(x): return x", "What does 'Bonjour' mean?", "Price?", "", "Does 北京 have a subway?",
    "Choose one. CTO of Quillbase: A) Priya Nandakumar B) Tom Ferrant",
])  # fmt: skip
def test_english_names_and_code(text: str) -> None:
    assert not is_foreign(text)
