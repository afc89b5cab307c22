"""A model whose licence must be accepted: the hub names it, and gives no file of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants

from memedit.core.errors import ModelNotFoundError
from memedit.engine import loading
from memedit.engine.encoders import load_encoder

NAME = "somebody/with-a-licence"
CURE = f"Accept it at https://huggingface.co/{NAME}, and say who you are (hf auth login"


class Hub(BaseHTTPRequestHandler):
    """Answers as the hub does to who has not accepted: what there is, and no to each file."""

    named = True

    def do_GET(self) -> None:
        known = self.named and self.path.startswith("/api/models/")
        body = json.dumps({"id": NAME, "gated": "manual"} if known else {"error": "restricted"})
        self.send_response(200 if known else 403)
        if not known:
            self.send_header("X-Error-Code", "GatedRepo")
            self.send_header("X-Error-Message", f"Access to model {NAME} is restricted.")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body.encode())

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing: the tests say what was asked."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        files = url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", files)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        yield
        server.shutdown()


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("named", [True, False])
def test_a_licence_to_be_accepted_is_said(named: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hub, "named", named)
    with pytest.raises(ModelNotFoundError, match="have accepted its licence") as caught:
        loading.load(NAME)
    assert caught.value.hint.startswith(CURE)


@pytest.mark.usefixtures("hub")
def test_an_encoders_licence_too() -> None:
    with pytest.raises(ModelNotFoundError, match="have accepted its licence") as caught:
        load_encoder(NAME)
    assert caught.value.hint.startswith(CURE)
