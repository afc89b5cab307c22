"""What a server can be told."""

from __future__ import annotations

from dataclasses import dataclass

from memedit.core.errors import InvalidInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Limits and switches of one server.

    Attributes:
        name: The model's name in ``/v1/models``.
        max_batch: Sequences generated at once.
        max_batch_tokens: Prompt tokens of one batch, padding included.
        batch_wait: Seconds the first request of a batch waits for others.
        max_queue: Sequences that may wait; more are refused with 503.
        max_tokens: Longest answer where a request names no limit.
        max_body: Bytes of a request, where the key names no limit.
        max_import: Bytes of an imported file.
        requests_per_minute: For keys that name no limit; None: none.
        timeout: Seconds after which a request is given up with 504.
        connect_timeout: Seconds to connect to the upstream.
        upstream_routes: Routes of an upstream that are passed on besides those for questions, as
            "POST /v1/rerank ask": method, path (* for any one segment), scope of the key.
        demonstrations: Worked examples put before an edited prompt in upstream mode.
        approval: Changes are proposed by one key and approved by another.
        bare: The model answers without edits, and there are none to change.
        cors_origins: Web origins that may call; closed by default.
        hosts: Host names the server answers to; None: any.
        version_wait: Seconds a request waits for the version it must see (X-Memedit-Min-Version).
        max_waiting, max_waiting_of_key: Requests that may wait for a version at once, in all and of
            one key; more are refused with 503.
        max_stale: Seconds for which the copy of a shared memory may be out of touch with its
            database before /readyz says no; None: it answers from the copy, however old.
        grace: Seconds that requests have to finish when the server is stopped.

    Raises:
        InvalidInputError: a limit below one.
    """

    name: str = "memedit"
    max_batch: int = 16
    max_batch_tokens: int = 32_768
    batch_wait: float = 0.004
    max_queue: int = 256
    max_tokens: int = 512
    max_body: int = 1 << 20
    max_import: int = 64 << 20
    requests_per_minute: int | None = None
    timeout: float = 300.0
    connect_timeout: float = 5.0
    upstream_routes: tuple[str, ...] = ()
    demonstrations: int = 6
    approval: bool = False
    bare: bool = False
    cors_origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] | None = None
    version_wait: float = 5.0
    max_waiting: int = 1_024
    max_waiting_of_key: int = 128
    max_stale: float | None = None
    grace: float = 30.0

    def __post_init__(self) -> None:
        for name in (
            "max_batch", "max_batch_tokens", "max_queue", "max_tokens", "max_body", "max_waiting",
            "max_waiting_of_key",
        ):  # fmt: skip
            if getattr(self, name) < 1:
                raise InvalidInputError(f"{name} must be at least 1.")
        for name in ("timeout", "connect_timeout", "grace"):
            if getattr(self, name) <= 0:
                raise InvalidInputError(f"{name} must be positive.")
