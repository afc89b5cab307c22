"""Fact tests: an edit file carries questions and what their answers must say.

``memedit edit export`` lines, each with a list of checks::

    {"prompt": "The CEO of Acme is", "target_new": "Bo Ek", "subject": "Acme", "checks": [
       {"ask": "Who leads Acme?", "says": ["Bo Ek"], "never": ["Ada Byron"]},
       {"ask": "Who led Acme?", "as_of": "2015-06-01", "says": ["Ada Byron"]},
       {"ask": "Who leads Initech?", "unchanged": true}]}

An edit without checks is asked its own prompt, at a time when it holds; a statement is only held. A
question is asked in the namespace of its edit. All edits of the file are in memory at once: what a
new model, scope or threshold breaks is seen before it is deployed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from memedit.core.errors import InvalidInputError
from memedit.core.types import DEFAULT_NAMESPACE
from memedit.evaluation.measures.judging import Wanted
from memedit.memory.files import request
from memedit.memory.requests import Request

if TYPE_CHECKING:
    from memedit.model.editable import EditableModel  # slow: a file is read without it

_KEYS = frozenset(("ask", "says", "never", "unchanged", "as_of", "chat"))
_SUITE = "memedit"


@dataclass(frozen=True, slots=True)
class Check:
    """One question about an edit.

    Attributes:
        edit: The line of the file, and the fact as text.
        ask: The question.
        says: Texts that the answer must say, all of them.
        never: Texts that it must not say as what holds.
        unchanged: No edit may bear on it: the answer is the unedited model's.
        as_of: The date of the request, as written; "" for now.
        chat: Ask as a chat message; None where the model and the text decide.
        namespace: Of the edit, and so of the request.
    """

    edit: tuple[int, str]
    ask: str
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    unchanged: bool = False
    as_of: str = ""
    chat: bool | None = None
    namespace: str = DEFAULT_NAMESPACE


@dataclass(frozen=True, slots=True)
class Outcome:
    """A check with the answer it got; ``wrong`` says what is wrong with it, "" if nothing."""

    check: Check
    answer: str
    wrong: str = ""


def read(path: Path) -> tuple[list[Request], list[Check]]:
    """The edits of a file, and their checks.

    Raises:
        InvalidInputError: no such file, or a line that cannot be used; the message names it.
    """
    if not path.is_file():
        raise InvalidInputError(f"No file {str(path)!r}.", hint="Check the path.")
    requests: list[Request] = []
    checks: list[Check] = []
    try:
        # Not splitlines, which also breaks at marks that a text in JSON may hold.
        lines = path.read_text("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path} cannot be read: {error}.") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                kind = type(row).__name__
                raise ValueError(f"not a JSON object but {kind}: write one edit a line.")
            # Taken out: an edit has no such key, and would be refused.
            given = row.pop("checks", None)
            made = request(row, DEFAULT_NAMESPACE, "")
            requests.append(made)
            checks += _checks(given, made, number)
        except (ValueError, AttributeError, TypeError, RecursionError) as error:
            raise InvalidInputError(f"{path}, line {number}: {error}") from None
    if not requests:
        # In CI "0 of 0 right" would be taken for a file that was tried.
        raise InvalidInputError(f"{path} holds no edits.", hint="Write one JSON object a line.")
    return requests, checks


def _checks(given: Any, made: Request, number: int) -> Iterator[Check]:
    edit, about = made.edit, (number, made.edit.statement)
    if given is None:
        own = {"ask": edit.prompt, "says": edit.target_new, "as_of": _when(made)}
        given = [] if edit.is_statement else [own]
    if not isinstance(given, list):
        raise ValueError("checks must be a list.")
    for one in given:
        if not isinstance(one, Mapping) or not isinstance(one.get("ask"), str):
            raise ValueError('a check needs "ask", a question.')
        if unknown := sorted(one.keys() - _KEYS):
            raise ValueError(f"a check has no {unknown[0]!r}; it has {', '.join(sorted(_KEYS))}.")
        says, never = (_texts(one.get(name, ()), name) for name in ("says", "never"))
        if bool(says or never) == bool(one.get("unchanged")):
            raise ValueError('a check needs either "says" or "never", or "unchanged": true.')
        yield Check(
            about, one["ask"], says, never, bool(one.get("unchanged")), one.get("as_of", ""),
            one.get("chat"), made.namespace,
        )  # fmt: skip


def _when(made: Request) -> str:
    """A moment at which the edit holds: "" for now."""
    now, start, end = datetime.now(timezone.utc), made.valid_from, made.valid_until
    if start is not None and (start > now or (end is not None and end <= now)):
        return start.isoformat()
    if end is not None and end <= now:
        return (end - timedelta(microseconds=1)).isoformat()
    return ""


def _texts(given: Any, name: str) -> tuple[str, ...]:
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list | tuple) or not all(isinstance(each, str) for each in listed):
        raise ValueError(f"{name} must be a list of texts.")
    return tuple(listed)


def run(
    model: EditableModel,
    checks: Sequence[Check],
    *,
    budget: int = 48,
    progress: Callable[[int], None] | None = None,
) -> list[Outcome]:
    """Ask every check of a model that holds the edits.

    Args:
        budget: New tokens of an answer at most.
        progress: Hears how many are done.
    """
    found = []
    for done, check in enumerate(checks, start=1):
        found.append(_outcome(model, check, budget))
        if progress is not None:
            progress(done)
    return found


def _outcome(model: EditableModel, check: Check, budget: int) -> Outcome:
    options: dict[str, Any] = {"chat": check.chat, "max_new_tokens": budget}
    with model.using(namespace=check.namespace, as_of=check.as_of or None):
        answer = model.ask(check.ask, **options)
        if check.unchanged:
            with model.unedited():
                base = model.ask(check.ask, **options)
            fired = ", ".join(hit.record.edit.statement for hit in answer.decision.bearing)
            same = answer.text == base.text
            wrong = "" if same else f"the unedited model says {base.text!r}; fired: {fired}"
            return Outcome(check, answer.text, wrong)
    wanted = Wanted([[text] for text in check.says], check.never)
    if wanted.right(answer.text):
        return Outcome(check, answer.text)
    fired = ", ".join(hit.record.edit.statement for hit in answer.decision.bearing) or "no edit"
    want = " and ".join(map(repr, check.says)) or "something else"
    never = "".join(f", not {text!r}" for text in check.never)
    return Outcome(check, answer.text, f"wanted {want}{never}; fired: {fired}")


def junit(outcomes: Sequence[Outcome], name: str) -> str:
    """The outcomes as JUnit XML, which CI systems read: a test case each."""
    failures = sum(bool(outcome.wrong) for outcome in outcomes)
    suite = ElementTree.Element(
        "testsuite", name=_SUITE, tests=str(len(outcomes)), failures=str(failures)
    )
    for outcome in outcomes:
        line, fact = outcome.check.edit
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"{name}:{line}", name=_clean(outcome.check.ask)
        )
        if outcome.wrong:
            failure = ElementTree.SubElement(case, "failure", message=_clean(outcome.wrong))
            failure.text = _clean(f"fact: {fact}\nanswer: {outcome.answer}")
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


def _clean(text: str) -> str:
    """What XML can hold."""
    # Control characters and lone surrogates have no place in XML, not even escaped.
    return "".join(c if c in "\t\n" or (c >= " " and c.isprintable()) else "\ufffd" for c in text)
