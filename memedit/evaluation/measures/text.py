"""Comparing texts: SQuAD's normalisation, exact match, containment, F1; fluency and consistency."""

from __future__ import annotations

import math
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from memedit.core.errors import MissingExtraError

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_END = re.compile(r"[\n!?]|(?<=\w{4})\.(?=\s|$)")


def normalise(text: str) -> str:
    """As SQuAD compares answers: no case, punctuation, articles or extra white space."""
    kept = "".join(c for c in text.casefold() if c not in string.punctuation)
    return " ".join(_ARTICLES.sub(" ", kept).split())


def cut_first_sentence(text: str) -> str:
    """Up to the first line break, ``!``, ``?``, or full stop after a word of four letters or more.

    Shorter words are taken for abbreviations ("St. Louis", "Inc."). Mirage (arXiv 2502.11177)
    stops at every full stop.
    """
    text = text.strip()
    found = _END.search(text)
    return text[: found.start()] if found else text


def exact(text: str, targets: Iterable[str]) -> bool:
    """Whether the whole text is one of the targets, both normalised."""
    said = normalise(text)
    return any(said == normalise(target) for target in targets if normalise(target))


def contains(text: str, targets: Iterable[str]) -> bool:
    """Whether the first sentence holds one of the targets as whole words, both normalised."""
    said = f" {normalise(cut_first_sentence(text))} "
    return any(f" {normalise(target)} " in said for target in targets if normalise(target))


def starts(text: str, targets: Iterable[str]) -> bool:
    """Whether the text is or starts with one of the targets as whole words, both normalised."""
    said = f"{normalise(text)} "
    return any(said.startswith(f"{normalise(t)} ") for t in targets if normalise(t))


def names(text: str, answers: Iterable[Sequence[str]]) -> bool:
    """Whether the text holds an alias of every answer, letter for letter (RippleEdits).

    An alias of one character that is no digit counts for nothing.
    """
    kept = [[t for t in aliases if len(t) > 1 or t.isdigit()] for aliases in answers]
    return all(any(alias in text for alias in aliases) for aliases in kept)


def f1(text: str, targets: Iterable[str]) -> float:
    """SQuAD's F1 of the first sentence and the best target: over words, as multisets."""
    said = normalise(cut_first_sentence(text)).split()
    return max((_f1(said, normalise(target).split()) for target in targets), default=0.0)


def _f1(said: Sequence[str], gold: Sequence[str]) -> float:
    common = (Counter(said) & Counter(gold)).total()
    return 2 * common / (len(said) + len(gold)) if common else 0.0


def entropy(words: Sequence[str], n: int) -> float:
    """Entropy in bits of the n-grams' relative frequencies: -sum f log2 f; 0 without any."""
    counts = Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
    total = counts.total()
    return -sum(c / total * math.log2(c / total) for c in counts.values()) if total else 0.0


def fluency(text: str) -> float:
    """Generation entropy in bits: the mean of 2/3 H2 and 4/3 H3 (Meng et al. 2022, section 3.4).

    The papers print it times 100. Words are Treebank tokens, without a sentence splitter.

    Raises:
        MissingExtraError: nltk is not installed.
    """
    words = tokens(text)
    return entropy(words, 2) / 3 + 2 * entropy(words, 3) / 3


def tokens(text: str) -> list[str]:
    """Treebank words of the NFKD-normalised text.

    Raises:
        MissingExtraError: nltk is not installed.
    """
    try:
        from nltk.tokenize import NLTKWordTokenizer
    except ImportError as error:
        raise MissingExtraError("nltk", extra="eval") from error
    words: list[str] = NLTKWordTokenizer().tokenize(unicodedata.normalize("NFKD", text))
    return words


def weights(corpus: Iterable[str]) -> TfidfVectorizer:
    """TF-IDF's vocabulary and idf, from the references of all cases."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer().fit(corpus)


def consistency(texts: Sequence[str], references: Sequence[str], weights: TfidfVectorizer) -> float:
    """RS: cosine of the TF-IDF vectors of all texts joined and all references joined.

    Args:
        texts: What the model wrote about the subject.
        references: What is written about things that have the new object.
        weights: From :func:`weights`.
    """
    vectors = weights.transform([" ".join(texts), " ".join(references)])
    return float((vectors[0] @ vectors[1].T).toarray()[0, 0])
