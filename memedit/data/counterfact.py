"""CounterFact's records (Meng et al. 2022, arXiv 2202.05262), complete ones or the core."""

from __future__ import annotations

from dataclasses import dataclass

from memedit.core.rewrites import Rewrite, read_rewrite
from memedit.data.records import Json


@dataclass(frozen=True, slots=True)
class CounterFact:
    """One record.

    Attributes:
        rewrite: The edit.
        paraphrases: Other wordings of its question; may begin with a distracting sentence.
        neighbours: Prompts about other subjects with the same true object.
        generations: Openings of texts about the subject.
    """

    rewrite: Rewrite
    paraphrases: tuple[str, ...]
    neighbours: tuple[str, ...]
    generations: tuple[str, ...]


def is_counterfact(record: Json) -> bool:
    """Whether a record has CounterFact's form; MQuAKE's has a list of rewrites."""
    return isinstance(record.get("requested_rewrite"), dict)


def read_counterfact(record: Json) -> CounterFact:
    """A record of that form.

    Raises:
        KeyError, TypeError: as :func:`~memedit.core.rewrites.read_rewrite`.
    """
    return CounterFact(
        read_rewrite(record["requested_rewrite"]),
        tuple(record.get("paraphrase_prompts", ())),
        tuple(record.get("neighborhood_prompts", ())),
        tuple(record.get("generation_prompts", ())),
    )
