"""What requests look like. Unknown fields are refused where a route is ours, and let through where
it is OpenAI's, but for misspelt ones (:mod:`memedit.serving.local.fields`)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from memedit.core.documents import check_source
from memedit.core.errors import InvalidInputError
from memedit.core.moments import Moment, read_moment
from memedit.core.types import MAX_TEXT
from memedit.serving.tooling import Tool, ToolCall, ToolChoice

Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Question = Annotated[str, StringConstraints(min_length=1, max_length=32_768)]
Stops = Annotated[list[Annotated[str, StringConstraints(min_length=1)]], Field(max_length=4)]
_WIDEST = 2**63 - 1  # of the whole numbers that the databases hold
Version = Annotated[int, Field(ge=0, le=_WIDEST)]


def _source(value: str) -> str:
    try:
        return check_source(value)
    except InvalidInputError as error:
        raise ValueError(error.message) from None


Source = Annotated[Text, AfterValidator(_source)]


def _moment(value: Any) -> Moment | None:
    if value is None:
        return None
    try:
        moment = read_moment(value, "the date")
    except InvalidInputError as error:
        raise ValueError(error.message) from None
    if isinstance(moment, datetime) and moment.tzinfo is None:
        raise ValueError("needs a time zone, as in 2026-01-31T00:00:00Z")
    return moment


# Any: as a datetime, pydantic would make a moment of a day, which is another thing here.
When = Annotated[
    Any,
    BeforeValidator(_moment),
    PlainSerializer(lambda value: value and value.isoformat()),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "string", "format": "date"},
                {"type": "null"},
            ]
        }
    ),
]
"""A date (a whole day), or a moment with its time zone."""


class Extra(BaseModel):
    """memedit's own options of a question."""

    model_config = ConfigDict(extra="forbid")
    as_of: When = Field(None, description="Only facts that hold then: a date or a moment.")
    edits: bool = Field(True, description="False: the unedited model answers.")
    min_version: Version = Field(0, description="Answer with this version of the edits, or later.")


class Part(BaseModel):
    """A part of a message's content; only text is understood."""

    model_config = ConfigDict(extra="allow")
    type: Literal["text"]
    text: str


class Message(BaseModel):
    model_config = ConfigDict(extra="allow")
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: Annotated[list[ToolCall], Field(max_length=128)] | None = None
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content or ())

    @model_validator(mode="after")
    def _says(self) -> Message:
        if self.tool_calls and self.role != "assistant":
            raise ValueError("only the assistant has tool_calls")
        if self.content is None and not self.tool_calls:
            raise ValueError("content is missing")
        return self


class JsonSchema(BaseModel):
    """The schema that an answer keeps to."""

    model_config = ConfigDict(extra="allow")
    name: str = ""
    schema_: dict[str, Any] = Field(default_factory=dict, alias="schema")


class ResponseFormat(BaseModel):
    """What an answer looks like."""

    model_config = ConfigDict(extra="allow")
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    @model_validator(mode="after")
    def _has_schema(self) -> ResponseFormat:
        if self.type == "json_schema" and self.json_schema is None:
            raise ValueError("json_schema is missing")
        return self

    @property
    def schema_(self) -> dict[str, Any] | None:
        """The schema; None: any text."""
        if self.type == "text":
            return None
        return {"type": "object"} if self.json_schema is None else self.json_schema.schema_


class StreamOptions(BaseModel):
    model_config = ConfigDict(extra="allow")
    include_usage: bool = False


class _Common(BaseModel):
    model_config = ConfigDict(extra="allow")
    model: str | None = Field(None, description="As in /v1/models; the served model if left out.")
    n: int | None = Field(1, ge=1, le=16)
    temperature: float | None = Field(1.0, ge=0, le=2)
    top_p: float | None = Field(1.0, gt=0, le=1)
    seed: int | None = Field(None, ge=-_WIDEST, le=_WIDEST)
    stop: str | Stops | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    presence_penalty: float | None = Field(0.0, ge=-2, le=2)
    frequency_penalty: float | None = Field(0.0, ge=-2, le=2)
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = None
    user: str | None = None
    memedit: Extra = Extra(as_of=None, edits=True, min_version=0)

    @property
    def stops(self) -> tuple[str, ...]:
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)

    @property
    def wants_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage

    @field_validator("stop")
    @classmethod
    def _not_empty(cls, value: str | list[str] | None) -> str | list[str] | None:
        if value == "":
            raise ValueError("a stop must not be empty")
        return value


class ChatRequest(_Common):
    """``POST /v1/chat/completions``."""

    messages: list[Message] = Field(min_length=1, max_length=2_048)
    max_tokens: int | None = Field(None, ge=1, le=1_000_000)
    max_completion_tokens: int | None = Field(None, ge=1, le=1_000_000)
    logprobs: bool | None = Field(False, description="Tell each token's log probability.")
    top_logprobs: int | None = Field(
        None, ge=0, le=20, description="And of so many others in its place; with logprobs."
    )
    response_format: ResponseFormat | None = Field(
        None, description="Keep the answer to JSON, or to a schema."
    )
    tools: list[Tool] | None = Field(None, max_length=128)
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    parallel_tool_calls: bool | None = True

    @model_validator(mode="after")
    def _fits(self) -> ChatRequest:
        if self.top_logprobs and not self.logprobs:
            raise ValueError("top_logprobs needs logprobs to be true")
        names = [tool.function.name for tool in self.tools or ()]
        choice = self.tool_choice
        if choice not in (None, "none", "auto") and not names:
            raise ValueError("tool_choice needs tools")
        if isinstance(choice, ToolChoice) and choice.function.name not in names:
            raise ValueError(f"tool_choice names {choice.function.name!r}, which is no tool here")
        if len(set(names)) < len(names):
            raise ValueError("two tools have the same name")
        return self


Tokens = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]


class CompletionRequest(_Common):
    """``POST /v1/completions``."""

    prompt: (
        str
        | Annotated[list[str], Field(min_length=1, max_length=64)]
        | Tokens
        | Annotated[list[Tokens], Field(min_length=1, max_length=64)]
    )
    max_tokens: int | None = Field(16, ge=1, le=1_000_000)
    echo: bool | None = False
    logprobs: int | None = Field(
        None, ge=0, le=20, description="Tell each token's log probability, and of so many others."
    )

    @property
    def prompts(self) -> list[str | list[int]]:
        """Every prompt, as text or as token ids."""
        prompt = self.prompt
        if isinstance(prompt, str):
            return [prompt]
        tokens = [token for token in prompt if isinstance(token, int)]
        if tokens:
            return [tokens]
        return [each for each in prompt if not isinstance(each, int)]


class _Ours(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewEdit(_Ours):
    """A fact: ``prompt`` and ``target_new``, or a whole ``statement``."""

    prompt: Text | None = Field(
        None, description="A text that breaks off, such as 'The capital of France is'."
    )
    target_new: Text | None = Field(None, description="How it shall go on: 'Lyon'.")
    statement: Text | None = Field(
        None, description="Instead of both: the fact as one whole sentence."
    )
    subject: Text | None = Field(
        None, description="Whom or what the fact is about, word for word as in the prompt."
    )
    target_true: Text | None = Field(None, description="What the model says without the edit.")
    queries: list[Text] = Field(
        default_factory=list, max_length=64,
        description="Further wordings that shall find the fact.",
    )  # fmt: skip
    multiple: bool | None = Field(
        None, description="One of several values: replaces none. Left out, its relation decides."
    )
    because_of: list[Name] = Field(
        default_factory=list, max_length=64, description="Ids of edits that it rests on."
    )
    source: Source | None = Field(None, description="Where the fact comes from.")
    valid_from: When = Field(None, description="The first day, or moment, it holds.")
    valid_until: When = Field(None, description="The last day it holds, or when it ends.")


_TOLD = {name: field.description for name, field in NewEdit.model_fields.items()}
"""What a new edit's fields are, and so those of a changed one."""


class EditChange(_Ours):
    """What shall be different; fields left out stay, null removes."""

    prompt: Text | None = Field(None, description=_TOLD["prompt"])
    target_new: Text | None = Field(None, description=_TOLD["target_new"])
    statement: Text | None = Field(None, description=_TOLD["statement"])
    subject: Text | None = Field(None, description=_TOLD["subject"])
    target_true: Text | None = Field(None, description=_TOLD["target_true"])
    queries: list[Text] | None = Field(None, max_length=64, description=_TOLD["queries"])
    multiple: bool | None = Field(None, description=_TOLD["multiple"])
    because_of: list[Name] | None = Field(None, max_length=64, description=_TOLD["because_of"])
    source: Source | None = Field(None, description=_TOLD["source"])
    valid_from: When = Field(None, description=_TOLD["valid_from"])
    valid_until: When = Field(None, description=_TOLD["valid_until"])


class Restore(_Ours):
    version: Version = Field(description="Bring back the edits in force at this version.")
    if_version: Version | None = Field(
        None, description="Only if nothing of the namespace changed after this version."
    )


class Undo(_Ours):
    version: Version | None = Field(
        None, description="Made by the change that is taken back; null: the last change."
    )
    if_version: Version | None = Field(
        None, description="Only if nothing of the namespace changed after this version."
    )


class Purge(_Ours):
    """What to erase for good: exactly one of the fields."""

    ids: list[Name] = Field(default_factory=list, max_length=1_000, description="These edits.")
    subject: Text | None = Field(None, description="Every edit about it, whatever its id.")
    document: Name | None = Field(None, description="The passages of a document, all versions'.")
    everything: bool = Field(False, description="All edits of the namespace.")
    finish: bool = Field(False, description="Go on with a purge that was interrupted.")

    @model_validator(mode="after")
    def _one(self) -> Purge:
        named = (self.subject is not None) + (self.document is not None)
        if bool(self.ids) + named + self.everything + self.finish != 1:
            raise ValueError("give exactly one of ids, subject, document, everything and finish")
        return self


_CHAT = "As a chat message; default: where possible."
_LONGEST = "Longest answer, in tokens."
_AS_OF = "Only facts that hold then: a date or a moment."
_ASKED = "As it was asked, word for word."


class Ask(_Ours):
    """A question to explain."""

    query: Question = Field(description="A question, or a text to continue.")
    chat: bool | None = Field(None, description=_CHAT)
    max_tokens: int = Field(48, ge=1, le=1_024, description=_LONGEST)
    as_of: When = Field(None, description=_AS_OF)


class Explain(Ask):
    """A question to explain over HTTP."""

    stream: bool = Field(
        False, description="As server-sent events: pieces of both answers, then the whole."
    )


class Compare(_Ours):
    """Questions to put to the edited and to the unedited model."""

    queries: list[Question] = Field(min_length=1, max_length=32, description="Questions, or texts.")
    chat: bool | None = Field(None, description=_CHAT)
    max_tokens: int = Field(48, ge=1, le=1_024, description=_LONGEST)
    as_of: When = Field(None, description=_AS_OF)


class NewTrial(_Ours):
    """A weight editor to try on the newest edits, and what to ask it."""

    editor: Name = Field("rome", description="One that edits weights: rome, ft_m, memit ...")
    queries: list[Question] = Field(
        min_length=1, max_length=32, description="What to ask the copy."
    )
    limit: int = Field(12, ge=1, le=32, description="How many of the newest edits.")
    max_tokens: int = Field(48, ge=1, le=1_024, description=_LONGEST)


class Learnt(_Ours):
    """That a query concerns an edit, which missed it, or does not, though the edit fired."""

    kind: Literal["false_fire", "miss"] = Field(
        description="false_fire: leave the query alone from now on; miss: answer it."
    )
    query: Question = Field(description=_ASKED)


class Report(_Ours):
    """What a person says of an answer."""

    kind: Literal["false_fire", "miss", "wrong_answer"] = Field(
        description="An edit fired that should not have; none did; the answer was wrong."
    )
    query: Question = Field(description=_ASKED)
    edit: Name | None = Field(None, description="The edit that fired, or should have.")
    comment: Text | None = Field(None, description="What else is to be said of it.")
