"""Read your own writes, through whichever server: a request may name the version it must see."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers

from memedit.memory import EditMemory
from memedit.serving.errors import ApiError

MIN_VERSION_HEADER = "X-Memedit-Min-Version"
VERSION_HEADER = "X-Memedit-Version"
_LARGEST = 2**63 - 1


def asked_for(headers: Headers) -> int:
    """The version a request's header names; 0: any.

    Raises:
        ApiError: 400, it is no number.
    """
    given = headers.get(MIN_VERSION_HEADER)
    if given is None:
        return 0
    if not (given.isascii() and given.isdecimal()) or int(given) > _LARGEST:
        raise ApiError(
            400, f"{MIN_VERSION_HEADER} takes a version, as receipts name them.",
            code="invalid_value", param=MIN_VERSION_HEADER,
        )  # fmt: skip
    return int(given)


async def reached(memory: EditMemory, version: int, seconds: float) -> None:
    """Wait until this server's edits are at least at ``version``.

    Raises:
        ApiError: 503, that took longer than so many seconds.
    """
    if not version or await run_in_threadpool(memory.wait_for, version, seconds):
        return
    raise ApiError(
        503, f"This server has not reached version {version} yet; try again.",
        code="version_not_reached", headers={"Retry-After": "1"},
    )  # fmt: skip
