"""The tools in the Model Context Protocol, with its official SDK; over HTTP as one more route.

Behind ``POST /mcp`` stands the guard of all routes: keys, their scopes, rate and namespace, origins
and sizes are what they are elsewhere. No session is kept, so any replica answers any call.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import Awaitable, Callable
from inspect import getdoc
from typing import TYPE_CHECKING, Any

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

import memedit
from memedit.core.errors import MissingExtraError
from memedit.core.registry import unknown_name
from memedit.serving.errors import ApiError, api_error
from memedit.serving.routes.changes import Writes
from memedit.serving.service import Service, caller_of
from memedit.serving.tools.catalogue import TOOLS, Effect, Tool

if TYPE_CHECKING:
    from mcp.server import Server, ServerRequestContext
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from mcp_types import CallToolResult, ToolAnnotations
    from mcp_types import Tool as PlainTool

PATH = "/mcp"
_ABOUT = (
    "Facts that a deployed language model answers with, beside its own knowledge. Search before "
    "you add; correct a fact rather than add a second one. Every change can be undone. A change "
    "that comes back with made=false was proposed, and waits for a person's approval."
)

Open = Callable[["ServerRequestContext[Any]", str], Awaitable[Writes]]
"""Who calls a tool, whose key must have a scope, and the parts of the server."""


def is_installed() -> bool:
    """Whether the extra ``memedit[mcp]`` is there."""
    return importlib.util.find_spec("mcp") is not None


def require() -> None:
    """See that the SDK is installed.

    Raises:
        MissingExtraError: saying what to install.
    """
    if not is_installed():
        raise MissingExtraError("mcp", extra="mcp")


def make_server(open_as: Open) -> Server[Any]:
    """The tools as a server of the SDK, without a transport."""
    from mcp.server import Server
    from mcp_types import (
        CallToolRequestParams,
        ListToolsResult,
        PaginatedRequestParams,
    )

    async def list_tools(
        context: ServerRequestContext[Any], wanted: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(tools=[_describe(tool) for tool in TOOLS.values()])

    async def call_tool(
        context: ServerRequestContext[Any], wanted: CallToolRequestParams
    ) -> CallToolResult:
        try:
            tool = _find_tool(wanted.name)
            writes = await open_as(context, tool.scope)
            return _write_outcome(await tool(writes, wanted.arguments or {}))
        except Exception as error:  # as over REST: nothing of the inside is told
            return _write_error(api_error(error))

    return Server(
        "memedit", version=memedit.__version__, instructions=_ABOUT,
        on_list_tools=list_tools, on_call_tool=call_tool,
    )  # fmt: skip


def _find_tool(name: str) -> Tool:
    if name not in TOOLS:
        raise unknown_name("tool", name, TOOLS)
    return TOOLS[name]


def _describe(tool: Tool) -> PlainTool:
    from mcp_types import Tool as PlainTool

    return PlainTool(
        name=tool.name,
        title=tool.name.replace("_", " ").capitalize(),
        description=" ".join((getdoc(tool.does) or "").split()),
        input_schema=tool.takes.model_json_schema(),
        annotations=_hints(tool.effect),
    )


def _hints(effect: Effect) -> ToolAnnotations:
    from mcp_types import ToolAnnotations

    return ToolAnnotations(
        read_only_hint=effect == "reads",
        destructive_hint=effect == "changes",
        idempotent_hint=effect == "adds",
        open_world_hint=False,
    )


def _write_outcome(outcome: dict[str, Any]) -> CallToolResult:
    from mcp_types import CallToolResult, TextContent

    text = json.dumps(outcome, ensure_ascii=False).encode("utf-8", "replace").decode()
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=json.loads(text)
    )


def _write_error(error: ApiError) -> CallToolResult:
    from mcp_types import CallToolResult, TextContent

    code = f" ({error.code})" if error.code else ""
    text = f"{error.message}{code}"
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


class Endpoint:
    """What answers ``POST /mcp`` of an application.

    It begins with the first call: most servers never have one, and the SDK takes a second to
    import.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._over = asyncio.Event()
        self._manager: asyncio.Future[StreamableHTTPSessionManager] | None = None
        self._runs: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """End what has begun."""
        self._over.set()
        if self._runs is not None:
            await self._runs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._manager is None:
            self._manager = asyncio.get_running_loop().create_future()
            self._runs = asyncio.create_task(self._run(self._manager))
        # Shielded: a client that hangs up must not cancel it for all others.
        manager = await asyncio.shield(self._manager)
        await manager.handle_request(scope, receive, send)

    async def _run(self, started: asyncio.Future[StreamableHTTPSessionManager]) -> None:
        """Hold the SDK's tasks, in one of our own: a request may end before them."""
        try:
            manager = await run_sync(self._make_manager)
        except BaseException as error:
            started.set_exception(error)
            return
        async with manager.run():
            started.set_result(manager)
            await self._over.wait()

    def _make_manager(self) -> StreamableHTTPSessionManager:
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        return StreamableHTTPSessionManager(
            make_server(self._open),
            json_response=True,
            stateless=True,
            max_request_body_size=sys.maxsize,  # the guard has counted, by the key's own limit
        )

    async def _open(self, context: ServerRequestContext[Any], scope: str) -> Writes:
        request = context.request
        assert isinstance(request, Request)
        caller = caller_of(request, scope)
        return Writes(self._service, caller, request.app.state.writing)
