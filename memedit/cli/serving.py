"""``memedit serve`` and ``memedit keys``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memedit.cli import render
from memedit.core.types import DEFAULT_NAMESPACE

if TYPE_CHECKING:
    from memedit.memory import EditMemory
    from memedit.serving.configuration import ServerConfig
    from memedit.serving.keys import KeyRing

_KEY_FILE = "serve-key"
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)  # the directory may be a stranger's
_NO_SETTINGS = ("config", "replicas")

KeyFile = Annotated[
    Path, typer.Option("--file", metavar="FILE", envvar="MEMEDIT_KEYS", help="The key file.")
]
keys_app = typer.Typer(help="API keys of memedit serve.", no_args_is_help=True)


def serve(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            envvar="MEMEDIT_CONFIG",
            help="TOML. Flags and MEMEDIT_* of the environment go before it.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME",
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
    memory: Annotated[
        str | None,
        typer.Option(
            "--memory",
            metavar="DIR|URL",
            help="Where edits are kept: a directory, or postgresql://user@host/database, which "
            "several servers may share. [default: memory]",
        ),
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on. [default: 127.0.0.1]")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65_535, help="0: any free one. [default: 8000]"),
    ] = None,
    api_key_file: Annotated[
        Path | None,
        typer.Option("--api-key-file", metavar="FILE", help="Keys, as memedit keys writes them."),
    ] = None,
    no_auth: Annotated[
        bool | None, typer.Option("--no-auth", help="Anyone who reaches the port may do anything.")
    ] = None,
    editor: Annotated[
        str | None,
        typer.Option(
            "--editor",
            metavar="NAME",
            help="See memedit editors; with --upstream ike, memprompt or mello. [default: ike]",
        ),
    ] = None,
    scope: Annotated[
        str | None, typer.Option("--scope", metavar="NAME", help="Decides which edit applies.")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option("--encoder", metavar="NAME", help="Sentence encoder.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="The model's name in /v1/models.")
    ] = None,
    upstream_model: Annotated[
        str | None,
        typer.Option("--upstream-model", metavar="NAME", help="For the page. [default: its first]"),
    ] = None,
    upstream_route: Annotated[
        list[str] | None,
        typer.Option(
            "--upstream-route",
            metavar="ROUTE",
            help='Pass this on too: "POST /v1/rerank ask" (method, path, scope). Repeatable.',
        ),
    ] = None,
    approval: Annotated[
        bool | None, typer.Option("--approval", help="Changes wait for another key's approval.")
    ] = None,
    bare: Annotated[bool | None, typer.Option("--bare", help="Serve without edits.")] = None,
    max_batch: Annotated[
        int | None,
        typer.Option("--max-batch", min=1, help="Answers generated at once. [default: 16]"),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option("--max-tokens", min=1, help="Longest answer by default. [default: 512]"),
    ] = None,
    rate: Annotated[
        int | None, typer.Option("--rate", min=1, metavar="N", help="Requests a minute and key.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=0.1, help="Seconds, then 504. [default: 300]")
    ] = None,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(
            "--cors-origin", metavar="ORIGIN", help="May call from a browser. Repeatable."
        ),
    ] = None,
    replicas: Annotated[
        int,
        typer.Option(
            "--replicas",
            min=1,
            metavar="N",
            help="So many processes with a model each, by Ray Serve; needs a memory in PostgreSQL.",
        ),
    ] = 1,
    log_format: Annotated[
        str | None, typer.Option("--log-format", help="text or json. [default: text]")
    ] = None,
    log_level: Annotated[
        str | None,
        typer.Option(
            "--log-level", help="debug, info (every request), warning or error. [default: warning]"
        ),
    ] = None,
) -> None:
    """Serve a model and its edits over HTTP, with a page to work on.

    memedit serve

    memedit serve --upstream http://127.0.0.1:8001 --api-key-file keys.json

    memedit serve --memory postgresql://memedit@db/memedit --config memedit.toml
    """
    given = {
        k: v for k, v in locals().items() if k not in ("config", "replicas") and v not in (None, [])
    }
    from memedit.serving import require

    require()
    from memedit.serving import configuration, logs
    from memedit.serving.app import create_app, run
    from memedit.serving.building import build, open_memory

    chosen = configuration.load(config, given)
    logs.configure(chosen.log_format, chosen.log_level)
    if replicas > 1:
        _scaled(chosen, replicas)
        return
    keys, shown = _keys(chosen)
    with render.working("Loading the encoder"):
        store = open_memory(chosen)
    with store:
        with render.working(f"Loading {chosen.model or 'the model'}"):
            service = build(chosen, store, keys)
        run(
            create_app(service), chosen.host, chosen.port,
            lambda url: _announce(url, shown, chosen, store), grace=chosen.grace,
        )  # fmt: skip


def _scaled(config: ServerConfig, replicas: int) -> None:
    from memedit.serving import scale
    from memedit.serving.building import keys_of

    keys_of(config)  # said now rather than by each replica
    scale.run(config, replicas, lambda url: render.note(f"Serving at {url}", style="bold"))


def _keys(config: ServerConfig) -> tuple[KeyRing | None, str | None]:
    """(keys in force, the key made for this run)."""
    from memedit.serving.building import keys_of
    from memedit.serving.keys import ANY, KeyRing, new_key

    if config.no_auth or config.api_key_file is not None:
        return keys_of(config), None
    key, secret = new_key("this run", ("read", "ask", "edit", "admin"), namespace=ANY)
    return KeyRing(keys=[key]), secret


def _announce(url: str, secret: str | None, config: ServerConfig, store: EditMemory) -> None:
    """Say where the server is. A key made for this run goes to a terminal, never to a log."""
    from memedit.serving.service import LOOPBACK

    if config.no_auth:
        render.note(f"Serving at {url}", style="bold")
        if config.host not in LOOPBACK:
            render.note(f"Anyone who reaches {config.host} may change the edits.", style="yellow")
        return
    if secret is None:
        render.note(f"Serving at {url}", style="bold")
        return
    if sys.stderr.isatty():
        render.note(f"Open {url}/#key={secret}", style="bold")
        render.note("The key is for this run. To keep some: memedit keys add NAME, --api-key-file.")
        return
    folder = store.path or Path.cwd()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / _KEY_FILE
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _NO_LINK, 0o600)
    with os.fdopen(handle, "w") as out:
        out.write(secret + "\n")
    render.note(f"Serving at {url}; the key of this run is in {file.resolve()}")


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
        render.as_json({"id": key.id, "key": secret, "file": str(file)})
        return
    render.say(secret)
    render.note(f"Key {key.id} of {name!r}; {file} keeps its hash, so note it now.")


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
        render.as_json(rows)
        return
    for row in rows:
        state = "  revoked" if row["revoked"] else ""
        render.say(
            f"{row['id']}  {row['name']}  {','.join(row['scopes'])}  {row['namespace']}{state}"
        )


@keys_app.command("revoke")
def revoke(
    id: Annotated[str, typer.Argument(help="Id of a key.")], file: KeyFile = Path("keys.json")
) -> None:
    """Put a key out of force; a running server notices at its next request."""
    from memedit.serving import keys

    key = keys.revoke(file, id)
    render.say(f"Revoked {key.id} of {key.name!r}.")
