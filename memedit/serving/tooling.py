"""Tools in requests: what they are called by, and what with."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, field_validator


class Called(BaseModel):
    """A tool's name, and what it is called with: a JSON object, as text."""

    model_config = ConfigDict(extra="allow")
    name: str
    arguments: str

    @property
    def data(self) -> dict[str, Any]:
        """The arguments read."""
        found: dict[str, Any] = json.loads(self.arguments or "{}")
        return found

    @field_validator("arguments")
    @classmethod
    def _is_object(cls, value: str) -> str:
        try:
            if isinstance(json.loads(value or "{}"), dict):
                return value
        except (ValueError, RecursionError):
            pass
        raise ValueError("must be a JSON object, as text")


class ToolCall(BaseModel):
    """A call that the assistant made."""

    model_config = ConfigDict(extra="allow")
    id: str = ""
    type: Literal["function"] = "function"
    function: Called


ToolName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class Function(BaseModel):
    """What a tool is called by, and what with."""

    model_config = ConfigDict(extra="allow")
    name: ToolName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = False

    @field_validator("parameters")
    @classmethod
    def _is_json(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        try:
            json.dumps(value, allow_nan=False)
        except (ValueError, RecursionError):
            raise ValueError("must be JSON: no NaN or Infinity, and not nested so deep") from None
        return value

    @property
    def schema_(self) -> dict[str, Any]:
        """The schema of its arguments: an object."""
        return (self.parameters or {"additionalProperties": False}) | {"type": "object"}


class Tool(BaseModel):
    """A tool that the model may call."""

    model_config = ConfigDict(extra="allow")
    type: Literal["function"]
    function: Function


class _Chosen(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


class ToolChoice(BaseModel):
    """The tool that the model must call."""

    model_config = ConfigDict(extra="allow")
    type: Literal["function"]
    function: _Chosen


def check_kind(tool: Any, kind: str) -> Any:
    """A tool as it was given, if the caller is who runs it.

    Raises:
        ValueError: it is one that a vendor's server runs.
    """
    given = tool.get("type") if isinstance(tool, dict) else None
    if given in (None, kind):
        return tool
    raise ValueError(
        f"this server, which runs the model itself, runs no tools: type {str(given)[:64]!r} is not "
        f"known, only {kind!r}, which the caller runs"
    )
