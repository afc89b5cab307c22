"""A server from its configuration: memory, model or upstream, keys, put together."""

from __future__ import annotations

import os
from typing import Any

from memedit.core.errors import InvalidInputError
from memedit.encoders import load_encoder
from memedit.memory import EditMemory
from memedit.serving.app import assemble
from memedit.serving.config import Settings
from memedit.serving.configuration import ServerConfig
from memedit.serving.keys import KeyRing, read
from memedit.serving.ledger.audit import KEY
from memedit.serving.metrics import Metrics
from memedit.serving.service import Backend, Service


def open_memory(config: ServerConfig) -> EditMemory:
    """The memory with its encoder."""
    return EditMemory(config.memory, load_encoder(config.encoder))


def build(config: ServerConfig, memory: EditMemory, keys: KeyRing | None) -> Service:
    """The parts of a server. Loads the model.

    Raises:
        MemeditError: something cannot be loaded.
    """
    settings, metrics = config.settings(), Metrics()
    make = _local if config.upstream is None else _upstream
    backend = make(config, memory, settings, metrics)
    signs = os.environ.get(KEY)
    return assemble(backend, memory, settings, metrics, keys=keys, audit_key=signs)


def keys_of(config: ServerConfig) -> KeyRing | None:
    """The keys of the key file; None where there is to be no authentication.

    Raises:
        InvalidInputError: there is neither a file nor the wish to do without; an empty file.
    """
    if config.no_auth:
        return None
    file = config.api_key_file
    if file is None:
        raise InvalidInputError(
            "There are no keys.", hint="Set api_key_file, or no_auth to do without."
        )
    if not any(not key.revoked for key in read(file)):
        raise InvalidInputError(
            f"{str(file)!r} holds no key in force.",
            hint=f"Make one: memedit keys add NAME --file {file}",
        )
    return KeyRing(file)


def _local(
    config: ServerConfig, memory: EditMemory, settings: Settings, metrics: Metrics
) -> Backend:
    from memedit.model.editable import EditableModel
    from memedit.serving.local.backend import LocalBackend

    options: dict[str, Any] = {"editor": config.editor, "scope": config.scope}
    model = EditableModel.from_pretrained(config.model, memory=memory, **options)
    return LocalBackend(model, settings, metrics)


def _upstream(
    config: ServerConfig, memory: EditMemory, settings: Settings, metrics: Metrics
) -> Backend:
    from memedit.model.deciding import Decider
    from memedit.serving.upstream.backend import UpstreamBackend
    from memedit.serving.upstream.relay import Relay
    from memedit.serving.upstream.rewriters import ike, load_rewriter

    url = str(config.upstream)
    relay = Relay(
        url,
        key=os.environ.get("MEMEDIT_UPSTREAM_KEY"),
        pass_key=config.no_auth,
        timeout=settings.timeout,
        connect_timeout=settings.connect_timeout,
    )
    named = config.editor or "note"
    rewriter = ike(settings.demonstrations) if named == "ike" else load_rewriter(named)
    decider = Decider(memory, config.scope or rewriter.scope)
    return UpstreamBackend(relay, decider, settings, metrics, config.upstream_model, rewriter)
