"""What every route works with: the memory, the backend, the desk, and who is asking."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request
from fastapi.responses import Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from memedit.core.moments import Moment
from memedit.core.types import DEFAULT_NAMESPACE, Edit, Record
from memedit.memory import EditMemory
from memedit.model.correcting import Corrections
from memedit.serving.errors import ApiError
from memedit.serving.keys import ANY, SCOPES, Key, KeyRing
from memedit.serving.ledger.audit import AuditLog, Author
from memedit.serving.ledger.desk import Desk
from memedit.serving.metrics import Metrics
from memedit.serving.settings import Settings
from memedit.serving.trials import Trials

NAMESPACE_HEADER = "X-Memedit-Namespace"
ANYONE = Key(id="anonymous", name="anonymous", digest="", scopes=SCOPES, namespace=ANY)
"""Who asks a server that was started without authentication."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and whose edits are meant."""

    key: Key
    namespace: str

    @property
    def author(self) -> Author:
        return Author(self.key.id, self.key.name)


@dataclass(frozen=True, slots=True)
class Question:
    """A text to put to the model, edited and not."""

    query: str
    namespace: str
    chat: bool | None
    max_tokens: int
    as_of: Moment | None = None


class Backend(Protocol):
    """The base behind the server: a model in this process, or an upstream."""

    @property
    def trials(self) -> Trials | None:
        """Comparisons with weight editors; None where there are no weights to edit."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def ready(self) -> str:
        """Why no question can be answered now; "" if it can."""

    async def chat(self, request: Request, caller: Caller, body: bytes) -> Response: ...

    async def completions(self, request: Request, caller: Caller, body: bytes) -> Response: ...

    async def responses(self, request: Request, caller: Caller, body: bytes) -> Response: ...

    async def messages(self, request: Request, caller: Caller, body: bytes) -> Response:
        """Anthropic's messages."""

    async def count_tokens(self, request: Request, caller: Caller, body: bytes) -> Response:
        """How many tokens such a message's conversation has."""

    async def models(self, request: Request, id: str | None = None) -> Response:
        """The models served, or one of them."""

    async def other(self, request: Request, body: bytes) -> Response:
        """A route of OpenAI's that is not ours."""

    async def explain(self, questions: Sequence[Question]) -> list[dict[str, Any]]:
        """Per question the edited and the base answer and the decision, as plain data."""

    def explain_live(self, question: Question) -> AsyncIterator[dict[str, Any]]:
        """The same as it comes: pieces of both answers (``of``, ``text``), then the whole."""

    def check(self, edit: Edit) -> None:
        """Refuse an edit that the editor in use cannot take (InvalidEditError)."""

    def corrections(
        self, edit: Edit, namespace: str, moment: datetime | None, but: Record | None = None
    ) -> Corrections:
        """What an edit that is about to be added corrects in other words, of what holds at a moment
        (None: now); as if a record were not there whose place it takes."""


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of one server."""

    settings: Settings
    memory: EditMemory
    backend: Backend
    keys: KeyRing | None
    audit: AuditLog
    desk: Desk
    metrics: Metrics


def service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


_bearer = HTTPBearer(auto_error=False, description="An API key: mk_...")


def needs(scope: str) -> Callable[..., Caller]:
    """A dependency: the caller, whose key must have this scope."""

    def caller(
        request: Request,
        shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> Caller:
        return caller_of(request, scope)

    return caller


def caller_of(request: Request, scope: str) -> Caller:
    """Who sent a request that the guard let through.

    Raises:
        ApiError: 403, the key lacks the scope or has another namespace; 400, no namespace.
    """
    key: Key = request.state.key  # the guard has checked it
    return with_key(key, scope, _read_namespace(request))


def with_key(key: Key, scope: str, named: str | None = None) -> Caller:
    """Who asks with a key, and whose edits are meant.

    Args:
        key: In force.
        scope: That it must have.
        named: The namespace it asks for; None: its own, or the default one.

    Raises:
        ApiError: as :func:`caller_of`.
    """
    if not key.allows(scope):
        raise ApiError(403, f"This key lacks the scope {scope!r}.", code="insufficient_scope")
    return Caller(key, _namespace(key, named))


State = Annotated[Service, Depends(service_of)]
MayRead = Annotated[Caller, Depends(needs("read"))]
MayAsk = Annotated[Caller, Depends(needs("ask"))]
MayEdit = Annotated[Caller, Depends(needs("edit"))]
MayAdminister = Annotated[Caller, Depends(needs("admin"))]


def _read_namespace(request: Request) -> str | None:
    named = request.headers.get(NAMESPACE_HEADER)
    if named is not None:
        with suppress(UnicodeError):  # UTF-8 where the wire's bytes are any, else as HTTP says
            named = named.encode("latin-1").decode("utf-8")
    return named


def _namespace(key: Key, named: str | None) -> str:
    if key.namespace != ANY:
        if named is not None and named != key.namespace:
            raise ApiError(403, "This key has another namespace.", code="wrong_namespace")
        return key.namespace
    if named is None:
        return DEFAULT_NAMESPACE
    if not named.strip() or len(named) > 256 or named == ANY or not named.isprintable():
        raise ApiError(400, f"{NAMESPACE_HEADER} names no namespace.", code="invalid_value")
    return named
