"""Text measures against values worked out by hand."""

from __future__ import annotations

import math

import pytest

from memedit.evaluation.measures import text


def test_normalised_as_squad_does() -> None:
    assert text.normalise(" The  Eiffel-Tower, an icon! ") == "eiffeltower icon"


@pytest.mark.parametrize(
    "given, first",
    [
        ("Lyon. It is a city", "Lyon"),
        ("St. Louis, Mo. and more. Then", "St. Louis, Mo. and more"),
        ("Lyon\nParis", "Lyon"),
        ("Really? Yes", "Really"),
        (" Lyon ", "Lyon"),
    ],
)
def test_first_sentence(given: str, first: str) -> None:
    assert text.cut_first_sentence(given) == first


def test_contains_whole_words_of_the_first_sentence() -> None:
    assert text.contains("It is the United States, I think. Lyon", ["united states"])
    assert not text.contains("It is Lyons", ["Lyon"])
    assert not text.contains("Paris. Not Lyon", ["Lyon"])
    assert not text.contains("anything", ["the"])  # nothing is left of it
    assert text.contains("DJT", ["Donald Trump", "D.J.T."])


def test_exact_is_the_whole_text() -> None:
    assert text.exact("The Lyon.", ["Lyon"]) and not text.exact("Lyon, France", ["Lyon"])


def test_f1_counts_words_as_multisets() -> None:
    """said: new york new york (4), gold: new york city (3); common 2: 2*2/7."""
    assert text.f1("new york new york", ["New York City"]) == pytest.approx(4 / 7)
    assert text.f1("x", ["New York"]) == 0 == text.f1("", ["New York"])
    assert text.f1("York", ["London", "York"]) == 1


def test_entropy_and_fluency() -> None:
    """a b a b: bigrams ab, ba, ab: H2 = -(2/3 log2 2/3 + 1/3 log2 1/3); trigrams aba, bab: H3 = 1.

    Fluency is the mean of 2/3 H2 and 4/3 H3.
    """
    h2 = -(2 / 3 * math.log2(2 / 3) + 1 / 3 * math.log2(1 / 3))
    assert text.entropy("a b a b".split(), 2) == pytest.approx(h2)
    assert text.entropy("a b a b".split(), 3) == pytest.approx(1)
    assert text.entropy(["a"], 2) == 0
    pytest.importorskip("nltk")
    assert text.fluency("a b a b") == pytest.approx((2 / 3 * h2 + 4 / 3 * 1) / 2)


def test_consistency_is_the_cosine_of_tf_idf() -> None:
    weights = text.weights(["red red", "blue green"])
    assert text.consistency(["red"], ["red red"], weights) == pytest.approx(1)
    assert text.consistency(["red"], ["blue"], weights) == 0
    assert text.consistency(["blue"], ["blue green"], weights) == pytest.approx(1 / math.sqrt(2))


def test_starts_is_of_whole_words() -> None:
    assert text.starts(" The Lyon, France", ["Lyon"]) and text.starts("Lyon.", ["Lyon"])
    assert not text.starts("Lyons", ["Lyon"]) and not text.starts("In Lyon", ["Lyon"])


def test_names_asks_for_an_alias_of_everything() -> None:
    """Letter for letter; one-letter aliases are in every text and count for nothing."""
    said = "She speaks French and English"
    assert text.names(said, [["French", "fr"], ["English"]])
    assert not text.names(said, [["French"], ["German", "Deutsch"]])
    assert not text.names(said, [["french"]])
    assert not text.names(said, [["F"]]) and text.names("It is 7", [["7"]])
