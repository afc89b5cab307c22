"""How a server is set up: flags, environment, a file, defaults, in this order."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from memedit.core.errors import InvalidInputError
from memedit.serving.config import Settings
from memedit.serving.service import LOOPBACK

PREFIX = "MEMEDIT_"


class ServerConfig(BaseSettings):
    """Everything ``memedit serve`` can be told. In the environment ``MEMEDIT_MAX_BATCH=8``, in a
    TOML file ``max_batch = 8``, on the command line ``--max-batch 8``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    memory: str = "memory"
    model: str | None = None
    upstream: str | None = None
    upstream_model: str | None = None
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65_535)
    api_key_file: Path | None = None
    no_auth: bool = False
    editor: str | None = None
    scope: str | None = None
    encoder: str | None = None
    name: str | None = None
    approval: bool = False
    bare: bool = False
    max_batch: int = Field(16, ge=1)
    max_batch_tokens: int = Field(32_768, ge=1)
    batch_wait: float = Field(0.004, ge=0)
    max_queue: int = Field(256, ge=1)
    max_tokens: int = Field(512, ge=1)
    max_body: int = Field(1 << 20, ge=1)
    max_import: int = Field(64 << 20, ge=1)
    rate: int | None = Field(None, ge=1)
    timeout: float = Field(300.0, ge=0.1)
    connect_timeout: float = Field(5.0, gt=0)
    upstream_route: Annotated[tuple[str, ...], NoDecode] = ()
    demonstrations: int = Field(6, ge=0)
    cors_origin: Annotated[tuple[str, ...], NoDecode] = ()
    version_wait: float = Field(5.0, ge=0)
    max_waiting: int = Field(1_024, ge=1)
    max_waiting_of_key: int = Field(128, ge=1)
    max_stale: float | None = Field(None, gt=0)
    grace: float = Field(30.0, gt=0)
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "warning"

    @field_validator("cors_origin", "upstream_route", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    def settings(self) -> Settings:
        """What the server itself works by."""
        same = (
            "max_batch", "max_batch_tokens", "batch_wait", "max_queue", "max_tokens", "max_body",
            "max_import", "timeout", "connect_timeout", "demonstrations", "approval", "bare",
            "version_wait", "max_waiting", "max_waiting_of_key", "max_stale", "grace",
        )  # fmt: skip
        return Settings(
            name=self.name or Path(self.model or "SmolLM2-135M-Instruct").name,
            requests_per_minute=self.rate,
            cors_origins=self.cors_origin,
            upstream_routes=self.upstream_route,
            hosts=self._hosts() if self.no_auth else None,
            **{name: getattr(self, name) for name in same},
        )

    def _hosts(self) -> tuple[str, ...] | None:
        """Names a server without keys answers to: a rebound DNS name must not reach it."""
        return tuple(sorted(LOOPBACK | {self.host})) if self.host in LOOPBACK else None


def load(file: Path | None, given: dict[str, Any]) -> ServerConfig:
    """The configuration: what is given, else the environment's, else the file's, else defaults.

    Raises:
        InvalidInputError: no such file, a setting that is none, a value that cannot be.
    """
    if file is not None and not file.is_file():
        raise InvalidInputError(f"No configuration file {str(file)!r}.", hint="Check the path.")

    class Loaded(ServerConfig):
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

    try:
        config = Loaded(**given)
    except ValidationError as error:
        raise _invalid(error, file) from None
    except ValueError as error:  # TOML that is none
        raise InvalidInputError(f"{file} is not TOML: {error}.") from error
    _check(config)
    return config


def _invalid(error: ValidationError, file: Path | None) -> InvalidInputError:
    first = error.errors(include_url=False, include_context=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    where = f" ({file}, {PREFIX}* or a flag)" if file is not None else f" ({PREFIX}* or a flag)"
    hint = f"Settings: {', '.join(ServerConfig.model_fields)}."
    return InvalidInputError(
        f"{name}: {first['msg']}{where}.", hint=hint if first["type"] == "extra_forbidden" else ""
    )


def _check(config: ServerConfig) -> None:
    if config.upstream is not None and config.model is not None:
        raise InvalidInputError(
            "--upstream serves another server's model.", hint="Leave out --model."
        )
    if config.no_auth and config.api_key_file is not None:
        raise InvalidInputError("--no-auth and --api-key-file contradict each other.")
