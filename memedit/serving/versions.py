"""Read your own writes, through whichever server: a request may name the version it must see.

A request that waits holds no thread: one watcher asks the memory for all of them, and there is a
limit to how many may wait, for one key and in all.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers

from memedit.memory import EditMemory
from memedit.serving.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

MIN_VERSION_HEADER = "X-Memedit-Min-Version"
_LARGEST = 2**63 - 1
_LOOK_AGAIN = 0.01  # seconds


def read_version(headers: Headers) -> int:
    """The version a request's header names; 0: any.

    Raises:
        ApiError: 400, it is no number.
    """
    given = headers.get(MIN_VERSION_HEADER)
    if given is None:
        return 0
    if not (given.isascii() and given.isdecimal() and len(given) < 20) or int(given) > _LARGEST:
        raise ApiError(
            400, f"{MIN_VERSION_HEADER} takes a version, as receipts name them.",
            code="invalid_value", param=MIN_VERSION_HEADER,
        )  # fmt: skip
    return int(given)


class Waiting:
    """The requests that wait for a version.

    Args:
        memory: The edits.
        seconds: Longest wait.
        most, most_of_a_key: How many may wait at once.
    """

    def __init__(
        self, memory: EditMemory, seconds: float, *, most: int, most_of_a_key: int
    ) -> None:
        self.memory, self.seconds = memory, seconds
        self._most, self._most_of_a_key = most, most_of_a_key
        self._keys: Counter[str] = Counter()
        self._waiting: dict[asyncio.Future[None], int] = {}
        self._more = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return self._keys.total()

    async def wait_until(self, key: str, version: int) -> None:
        """Return once this server's edits are at least at ``version``.

        Args:
            key: The id of the key that asks.

        Raises:
            ApiError: 503, that took too long, or too many wait already.
        """
        if not version:
            return
        with self._count(key):
            await self._wait(version)

    def _version(self) -> int:
        return self.memory.version

    @contextmanager
    def _count(self, key: str) -> Iterator[None]:
        if len(self) >= self._most or self._keys[key] >= self._most_of_a_key:
            raise _refuse("Too many requests wait for a version already", "too_many_waiting")
        self._keys[key] += 1
        try:
            yield
        finally:
            self._keys[key] -= 1
            # Else every key that ever waited would be remembered.
            if not self._keys[key]:
                del self._keys[key]

    async def _wait(self, version: int) -> None:
        arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[arrived] = version
        # Wakes the watcher, which sleeps between two looks.
        self._more.set()
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch())
        try:
            await asyncio.wait_for(arrived, self.seconds)
        except asyncio.TimeoutError:  # of its own before Python 3.11
            raise _refuse(
                f"This server has not reached version {version} yet", "version_not_reached"
            ) from None
        finally:
            self._waiting.pop(arrived, None)

    async def _watch(self) -> None:
        """Ask for the version as long as somebody waits for one."""
        while self._waiting:
            # Before the look: who comes while it lasts is seen by the next one, at once.
            self._more.clear()
            try:
                now = await run_in_threadpool(self._version)
            except Exception as error:  # theirs to hear, not this task's
                for arrived in list(self._waiting):
                    if not arrived.done():
                        arrived.set_exception(error)
                return
            for arrived, version in list(self._waiting.items()):
                if version <= now and not arrived.done():
                    arrived.set_result(None)
            with suppress(asyncio.TimeoutError):  # who comes now need not wait for the next look
                await asyncio.wait_for(self._more.wait(), _LOOK_AGAIN)


def _refuse(what: str, code: str) -> ApiError:
    return ApiError(503, f"{what}; try again.", code=code, headers={"Retry-After": "1"})
