"""OpenAI's routes, and Anthropic's. What they answer is the backend's business."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from memedit.serving.messages import CountRequest, MessagesRequest
from memedit.serving.replies import ResponsesRequest
from memedit.serving.schemas import ChatRequest, CompletionRequest
from memedit.serving.service import MayAsk, State

router = APIRouter(prefix="/v1", tags=["openai"])


def _describe(name: str) -> dict[str, Any]:
    """The request's schema for the OpenAPI document; the body itself is read as bytes."""
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


SCHEMAS = (ChatRequest, CompletionRequest, ResponsesRequest, MessagesRequest, CountRequest)
"""Described by hand: an upstream gets the bytes as they came."""


@router.post("/chat/completions", openapi_extra=_describe("ChatRequest"))
async def chat_completions(service: State, caller: MayAsk, request: Request) -> Response:
    """A chat completion, streamed or not."""
    return await service.backend.chat(request, caller, await request.body())


@router.post("/completions", openapi_extra=_describe("CompletionRequest"))
async def completions(service: State, caller: MayAsk, request: Request) -> Response:
    """A text completion, streamed or not."""
    return await service.backend.completions(request, caller, await request.body())


@router.post("/responses", openapi_extra=_describe("ResponsesRequest"))
async def responses(service: State, caller: MayAsk, request: Request) -> Response:
    """A response, streamed or not."""
    return await service.backend.responses(request, caller, await request.body())


@router.post("/messages", openapi_extra=_describe("MessagesRequest"))
async def messages(service: State, caller: MayAsk, request: Request) -> Response:
    """A message as Anthropic's clients ask for one, streamed or not."""
    return await service.backend.messages(request, caller, await request.body())


@router.post("/messages/count_tokens", openapi_extra=_describe("CountRequest"))
async def count_tokens(service: State, caller: MayAsk, request: Request) -> Response:
    """How many tokens a message's conversation has."""
    return await service.backend.count_tokens(request, caller, await request.body())


@router.get("/models")
async def models(service: State, caller: MayAsk, request: Request) -> Response:
    """The models served."""
    return await service.backend.models(request)


@router.get("/models/{id:path}")
async def model(service: State, caller: MayAsk, request: Request, id: str) -> Response:
    """One of the models served."""
    return await service.backend.models(request, id)


other = APIRouter(prefix="/v1")


@other.api_route(
    "/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False
)
async def others(service: State, caller: MayAsk, request: Request, path: str) -> Response:
    """Further routes of an upstream: embeddings, responses, files."""
    return await service.backend.other(request, await request.body())
