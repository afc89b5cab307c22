"""Logs for machines: one JSON object a line, with the id of the request it belongs to."""

from __future__ import annotations

import json
import logging
import sys
import time
from contextvars import ContextVar
from typing import Any, Literal

from memedit.core.errors import InvalidInputError
from memedit.serving.errors import CutError

Format = Literal["text", "json"]
request_id: ContextVar[str] = ContextVar("memedit_request_id", default="")
"""Of the request that is being answered."""
access = logging.getLogger("memedit.access")
_TEXT = "%(asctime)s %(levelname)s %(name)s %(request)s%(message)s"


def configure(format: Format, level: str) -> None:
    """Send this process's logs to standard error. For a program, never for a library.

    Raises:
        InvalidInputError: no such level.
    """
    chosen = logging.getLevelName(level.upper())
    if not isinstance(chosen, int):
        raise InvalidInputError(
            f"There is no log level {level!r}.", hint="debug, info, warning or error."
        )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_add_request)
    handler.setFormatter(_Json() if format == "json" else logging.Formatter(_TEXT))
    root = logging.getLogger()
    # In place of what others set up: a line comes once, and in one form.
    root.handlers = [handler]
    root.setLevel(max(chosen, logging.INFO))  # other libraries' details are nobody's business
    logging.getLogger("memedit").setLevel(chosen)
    logging.getLogger("uvicorn.error").addFilter(shorten)
    for noisy in ("httpx", "sentence_transformers", "uvicorn.error"):
        logging.getLogger(noisy).setLevel(max(chosen, logging.WARNING))


def _add_request(record: logging.LogRecord) -> bool:
    id = request_id.get()
    record.request_id = id
    record.request = f"[{id}] " if id else ""
    return True


def shorten(record: logging.LogRecord) -> bool:
    """An upstream that broke off is one line: what it was, not where in the server it was met."""
    error = record.exc_info[1] if record.exc_info else None
    while error is not None and not isinstance(error, CutError):
        # What a task raised comes in a group of its own.
        inside: list[BaseException] = list(getattr(error, "exceptions", ()))
        error = inside.pop() if len(inside) == 1 else None
    if error is not None:
        record.msg, record.args = f"{error} The client's is cut, too.", ()
        record.exc_info = record.exc_text = None
    return True


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry: dict[str, Any] = {
            "time": f"{at}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if id := getattr(record, "request_id", ""):
            entry["request_id"] = id
        entry |= getattr(record, "fields", {})
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


def log_answer(route: str, method: str, status: int, seconds: float, key: str) -> None:
    """One request, at level info: which route, never what was asked."""
    if access.isEnabledFor(logging.INFO):
        milliseconds = round(1e3 * seconds, 1)
        fields = {
            "route": route, "method": method, "status": status, "ms": milliseconds, "key": key,
        }  # fmt: skip
        access.info("%s %s %d in %.1f ms", method, route, status, milliseconds,
                    extra={"fields": fields})  # fmt: skip
