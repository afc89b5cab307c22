"""``memedit serve`` and ``memedit keys``."""

from __future__ import annotations

import inspect
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import wraps
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_origin

import typer

from memedit.cli import render
from memedit.cli.options import parts, show_parameters
from memedit.core.errors import InvalidInputError
from memedit.core.types import DEFAULT_NAMESPACE
from memedit.memory.address import hide_password
from memedit.serving.settings import LOOPBACK, Settings, describe_settings

if TYPE_CHECKING:
    from memedit.memory import EditMemory
    from memedit.serving.keys import KeyRing

_KEY_FILE = "serve-key"

KeyFile = Annotated[
    Path, typer.Option("--file", metavar="FILE", envvar="MEMEDIT_KEYS", help="The key file.")
]
keys_app = typer.Typer(help="API keys of memedit serve.", no_args_is_help=True)


def _add_settings(
    only: Collection[str] = (),
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command an option per setting that is a flag, or per one of ``only``; it takes those
    that are given by name, besides its own."""

    def dressed(command: Callable[..., None]) -> Callable[..., None]:
        own = dict(inspect.signature(command, eval_str=True).parameters)
        own.pop("given")

        @wraps(command)
        def run(**given: Any) -> None:
            mine = {name: given.pop(name) for name in own}
            # What the command line does not say is the environment's to say, and the file's.
            command(**mine, **{k: v for k, v in given.items() if v not in (None, [])})

        flags = [name for name, (_, told) in describe_settings().items() if told.flag]
        options = [_option(name) for name in flags if name in only or not only]
        return show_parameters(run, (*own.values(), *options))

    return dressed


def _option(name: str) -> inspect.Parameter:
    """A setting as an option that is None where it is not given."""
    kind, told = describe_settings()[name]
    default = told.instead or Settings.__dataclass_fields__[name].default
    shown = typer.Option(
        f"--{name.replace('_', '-')}",
        metavar=told.metavar,
        help=told.help,
        show_default=False if default in (None, False, ()) else str(default),
        min=told.least if kind in (int, float, int | None) else None,
        max=told.most,
    )
    inner = str if get_origin(kind) is Literal else kind
    taken = list[str] if kind == tuple[str, ...] else inner
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[taken | None, shown],
    )


Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        envvar="MEMEDIT_CONFIG",
        help="TOML. Flags and MEMEDIT_* of the environment go before it.",
    ),
]


@_add_settings()
def serve(
    config: Config = None,
    replicas: Annotated[
        int,
        typer.Option(
            "--replicas",
            min=1,
            metavar="N",
            help="So many processes with a model each, by Ray Serve; needs a memory in PostgreSQL.",
        ),
    ] = 1,
    **given: Any,
) -> None:
    """Serve a model and its edits over HTTP, with a page to work on.

    memedit serve

    memedit serve --upstream http://127.0.0.1:8001 --api-key-file keys.json

    memedit serve --memory postgresql://memedit@db/memedit --config memedit.toml
    """
    from memedit.serving import require

    # Before what it stands for is imported: the error shall name an extra, not a module.
    require()
    from memedit.serving import logs
    from memedit.serving.address import bind
    from memedit.serving.settings import load_settings

    chosen = load_settings(config, given)
    logs.configure(chosen.log_format, chosen.log_level)
    if replicas > 1:
        _serve_replicas(chosen, replicas)
        return
    # First: whoever has to choose another port shall not wait for a model before.
    with _ended_by_sigterm(), bind(chosen.host, chosen.port) as bound:
        _serve(chosen, bound)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends what is still loading, with status 0 as later: the first process of a container
    heeds no signal by itself, and would be waited for, then killed."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _serve(settings: Settings, bound: socket) -> None:
    """Load everything, saying what, and serve until interrupted or terminated."""
    load = _loading(settings)
    with load("libraries"):
        from memedit.serving.app import create_app, run
        from memedit.serving.building import build, open_memory
    keys, shown = _keys(settings)
    with load(f"encoder and memory {hide_password(settings.memory)}"):
        store = open_memory(settings)
    with store:
        model = f"model {settings.model}" if settings.model else "default model"
        with load("scope" if settings.upstream else f"{model} and scope"):
            service = build(settings, store, keys)
        run(
            create_app(service), bound,
            lambda url: _announce(url, shown, settings, store), grace=settings.grace,
        )  # fmt: skip


def _loading(settings: Settings) -> Callable[[str], AbstractContextManager[None]]:
    """What says what is loaded: nothing where standard error is a program's to read."""
    return _load_loud if settings.log_format == "text" else lambda what: nullcontext()


@contextmanager
def _load_loud(what: str) -> Iterator[None]:
    """Say what is loaded, which may take a minute, in a line that stays: where standard error is a
    log no spinner is seen."""
    started = time.monotonic()
    if not render.stderr().is_terminal:
        render.note(f"Loading {what}")
        yield
        return
    with render.working(f"Loading {what}"):
        yield
    render.note(f"Loaded {what} in {time.monotonic() - started:.1f} s")


def _serve_replicas(settings: Settings, replicas: int) -> None:
    with _loading(settings)("libraries"):
        from memedit.serving import scale
        from memedit.serving.building import keys_of

    keys_of(settings)  # said now rather than by each replica
    if settings.log_format == "text":
        render.note(f"Starting {replicas} replicas; each loads a model of its own")
    scale.run(settings, replicas, lambda url: render.note(f"Serving at {url}", style="bold"))


def _keys(settings: Settings) -> tuple[KeyRing | None, str | None]:
    """(keys in force, the key made for this run)."""
    from memedit.serving.building import keys_of
    from memedit.serving.keys import ANY, KeyRing, make_key

    if settings.no_auth or settings.api_key_file is not None:
        return keys_of(settings), None
    # In RAM alone: it is worth nothing once the server has ended.
    key, secret = make_key("this run", ("read", "ask", "edit", "admin"), namespace=ANY)
    return KeyRing(keys=[key]), secret


def _announce(url: str, secret: str | None, settings: Settings, store: EditMemory) -> None:
    """Say where the server is. A key made for this run goes to a terminal, never to a log."""
    if settings.approval and (settings.no_auth or secret is not None):
        said = (
            "Whoever proposes a change cannot approve it: that takes a second key, --api-key-file."
        )
        render.note(said, style="yellow")
    if settings.no_auth:
        render.note(f"Serving at {url}", style="bold")
        if settings.host not in LOOPBACK:
            render.note(f"Anyone who reaches {settings.host} may change the edits.", style="yellow")
        return
    if secret is None:
        render.note(f"Serving at {url}", style="bold")
        return
    if sys.stderr.isatty():
        render.note(f"Open {url}/#key={secret}", style="bold")
        render.note("The key is for this run. To keep some: memedit keys add NAME, --api-key-file.")
        return
    file = _leave_key(store.path or Path.cwd(), secret)
    render.note(f"Serving at {url}; the key of this run is in {file.resolve()}")


def _leave_key(folder: Path, secret: str) -> Path:
    """Put the key of a run where only the server's user finds it; the file."""
    file = folder / _KEY_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)  # one that a stranger left may be read by whom they like
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as out:
            out.write(secret + "\n")
    except OSError as error:
        raise InvalidInputError(
            f"The key of this run cannot be left in {str(file)!r}: {error.strerror or error}.",
            hint="Give a key of your own (memedit keys add NAME --file FILE; --api-key-file FILE), "
            "or a folder that can be written.",
        ) from error
    return file


@_add_settings(
    only=(
        "model", "upstream", "upstream_model", "memory", "api_key_file", "editor", "scope",
        "encoder", "approval",
    )
)  # fmt: skip
def mcp(
    config: Config = None,
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace",
            metavar="NAME",
            help="Part of the memory.",
            show_default=f"the key's, else {DEFAULT_NAMESPACE}",
        ),
    ] = None,
    may: Annotated[
        str,
        typer.Option("--may", metavar="A,B", help="What the agent may do: of read, ask, edit."),
    ] = "read,ask,edit",
    **given: Any,
) -> None:
    """Let an agent work with the edits: tools of the Model Context Protocol, over standard streams.

    With --api-key-file the agent's key is in MEMEDIT_API_KEY.

    memedit mcp --memory memory
    """
    from memedit.serving import require
    from memedit.serving.settings import load_settings
    from memedit.serving.tools import protocol

    require()
    protocol.require()
    from memedit.serving import logs
    from memedit.serving.tools import stdio

    chosen = load_settings(config, given)
    logs.configure(chosen.log_format, chosen.log_level)
    stdio.serve(chosen, namespace, tuple(parts(may)))


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
    """Make a key and show it, once: only its hash is kept.

    memedit keys add Ann --scope read,ask,edit
    """
    from memedit.serving import keys

    scopes = tuple(part.strip() for part in scope.split(",") if part.strip())
    key, secret = keys.make_key(
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
    """List the keys, without the keys themselves.

    memedit keys list --file keys.json
    """
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
    if not rows:
        render.say(f"No keys in {str(file)!r}: memedit keys add NAME --file {file} makes one.")
    for row in rows:
        state = "  revoked" if row["revoked"] else ""
        render.say(
            f"{row['id']}  {row['name']}  {','.join(row['scopes'])}  {row['namespace']}{state}"
        )


@keys_app.command("revoke")
def revoke(
    id: Annotated[str, typer.Argument(help="Id of a key.")], file: KeyFile = Path("keys.json")
) -> None:
    """Put a key out of force; a running server notices at its next request.

    memedit keys revoke ID
    """
    from memedit.serving import keys

    key = keys.revoke(file, id)
    render.say(f"Revoked {key.id} of {key.name!r}.")
