"""A server from its settings: memory, model or upstream, keys, put together."""

from __future__ import annotations

import os
from typing import Any

from memedit.core.errors import InvalidInputError
from memedit.core.protocols import Editor
from memedit.editors import DEFAULT
from memedit.engine.encoders import load_encoder
from memedit.memory import EditMemory
from memedit.serving.app import assemble
from memedit.serving.keys import KeyRing, read
from memedit.serving.ledger.audit import KEY
from memedit.serving.metrics import Metrics
from memedit.serving.service import Backend, Service
from memedit.serving.settings import Settings


def open_memory(settings: Settings) -> EditMemory:
    """The memory with its encoder."""
    return EditMemory(settings.memory, load_encoder(settings.encoder))


def build(settings: Settings, memory: EditMemory, keys: KeyRing | None) -> Service:
    """The parts of a server. Loads the model.

    Raises:
        MemeditError: something cannot be loaded.
    """
    metrics = Metrics()
    backend = backend_of(settings, memory, metrics)
    return assemble(backend, memory, settings, metrics, keys=keys, audit_key=audit_key())


def backend_of(settings: Settings, memory: EditMemory, metrics: Metrics) -> Backend:
    """What answers: the model, which is loaded, or an upstream.

    Raises:
        MemeditError: something cannot be loaded.
    """
    make = _local if settings.upstream is None else _upstream
    return make(settings, memory, metrics)


def editor_of(settings: Settings, memory: EditMemory) -> Editor:
    """The editor that the model will answer with.

    Raises:
        UnknownNameError: there is none of that name.
        MemoryStoreError: what the memory's model was saved with cannot be read.
    """
    from memedit.model.settings import build_editor, read_settings

    return build_editor(settings.editor, read_settings(memory.path).get("editor"))


def audit_key() -> str | None:
    """What signs the audit log, if the environment names it."""
    return os.environ.get(KEY)


def keys_of(settings: Settings) -> KeyRing | None:
    """The keys of the key file; None where there is to be no authentication.

    Raises:
        InvalidInputError: there is neither a file nor the wish to do without; an empty file.
    """
    if settings.no_auth:
        return None
    file = settings.api_key_file
    if file is None:
        raise InvalidInputError(
            "There are no keys.", hint="Set api_key_file, or no_auth to do without."
        )
    # Found at the start: nobody could ask such a server anything.
    if not any(not key.revoked for key in read(file)):
        raise InvalidInputError(
            f"{str(file)!r} holds no key in force.",
            hint=f"Make one: memedit keys add NAME --file {file}",
        )
    return KeyRing(file)


def _local(settings: Settings, memory: EditMemory, metrics: Metrics) -> Backend:
    # Not above: in front of an upstream no model is loaded, nor what it would take.
    from memedit.model.editable import EditableModel
    from memedit.serving.local.backend import LocalBackend

    options: dict[str, Any] = {
        "editor": settings.editor, "scope": settings.scope, "device": settings.device
    }  # fmt: skip
    model = EditableModel.from_pretrained(settings.model, memory=memory, **options)
    choices = {"on": True, "off": False}  # auto: the model decides
    model.translate = choices.get(settings.translate)
    model.second_look = choices.get(settings.second_look)
    return LocalBackend(model, settings, metrics)


def _upstream(settings: Settings, memory: EditMemory, metrics: Metrics) -> Backend:
    from memedit.model.deciding import Decider
    from memedit.serving.upstream.backend import UpstreamBackend
    from memedit.serving.upstream.relay import Relay
    from memedit.serving.upstream.rewriters import load_rewriter

    url = str(settings.upstream)
    relay = Relay(
        url,
        key=os.environ.get("MEMEDIT_UPSTREAM_KEY"),
        pass_key=settings.no_auth,
        timeout=settings.timeout,
        connect_timeout=settings.connect_timeout,
    )
    rewriter = load_rewriter(settings.editor or DEFAULT)
    decider = Decider(memory, settings.scope or rewriter.scope)
    return UpstreamBackend(relay, decider, settings, metrics, settings.upstream_model, rewriter)
