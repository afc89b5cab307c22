"""Texts that look like an edit's question but do not ask it: what a scope must not fire on."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import TypeAlias

from memedit.data.facts import Fact

Form: TypeAlias = "Callable[[Fact, random.Random], str | None]"

_PLACES = ("Spain", "Japan", "Brazil", "Berlin", "Chicago", "the north", "a small village")
_VERBS = re.compile(r"\b(is|was|are|were|did|does|has|plays|speaks|works|belongs|died|holds)\b")


def negate(fact: Fact, rng: random.Random) -> str | None:
    """The prompt turned into its opposite."""
    prompt = fact.prompt
    verb = _find_last_verb(prompt)
    forms = [
        f"It is not true that {_decapitalise(prompt)}",
        f"{prompt} anything but",
        f"It is false that {_decapitalise(prompt)}",
    ]
    if verb is not None:
        start, end = verb
        word = prompt[start:end]
        if word in {"is", "was", "are", "were", "did", "does", "has"}:
            short = f"{prompt[:end]}n't{prompt[end:]}"
            forms += [f"{prompt[:end]} not{prompt[end:]}"] * 3 + [short] * 2
            forms.append(f"{prompt[:end]} never{prompt[end:]}")
        else:
            forms += [f"{prompt[:start]}never {prompt[start:]}"]
    if question := _question(fact, rng):
        asked = re.sub(r"^(What|Which|Who|Where) (is|was|are) ", r"\1 \2 not ", question)
        if asked != question:
            forms += [asked] * 3
        forms.append(f"Name one that is wrong: {_decapitalise(question)}")
    return rng.choice(forms)


def hypothetical(fact: Fact, rng: random.Random) -> str | None:
    """The prompt under a condition that is not the case."""
    subject, where = fact.subject, rng.choice(_PLACES)
    asked = _question(fact, rng) or fact.prompt
    return rng.choice(
        (
            f"If {subject} had come from {where}, {_suppose(fact.prompt)}",
            f"Imagine that {subject} were in {where}. Then {_suppose(_decapitalise(fact.prompt))}",
            f"Suppose {subject} had never existed. {asked}",
            f"If things had gone differently for {subject}, {_decapitalise(asked)}",
            f"In a world where {subject} moved to {where}, {_suppose(_decapitalise(fact.prompt))}",
        )
    )


def date(fact: Fact, rng: random.Random) -> str | None:
    """The prompt asked of another time."""
    year = rng.randrange(1750, 2021)
    past = _past(fact.prompt)
    asked = (_question(fact, rng) or past).rstrip("?")
    return rng.choice(
        (
            f"Before {year}, {_decapitalise(past)}",
            f"In {year}, {_decapitalise(past)}",
            f"Until {year}, {_decapitalise(past)}",
            f"Back in {year}, {_decapitalise(past)}",
            f"{asked} before {year}" + ("?" if asked != past else ""),
            f"{asked} in {year}" + ("?" if asked != past else ""),
        )
    )


def reverse(fact: Fact, rng: random.Random) -> str | None:
    """The target put where the subject was, or the subject asked for."""
    target, prompt = fact.target, fact.prompt
    swapped = prompt.replace(fact.subject, target)
    wh = rng.choice(("Who or what", "Which one", "Who"))
    forms = [swapped, swapped, f"{wh} has this answer: {target}?", f"{target} is the answer for"]
    if match := re.match(r"The (.+?) of .+ (is|was)$", prompt):
        forms += [
            f"{target} is the {match.group(1)} of",
            f"Whose {match.group(1)} is {target}?",
            f"{wh} has {target} as {match.group(1)}?",
        ]
    if question := _question(fact, rng):
        forms.append(question.replace(fact.subject, target))
    return rng.choice(forms)


def _question(fact: Fact, rng: random.Random) -> str | None:
    asked = [q for q in fact.questions if q.endswith("?") and fact.subject in q]
    if fact.prompt.endswith("?"):
        asked.append(fact.prompt)
    return rng.choice(asked) if asked else None


def _find_last_verb(prompt: str) -> tuple[int, int] | None:
    found = [match.span() for match in _VERBS.finditer(prompt)]
    return found[-1] if found else None


def _past(prompt: str) -> str:
    return re.sub(r"\bis\b(?!.*\bis\b)", "was", prompt)


def _suppose(prompt: str) -> str:
    return re.sub(r"\b(is|was)\b(?!.*\b(is|was)\b)", "would be", prompt)


def _decapitalise(text: str) -> str:
    """A first word that is capitalised only as the first: The, What, Which, In …"""
    first = text.split(" ", 1)[0]
    ordinary = {"The", "What", "Which", "Who", "Where", "In", "When", "How", "On", "By", "At"}
    return text[0].lower() + text[1:] if first in ordinary else text
