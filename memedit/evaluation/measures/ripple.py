"""Which of RippleEdits' tests are executed and passed (Cohen et al. 2023, arXiv 2307.12976).

An answer is right when it holds, letter for letter, an alias of everything it must name. Only what
the model adds to the prompt is searched; ``compat`` searches the prompt too, as the authors' code
does (which also generates far longer texts: their limit counts characters as tokens).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from memedit.data.cases import EFFICACY, EvalCase, Query, RippleTest
from memedit.evaluation.measures import text

Said = Mapping[str, str]
"""{prompt: what the model said}"""
Verdict = tuple[str, str, float]
"""(kind of the test, measure, value)"""


def verdicts(case: EvalCase, now: Said, before: Said) -> Iterator[Verdict]:
    """``ripple_executed`` of every test; ``ripple_passed`` of the executed, if the edit succeeded.

    ``ripple_executed_edited`` is the first of edits that succeeded alone, as the authors count.

    Args:
        case: With its tests.
        now: Answers of the edited model to the case's probes.
        before: Answers of the unedited model to the conditions.
    """
    facts = [Query(p.prompt, (p.targets,)) for p in case.probes if p.kind == EFFICACY]
    for suffix, compat in (("", False), ("_compat", True)):
        edited = all(_is_right(fact, now, compat) for fact in facts)
        for test in case.tests:
            executed = all(_is_right(query, before, compat) for query in test.conditions)
            yield test.kind, f"ripple_executed{suffix}", float(executed)
            if edited and not compat:
                yield test.kind, "ripple_executed_edited", float(executed)
            if executed and edited:
                yield test.kind, f"ripple_passed{suffix}", float(_passes(test, now, compat))


def _passes(test: RippleTest, now: Said, compat: bool) -> bool:
    right = [_is_right(query, now, compat) for query in test.queries]
    return all(right) if test.every else any(right)


def _is_right(query: Query, said: Said, compat: bool) -> bool:
    heard = said[query.prompt]
    return text.names(f"{query.prompt} {heard}" if compat else heard, query.answers)
