"""Facts about named subjects, with everything needed to ask about them in many ways."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from memedit.core.text import subject_key
from memedit.training.requests.banks import fill
from memedit.training.requests.request import Candidate, Role

_COMMON = frozenset(
    "the of is was in an a to what which who where name for with and are did does do on by at from "
    "how has whose that s it as be her his he she when type kind known associated typically have "
    "whom there their its one some can or made make common main famous notable called".split()
)


@dataclass(frozen=True)
class Claim:
    """A fact of a data set.

    Attributes:
        set: Its data set.
        subject, prompt, value, old: The edit's subject, prompt, new and old object.
        relation: What is asked of the subject.
        asked: Its question, worded as the set or our banks word it.
        casual: The same without form.
        of: Noun phrases for the object, e.g. "the capital of France".
        states: Sentences without full stop that state it; ``{v}`` stands for the object.
        yes: Yes/no questions; ``{v}`` stands for the object.
        reversed: Questions whose answer is the subject; ``{v}`` stands for the object.
        type: What the object is; a key of the bank of hops, or "".
        given: (kind, text) of requests that the set itself gives and that it informs.
        others: Requests of the set about the same subject that ask something else.
        neighbours: Requests of the set about other subjects.
        unseen: Whether its relation is never trained on.
    """

    set: str
    subject: str
    relation: str
    prompt: str
    value: str
    old: str = ""
    asked: tuple[str, ...] = ()
    casual: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    yes: tuple[str, ...] = ()
    reversed: tuple[str, ...] = ()
    type: str = ""
    given: tuple[tuple[str, str], ...] = ()
    others: tuple[str, ...] = ()
    neighbours: tuple[str, ...] = ()
    unseen: bool = False

    @property
    def key(self) -> str:
        return subject_key(self.subject)

    def candidate(self, role: Role = "none", *, stated: bool = False) -> Candidate:
        """The fact as an edit: with prompt and target, or ``stated`` as a sentence."""
        if stated:
            text = self.sentence(self.value) + "."
            return Candidate(statement=text, role=role, group=self.key)
        return Candidate(self.prompt, self.value, self.subject, role=role, group=self.key)

    def sentence(self, value: str, at: int = 0) -> str:
        """A sentence, without its full stop, that gives the fact this object."""
        if self.states:
            return fill(self.states[at % len(self.states)], v=value)
        if self.prompt.rstrip().endswith("?"):
            return f'The answer to "{self.prompt}" is {value}'
        return f"{self.prompt.rstrip()} {value}"

    @cached_property
    def words(self) -> frozenset[str]:
        """Stems of what is asked, without the subject."""
        return stems(" ".join((self.prompt, *self.asked[:3], *self.of[:1])), self.subject)

    def of_another(self, subject: str) -> Claim:
        """The same said of another subject."""
        from dataclasses import replace

        def put(texts: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(t.replace(self.subject, subject) for t in texts)

        return replace(
            self, subject=subject, prompt=self.prompt.replace(self.subject, subject),
            asked=put(self.asked), casual=put(self.casual), of=put(self.of),
            states=put(self.states), yes=put(self.yes), given=(), others=(), neighbours=(),
        )  # fmt: skip


@lru_cache(maxsize=20_000)
def stems(text: str, without: str = "") -> frozenset[str]:
    """The first five letters of the words that mean something."""
    plain = text.replace(without, " ") if without else text
    words = re.findall(r"[^\W_]+", plain.casefold())
    # Five letters: "directed", "director" and "directs" are one word here.
    return frozenset(word[:5] for word in words if word not in _COMMON and len(word) > 1)
