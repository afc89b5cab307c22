"""A throw-away PostgreSQL cluster, run by an unprivileged user."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

_OPTIONS = (
    "listen_addresses=", "shared_buffers=16MB", "max_connections=200", "wal_level=minimal",
    "max_wal_senders=0", "log_min_messages=fatal", "autovacuum=off", "jit=off",
)  # fmt: skip
_SECONDS = 180
_OURS = "SELECT {} FROM pg_stat_activity WHERE application_name LIKE 'memedit%'"


def binaries() -> Path | None:
    """Where initdb and postgres are: on the path, or where Debian puts them."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


def why_not() -> str:
    """Why no cluster can be started here; "" if one can."""
    if binaries() is None:
        return "PostgreSQL is not installed: apt-get install postgresql"
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "psycopg is not installed: pip install 'memedit[postgres]'"
    return "" if _identity() is not None else "root needs a user 'postgres' or 'nobody' here"


def _identity() -> dict[str, Any] | None:
    """Popen's options for a user who is not root."""
    if os.getuid():
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    return None


class Cluster:
    """PostgreSQL on a socket in a folder of its own. Can be stopped, killed and started again."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self._options = folder, (*_OPTIONS, *options)
        self._process: subprocess.Popen[bytes] | None = None
        self._count = 0
        found, self._who = binaries(), _identity()
        assert found is not None and self._who is not None
        self._bin = found
        if self._who:
            os.chown(folder, self._who["user"], self._who["group"])
        data = str(folder / "data")
        initdb = [str(found / "initdb"), "-D", data, "-U", "memedit", "-A", "trust", "-E",
                  "UTF8", "--locale=C", "--no-sync", "--no-instructions"]  # fmt: skip
        subprocess.run(initdb, check=True, capture_output=True, cwd="/", **self._who)

    def start(self) -> None:
        """Start, and wait until it answers."""
        assert self._who is not None
        command = [str(self._bin / "postgres"), "-D", str(self.folder / "data")]
        for option in (f"unix_socket_directories={self.folder}", *self._options):
            command += ["-c", option]
        log = (self.folder / "log").open("ab")
        with log:
            process: subprocess.Popen[bytes] = subprocess.Popen(
                command, cwd="/", stdout=log, stderr=log, start_new_session=True, **self._who
            )
            self._process = process
        end = time.monotonic() + _SECONDS
        while True:
            try:
                self.run("SELECT 1")
                return
            except Exception:
                if time.monotonic() > end or process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: a fast shutdown. SIGQUIT: an immediate one, as after a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_SECONDS)
            self._process = None

    def kill(self) -> None:
        """SIGKILL to every process of the cluster: recovery follows at the next start."""
        if self._process is None:
            return
        for pid in [self._process.pid, *_children(self._process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(_SECONDS)
        self._process = None
        while _attached(self.folder / "data"):
            time.sleep(0.005)

    def restart(self) -> None:
        self.stop()
        self.start()

    @property
    def url(self) -> str:
        """The database, in its default schema."""
        return f"postgresql://memedit@/postgres?host={quote(str(self.folder), safe='')}"

    def memory(self) -> str:
        """The URL of a schema that nobody else uses."""
        self._count += 1
        name = f"m{os.getpid()}_{self._count}"
        self.run(f"CREATE SCHEMA {name}")
        return f"{self.url}&options=-csearch_path%3D{name}"

    def run(self, statement: str, url: str | None = None) -> list[tuple[Any, ...]]:
        """One statement on a connection of its own."""
        import psycopg

        with psycopg.connect(url or self.url, autocommit=True, connect_timeout=60) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def cut(self) -> int:
        """End every other connection; how many there were. They are gone, not only told to go:
        one that goes in the middle of the next write fails it."""
        ended = {pid for pid, _ in self.run(_OURS.format("pid, pg_terminate_backend(pid)"))}
        self._wait_until(lambda: ended.isdisjoint(self._backends()))
        return len(ended)

    def settle(self) -> None:
        """Return once no client is connected: what a killed one sent last is stored by then, or
        never will be."""
        self._wait_until(lambda: not self._backends())

    def _backends(self) -> set[int]:
        return {pid for (pid,) in self.run(_OURS.format("pid"))}

    def _wait_until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + _SECONDS
        while not true():
            assert time.monotonic() < end
            time.sleep(0.005)


def _children(parent: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True)
    return [int(pid) for pid in listed.stdout.split()]


def _attached(data: Path) -> bool:
    """Whether a killed cluster's processes still hold its shared memory."""
    for place in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if place.readlink() == data:
                return True
    return False


@contextmanager
def cluster(*options: str) -> Iterator[Cluster]:
    """A running cluster, gone with the block."""
    folder = Path(tempfile.mkdtemp(prefix="memedit-pg-", dir="/tmp"))
    try:
        made = Cluster(folder, *options)
        made.start()
        try:
            yield made
        finally:
            made.stop(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
