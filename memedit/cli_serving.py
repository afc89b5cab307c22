"""``memedit serve`` and ``memedit keys``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memedit import _render
from memedit.errors import InvalidInputError
from memedit.types import DEFAULT_NAMESPACE

if TYPE_CHECKING:
    from memedit.memory import EditMemory
    from memedit.serving.config import Settings
    from memedit.serving.keys import KeyRing
    from memedit.serving.metrics import Metrics
    from memedit.serving.service import Backend

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_KEY_FILE = "serve-key"

KeyFile = Annotated[
    Path, typer.Option("--file", metavar="FILE", envvar="MEMEDIT_KEYS", help="The key file.")
]
keys_app = typer.Typer(help="API keys of memedit serve.", no_args_is_help=True)


def serve(
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME",
            envvar="MEMEDIT_MODEL",
            help="Serve this model: hub id, folder or GGUF file. [default: SmolLM2-135M-Instruct]",
        ),
    ] = None,
    upstream: Annotated[
        str | None,
        typer.Option(
            "--upstream",
            metavar="URL",
            help="Stand in front of this OpenAI-compatible server. Its key: MEMEDIT_UPSTREAM_KEY.",
        ),
    ] = None,
    memory: Memory = Path("memory"),
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="0: any free one.")] = 8000,
    api_key_file: Annotated[
        Path | None,
        typer.Option("--api-key-file", metavar="FILE", help="Keys, as memedit keys writes them."),
    ] = None,
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="Anyone who reaches the port may do anything.")
    ] = False,
    editor: Annotated[
        str | None, typer.Option("--editor", metavar="NAME", help="See memedit editors.")
    ] = None,
    scope: Annotated[
        str | None, typer.Option("--scope", metavar="NAME", help="Decides which edit applies.")
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder", metavar="NAME", envvar="MEMEDIT_ENCODER", help="Sentence encoder."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="The model's name in /v1/models.")
    ] = None,
    upstream_model: Annotated[
        str | None,
        typer.Option("--upstream-model", metavar="NAME", help="For the page. [default: its first]"),
    ] = None,
    approval: Annotated[
        bool, typer.Option("--approval", help="Changes wait for another key's approval.")
    ] = False,
    bare: Annotated[bool, typer.Option("--bare", help="Serve without edits.")] = False,
    max_batch: Annotated[
        int, typer.Option("--max-batch", min=1, help="Answers generated at once.")
    ] = 16,
    max_tokens: Annotated[
        int, typer.Option("--max-tokens", min=1, help="Longest answer by default.")
    ] = 512,
    rate: Annotated[
        int | None, typer.Option("--rate", min=1, metavar="N", help="Requests a minute and key.")
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds, then 504.")] = 300,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(
            "--cors-origin", metavar="ORIGIN", help="May call from a browser. Repeatable."
        ),
    ] = None,
) -> None:
    """Serve a model and its edits over HTTP, with a page to work on.

    memedit serve

    memedit serve --upstream http://127.0.0.1:8001 --api-key-file keys.json
    """
    from memedit.serving import require

    require()
    from memedit.serving.config import Settings

    settings = Settings(
        name=name or Path(model or "SmolLM2-135M-Instruct").name,
        max_batch=max_batch,
        max_tokens=max_tokens,
        requests_per_minute=rate,
        timeout=timeout,
        approval=approval,
        bare=bare,
        cors_origins=tuple(cors_origin or ()),
        hosts=_hosts(host) if no_auth else None,
    )
    if upstream is not None and (model is not None or editor is not None):
        raise InvalidInputError(
            "--upstream serves another server's model.", hint="Leave out --model and --editor."
        )
    if no_auth and api_key_file is not None:
        raise InvalidInputError("--no-auth and --api-key-file contradict each other.")
    store = _store(memory, encoder)
    keys, shown = _keys(store, api_key_file, no_auth=no_auth)
    from memedit.serving.metrics import Metrics

    metrics = Metrics()
    if upstream is None:
        backend = _local(model, store, settings, metrics, editor=editor, scope=scope)
    else:
        backend = _upstream(
            upstream, store, settings, metrics, scope=scope, model=upstream_model,
            pass_key=no_auth,
        )  # fmt: skip
    from memedit.serving.app import assemble, create_app, run

    app = create_app(assemble(backend, store, settings, metrics, keys=keys))
    with store:
        run(app, host, port, lambda url: _announce(url, shown, memory, no_auth=no_auth, host=host))


def _hosts(host: str) -> tuple[str, ...] | None:
    """Names a server without keys answers to: a rebound DNS name must not reach it."""
    return tuple(sorted(_LOOPBACK | {host})) if host in _LOOPBACK else None


def _store(memory: Path, encoder: str | None) -> EditMemory:
    from memedit.encoders import load_encoder
    from memedit.memory import EditMemory

    with _render.working("Loading the encoder"):
        return EditMemory(memory, load_encoder(encoder))


def _local(
    name: str | None, store: EditMemory, settings: Settings, metrics: Metrics, **options: Any
) -> Backend:
    with _render.working(f"Loading {name or 'the default language model'}"):
        from memedit.model import EditableModel
        from memedit.serving.local import LocalBackend

        model = EditableModel.from_pretrained(name, memory=store, **options)
        return LocalBackend(model, settings, metrics)


def _upstream(
    url: str, store: EditMemory, settings: Settings, metrics: Metrics, *, scope: str | None,
    model: str | None, pass_key: bool,
) -> Backend:  # fmt: skip
    from memedit.serving.deciding import Decider
    from memedit.serving.relay import Relay
    from memedit.serving.upstream import UpstreamBackend

    if not url.startswith(("http://", "https://")):
        raise InvalidInputError(f"{url!r} is no URL.", hint="Such as http://127.0.0.1:8001.")
    relay = Relay(
        url,
        key=os.environ.get("MEMEDIT_UPSTREAM_KEY"),
        pass_key=pass_key,
        timeout=settings.timeout,
        connect_timeout=settings.connect_timeout,
    )
    return UpstreamBackend(relay, Decider(store, scope), settings, metrics, model)


def _keys(
    store: EditMemory, file: Path | None, *, no_auth: bool
) -> tuple[KeyRing | None, str | None]:
    """(keys in force, the key made for this run)."""
    from memedit.serving.keys import ANY, KeyRing, new_key, read

    if no_auth:
        return None, None
    if file is not None:
        if not any(not key.revoked for key in read(file)):
            raise InvalidInputError(
                f"{str(file)!r} holds no key in force.",
                hint=f"Make one: memedit keys add NAME --file {file}",
            )
        return KeyRing(file), None
    key, secret = new_key("this run", ("read", "ask", "edit", "admin"), namespace=ANY)
    return KeyRing(keys=[key]), secret


def _announce(url: str, secret: str | None, memory: Path, *, no_auth: bool, host: str) -> None:
    """Say where the server is. A key made for this run goes to a terminal, never to a log."""
    if no_auth:
        _render.note(f"Serving at {url}", style="bold")
        if host not in _LOOPBACK:
            _render.note(f"Anyone who reaches {host} may change the edits.", style="yellow")
        return
    if secret is None:
        _render.note(f"Serving at {url}", style="bold")
        return
    if sys.stderr.isatty():
        _render.note(f"Open {url}/#key={secret}", style="bold")
        _render.note(
            "The key is for this run. To keep some: memedit keys add NAME, --api-key-file."
        )
        return
    memory.mkdir(parents=True, exist_ok=True)
    file = memory / _KEY_FILE
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as out:
        out.write(secret + "\n")
    _render.note(f"Serving at {url}; the key of this run is in {file.resolve()}")


@keys_app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    scope: Annotated[
        str, typer.Option("--scope", metavar="A,B", help="Of read, ask, edit, admin.")
    ] = "read,ask",
    namespace: Annotated[
        str, typer.Option("--namespace", metavar="NAME", help="The only one it sees; '*': any.")
    ] = DEFAULT_NAMESPACE,
    rate: Annotated[
        int | None, typer.Option("--rate", min=1, metavar="N", help="Requests a minute.")
    ] = None,
    max_body: Annotated[
        int | None, typer.Option("--max-body", min=1, metavar="BYTES", help="Of one request.")
    ] = None,
    file: KeyFile = Path("keys.json"),
    json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Make a key and show it, once: only its hash is kept."""
    from memedit.serving import keys

    scopes = tuple(part.strip() for part in scope.split(",") if part.strip())
    key, secret = keys.new_key(
        name, scopes, namespace=namespace, requests_per_minute=rate, max_body=max_body
    )
    keys.add(file, key)
    if json:
        _render.as_json({"id": key.id, "key": secret, "file": str(file)})
        return
    _render.say(secret)
    _render.note(f"Key {key.id} of {name!r}; {file} keeps its hash, so note it now.")


@keys_app.command("list")
def list_(
    file: KeyFile = Path("keys.json"),
    json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """List the keys, without the keys themselves."""
    from memedit.serving.keys import read

    rows: list[dict[str, Any]] = [
        {
            "id": key.id, "name": key.name, "scopes": list(key.scopes),
            "namespace": key.namespace, "created": key.created, "revoked": key.revoked,
        }
        for key in read(file)
    ]  # fmt: skip
    if json:
        _render.as_json(rows)
        return
    for row in rows:
        state = "  revoked" if row["revoked"] else ""
        _render.say(
            f"{row['id']}  {row['name']}  {','.join(row['scopes'])}  {row['namespace']}{state}"
        )


@keys_app.command("revoke")
def revoke(
    id: Annotated[str, typer.Argument(help="Id of a key.")], file: KeyFile = Path("keys.json")
) -> None:
    """Put a key out of force; a running server notices at its next request."""
    from memedit.serving import keys

    key = keys.revoke(file, id)
    _render.say(f"Revoked {key.id} of {key.name!r}.")
