"""One edit to add, as it is asked for: checked, with its dates in UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone, tzinfo

from memedit.core.errors import InvalidEditError
from memedit.core.moments import UTC, Moment, moment_of
from memedit.core.types import (
    DEFAULT_NAMESPACE,
    Edit,
    Payload,
    check_id,
    check_text,
    mask_prompt,
)
from memedit.memory.live.space import search_texts


@dataclass(frozen=True, slots=True)
class Request:
    """One edit to add.

    ``replaces`` are ids of facts that it corrects in other words, ``perhaps`` of those that it may
    contradict: what is no longer live then is left out.
    """

    edit: Edit
    namespace: str = DEFAULT_NAMESPACE
    source: str = ""
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    payloads: Mapping[str, Payload] = field(default_factory=dict)
    replaces: Sequence[str] = ()
    perhaps: Sequence[str] = ()

    @classmethod
    def of(
        cls,
        edit: Edit,
        namespace: str,
        source: str,
        valid_from: Moment | None,
        valid_until: Moment | None,
        payloads: Mapping[str, Payload] | None = None,
        *,
        zone: tzinfo = UTC,
    ) -> Request:
        """A request with dates as people write them: both ends included, in ``zone``.

        Raises:
            InvalidEditError: as :func:`check_request`; a date that is none.
        """
        start = _limit("valid_from", valid_from, zone)
        end = _limit("valid_until", valid_until, zone)
        return check_request(cls(edit, namespace, source, start, end, payloads or {}))

    def texts(self) -> list[str]:
        """Every text whose vector is needed to add the edit."""
        relation = mask_prompt(self.edit)
        return search_texts(self.edit) + ([] if relation is None else [relation])


def check_request(request: Request) -> Request:
    """``request`` with its dates in UTC.

    Raises:
        InvalidEditError: a date without time zone, an empty interval, an unusable name.
    """
    if not isinstance(request.edit, Edit):
        raise InvalidEditError(
            f"An edit is needed, not {type(request.edit).__name__}.",
            hint="Edit(prompt, target_new), or Edit.from_statement(text).",
        )
    check_id(request.edit.id)
    check_text("namespace", request.namespace)
    if request.source != "":
        check_text("source", request.source)
    start = _limit("valid_from", request.valid_from, UTC)
    end = _limit("valid_until", request.valid_until, UTC)
    if start is not None and end is not None and start >= end:
        raise InvalidEditError(
            f"valid_from {start} is not before valid_until {end}.",
            hint="Swap them, or leave one out; a day as valid_until ends when the next begins.",
        )
    if start is request.valid_from and end is request.valid_until:  # as nearly always: none
        return request
    return replace(request, valid_from=start, valid_until=end)


def _limit(name: str, given: Moment | None, zone: tzinfo) -> datetime | None:
    """A date of an edit in UTC; None: there is no limit."""
    if given is None:
        return None
    last = name == "valid_until"
    moment = moment_of(given, name, InvalidEditError, zone=zone, last=last)
    try:
        return moment.astimezone(timezone.utc)
    except OverflowError:
        raise InvalidEditError(
            f"{moment.isoformat()} lies outside the years 1 to 9999 in UTC.",
            hint="Leave the date out where there is no limit.",
        ) from None
