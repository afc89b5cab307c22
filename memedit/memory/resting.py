"""What may rest on a fact that is no longer in force: told, never touched.

An edit rests on another where it says so (``because_of``). It may rest on one where it is about the
same subject and its text names the value that is gone: "The press contact of Acme is Ada Byron's
office" once Acme's chief executive is no longer Ada Byron.
"""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager

import numpy as np

from memedit.core.errors import InvalidEditError
from memedit.core.text import subject_key, words_of
from memedit.core.types import DEFAULT_NAMESPACE, Edit, Record
from memedit.memory.live.state import LiveSet

MOST = 20
"""Edits that are told of one change."""
_LOOKED_AT = 200_000
"""Edits whose texts are looked through, of those with a word in common."""
_AT_ONCE, _PAUSE = 1_000, 0.001
"""Texts that are read while others wait, and the seconds in which those have their turn."""
_SHORTEST = 2
"""Characters of a value that is looked for."""


class Resting(ABC):
    """Live records of which some rest on others."""

    @abstractmethod
    def _current(self) -> AbstractContextManager[LiveSet]:
        """The live set, up to date; nobody changes it within the block."""

    def resting_on(self, gone: Sequence[Record], but: str = "") -> tuple[Record, ...]:
        """The live records that may rest on these, which were retired or forgotten: those that name
        one in ``because_of`` first. At most :data:`MOST`.

        Args:
            gone: Records of one namespace.
            but: The id of one that is left out: what replaced them.
        """
        if not gone:
            return ()
        ids = {_original(record) for record in gone}
        named = [test for record in gone if (test := _naming(record)) is not None]
        if named:
            self._read_texts(gone[0].namespace)
        with self._current() as live:
            space = live.space(gone[0].namespace)
            says = [live.records[sequence] for sequence in space.resting_on(ids)]
            near = sorted({s for test in named for s in [*space.naming(test.key)][-_LOOKED_AT:]})
            # Each is unpacked when its turn comes: searches need not wait for thousands.
            records = live.records.iterate(np.array(near, np.int64))
        # Texts are looked through when others may read and write again.
        left_out = ids | {but}
        found = {record.sequence: record for record in says if record.id not in left_out}
        for record in records:
            if len(found) >= MOST:
                break
            if record.id not in left_out and any(test(record) for test in named):
                found.setdefault(record.sequence, record)
        return tuple([*found.values()][:MOST])

    def _read_texts(self, namespace: str) -> None:
        """Have every text read, some at a time: who searches meanwhile waits for some of them."""
        while True:
            with self._current() as live:
                if live.space(namespace).read_texts(_AT_ONCE):
                    return
            time.sleep(_PAUSE)  # else this thread would have the lock again before any other

    def groundless(self, namespace: str | None = None) -> list[tuple[Record, tuple[str, ...]]]:
        """Live records with the ids that they rest on and that are not in force."""
        with self._current() as live:
            found = list[tuple[Record, tuple[str, ...]]]()
            for record in live.iterate(namespace):
                space = live.space(record.namespace)
                lost = tuple(id for id in record.edit.because_of if space.find(id) is None)
                found += [(record, lost)] if lost else []
            return found

    def check_reasons(self, edit: Edit, namespace: str = DEFAULT_NAMESPACE) -> None:
        """See that what an edit rests on is in force.

        Raises:
            InvalidEditError: it is not.
        """
        if not edit.because_of:
            return
        with self._current() as live:
            space = live.space(namespace)
            for id in edit.because_of:
                if space.find(id) is None:
                    raise InvalidEditError(
                        f"because_of names {id!r}, and no edit in force in namespace "
                        f"{namespace!r} has this id.",
                        hint="memedit edit list tells the ids.",
                    )


def _original(record: Record) -> str:
    """The id of a record; of a copy that of what it is a copy of."""
    return record.id.removesuffix(f"~{record.sequence}")


class _Naming:
    """Whether a record is about the same subject as a fact and names its value.

    Attributes:
        key: Of the subject.
    """

    def __init__(self, record: Record, subject: str, value: str) -> None:
        self.key = subject_key(subject)
        self._value = re.compile(rf"(?<!\w){re.escape(value)}(?!\w)", re.IGNORECASE)
        self._prompt = record.edit.prompt.casefold()

    def __call__(self, record: Record) -> bool:
        edit = record.edit
        text = edit.statement
        if self._value.search(text) is None or edit.prompt.casefold() == self._prompt:
            return False
        if edit.subject is not None and subject_key(edit.subject) == self.key:
            return True
        return f" {self.key} " in f" {' '.join(words_of(text))} "


def _naming(record: Record) -> _Naming | None:
    edit = record.edit
    # Sentences end with a dot, values within other texts do not.
    value = (edit.target_new or "").strip(" .")
    if edit.subject is None or len(value) < _SHORTEST:
        return None
    return _Naming(record, edit.subject, value)
