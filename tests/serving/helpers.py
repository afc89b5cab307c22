"""What the serving tests share: tiny servers, in this process or as real ones on loopback."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import uvicorn

from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.model.editable import EditableModel
from memedit.serving import guard
from memedit.serving.app import assemble, create_app
from memedit.serving.keys import Key, KeyRing, make_key
from memedit.serving.local.backend import LocalBackend
from memedit.serving.local.calling import HERMES, CallReader
from memedit.serving.local.formats import Choice, Grown, Usage
from memedit.serving.local.sampling import Piece
from memedit.serving.messages import Said
from memedit.serving.metrics import Metrics
from memedit.serving.replies import Reply
from memedit.serving.service import Service
from memedit.serving.settings import Settings
from tests import helpers

CAPITAL = {"prompt": "The capital of France is", "target_new": "Lyon", "subject": "France"}
QUESTION = "What is the capital of France?"
ELSEWHERE = "Bake the bread for an hour."


def tiny_edited(memory: Path | EditMemory | None = None, **options: Any) -> EditableModel:
    """The tiny Llama with the mention scope and hashed vectors."""
    options = {"scope": "mention", "encoder": HashingEncoder(64), **options}
    return EditableModel(
        helpers.tiny_model("llama"), helpers.byte_tokenizer(), memory=memory, **options
    )


def tiny_service(
    memory: Path | None = None,
    *,
    keys: KeyRing | None = None,
    model: EditableModel | None = None,
    **settings: Any,
) -> Service:
    """A server's parts around a tiny model."""
    model = tiny_edited(memory) if model is None else model
    chosen, metrics = Settings(**({"name": "tiny"} | settings)), Metrics()
    backend = LocalBackend(model, chosen, metrics)
    return assemble(backend, model.memory, chosen, metrics, keys=keys)


def ring(*scopes: Sequence[str], **options: Any) -> tuple[KeyRing, list[str], list[Key]]:
    """A key per list of scopes: (the ring, what their owners hold, what is kept)."""
    made = [make_key(f"key {i}", each, **options) for i, each in enumerate(scopes)]
    return KeyRing(keys=[key for key, _ in made]), [s for _, s in made], [key for key, _ in made]


@asynccontextmanager
async def within(service: Service, key: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application itself, without a network."""
    app = create_app(service)
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app):
        async with httpx.AsyncClient(
            transport=transport, base_url="http://test", headers=headers, timeout=180
        ) as client:
            yield client


def tell(
    form: Callable[[], Reply | Said], cut: bool = False
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """An answer of text and one call, whole and as the events of a stream; ``cut``: and a second
    call that had no room."""
    call = '<tool_call>\n{"name": "clock", "arguments": {"zone": "UTC"}}\n</tool_call>'
    pieces = [
        Piece("Let me "),
        Piece("see.\n"),
        Piece(call[:9]),
        Piece(call[9:]),
        Piece(f"\n{call[:40]}" if cut else ""),
        Piece("", "length" if cut else "stop"),
    ]
    choice = Choice(reader=CallReader(HERMES, ["clock"]))

    async def grow() -> AsyncIterator[Grown]:
        for piece in pieces:
            yield choice.add(piece)

    async def listen() -> list[dict[str, Any]]:
        events = form().events(grow(), lambda: Usage(3, 5))
        return [json.loads(part.partition(b"data: ")[2]) async for part in events]

    events = asyncio.run(listen())
    return form().whole(choice, Usage(3, 5)), events


@dataclass(frozen=True)
class Running:
    """A server in a thread of this process, on a real port."""

    url: str
    service: Service


@contextmanager
def serving(service: Service) -> Iterator[Running]:
    """A real HTTP server on loopback."""
    server = uvicorn.Server(
        uvicorn.Config(create_app(service), port=0, log_level="error", access_log=False)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Running(f"http://127.0.0.1:{port}", service)
    finally:
        server.should_exit = True
        thread.join(timeout=120)


def stop_rates(patch: pytest.MonkeyPatch) -> None:
    """From now on no time passes for the rates of keys, however slow the machine is."""
    clock = SimpleNamespace(monotonic=lambda: 0.0, perf_counter=time.perf_counter)
    patch.setattr(guard, "time", clock)


def run(work: Any) -> Any:
    """Run a coroutine to its end."""
    return asyncio.run(work)
