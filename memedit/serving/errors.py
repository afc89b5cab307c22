"""Errors in OpenAI's form: ``{"error": {"message", "type", "param", "code"}}``, and where each is
described as ``help``."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from memedit.core.errors import (
    PAGE,
    ContextOverflowError,
    InvalidEditError,
    InvalidInputError,
    MemeditError,
    MemoryStoreError,
    UnknownEditError,
    UnknownNameError,
)

log = logging.getLogger(__name__)
_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}
MESSAGES = "/v1/messages"
"""Anthropic's route, whose errors have Anthropic's form besides."""
_ANTHROPIC = {413: "request_too_large", 503: "overloaded_error", 504: "timeout_error"}
_ANTHROPIC_TYPES = {"server_error": "api_error", "conflict_error": "invalid_request_error"}
_STATUS: tuple[tuple[type[MemeditError], int, str], ...] = (
    (ContextOverflowError, 400, "context_length_exceeded"),
    (UnknownEditError, 404, "edit_not_found"),
    (InvalidEditError, 400, "invalid_edit"),
    (InvalidInputError, 400, "invalid_value"),
    (UnknownNameError, 400, "invalid_value"),
    (MemoryStoreError, 503, "memory_unavailable"),
)
_PLACE = re.compile(r"""(?<!\w)'[^'\n]*'|"[^"\n]*"|\([\d.:a-f]+\)|(?<=port )\d+""")
"""What an error of the memory names: addresses, folders, roles."""


class CutError(Exception):
    """An upstream's answer broke off: the client's connection is closed as well."""


class ApiError(Exception):
    """An answer with an error status.

    Args:
        status: The HTTP status.
        message: For people; never holds a secret.
        code: For programs.
        param: The part of the request that is wrong.
        headers: Further headers, e.g. ``Retry-After``.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The error in OpenAI's form, with the section that describes its code."""
        fallback = "server_error" if self.status >= 500 else "invalid_request_error"
        told = {
            "message": self.message,
            "type": _TYPES.get(self.status, fallback),
            "param": self.param,
            "code": self.code,
        }
        # Clients show it, or keep it with the error: who reads one knows where to look.
        return {"error": told | ({"help": f"{PAGE}#{self.code}"} if self.code else {})}

    def response(self) -> JSONResponse:
        return JSONResponse(self.body(), self.status, headers=self.headers)


def api_error(error: BaseException) -> ApiError:
    """Any exception as an answer; what is not the caller's fault says nothing of the inside."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, MemeditError):
        for kind, status, code in _STATUS:
            if isinstance(error, kind):
                if status == 503:
                    return _keep_places(error, code)
                return ApiError(status, str(error), code=code)
    if isinstance(error, ValidationError):
        return invalid(problems_of(error))
    log.error("A request failed.", exc_info=error)
    return ApiError(500, "The server failed to answer this request.", code="internal_error")


def _keep_places(error: MemeditError, code: str) -> ApiError:
    """An error of the memory as an answer: where the memory lies is for the log alone."""
    log.warning("The memory cannot be used: %s", error)
    told = _PLACE.sub("…", str(error)[:2_000])
    return ApiError(503, told, code=code, headers={"Retry-After": "1"})


def answer_of(error: BaseException, path: str) -> JSONResponse:
    """Any exception as an answer to a request for this path."""
    told = api_error(error)
    if path != MESSAGES and not path.startswith(f"{MESSAGES}/"):
        return told.response()
    return JSONResponse(anthropic_body(told), told.status, headers=told.headers)


def anthropic_body(error: ApiError) -> dict[str, Any]:
    """The error in Anthropic's form, as an answer or as the last event of a stream."""
    body = error.body()
    kind = body["error"]["type"]
    body["error"]["type"] = _ANTHROPIC.get(error.status, _ANTHROPIC_TYPES.get(kind, kind))
    return {"type": "error"} | body


_MOST = 500
"""Characters that are said of what is wrong: some of it is the caller's own."""


def invalid(problems: Any, kind: object = None) -> ApiError:
    """What pydantic found wrong with a request of this model."""
    first = _find_meant(problems)
    if first["type"] == "model_attributes_type" and tuple(first["loc"]) == ("body",):
        message = "The body must be a JSON object, sent with Content-Type: application/json."
        return ApiError(400, message, code="invalid_value")
    if first["type"] == "json_invalid":  # its place is no field's name but a character's number
        said = str(first["msg"]).removeprefix("Invalid JSON: ")
        said = str(first.get("ctx", {}).get("error", said))
        at = f", at character {first['loc'][-1]}" if first["loc"] else ""
        return ApiError(400, f"The body is no JSON: {said}{at}.", code="invalid_value")
    # The first says where it stands; a field may have such a name, too.
    stem = len(first["loc"]) > 1 or first["loc"] == ("body",)
    parts = [str(part) for part in first["loc"]]
    parts = parts[1:] if stem and parts[0] in {"body", "query", "path"} else parts
    where = ".".join(part for part in parts if "[" not in part)  # a type is no place
    # Half a character may have been sent, and no answer can hold it.
    said, near, known = str(first["msg"]), list[str](), _fields_at(kind, parts[:-1])
    if first["type"] == "extra_forbidden":
        near = get_close_matches(parts[-1], known, n=1)
        said = f"There is no such field here.{f' Did you mean {near[0]}?' if near else ''}"
    if first["type"] in {"extra_forbidden", "missing"} and not near:
        said = f"{said.rstrip('.')}. There are: {', '.join(known)}." if known else said
    what = str(said).removeprefix("Value error, ")[:_MOST].encode("utf-8", "replace").decode()
    where = where.encode("utf-8", "replace").decode()
    return ApiError(400, f"{where}: {what}" if where else what, code="invalid_value", param=where)


def _fields_at(kind: object, place: Sequence[str]) -> list[str]:
    """The fields there are at a place in a model; none where it is not one object."""
    for part in place:
        if not part.isdigit():
            field = getattr(kind, "model_fields", {}).get(part)
            found = [] if field is None else list(_models_in(field.annotation))
            kind = found[0] if len(found) == 1 else None
    return list(getattr(kind, "model_fields", ()))


def _models_in(annotation: object) -> Iterator[object]:
    if hasattr(annotation, "model_fields"):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def problems_of(error: ValidationError) -> Any:
    """What :func:`invalid` reads. Without the input: messages go into logs, and what was sent may
    be a secret."""
    return error.errors(include_url=False, include_context=False, include_input=False)


def _find_meant(problems: Any) -> Any:
    """The first problem; where a text or a list is taken and the list is wrong, what is wrong in
    it, not that it is no text."""
    *stem, last = problems[0]["loc"] or ("",)
    if last != "str":
        return problems[0]
    same = [each for each in problems if list(each["loc"][: len(stem)]) == stem]
    return max(same, key=lambda each: len(each["loc"]))


def install(app: FastAPI) -> None:
    """Give every error of ``app`` OpenAI's form."""

    async def answer(request: Request, error: Exception) -> JSONResponse:
        return answer_of(error, request.url.path)

    async def answer_validation_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        # Of the body that the route takes, where it is one object.
        body = getattr(request.scope.get("route"), "body_field", None)
        kind = getattr(getattr(body, "field_info", None), "annotation", None)
        return answer_of(invalid(error.errors(), kind), request.url.path)

    for kind in (ApiError, MemeditError, ValidationError):
        app.add_exception_handler(kind, answer)
    app.add_exception_handler(RequestValidationError, answer_validation_error)
