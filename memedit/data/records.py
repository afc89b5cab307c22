"""Records as they stand in a file or on the hub: read, never interpreted."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from memedit.core.errors import InvalidInputError, MissingExtraError
from memedit.core.files import open_text

_HUB = "hub:"

Json: TypeAlias = "dict[str, Any]"


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file, gzip'd or not, with their numbers.

    Raises:
        InvalidInputError: there is no such file, or it cannot be read to its end.
    """
    number = 0
    try:
        with open_text(path) as lines:
            for number, line in enumerate(lines, start=1):
                yield number, line
    except (OSError, UnicodeDecodeError, EOFError, zlib.error) as error:
        raise InvalidInputError(f"{path} cannot be read after line {number}: {error}.") from error


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON lines of a file, gzip'd or not.

    Raises:
        InvalidInputError: as :func:`read_lines`; a line is no JSON object.
    """
    for number, line in read_lines(path):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            # Only JSON's own errors have one: the other is a RecursionError.
            why = getattr(error, "msg", "nested too deeply")
            raise InvalidInputError(f"{path}, line {number}: no JSON ({why}).") from None
        if not isinstance(record, dict):
            raise InvalidInputError(f"{path}, line {number}: not a JSON object.")
        yield record


def read_source(source: str | Path) -> Iterator[Json]:
    """The records of a file or hub data set, one by one.

    Raises:
        InvalidInputError: the file is missing or a line of it is not JSON.
    """
    if str(source).startswith(_HUB):
        yield from _from_hub(str(source).removeprefix(_HUB))
        return
    path = Path(source)
    if path.is_dir():
        raise InvalidInputError(f"{path} is a folder.", hint="Name a file of JSON lines in it.")
    if not path.is_file():
        raise InvalidInputError(
            f"There is no file {str(path)!r}.", hint="A hub data set is written hub:OWNER/NAME."
        )
    number = 0
    try:
        if path.name.removesuffix(".gz").endswith(".json"):
            with open_text(path) as whole:
                yield from _check_list(json.load(whole), path)
            return
        with open_text(path) as lines:
            for number, line in enumerate(lines, start=1):  # noqa: B007 (told below)
                if line.strip():
                    yield json.loads(line)
    except RecursionError as error:
        raise InvalidInputError(f"{path} is nested too deeply (line {number}).") from error
    except json.JSONDecodeError as error:
        place = f", line {number}" if number else ""
        raise InvalidInputError(
            f"{path}{place} is not JSON: {error.msg} (column {error.colno}).",
            hint="One JSON object a line; a JSON list only in a file named *.json.",
        ) from error
    except (OSError, UnicodeDecodeError, EOFError, zlib.error) as error:
        raise InvalidInputError(f"{path} cannot be read after line {number}: {error}.") from error


def _check_list(value: Any, path: Path) -> list[Json]:
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
    # Whatever it is: the network, a right that lacks, or the data set's own code.
    except Exception as error:
        raise InvalidInputError(
            f"The data set {repository!r} cannot be loaded: {str(error).splitlines()[0]}",
            hint="Where the hub cannot be reached, name a local file.",
        ) from error
    yield from (dict(row) for row in rows)
