"""Several replicas of a server behind one address, with Ray Serve (extra ``ray``).

Every replica loads the model and keeps its own copy of the one memory in PostgreSQL; Ray spreads
the requests, and puts a new replica in the place of one that died. On a cluster::

    serve run memedit.serving.scale:app replicas=4 memory=postgresql://memedit@db/memedit \\
        api_key_file=/etc/memedit/keys.json

On one machine ``memedit serve --replicas 2`` does the same.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import asdict
from types import ModuleType
from typing import Any

from fastapi import FastAPI

from memedit.core.errors import InvalidInputError, MissingExtraError
from memedit.memory.address import is_url
from memedit.serving import logs
from memedit.serving.settings import Settings, load_settings

NAME = "memedit"
_ONGOING = 512  # requests one replica takes at once: its own queue refuses what is too much


def application(settings: Settings, replicas: int, **options: Any) -> Any:
    """A Ray Serve application of so many replicas.

    Args:
        settings: Of each replica; its address and port are Ray's.
        options: Further options of the deployment, e.g. ``ray_actor_options={"num_gpus": 1}``.

    Raises:
        InvalidInputError: replicas without a memory that they can share.
        MissingExtraError: Ray is not installed.
    """
    if replicas < 1:
        raise InvalidInputError("There must be at least one replica.")
    if replicas > 1 and not is_url(settings.memory):
        raise InvalidInputError(
            "Replicas share a memory in PostgreSQL.", hint="Give --memory postgresql://…"
        )
    serve = _ray_serve()

    class Replica:
        """The application does all the work; Ray tells how it is doing."""

    deployed = serve.deployment(
        name=NAME, num_replicas=replicas, max_ongoing_requests=_ONGOING,
        graceful_shutdown_timeout_s=settings.grace, **options,
    )  # fmt: skip
    # As plain data: what builds the application is sent to other processes.
    return deployed(serve.ingress(_builder(asdict(settings)))(Replica)).bind()


def _builder(plain: dict[str, Any]) -> Callable[[], FastAPI]:
    def build() -> FastAPI:
        """Runs in the replica: memory, model and application are made where they are used."""
        from memedit.serving.app import create_app
        from memedit.serving.building import build as make
        from memedit.serving.building import keys_of, open_memory

        settings = load_settings(None, {k: v for k, v in plain.items() if v is not None})
        logs.configure(settings.log_format, settings.log_level)
        return create_app(make(settings, open_memory(settings), keys_of(settings)))

    return build


def app(args: dict[str, str]) -> Any:
    """For ``serve run`` and configuration files: ``replicas`` and the settings of a server."""
    given: dict[str, Any] = dict(args)
    replicas = int(given.pop("replicas", 1))
    return application(load_settings(None, given), replicas)


def run(settings: Settings, replicas: int, started: Callable[[str], None]) -> None:
    """Start Ray on this machine if need be, serve, and stay until interrupted or terminated."""
    serve = _ray_serve()
    import ray

    deployment = application(settings, replicas)
    serve.start(http_options={"host": settings.host, "port": settings.port})
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):  # Ray's own handlers end without a shutdown
        signal.signal(number, lambda *_: ended.set())
    try:
        serve.run(deployment, name=NAME, route_prefix="/")
        started(f"http://{settings.host}:{settings.port}")
        ended.wait()
    finally:
        serve.shutdown()
        ray.shutdown()


def _ray_serve() -> ModuleType:
    try:
        from ray import serve
    except ImportError as error:
        raise MissingExtraError("ray[serve]", extra="ray") from error
    return serve
