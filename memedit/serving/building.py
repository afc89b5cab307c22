"""A server from its configuration: memory, model or upstream, keys, put together."""

from __future__ import annotations

import os
from typing import Any

from memedit.core.errors import InvalidInputError
from memedit.editors import DEFAULT
from memedit.encoders import load_encoder
from memedit.memory import EditMemory
from memedit.serving.app import assemble
from memedit.serving.configuration import Settings
from memedit.serving.keys import KeyRing, read
from memedit.serving.ledger.audit import KEY
from memedit.serving.metrics import Metrics
from memedit.serving.service import Backend, Service


def open_memory(config: Settings) -> EditMemory:
    """The memory with its encoder."""
    return EditMemory(config.memory, load_encoder(config.encoder))


def build(config: Settings, memory: EditMemory, keys: KeyRing | None) -> Service:
    """The parts of a server. Loads the model.

    Raises:
        MemeditError: something cannot be loaded.
    """
    metrics = Metrics()
    make = _local if config.upstream is None else _upstream
    backend = make(config, memory, metrics)
    signs = os.environ.get(KEY)
    return assemble(backend, memory, config, metrics, keys=keys, audit_key=signs)


def keys_of(config: Settings) -> KeyRing | None:
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


def _local(config: Settings, memory: EditMemory, metrics: Metrics) -> Backend:
    from memedit.model.editable import EditableModel
    from memedit.serving.local.backend import LocalBackend

    options: dict[str, Any] = {"editor": config.editor, "scope": config.scope}
    model = EditableModel.from_pretrained(config.model, memory=memory, **options)
    return LocalBackend(model, config, metrics)


def _upstream(config: Settings, memory: EditMemory, metrics: Metrics) -> Backend:
    from memedit.model.deciding import Decider
    from memedit.serving.upstream.backend import UpstreamBackend
    from memedit.serving.upstream.relay import Relay
    from memedit.serving.upstream.rewriters import load_rewriter

    url = str(config.upstream)
    relay = Relay(
        url,
        key=os.environ.get("MEMEDIT_UPSTREAM_KEY"),
        pass_key=config.no_auth,
        timeout=config.timeout,
        connect_timeout=config.connect_timeout,
    )
    rewriter = load_rewriter(config.editor or DEFAULT)
    decider = Decider(memory, config.scope or rewriter.scope)
    return UpstreamBackend(relay, decider, config, metrics, config.upstream_model, rewriter)
