"""How a server is set up: flags, environment, a file, defaults, in this order.

Every setting is said once, in :class:`Settings`: the command line, the environment and the file are
read by it.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_type_hints

from memedit.core.errors import InvalidInputError
from memedit.core.registry import unknown_name

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_settings import BaseSettings

PREFIX = "MEMEDIT_"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Setting:
    """What is said of one setting.

    Attributes:
        help: For the command line, without the default.
        metavar: What stands for its value there.
        least, above, most: Its bounds: not below, not at or below, not above.
        flag: It is an option of ``memedit serve`` too; else of environment and file only.
        instead: What the help names as the default, where that is not the value.
    """

    help: str
    metavar: str | None = None
    least: float | None = None
    above: float | None = None
    most: float | None = None
    flag: bool = False
    instead: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a server can be told. In the environment ``MEMEDIT_MAX_BATCH=8``, in a TOML file
    ``max_batch = 8``, on the command line ``--max-batch 8``.

    Raises:
        InvalidInputError: a number out of its bounds; settings that contradict each other.
    """

    model: Annotated[str | None, Setting(
        "Serve this model: hub id, folder or GGUF file.", "NAME", flag=True,
        instead="SmolLM2-135M-Instruct",
    )] = None  # fmt: skip
    device: Annotated[str | None, Setting(
        "Where the model computes: auto (a GPU if there is one), cuda, cuda:1, mps, cpu.", "NAME",
        flag=True, instead="cpu",
    )] = None  # fmt: skip
    upstream: Annotated[str | None, Setting(
        "Stand in front of this OpenAI-compatible server. Its key: MEMEDIT_UPSTREAM_KEY.", "URL",
        flag=True,
    )] = None  # fmt: skip
    memory: Annotated[str, Setting(
        "Where edits are kept: a directory, or postgresql://user@host/db, which several "
        "servers may share.", "DIR|URL", flag=True,
    )] = "memory"  # fmt: skip
    host: Annotated[str, Setting("Address to listen on.", flag=True)] = "127.0.0.1"
    port: Annotated[int, Setting("0: any free one.", "N", least=0, most=65_535, flag=True)] = 8000
    api_key_file: Annotated[Path | None, Setting(
        "Keys, as memedit keys writes them.", "FILE", flag=True
    )] = None  # fmt: skip
    no_auth: Annotated[bool, Setting(
        "Anyone who reaches the port may do anything.", flag=True
    )] = False  # fmt: skip
    hosts: Annotated[tuple[str, ...] | None, Setting(
        "Host names the server answers to, besides this machine's own (localhost). Without keys on "
        "a loopback address: those alone."
    )] = None  # fmt: skip
    editor: Annotated[str | None, Setting(
        "See memedit editors; with --upstream note, ike, memprompt or mello.", "NAME", flag=True,
        instead="what suits the model; note",
    )] = None  # fmt: skip
    scope: Annotated[str | None, Setting("Decides which edit applies.", "NAME", flag=True)] = None
    encoder: Annotated[str | None, Setting("Sentence encoder.", "NAME", flag=True)] = None
    translate: Annotated[Literal["auto", "on", "off"], Setting(
        "Questions in other languages than English are put into English for the scope, by the "
        "model: on, off, or auto: by a chat model of a billion parameters, not by an upstream.",
        flag=True,
    )] = "auto"  # fmt: skip
    second_look: Annotated[Literal["auto", "on", "off"], Setting(
        "The model says, too, whether an edit that was found, or is near, bears on a request: on, "
        "off, or auto: a chat model of a billion parameters; never an upstream.", flag=True,
    )] = "auto"  # fmt: skip
    name: Annotated[str | None, Setting("The model's name in /v1/models.", flag=True)] = None
    upstream_model: Annotated[str | None, Setting(
        "For the page.", "NAME", flag=True, instead="its first"
    )] = None  # fmt: skip
    upstream_route: Annotated[tuple[str, ...], Setting(
        'Pass this on too: "POST /v1/rerank ask" (method, path with * for any one segment, scope '
        "of the key). Repeatable.", "ROUTE", flag=True,
    )] = ()  # fmt: skip
    approval: Annotated[bool, Setting("Changes wait for another key's approval.", flag=True)] = (
        False
    )
    bare: Annotated[bool, Setting("Serve without edits.", flag=True)] = False
    max_batch: Annotated[int, Setting("Answers generated at once.", least=1, flag=True)] = 16
    max_batch_tokens: Annotated[int, Setting(
        "Prompt tokens of one batch, padding included.", least=1
    )] = 32_768  # fmt: skip
    batch_wait: Annotated[float, Setting(
        "Seconds the first request of a batch waits for others.", least=0
    )] = 0.004  # fmt: skip
    max_queue: Annotated[int, Setting("Sequences that may wait; more: 503.", least=1)] = 256
    max_tokens: Annotated[int, Setting("Longest answer by default.", least=1, flag=True)] = 512
    max_body: Annotated[int, Setting("Bytes of a request.", least=1)] = 1 << 20
    max_import: Annotated[int, Setting("Bytes of an imported file.", least=1)] = 64 << 20
    rate: Annotated[int | None, Setting(
        "Requests a minute and key.", "N", least=1, flag=True
    )] = None  # fmt: skip
    timeout: Annotated[float, Setting("Seconds, then 504.", least=0.1, flag=True)] = 300.0
    connect_timeout: Annotated[float, Setting("Seconds to reach the upstream.", above=0)] = 5.0
    cors_origin: Annotated[tuple[str, ...], Setting(
        "May call from a browser. Repeatable.", "ORIGIN", flag=True
    )] = ()  # fmt: skip
    version_wait: Annotated[float, Setting(
        "Seconds a request waits for X-Memedit-Min-Version.", least=0
    )] = 5.0  # fmt: skip
    max_waiting: Annotated[int, Setting(
        "Requests that wait for a version at once; more: 503.", least=1
    )] = 1_024  # fmt: skip
    max_waiting_of_key: Annotated[int, Setting("Of them of one key.", least=1)] = 128
    max_writing: Annotated[int, Setting("Changes that may wait; more: 503.", least=1)] = 256
    max_stale: Annotated[float | None, Setting(
        "Seconds without the database of a shared memory until /readyz says no.", above=0
    )] = None  # fmt: skip
    grace: Annotated[float, Setting("Seconds to finish requests when stopped.", above=0)] = 30.0
    log_format: Annotated[Literal["text", "json"], Setting("text or json.", flag=True)] = "text"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Setting(
        "debug, info (every request), warning or error.", flag=True
    )] = "warning"  # fmt: skip

    def __post_init__(self) -> None:
        for name, (_, told) in describe_settings().items():
            value = getattr(self, name)
            if isinstance(value, int | float):
                _check_bounds(name, value, told)
            # An empty host would be every address of the machine, an empty memory this folder.
            elif isinstance(value, str) and not value.strip():
                raise InvalidInputError(f"{name} is empty.", hint="Give a value, or leave it out.")
        if self.upstream is not None and self.model is not None:
            raise InvalidInputError(
                "--upstream serves another server's model.", hint="Leave out --model."
            )
        if self.no_auth and self.api_key_file is not None:
            raise InvalidInputError("--no-auth and --api-key-file contradict each other.")

    @property
    def model_name(self) -> str:
        """The model's name in ``/v1/models``."""
        return self.name or Path(self.model or "SmolLM2-135M-Instruct").name

    @property
    def answers_to(self) -> tuple[str, ...] | None:
        """Host names the server answers to; None: any. Where there are no keys, a rebound DNS name
        must not reach it. This machine's own are always among them: whoever looks whether it is
        well comes by those, and no other name can be rebound to them."""
        if self.hosts is not None:
            return tuple(sorted(LOOPBACK.union(self.hosts)))
        if not self.no_auth or self.host not in LOOPBACK:
            return None
        return tuple(sorted(LOOPBACK | {self.host}))


def _check_bounds(name: str, value: float, told: Setting) -> None:
    if told.least is not None and value < told.least:
        raise InvalidInputError(f"{name} must be at least {told.least:g}.")
    if told.above is not None and value <= told.above:
        raise InvalidInputError(f"{name} must be above {told.above:g}.")
    if told.most is not None and value > told.most:
        raise InvalidInputError(f"{name} must be at most {told.most:g}.")


@cache
def describe_settings() -> dict[str, tuple[Any, Setting]]:
    """(type, what is said of it) by setting, in their order."""
    hints = get_type_hints(Settings, include_extras=True)
    return {field.name: get_args(hints[field.name])[:2] for field in fields(Settings)}


def load_settings(file: Path | None, given: dict[str, Any]) -> Settings:
    """The settings: what is given, else the environment's, else the file's, else defaults.

    Raises:
        InvalidInputError: no such file, a setting that is none, a value that cannot be.
    """
    if file is not None and not file.is_file():
        raise InvalidInputError(f"No configuration file {str(file)!r}.", hint="Check the path.")
    from pydantic import ValidationError

    try:
        found = _sources(file)(**given)
    except ValidationError as error:
        raise _invalid(error, file) from None
    except ValueError as error:  # TOML that is none
        raise InvalidInputError(f"{file} is not TOML: {error}.") from error
    return Settings(**{name: getattr(found, name) for name in describe_settings()})


def _sources(file: Path | None) -> type[BaseSettings]:
    """What reads the settings from where they may stand."""
    from pydantic import BeforeValidator, Field, create_model
    from pydantic_settings import (
        BaseSettings,
        NoDecode,
        PydanticBaseSettingsSource,
        SettingsConfigDict,
        TomlConfigSettingsSource,
    )

    class Sources(BaseSettings):
        # Empty as not set: compose files and shells pass on what they do not have.
        model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="forbid")

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            sources: tuple[PydanticBaseSettingsSource, ...] = (init_settings, env_settings)
            if file is not None:
                sources += (TomlConfigSettingsSource(settings_cls, toml_file=file),)
            return sources

    made: dict[str, Any] = {}
    for field in fields(Settings):
        kind, told = describe_settings()[field.name]
        assert field.default is not MISSING
        # pydantic reads lists in the environment as JSON; people write them between commas.
        if "tuple" in str(kind):
            kind = Annotated[kind, NoDecode, BeforeValidator(_split_list)]
        made[field.name] = (
            kind,
            Field(field.default, ge=told.least, gt=told.above, le=told.most),
        )
    found: type[BaseSettings] = create_model("Sources", __base__=Sources, **made)
    return found


def _split_list(value: object) -> object:
    """A list as the environment writes it: between commas."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _invalid(error: ValidationError, file: Path | None) -> InvalidInputError:
    first = error.errors(include_url=False, include_context=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    where = f" ({file}, {PREFIX}* or a flag)" if file is not None else f" ({PREFIX}* or a flag)"
    if first["type"] == "extra_forbidden":
        unknown = unknown_name("setting", name, describe_settings())
        return InvalidInputError(f"{unknown.message.rstrip('.')}{where}.", hint=unknown.hint)
    return InvalidInputError(f"{name}: {first['msg']}{where}.")
