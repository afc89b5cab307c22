"""The application: its parts put together, and run."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from pydantic.json_schema import models_json_schema
from starlette.routing import Route

import memedit
from memedit.memory import EditMemory
from memedit.serving import errors, lost
from memedit.serving.address import listen
from memedit.serving.guard import Guard
from memedit.serving.keys import KeyRing
from memedit.serving.ledger.audit import AuditLog
from memedit.serving.ledger.desk import Desk
from memedit.serving.ledger.tables import tables_of
from memedit.serving.metrics import Metrics
from memedit.serving.routes import documents, edits, erasing, openai, operations, page, trials
from memedit.serving.routes.changes import WriteThreads
from memedit.serving.service import Backend, Service
from memedit.serving.settings import Settings
from memedit.serving.tools import protocol

_REFERENCE = "#/components/schemas/{model}"
_LAST = 3.0
"""Seconds that changes under way wait for another process once the server is told to stop."""


def assemble(
    backend: Backend,
    memory: EditMemory,
    settings: Settings,
    metrics: Metrics,
    *,
    keys: KeyRing | None,
    audit_key: str | None = None,
) -> Service:
    """The parts of a server. Audit log and desk lie beside the memory's journal: in files
    of its directory, or in tables of its database, which all servers share.

    Args:
        keys: None: anyone may do anything.
        audit_key: Signs the audit log.
    """
    tables = tables_of(memory)
    audit = AuditLog.of(memory, tables, audit_key.encode() if audit_key else None)
    return Service(settings, memory, backend, keys, audit, Desk(tables), metrics)


def create_app(service: Service) -> FastAPI:
    """The ASGI application of a service; it closes the service's parts when it shuts down."""

    agents = protocol.Endpoint(service) if protocol.is_installed() else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.writing = WriteThreads()
        await service.backend.start()
        yield
        if agents is not None:
            # First: what agents have under way still asks the backend.
            await agents.close()
        await service.backend.close()
        service.desk.close()

    app = _make_routed(lifespan)
    app.state.service = service
    if agents is not None:
        app.router.routes.append(Route(protocol.PATH, agents, methods=["POST"]))
    # The one that is added last is the outermost: hosts and origins are seen before keys.
    app.add_middleware(Guard, service=service)
    settings = service.settings
    if settings.cors_origin:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origin),
            allow_methods=["*"],
            # Every vendor's client sends some of its own; the origin is listed.
            allow_headers=["*"],
            expose_headers=["X-Memedit-Receipt", "X-Request-Id"],
        )
    if settings.answers_to is not None:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(settings.answers_to))
    return app


def describe_routes() -> dict[str, Any]:
    """The OpenAPI document of every server."""
    return _make_routed(None).openapi()


def _make_routed(lifespan: Any) -> FastAPI:
    """An application with its routes, and without what answers."""
    app = FastAPI(
        title="memedit",
        version=memedit.__version__,
        description="A language model and its edits.",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's pages load scripts from elsewhere
        redoc_url=None,
    )
    errors.install(app)
    lost.install(app)
    for each in (page, operations, edits, documents, erasing, trials, openai):
        app.include_router(each.router)
    app.include_router(openai.other)
    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    """Add the schemas of the bodies that are read as bytes to the OpenAPI document."""
    usual = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = usual()
            pairs: Any = [(model, "validation") for model in openai.SCHEMAS]
            _, definitions = models_json_schema(pairs, ref_template=_REFERENCE)
            parts = document.setdefault("components", {}).setdefault("schemas", {})
            parts.update(definitions["$defs"])
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def run(
    app: FastAPI, bound: socket.socket, started: Callable[[str], None], *, grace: float = 30.0
) -> None:
    """Serve until interrupted or terminated; requests that are being answered are finished, but a
    change that still waits for another process's write is refused after three seconds.

    SIGTERM ends in :class:`SystemExit` with status 0, so that the caller can put things away.

    Args:
        bound: The address (:func:`~memedit.serving.address.bind`).
        started: Told the server's URL once it listens.
        grace: Seconds that requests have to finish.

    Raises:
        InvalidInputError: the address cannot be listened on.
    """
    started(listen(bound))
    config = uvicorn.Config(
        app, log_config=None, server_header=False, access_log=False, timeout_keep_alive=30,
        timeout_graceful_shutdown=max(1, round(grace)),
    )  # fmt: skip
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises it again
    try:
        _Server(config, app.state.service).run(sockets=[bound])
    finally:
        signal.signal(signal.SIGTERM, before)


class _Server(uvicorn.Server):
    """Whose changes hurry once it is told to stop: each could wait half a minute for a write of
    another process's, one after the other."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._service.memory.hurry(_LAST)
        self._service.desk.hurry(_LAST)
        await super().shutdown(sockets)
