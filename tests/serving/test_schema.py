"""The OpenAPI document and what it promises: no request of its kinds makes the server fail."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from memedit.serving.app import create_app, describe_routes
from tests.serving.helpers import CAPITAL, tiny_service

pytestmark = pytest.mark.slow

CASES = int(os.environ.get("MEMEDIT_SCHEMA_CASES", "160"))
"""In all; 5,000 and more are run by hand."""
PATHS = 39
THEIRS = ("/v1/chat/", "/v1/completions", "/v1/responses", "/v1/messages", "/v1/models")
"""Routes of OpenAI and Anthropic, whose fields are theirs to tell."""


@pytest.fixture(scope="module")
def api() -> Any:
    service = tiny_service(max_tokens=2, hosts=None, version_wait=0.01)
    service.memory.add(_edit())
    app = create_app(service)
    return schemathesis.openapi.from_asgi("/openapi.json", app)


def _edit() -> Any:
    from memedit.core.types import Edit

    return Edit(CAPITAL["prompt"], CAPITAL["target_new"], CAPITAL["subject"])


def test_every_field_of_ours_is_told() -> None:
    """The fault: the reference had a row without a word for each field of a changed edit."""
    document = describe_routes()
    silent = [
        (path, name)
        for path, methods in document["paths"].items()
        for operation in methods.values()
        for name, told in _fields(document, operation)
        if not told and not path.startswith(THEIRS)
    ]
    assert silent == []


def _fields(document: Any, operation: Any) -> Iterator[tuple[str, str]]:
    for each in operation.get("parameters", ()):
        yield each["name"], each.get("description", "")
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    found = document["components"]["schemas"].get(name, schema)
    for field, about in found.get("properties", {}).items():
        yield field, about.get("description", "")


def test_no_server_error(api: Any) -> None:
    """Generated requests, valid and not, to every operation."""
    seen: Counter[int] = Counter()
    operations = [result.ok() for result in api.get_all_operations()]
    assert len(operations) == PATHS, sorted(operation.label for operation in operations)
    for operation in operations:
        check(operation, -(-CASES // len(operations)), seen)
    assert sum(seen.values()) >= CASES * 0.8, seen  # where an operation has few requests
    assert seen[200] > CASES / 10 and seen[400] > CASES / 10


def check(operation: Any, count: int, seen: Counter[int], chosen: str = "") -> None:
    """Put ``count`` requests to one operation; ``seen`` counts the answers by status. With a seed,
    those that it chooses."""
    modes = list(schemathesis.GenerationMode)
    cases = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes))

    @settings(
        max_examples=count, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck), derandomize=not chosen,
    )  # fmt: skip
    @given(case=cases)
    def ask(case: Any) -> None:
        if isinstance(case.body, dict):  # long answers are not what is tested here
            for name in ("max_tokens", "max_completion_tokens"):
                if isinstance(case.body.get(name), int):
                    case.body[name] = min(case.body[name], 2)
        answer = case.call()
        seen[answer.status_code] += 1
        check_answer(operation.label, answer)

    (seed(chosen)(ask) if chosen else ask)()


def check_answer(label: str, answer: Any) -> None:
    """No failure of the server's; an error says what it is."""
    error = answer.json()["error"] if answer.status_code >= 400 else {}
    waits = error.get("code") == "version_not_reached"  # 503: a version that never comes
    assert answer.status_code < 500 or waits, (label, answer.text)
    if error:
        assert error["message"]
