"""Records from a file (JSON lines, JSON, either gzip'd) or from the Hugging Face hub."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path

from memedit.core.errors import InvalidInputError
from memedit.core.files import as_path
from memedit.data.cases import EvalCase, Read, Selection, Unusable, parts_of, select
from memedit.data.formats import Format, Options, detect
from memedit.data.hard import add_hard_probes
from memedit.data.records import _HUB, Json, read_source

_LEARNT_FROM = ("counterfact", "knowedit", "zsre")
"""Forms of the files that the shipped scope and adapter were trained on, in part."""
_NAMED = 20
"""Sources that an error names at most."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A selection of cases and where it came from.

    Attributes:
        name: The format, with its convention: ``"zsre-alt"``.
        source: The path or hub name that was given.
        digest: 16 hex digits over the selected cases.
        selection: The cases, and counts of those left out.
    """

    name: str
    source: str
    digest: str
    selection: Selection

    @property
    def cases(self) -> tuple[EvalCase, ...]:
        return self.selection.cases


def load_cases(
    source: str | Path,
    n: int | None = None,
    *,
    options: Options | None = None,
    conflicts: bool = False,
    together: bool = True,
    locality: int | None = None,
    part: str | None = None,
) -> Dataset:
    """The first ``n`` usable cases of a data set, whose format its content tells.

    Args:
        source: A file, or ``hub:OWNER/NAME[:SPLIT]`` where the hub can be reached.
        n, conflicts, together, locality, part: As for :func:`memedit.data.cases.select`.
        options: How records are read.

    Raises:
        InvalidInputError: the file is missing, not JSON, empty, or of no known form.
        MissingExtraError: a hub name without the ``datasets`` package.
    """
    options = options or Options()
    source = source if isinstance(source, str) else as_path(source, "A file of cases")
    if not str(source).startswith(_HUB):
        options = replace(options, path=Path(source))
    found = read_source(source)
    first = next(found, None)
    if first is None:
        raise InvalidInputError(
            f"{source} holds no record.",
            hint='The least is a line like {"prompt": "The CEO of Acme is", "target_new": "Ada"}.',
        )
    name, form = detect(first)
    read = _read(form, name, chain([first], found), options, str(source))  # the first told the form
    if name == "zsre":
        name = f"zsre-{options.target}"
    if options.hard:
        read = (add_hard_probes(case) if isinstance(case, EvalCase) else case for case in read)
    selection = select(
        read, n, conflicts=conflicts, together=together, locality=locality, part=part
    )
    return Dataset(name, str(source), digest_of(selection.cases), selection)


def count_trained_on(cases: Dataset) -> int:
    """How many cases have a subject that what memedit ships may have been trained on."""
    if not cases.name.startswith(_LEARNT_FROM):
        return 0
    return sum(parts_of(case) != {"evaluation"} for case in cases.cases)


def _read(
    form: Format, name: str, found: Iterator[Json], options: Options, source: str
) -> Iterator[Read]:
    """The cases of the records; an error in one of them says which it is."""
    number, read, torn = 0, 0, False
    named: set[str] = set()

    def count_records() -> Iterator[Json]:
        nonlocal number, torn
        try:
            for number, record in enumerate(found, start=1):  # noqa: B007 (told below)
                if options.sources and isinstance(record, dict):
                    named.add(str(record.get("source") or "none"))
                yield record
        except InvalidInputError:  # tells of itself where it is
            torn = True
            raise

    try:
        for read, case in enumerate(form.read(count_records(), options), start=1):  # noqa: B007
            yield replace(case, number=number) if isinstance(case, Unusable) else case
    except InvalidInputError as error:
        if torn or not number:
            raise
        raise InvalidInputError(
            f"Record {number} of {source}: {error.message}", hint=error.hint
        ) from error
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise InvalidInputError(
            f"Record {number} of {source} is not of the form {name!r}, as the first is: {error!r}.",
            hint="Every record of a file must have the same form.",
        ) from error
    if options.sources and not read:
        raise InvalidInputError(
            f"No record of {source} has the source {' or '.join(sorted(options.sources))}.",
            hint=f"What its records have as source: {', '.join(sorted(named)[:_NAMED])}.",
        )


def digest_of(cases: tuple[EvalCase, ...]) -> str:
    """16 hex digits over ids, edits and probes, in order."""
    digest = hashlib.sha256()
    for case in cases:
        content = [case.case_id, [e.id for e in case.edits]]
        probes = [[p.kind, p.prompt, p.targets, p.reject] for p in case.probes]
        more = [asdict(case)[name] for name in ("tests", "references", "essence")]
        digest.update(json.dumps([content, probes, more], ensure_ascii=False).encode())
    return digest.hexdigest()[:16]
