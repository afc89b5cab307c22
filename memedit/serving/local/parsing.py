"""What a request asks for, as the model understands it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from memedit.model.editable import EditableModel
from memedit.serving.errors import ApiError
from memedit.serving.local.batching import View
from memedit.serving.local.calling import CallReader, Tools
from memedit.serving.local.formats import Choice
from memedit.serving.local.rendering import Renderer
from memedit.serving.local.sampling import Sampling
from memedit.serving.local.shaping import Shape, Shaper, write_json_rule
from memedit.serving.local.turns import Asker
from memedit.serving.schemas import ChatRequest, CompletionRequest, _Common
from memedit.serving.service import Caller
from memedit.serving.settings import Settings
from memedit.serving.tooling import ToolChoice

UNEDITED = ":unedited"
"""Put behind the model's name, it names the model without its edits."""
_PLAIN: dict[str, tuple[Any, ...]] = {
    "functions": (None, []), "function_call": (None, "none", "auto"), "best_of": (None, 1),
    "suffix": (None, ""), "modalities": (None, ["text"]), "audio": (None,),
    "prediction": (None,), "web_search_options": (None,), "tools": (None, []),
    "response_format": (None, {"type": "text"}),
}  # fmt: skip
"""Fields that would change the answer in a way this server cannot, with values that change none."""
_ELSEWHERE = (
    "stand before a server that has it (memedit serve --upstream URL), where it passes unchanged."
)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A request as the model understands it.

    Attributes:
        prompts: [T] ids each.
        echo: What is put before the answers of each prompt.
        tools: What the model may call; None: nothing.
        named: The caller named the tool.
    """

    prompts: list[Tensor]
    sampling: Sampling
    view: View
    chat: bool
    model: str
    stream: bool = False
    wants_usage: bool = False
    echo: tuple[str, ...] = ()
    tools: Tools | None = None
    named: bool = False

    def begin_choice(self, at: int) -> Choice:
        """The ``at``-th answer, before anything was heard of it."""
        reader = None
        if self.tools is not None:
            names = [tool.function.name for tool in self.tools.tools]
            reader = CallReader(self.tools.style, names)
        return Choice(at, reader=reader, named=self.named)


class RequestReader:
    """Reads requests for one model. Thread-safe.

    Args:
        model: What answers.
        settings: Of the server.
        renderer: From words to tokens.
    """

    def __init__(self, model: EditableModel, settings: Settings, renderer: Renderer) -> None:
        self._window, self._settings = model.engine.window, settings
        self._size = model.base.get_input_embeddings().weight.shape[0]
        self._renderer = renderer
        self._shaper = Shaper(partial(renderer.read_tokens, sorted(model.engine.eos())))

    def check(self, wanted: _Common, caller: Caller) -> tuple[View, str]:
        """Whose edits count, and the model's name.

        Raises:
            ApiError: no such model, or something this server cannot do.
        """
        for name, harmless in _PLAIN.items():
            value = (wanted.model_extra or {}).get(name)
            if value not in harmless and value != (wanted.n if name == "best_of" else None):
                raise ApiError(
                    400, f"{name} is not supported by this server, which runs the model itself: "
                    f"leave it out, or {_ELSEWHERE}", code="unsupported_parameter",
                    param=name,
                )  # fmt: skip
        name, own = wanted.model or self._settings.model_name, self._settings.model_name
        if name not in (own, own + UNEDITED):
            raise self.no_model(name)
        edited = wanted.memedit.edits and name == own and not self._settings.bare
        return View(caller.namespace, wanted.memedit.as_of, edited), name

    def no_model(self, name: str) -> ApiError:
        message = f"The model {name!r} does not exist; there is {self._settings.model_name!r}."
        return ApiError(404, message, code="model_not_found", param="model")

    def chat(self, wanted: ChatRequest, view: View, name: str, caller: Caller) -> Parsed:
        """A chat. Takes a while: call it in a thread.

        Raises:
            ApiError: something in it cannot be done.
        """
        ids, tools = self.render(wanted)
        logprobs = (wanted.top_logprobs or 0) if wanted.logprobs else None
        shape = self._shape(wanted, tools, (caller.key.id, caller.namespace))
        sampling = self._sampling(
            wanted, [ids], wanted.max_completion_tokens or wanted.max_tokens, logprobs=logprobs,
            shape=shape, special=tools is not None and bool(tools.style.opens),
        )  # fmt: skip
        return Parsed(
            [ids], sampling, view, True, name, bool(wanted.stream), wanted.wants_usage,
            tools=tools, named=isinstance(wanted.tool_choice, ToolChoice),
        )  # fmt: skip

    def render(self, wanted: ChatRequest) -> tuple[Tensor, Tools | None]:
        """A chat's [T] ids, and the tools that may be called; as :meth:`chat`."""
        tools = self._tools(wanted)
        shown = [] if tools is None else [t.model_dump(exclude_unset=True) for t in tools.tools]
        return self._renderer.render(wanted.messages, shown), tools

    def completion(self, wanted: CompletionRequest, view: View, name: str) -> Parsed:
        """A text to be continued; as :meth:`chat`."""
        if wanted.echo and wanted.logprobs is not None:
            raise ApiError(
                400, "logprobs are told of the answer, not of the prompt: leave out echo, or use "
                "memedit's Python API (model.score).", code="unsupported_parameter", param="echo",
            )  # fmt: skip
        ids = [self._renderer.ids(prompt) for prompt in wanted.prompts]
        echo = tuple(self._renderer.text(each) for each in ids) if wanted.echo else ()
        limit = wanted.max_tokens or 16  # null: OpenAI's default
        sampling = self._sampling(wanted, ids, limit, logprobs=wanted.logprobs)
        stream = bool(wanted.stream)
        return Parsed(ids, sampling, view, False, name, stream, wanted.wants_usage, echo)

    def room(self, prompt: int, limit: int | None) -> int:
        """How many tokens an answer may have.

        Raises:
            ApiError: so many have no place behind the prompt.
        """
        wanted = self._settings.max_tokens if limit is None else limit
        if self._window is None:
            return wanted
        if prompt + (1 if limit is None else limit) > self._window:
            raise ApiError(
                400, f"This model's context has {self._window:,} tokens; the prompt has "
                f"{prompt:,}, and {limit or 1:,} are asked for.", code="context_length_exceeded",
            )  # fmt: skip
        return min(wanted, self._window - prompt)

    def _tools(self, wanted: ChatRequest) -> Tools | None:
        """The tools that may be called."""
        choice = wanted.tool_choice
        if not wanted.tools or choice == "none":
            return None
        if (style := self._renderer.style) is None:
            raise ApiError(
                400, "This model's chat template shows it no tools, or writes calls in a form not "
                f"known here: leave tools out, serve a model whose template does (Qwen 2.5 and 3, "
                f"Hermes, Llama 3), or {_ELSEWHERE}",
                code="unsupported_parameter", param="tools",
            )  # fmt: skip
        tools = wanted.tools
        if isinstance(choice, ToolChoice):
            tools = [tool for tool in tools if tool.function.name == choice.function.name]
        must = choice == "required" or isinstance(choice, ToolChoice)
        return Tools(style, tools, must, wanted.parallel_tool_calls is not False)

    def _shape(self, wanted: ChatRequest, tools: Tools | None, asker: Asker) -> Shape | None:
        form = wanted.response_format
        schema: Mapping[str, Any] | None = None if form is None else form.schema_
        if tools is not None:
            return tools.shape(self._shaper, schema, asker)
        if schema is None:
            return None
        grammar = f"start: {write_json_rule(schema)}"
        return self._shaper.compile(grammar, "response_format", asker=asker)

    def _sampling(
        self, wanted: _Common, prompts: list[Tensor], limit: int | None, *,
        logprobs: int | None = None, shape: Shape | None = None, special: bool = False,
    ) -> Sampling:  # fmt: skip
        sampling = Sampling(
            max_tokens=self.room(max(len(ids) for ids in prompts), limit),
            temperature=1.0 if wanted.temperature is None else wanted.temperature,
            top_p=1.0 if wanted.top_p is None else wanted.top_p,
            stop=wanted.stops,
            seed=wanted.seed,
            presence_penalty=wanted.presence_penalty or 0.0,
            frequency_penalty=wanted.frequency_penalty or 0.0,
            logit_bias=self._biases(wanted),
            n=wanted.n or 1,
            shape=shape,
            logprobs=logprobs,
            special=special,
        )
        if sampling.n * len(prompts) > self._settings.max_queue:
            raise ApiError(400, "Too many answers in one request.", param="n", code="invalid_value")
        return sampling

    def _biases(self, wanted: _Common) -> dict[int, float]:
        try:
            biases = {int(token): bias for token, bias in (wanted.logit_bias or {}).items()}
        except ValueError:
            biases = {-1: 0.0}  # no token: refused below
        if any(not 0 <= token < self._size for token in biases):
            raise ApiError(
                400, "logit_bias takes token ids of this model.", param="logit_bias",
                code="invalid_value",
            )  # fmt: skip
        return biases
