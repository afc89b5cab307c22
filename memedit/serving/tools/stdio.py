"""The tools over standard input and output: an agent starts ``memedit mcp`` and talks to it.

An agent waits for the first reply, and most start all their servers at once. So the tools are told
at once, the memory is opened at the first call, and the model is loaded when an answer is wanted.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
from anyio.to_thread import run_sync

from memedit.core.errors import InvalidInputError
from memedit.core.types import DEFAULT_NAMESPACE
from memedit.engine.encoders import load_encoder
from memedit.memory import EditMemory
from memedit.serving.app import assemble
from memedit.serving.building import audit_key, backend_of, editor_of, keys_of
from memedit.serving.deferred import Deferred
from memedit.serving.errors import ApiError
from memedit.serving.guard import RateLimiter
from memedit.serving.keys import SCOPES, Key, KeyRing, check_scopes
from memedit.serving.metrics import Metrics
from memedit.serving.routes.changes import Writes, WriteThreads
from memedit.serving.service import Service, with_key
from memedit.serving.settings import Settings
from memedit.serving.tools.protocol import make_server

if TYPE_CHECKING:
    from mcp.server import Server, ServerRequestContext

KEY = "MEMEDIT_API_KEY"
"""The environment's name for the key that the tools act with."""


def serve(settings: Settings, namespace: str | None, may: tuple[str, ...]) -> None:
    """Answer an agent until it hangs up.

    Args:
        settings: As of ``memedit serve``, as far as they bear on it. With ``api_key_file`` the
            tools act with the key of :data:`KEY`; else in the name of who runs this.
        namespace: Whose edits are meant; None: the key's, or the default one.
        may: The scopes that the agent has; with a key, those of them that the key has.

    Raises:
        InvalidInputError: scopes that are none, no key where one is needed.
    """
    anyio.run(_serve, settings, Who(settings, namespace, may))


async def _serve(settings: Settings, who: Who) -> None:
    from mcp.server.stdio import stdio_server

    async with server_for(settings, who) as server, stdio_server() as (there, back):
        await server.run(there, back, server.create_initialization_options())


@asynccontextmanager
async def server_for(settings: Settings, who: Who) -> AsyncIterator[Server[Any]]:
    """The tools for one caller, without a transport."""
    async with _open_late(settings) as parts:
        threads = WriteThreads()

        async def open_as(context: ServerRequestContext[Any], scope: str) -> Writes:
            caller = with_key(who.call(), scope, who.namespace)
            return Writes(await parts(), caller, threads)

        yield make_server(open_as)


class Who:
    """In whose name an agent acts; as :func:`serve` is told."""

    def __init__(self, settings: Settings, namespace: str | None, may: tuple[str, ...]) -> None:
        check_scopes(may)
        self.namespace = namespace
        self._ring: KeyRing | None = None
        self._limiter, self._rate = RateLimiter(), settings.rate
        where = DEFAULT_NAMESPACE if namespace is None else namespace
        self._own = Key(id="mcp", name=_user(), digest="", scopes=may, namespace=where)
        if settings.api_key_file is not None:
            self._ring = keys_of(settings)
            try:
                self.key()
            except ApiError as error:
                raise InvalidInputError(
                    error.message, hint=f"Set it, or leave out {settings.api_key_file}."
                ) from None

    def call(self) -> Key:
        """The key, for one call more.

        Raises:
            ApiError: as :meth:`key`; 429, more calls than the key's rate.
        """
        key = self.key()
        if self._ring is not None:
            self._limiter.admit(key, self._rate)
        return key

    def key(self) -> Key:
        """The key, as the key file says now, within what the agent may do.

        Raises:
            ApiError: 401, it is out of force.
        """
        if self._ring is None:
            return self._own
        key = self._ring.find(os.environ.get(KEY, ""))
        if key is None:
            raise ApiError(401, f"{KEY} holds no key in force.", code="invalid_api_key")
        both = (scope for scope in SCOPES if key.allows(scope) and self._own.allows(scope))
        return replace(key, scopes=tuple(both))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        return "somebody"


@asynccontextmanager
async def _open_late(settings: Settings) -> AsyncIterator[Callable[[], Any]]:
    """What opens the memory when it is first called, and gives the parts of the server."""
    lock, made = anyio.Lock(), list[Service]()

    async def parts() -> Service:
        async with lock:
            if not made:
                made.append(await run_sync(_build, settings))
            return made[0]

    try:
        yield parts
    finally:
        for service in made:
            await service.backend.close()
            service.desk.close()
            await run_sync(service.memory.close)


def _build(settings: Settings) -> Service:
    encoder = None if settings.encoder is None else load_encoder(settings.encoder)
    memory = EditMemory(settings.memory, encoder)
    metrics = Metrics()
    backend = Deferred(
        memory,
        lambda: backend_of(settings, memory, metrics),
        settings.scope,
        None if settings.upstream else lambda: editor_of(settings, memory),
    )
    # Without keys: Who looks at the agent's, at every call.
    return assemble(backend, memory, settings, metrics, keys=None, audit_key=audit_key())
