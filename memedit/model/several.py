"""Whether a relation has several values at once, where nobody says so.

"Kirk is interested in" has, "Kirk was born in" has not. What a relation's masked prompt ("it is
interested in") sounds like decides: a logistic regression on the sentence encoder's vector, trained
on our own templates (:mod:`memedit.training.several`). Only where it is sure does a new value stand
beside the old one; to be told ``multiple=True`` or ``False`` overrules it.

Beside the vector it reads the prompt's shape: "The … of it is" speaks of one, "it has visited", "…
include" and "A … of it is" of several.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

import numpy as np

from memedit.core.protocols import Encoder
from memedit.core.text import find_subject, mask
from memedit.core.types import Edit, Vectors, mask_prompt

FILE = "several.json"
SHAPES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\binclud|\bsuch as\b|\bamong\b|\bone of\b|\bfor example\b|\bothers\b",
        r"^(?:an?|one|some|there) \w",
        r"^the (?:\w+ )+(?:of|for|on|at|to|in) it\b.*\b(?:is|was|lasts|begins)(?: \w+)?$",
        r"^it['’]s (?:\w+ )*(?:is|was|are)(?: \w+)?$",
        r"\bare$|\bwere$|\b(?!is|was|has|as|us)\w{3,}s (?:of|for|in|from) it\b",
        r"^it has (?:\w+ )?(?:\w+(?:ed|en|wn|ght)|been|won|met|put|run)\b",
        r"^it (?:is|was) (?:\w+ )?\w+(?:ed|en|wn|ght|un) (?:by|in|on|at|from|as|after|to)$",
        r"^(?:who|what|where|when|which|how|whose)\b",
        r"\b(?:current|currently|now|default|maximum|minimum|official|favou?rite|usual|preferred|"
        r"next|main|head|chief|date|number|name|only|native|original|originally)\b",
        r"^it (?:is|was) (?:the|an?) ",
        r"^it \w+$",
        r"\bby$", r"\bin$", r"\bon$", r"\bat$", r"\bas$", r"\bto$", r"\bwith$", r"\bfor$", r"\bof$",
        r"\b(?:can|may|knows?|likes?|enjoys?)\b",
        r"\b(?:called|named)$",
    )
)  # fmt: skip
"""What a masked prompt may look like."""
_SHARE = 0.3
"""How much a shape counts beside a unit vector."""


@dataclass(frozen=True, slots=True)
class SeveralValues:
    """The trained decision.

    Attributes:
        encoder: Id of the encoder whose vectors it reads.
        weights: [d + shapes].
        bias: Of the logit.
        many: Probability of several values from which a new one is put beside the others.
        one: Probability below which there is surely one value at a time.
    """

    encoder: str
    weights: Vectors
    bias: float
    many: float
    one: float

    def chances(self, vectors: Vectors) -> list[float]:
        """Probability of several values, of :func:`read_features` [n, d + shapes] of relations."""
        logits = vectors @ self.weights + self.bias
        return [float(p) for p in 1 / (1 + np.exp(-logits))]


@cache
def load_trained() -> SeveralValues:
    """The packaged decision."""
    told = json.loads(files("memedit.model").joinpath(FILE).read_text("utf-8"))
    weights = np.array(told["weights"], np.float32)
    return SeveralValues(told["encoder"], weights, told["bias"], told["many"], told["one"])


def chances(templates: Sequence[str], encoder: Encoder) -> list[float] | None:
    """Probability that relations, as prompts with the subject masked, have several values; None:
    the decision was not trained for this encoder."""
    if encoder.id != load_trained().encoder or not templates:
        return None
    return load_trained().chances(read_features(templates, encoder))


def read_features(templates: Sequence[str], encoder: Encoder) -> Vectors:
    """[n, d + shapes] what the decision reads of masked prompts."""
    shapes = [[shape.search(text) is not None for shape in SHAPES] for text in templates]
    vectors = np.asarray(encoder.encode(list(templates)), np.float32)
    return np.hstack([vectors, _SHARE * np.array(shapes, np.float32)])


def apply_default(edit: Edit, encoder: Encoder, said: bool | None) -> Edit:
    """The edit, one of several values where somebody says so, or nobody says and its relation
    surely has several. Without a subject, and for a statement, that is not known.

    Args:
        said: What the user says; None: nothing.
    """
    if said is not None:
        # The id is a hash of what an edit says: "" has it made anew.
        return edit if edit.multiple == said else replace(edit, multiple=said, id="")
    template = mask_prompt(edit)
    if edit.multiple or edit.is_statement or template is None:
        return edit
    found = chances([template], encoder)
    if found is None or found[0] < load_trained().many:
        return edit
    return replace(edit, multiple=True, id="")


def surely_has_one(prompt: str, subject: str | None, encoder: Encoder) -> bool:
    """Whether what goes before a value has surely one value at a time."""
    found = chance_of(prompt, subject, encoder)
    return found is not None and found < load_trained().one


def surely_has_several(prompt: str, subject: str | None, encoder: Encoder) -> bool:
    """Whether what goes before a value surely has several."""
    found = chance_of(prompt, subject, encoder)
    return found is not None and found >= load_trained().many


def chance_of(prompt: str, subject: str | None, encoder: Encoder) -> float | None:
    """Probability that what goes before a value has several; None: as :func:`chances`."""
    start, end = (0, 0) if subject is None else find_subject(prompt, subject)
    found = chances([mask(prompt, start, end) if end else prompt], encoder)
    return None if found is None else found[0]
