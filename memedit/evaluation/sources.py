"""Records from a file (JSON lines, JSON, either gzip'd) or from the Hugging Face hub."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from memedit.errors import InvalidInputError, MissingExtraError
from memedit.evaluation.cases import EvalCase, Selection, select
from memedit.evaluation.formats import Json, Options, detect
from memedit.evaluation.hard import with_hard

_HUB = "hub:"


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
) -> Dataset:
    """The first ``n`` usable cases of a data set, whose format its content tells.

    Args:
        source: A file, or ``hub:OWNER/NAME[:SPLIT]`` where the hub can be reached.
        n, conflicts, together, locality: As for :func:`memedit.evaluation.cases.select`.
        options: How records are read.

    Raises:
        InvalidInputError: the file is missing, not JSON, empty, or of no known form.
        MissingExtraError: a hub name without the ``datasets`` package.
    """
    options = options or Options()
    if not str(source).startswith(_HUB):
        options = replace(options, path=Path(source))
    found = records(source)
    first = next(found, None)
    if first is None:
        raise InvalidInputError(f"{source} holds no record.")
    name, form = detect(first)
    if name == "zsre":
        name = f"zsre-{options.target}"
    read = form.read(chain([first], found), options)
    if options.hard:
        read = (case and with_hard(case) for case in read)
    selection = select(read, n, conflicts=conflicts, together=together, locality=locality)
    return Dataset(name, str(source), digest_of(selection.cases), selection)


def digest_of(cases: tuple[EvalCase, ...]) -> str:
    """16 hex digits over ids, edits and probes, in order."""
    digest = hashlib.sha256()
    for case in cases:
        content = [case.case_id, [e.id for e in case.edits]]
        probes = [[p.kind, p.prompt, p.targets, p.reject] for p in case.probes]
        more = [asdict(case)[name] for name in ("tests", "references", "essence")]
        digest.update(json.dumps([content, probes, more], ensure_ascii=False).encode())
    return digest.hexdigest()[:16]


def records(source: str | Path) -> Iterator[Json]:
    """The records of a file or hub data set, one by one.

    Raises:
        InvalidInputError: the file is missing or a line of it is not JSON.
    """
    if str(source).startswith(_HUB):
        yield from _from_hub(str(source).removeprefix(_HUB))
        return
    path = Path(source)
    if not path.is_file():
        raise InvalidInputError(
            f"There is no file {str(path)!r}.", hint="A hub data set is written hub:OWNER/NAME."
        )
    try:
        if path.name.removesuffix(".gz").endswith(".json"):
            with _opened(path) as whole:
                yield from _listed(json.load(whole), path)
            return
        with _opened(path) as lines:
            yield from (json.loads(line) for line in lines if line.strip())
    except (json.JSONDecodeError, UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise InvalidInputError(f"{path} is not JSON lines: {error}.") from error


def _opened(path: Path) -> Any:
    opener: Any = gzip.open if path.suffix == ".gz" else open
    return opener(path, "rt", encoding="utf-8")


def _listed(value: Any, path: Path) -> list[Json]:
    if not isinstance(value, list):
        raise InvalidInputError(f"{path} holds {type(value).__name__}, not a list of records.")
    return value


def _from_hub(name: str) -> Iterator[Json]:
    try:
        import datasets
    except ImportError as error:
        raise MissingExtraError("datasets", extra="eval") from error
    repository, _, split = name.partition(":")
    try:
        rows = datasets.load_dataset(repository, split=split or "train")
    except Exception as error:
        raise InvalidInputError(
            f"The data set {repository!r} cannot be loaded: {str(error).splitlines()[0]}",
            hint="Where the hub cannot be reached, name a local file.",
        ) from error
    yield from (dict(row) for row in rows)
