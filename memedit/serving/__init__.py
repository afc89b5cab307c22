"""The server: an OpenAI-compatible front for a model and its edits.

Only :func:`require` and the settings may be imported without the extra ``memedit[serve]``.
"""

from __future__ import annotations

import importlib.util

from memedit.core.errors import MissingExtraError

NEEDED = ("fastapi", "httpx", "prometheus_client", "pydantic_settings", "uvicorn")


def require() -> None:
    """See that what the server needs is installed.

    Raises:
        MissingExtraError: saying what to install.
    """
    for package in NEEDED:
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, extra="serve")
