"""The page to work on: three static files, nothing from elsewhere."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import Response

router = APIRouter(include_in_schema=False)
# Whatever the text of an edit holds, the page runs its own script and no other.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css"}


def _file(name: str) -> Response:
    content = files("memedit.serving.routes").joinpath("static", name).read_bytes()
    headers = {
        "Content-Security-Policy": POLICY,
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",  # after an update nobody shall work on the old page
    }
    kind = _TYPES[name.rpartition(".")[2]]
    return Response(content, media_type=f"{kind}; charset=utf-8", headers=headers)


@router.get("/")
def page() -> Response:
    return _file("page.html")


@router.get("/page.js")
def script() -> Response:
    return _file("page.js")


@router.get("/page.css")
def style() -> Response:
    return _file("page.css")
