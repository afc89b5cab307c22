"""What is said where no route takes a request: how near it came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from memedit.serving.errors import ApiError, answer_of

_PREFIX = "/v1"
_LONGEST = 200
"""Characters of a path that is compared."""


def explain_lost(request: Request, allowed: Sequence[str] = ()) -> ApiError:
    """404, or 405 where the path is a route's and the method is not.

    Args:
        request: That no route takes.
        allowed: Methods that a route of its path has told that it takes.

    A client's base URL ends in ``/v1`` for some and before it for others: what is asked for without
    it, or with it twice, is the likeliest slip of all.
    """
    method, path = request.method, request.url.path
    asked = f"{method} {path}"
    routes = _describe_routes(request.app)
    if others := _methods(routes, path) or sorted(allowed):
        return ApiError(
            405, f"{asked}: here it is {' or '.join(others)}.", code="method_not_allowed",
            headers={"Allow": ", ".join(others)},
        )  # fmt: skip
    twice = path.startswith(f"{_PREFIX}{_PREFIX}/")
    whole = path.removeprefix(_PREFIX) if twice else _PREFIX + path
    near = get_close_matches(path, routes, n=1, cutoff=0.8) if len(path) <= _LONGEST else []
    if takes := _methods(routes, whole):
        told = f"Did you mean {' or '.join(takes)} {whole}? Check the client's base URL."
    else:
        told = f"Did you mean {near[0]}?" if near else "GET /openapi.json lists what there is."
    return ApiError(404, f"{asked}: Not Found. {told}", code="not_found")


def _describe_routes(app: FastAPI) -> dict[str, list[str]]:
    """Path with its variables -> the methods that it takes."""
    # The framework's own list of routes has another form in each of its versions.
    paths: dict[str, dict[str, object]] = app.openapi()["paths"]
    return {path: sorted(method.upper() for method in found) for path, found in paths.items()}


def _methods(routes: Mapping[str, list[str]], path: str) -> list[str]:
    """What the routes of a path take."""
    found = [methods for each, methods in routes.items() if compile_path(each)[0].match(path)]
    return sorted({method for methods in found for method in methods})


def install(app: FastAPI) -> None:
    """Say so of ``app``, in OpenAI's form, and in it whatever its framework refuses."""

    async def answer(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        if error.status_code in {404, 405}:
            # Routes that the OpenAPI document leaves out ("/mcp") say themselves what they take.
            allowed = (error.headers or {}).get("Allow", "")
            told = explain_lost(request, [each for each in allowed.split(", ") if each])
        else:
            message = f"{request.method} {request.url.path}: {error.detail}"
            told = ApiError(error.status_code, message, headers=error.headers)
        return answer_of(told, request.url.path)

    app.add_exception_handler(HTTPException, answer)
