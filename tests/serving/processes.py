"""Real servers in processes of their own, and a tap on the wire between two of them."""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import h11

from tests import helpers

ROOT = Path(__file__).resolve().parents[2]
_URL = re.compile(r"http://[\w.\[\]:]+\d")


def save_tiny(folder: Path) -> Path:
    """The tiny Llama and its tokenizer as a folder that any process can load."""
    helpers.tiny_model("llama").save_pretrained(folder)
    helpers.byte_tokenizer().save_pretrained(folder)
    return folder


@dataclass
class Process:
    """A running ``memedit serve``."""

    url: str
    popen: subprocess.Popen[str]
    lines: list[str]
    reader: threading.Thread

    def wait(self) -> int:
        """Its exit code, once it has ended and all that it wrote is read."""
        code = self.popen.wait(timeout=180)
        self.reader.join(180)
        return code

    def printed(self) -> str:
        """What it wrote to standard error so far."""
        return "".join(self.lines)


def start(*options: str, port: int = 0, **variables: str) -> Process:
    """Start ``memedit serve`` on a free port, with further environment variables; returns once it
    listens."""
    command = [sys.executable, "-m", "memedit.cli", "serve", "--port", str(port), *options]
    environment = os.environ | variables | {
        "OMP_WAIT_POLICY": "PASSIVE",
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "300",
    }  # fmt: skip
    popen = subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    assert popen.stderr is not None
    seen = []
    for line in popen.stderr:
        seen.append(line)
        if found := _URL.search(line):
            reader = threading.Thread(target=_drain, args=(popen.stderr, seen), daemon=True)
            reader.start()
            return Process(found.group(), popen, seen, reader)
    raise AssertionError(f"memedit serve ended: {''.join(seen)}")


def _drain(stream: IO[str], into: list[str]) -> None:
    with stream:
        into.extend(stream)


@contextmanager
def started(*options: str) -> Iterator[Process]:
    """:func:`start`, ended with the block."""
    process = start(*options)
    try:
        yield process
    finally:
        process.popen.terminate()
        process.wait()


@dataclass
class Wire:
    """What went over one connection."""

    there: bytearray = field(default_factory=bytearray)
    back: bytearray = field(default_factory=bytearray)

    def exchanges(self) -> list[tuple[bytes, bytes]]:
        """(request body, response body) of each exchange that is over, transfer encoding undone."""
        server, client = h11.Connection(h11.SERVER), h11.Connection(h11.CLIENT)
        server.receive_data(bytes(self.there))
        client.receive_data(bytes(self.back))
        found = []
        while isinstance(request := server.next_event(), h11.Request):
            sent = _body(server) or b""
            client.send(h11.Request(method=request.method, target="/", headers=[("host", "x")]))
            client.send(h11.EndOfMessage())
            while not isinstance(client.next_event(), h11.Response):
                pass
            if (answered := _body(client)) is None:
                break  # a stream of another test whose end is still under way
            found.append((sent, answered))
            server.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            server.send(h11.EndOfMessage())
            server.start_next_cycle()
            client.start_next_cycle()
        return found


def _body(connection: h11.Connection) -> bytes | None:
    """None: its end has not come yet."""
    parts = []
    while isinstance(event := connection.next_event(), h11.Data):
        parts.append(bytes(event.data))
    if event is h11.NEED_DATA:
        return None
    assert isinstance(event, h11.EndOfMessage), event
    return b"".join(parts)


class Tap:
    """Hands bytes on between whoever connects and a server, and keeps a copy."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self._target = (host, int(port))
        self.wires: list[Wire] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            wire = Wire()
            self.wires.append(wire)
            far = socket.create_connection(self._target)
            threading.Thread(target=_pump, args=(near, far, wire), daemon=True).start()

    def close(self) -> None:
        _close(self._listening)


def _close(listening: socket.socket) -> None:
    """Also where a thread waits for whoever connects: closing alone would leave it listening."""
    with suppress(OSError):
        listening.shutdown(socket.SHUT_RDWR)
    listening.close()


def _pump(near: socket.socket, far: socket.socket, wire: Wire) -> None:
    # Whoever hangs up with unread bytes resets the connection: for a tap, an end like any other.
    with near, far, suppress(ConnectionError):
        for sock in (near, far):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            ready, _, _ = select.select([near, far], [], [])
            for source in ready:
                data = source.recv(1 << 16)
                if not data:
                    return
                (wire.there if source is near else wire.back).extend(data)
                (far if source is near else near).sendall(data)


class Scripted:
    """A server that answers every request with the bytes it was told to, then hangs up or waits.

    ``script``: (bytes, whether to hang up after them).
    """

    def __init__(self) -> None:
        self.script: tuple[bytes, bool] = (b"", True)
        self.requests: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with suppress(OSError):  # whoever asked has hung up meanwhile
            self._answer(near)

    def _answer(self, near: socket.socket) -> None:
        request = bytearray()
        while b"\r\n\r\n" not in request:
            part = near.recv(1 << 16)
            if not part:
                return
            request += part
        head, _, body = bytes(request).partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        while length and len(body) < int(length.group(1)):
            body += near.recv(1 << 16)
        self.requests.append(head + b"\r\n\r\n" + body)
        answer, hang_up = self.script
        near.sendall(answer)
        if hang_up:
            near.shutdown(socket.SHUT_RDWR)
            near.close()
        else:
            self._open.append(near)

    def close(self) -> None:
        _close(self._listening)
        for sock in self._open:
            sock.close()


def http(status: str, body: bytes, *headers: str, length: int | None = None) -> bytes:
    """A response with a Content-Length, true or not."""
    size = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {size}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def chunked(status: str, parts: list[bytes], *headers: str, whole: bool = True) -> bytes:
    """A response in chunks, ended or cut off."""
    lines = [f"HTTP/1.1 {status}", "Transfer-Encoding: chunked", *headers, "", ""]
    coded = b"".join(f"{len(p):x}\r\n".encode() + p + b"\r\n" for p in parts)
    return "\r\n".join(lines).encode() + coded + (b"0\r\n\r\n" if whole else b"")
