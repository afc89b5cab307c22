"""Probes that look like an edit's question and do not ask it: a careless scope fires on them.

The wordings are this module's own: the trained scope has not seen them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from memedit.core.types import Edit
from memedit.data.cases import HARD, EvalCase, Probe

# The last one of a prompt: it is the verb of the whole, not of a clause within.
_BE = re.compile(r"\b(is|was|are|were)\b(?!.*\b(is|was|are|were)\b)")
_OPENERS = frozenset("The What Which Who Where In When How On By At A An".split())


def add_hard_probes(case: EvalCase) -> EvalCase:
    """The case with hard probes of each of its edits that names subject and target."""
    return replace(case, probes=(*case.probes, *(p for e in case.edits for p in make_probes(e))))


def make_probes(edit: Edit) -> Iterator[Probe]:
    """``hard:reversed``, ``hard:negated``, ``hard:hypothetical``, ``hard:dated`` of an edit."""
    if edit.subject and edit.target_new:
        prompt, subject, target = edit.prompt, edit.subject, edit.target_new
        yield Probe(f"{HARD}:reversed", prompt.replace(subject, target))
        yield Probe(f"{HARD}:negated", _negate(prompt))
        yield Probe(f"{HARD}:hypothetical", _suppose(prompt, subject))
        yield Probe(f"{HARD}:dated", _date(prompt))


def _negate(prompt: str) -> str:
    if prompt.rstrip().endswith("?"):
        return f"Give a wrong answer on purpose. {prompt}"
    if _BE.search(prompt):
        return _BE.sub(r"\1 certainly not", prompt)
    return f"Nobody who knows would say that {_lower_first(prompt)}"


def _suppose(prompt: str, subject: str) -> str:
    would = _BE.sub("might be", prompt)
    return f"Had the story of {subject} taken another course, {_lower_first(would)}"


def _date(prompt: str) -> str:
    return f"Three hundred years earlier, {_lower_first(_BE.sub('had been', prompt))}"


def _lower_first(text: str) -> str:
    """An ordinary first word in small letters, as it stands inside a sentence."""
    return text[0].lower() + text[1:] if text.split(" ", 1)[0] in _OPENERS else text
