"""The address that a server listens on."""

from __future__ import annotations

import errno
import socket

from memedit.core.errors import InvalidInputError

_BACKLOG = 1_024
"""Connections that may wait: whoever reads the address may connect at once."""
_HINTS = {
    errno.EADDRINUSE: "Another program listens there, perhaps another memedit serve: stop it, or "
    "choose another --port (MEMEDIT_PORT); 0 takes any that is free.",
    errno.EACCES: "Ports below 1024 are the system's: choose another --port (MEMEDIT_PORT).",
}
_HOST = (
    "--host (MEMEDIT_HOST) is a name or address of this machine, without http://: 127.0.0.1 for "
    "itself alone, 0.0.0.0 for whoever reaches it."
)


def bind(host: str, port: int) -> socket.socket:
    """Take an address, without listening yet: a model may take minutes to load, and whoever
    connects meanwhile shall be refused rather than wait.

    Args:
        port: 0 for any that is free.

    Raises:
        InvalidInputError: it is another program's, or none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    # Else the port of a server that was just stopped stays taken for a while.
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except (OSError, UnicodeError, TypeError) as error:  # the others: names that none can have
        bound.close()
        raise _refusal(host, port, error) from error
    return bound


def listen(bound: socket.socket) -> str:
    """Take connections; the URL.

    Raises:
        InvalidInputError: another program, started at the same time, came first.
    """
    host, port = bound.getsockname()[:2]
    try:
        bound.listen(_BACKLOG)
    except OSError as error:
        raise _refusal(host, port, error) from error
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _refusal(host: str, port: int, error: Exception) -> InvalidInputError:
    reason = (isinstance(error, OSError) and error.strerror) or str(error)
    hint = _HINTS.get(getattr(error, "errno", None) or 0, _HOST)
    return InvalidInputError(f"Cannot listen on {host}:{port}: {reason}.", hint=hint)
