"""Records as bytes, one behind the other: as objects each takes four times the room.

A record is read again when somebody looks at it, in some microseconds; those looked at last stay.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from memedit.core.errors import InvalidEditError, MemoryStoreError
from memedit.core.types import Ids, Record
from memedit.memory.journal.payloads import LazyReader
from memedit.memory.journal.rows import DAMAGE, list_content, make_record, to_json
from memedit.memory.live.postings import Postings

_PROMPT, _TARGET = 4, 5
"""Where they stand in :func:`~memedit.memory.journal.rows.list_content`."""
_LENGTH = 4  # bytes before a record that say how long it is
_LITTLE = 1 << 16  # bytes that are not worth closing up
_KEPT = 1 << 14
"""Records that stay as objects: all of a small memory."""
Limits = tuple[datetime | None, datetime | None]


class _Packed(NamedTuple):
    """Attributes:
    content: The records, each behind its length.
    places: Where each begins, by sequence.
    """

    content: bytearray
    places: Postings

    def put(self, sequences: Sequence[int], packed: Sequence[bytes]) -> None:
        places = []
        for sequence, each in zip(sequences, packed, strict=True):
            places.append((sequence, len(self.content)))
            self.content.extend(len(each).to_bytes(_LENGTH, "little") + each)
        self.places.extend(places)

    def get(self, sequence: int) -> bytes | None:
        span = self.span(sequence)
        return None if span is None else bytes(self.content[slice(*span)])

    def span(self, sequence: int) -> tuple[int, int] | None:
        """Where a record's bytes begin and end."""
        found = self.places.get(sequence)
        if not found:
            return None
        start = found[0] + _LENGTH
        return start, start + int.from_bytes(self.content[found[0] : start], "little")


class PackedRecords(Mapping[int, Record]):
    """Records by sequence. Who changes it sees to it that nobody else does meanwhile.

    Attributes:
        lazy: Reads payloads of records when they are looked at.
    """

    def __init__(self) -> None:
        self.lazy: LazyReader | None = None
        self._packed = _Packed(bytearray(), Postings())
        self._wasted = 0  # bytes of what was taken out
        self._dated: dict[int, Limits] = {}
        self._objects: dict[int, Record] = {}

    def __len__(self) -> int:
        return len(self._packed.places)

    def __iter__(self) -> Iterator[int]:
        return iter(self.sequences().tolist())

    def __contains__(self, sequence: object) -> bool:
        # Not what is kept as an object: one that was read while another thread took it out would
        # be there for ever.
        return sequence in self._packed.places

    def __getitem__(self, sequence: int) -> Record:
        known = self._objects.get(sequence)
        if known is not None:
            return known
        record = self._read(sequence)
        if len(self._objects) >= _KEPT:
            # All at once: an order of use would cost each look more than it saves.
            self._objects.clear()
        self._objects[sequence] = record
        return record

    def _read(self, sequence: int) -> Record:
        packed = self._packed.get(sequence)
        if packed is None:
            raise KeyError(sequence)
        return self._unpack(sequence, packed)

    def _unpack(self, sequence: int, packed: bytes) -> Record:
        try:
            record = make_record(json.loads(packed), self.lazy)
            if record.sequence != sequence:
                raise ValueError(f"it says it is {record.sequence}")
        # Of a snapshot that somebody else made.
        except (*DAMAGE, InvalidEditError) as error:
            raise _no_record(sequence, error) from error
        return record

    def statement(self, sequence: int) -> str:
        """What a record states (``Edit.statement``), without making the record itself."""
        known, packed = self._objects.get(sequence), self._packed.get(sequence)
        if known is not None or packed is None:
            return self[sequence].edit.statement
        try:
            # As text: of bytes the decoder looks first which Unicode they are in.
            values = json.loads(packed.decode("utf-8", "surrogatepass"))
            prompt, target = values[_PROMPT], values[_TARGET]
            found: str = prompt.strip() if target is None else f"{prompt.rstrip()} {target.strip()}"
        except DAMAGE as error:
            raise _no_record(sequence, error) from error
        return found

    def sequences(self) -> Ids:
        """[n] of all, ascending."""
        return self._packed.places.keys()

    def iterate(self, sequences: Ids) -> Iterator[Record]:
        """Many records as they are now, each made when its turn comes; they take the place of none
        that is kept."""
        held = [(s, self._objects.get(s) or self._packed.get(s) or b"") for s in sequences.tolist()]
        return (
            each if isinstance(each, Record) else self._unpack(sequence, each)
            for sequence, each in held
        )

    def arrays(self) -> dict[str, Any]:
        """What :meth:`from_arrays` needs."""
        if self._wasted:
            self._close_up()
        content, places = self._packed
        return {
            "records": np.frombuffer(bytes(content), np.uint8),
            "places": places.keys(),
            "places.at": places.values(),
            "dated": np.array(sorted(self._dated), np.int64),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> PackedRecords:
        """The records of :meth:`arrays`. What each says is seen when it is looked at.

        Raises:
            ValueError: the arrays are of no records.
            KeyError: one is missing.
        """
        content, sequences, places = arrays["records"], arrays["places"], arrays["places.at"]
        if (sequences[1:] <= sequences[:-1]).any():
            raise ValueError("records that do not ascend, or are there twice")
        _check_spans(content, np.sort(places))
        made = cls()
        made._packed = _Packed(bytearray(content), Postings.of(sequences, places))
        for sequence in arrays["dated"].tolist():
            record = made._read(sequence)
            made._dated[sequence] = (record.valid_from, record.valid_until)
        return made

    def add_many(self, records: Sequence[Record]) -> None:
        """Put in records that are not there yet."""
        self._packed.put([record.sequence for record in records], list(map(_pack, records)))
        for record in records:
            if record.valid_from is not None or record.valid_until is not None:
                self._dated[record.sequence] = (record.valid_from, record.valid_until)
        if len(self._objects) + len(records) <= _KEPT:
            self._objects.update((record.sequence, record) for record in records)

    def pop(self, sequence: int) -> Record | None:
        """Take a record out, and overwrite it: what was purged must not stay in RAM. None: there
        is none."""
        span = self._packed.span(sequence)
        if span is None:
            return None
        record = self[sequence]
        content, places = self._packed
        content[slice(*span)] = bytes(span[1] - span[0])
        places.discard(sequence, span[0] - _LENGTH)
        self._dated.pop(sequence, None)
        self._objects.pop(sequence, None)
        self._wasted += _LENGTH + span[1] - span[0]
        if self._wasted > max(_LITTLE, len(content) // 2):
            self._close_up()
        return record

    def _close_up(self) -> None:
        """Give back the room of what was taken out."""
        left = self.sequences().tolist()
        packed = _Packed(bytearray(), Postings())
        packed.put(left, [self._packed.get(sequence) or b"" for sequence in left])
        # In one assignment: who reads meanwhile has the old ones or the new.
        self._packed, self._wasted = packed, 0

    def dated(self) -> Mapping[int, Limits]:
        """By sequence, since when and up to when those hold that do not for ever."""
        return self._dated

    def holds_at(self, sequence: int, moment: datetime) -> bool:
        """Whether a record is valid at a moment: most have no dates, and need not be read."""
        since, until = self._dated.get(sequence, (None, None))
        return (since is None or since <= moment) and (until is None or moment < until)


def _no_record(sequence: int, error: Exception) -> MemoryStoreError:
    return MemoryStoreError(
        f"The index snapshot holds no record {sequence}: {error}.",
        hint="Delete the folder index of the memory: it is made anew.",
    )


def _check_spans(content: Any, places: Ids) -> None:
    """See that records lie one behind the other from the first byte to the last."""
    if not len(places):
        if len(content):
            raise ValueError("records without places")
        return
    if places[0] != 0 or places[-1] + _LENGTH > len(content):
        raise ValueError("places beyond the records")
    heads = np.stack([content[places + n] for n in range(_LENGTH)], axis=1)
    sizes = heads.astype("u1").copy().view("<u4").ravel().astype(np.int64)
    ends = np.append(places[1:], len(content))
    if not np.array_equal(places + _LENGTH + sizes, ends):
        raise ValueError("records that are not as long as they say")


def _pack(record: Record) -> bytes:
    return to_json(list_content(record)).encode("utf-8", "surrogatepass")
