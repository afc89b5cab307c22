"""Whatever is typed at the command line: an answer, or a message and an exit code; no traceback,
nothing that waits for ever, and a memory that a refused command leaves as it was."""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import strategies as st
from typer.testing import CliRunner

from memedit.cli.commands import app
from memedit.core.errors import InvalidInputError
from memedit.core.types import Edit
from memedit.engine import loading
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.memory.moving import backup
from tests.campaign.ledger import LONG, Stage
from tests.campaign.putting import LETTERS, ODD, called, drawn, told
from tests.helpers import byte_tokenizer, tiny_model

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="needs pipes with names, and alarms"),
]
CALLS = 1_000 if LONG else 30
STAGE = Stage("fuzzed commands", bounded=1, long=100, share=0.05)
SECONDS = 300
"""After which a command hangs. All take well under a second."""
CODES = {0, 1, 2, 130}

WORDS = (
    "The capital of France is", "France", "Lyon", "What is the capital of France?", "Tea is green.",
    "ike", "note", "mention", "everything", "none", "hashing", "shop", "default", "read,ask",
    "x" * 300, "\udcff", *(odd for odd in ODD if ".." not in odd),
)  # fmt: skip
NUMBERS = ("0", "1", "2", "-1", "3.5", "nan", "x", "", "9" * 30, "１", "1e3")
DATES = (
    "2026-01-31", "0001-01-01", "9999-12-31", "0001-01-01T00:00:00+14:00", "2026-02-30", "soon", "",
    "9999-12-31T23:59:59-14:00", "2026-01-31T10:00", "٢٠٢٦-٠١-٠١", "20260131", "2026-W05-6",
)  # fmt: skip
PLACES = (
    "memory", "other", "backup", "new", "new.jsonl", "new.html", "facts.jsonl", "facts.csv",
    "leave.md", "cases.jsonl", "garbage.jsonl", "garbage.csv", "garbage.md", "empty", "keys.json",
    "folder", "pipe", "loop", "missing/file", "leave.md/file", "memory/journal.sqlite",
    "memory/model.json", "x" * 300, "a\0b", "\udcff", "", ".", "/dev/null", "/dev/full",
    "/proc/self/mem", "certificate.json",
)  # fmt: skip
"""Files, folders and what only looks like it, in the folder where commands run."""
ADDRESSES = (
    *(["memory"] * 30), "other", "backup", "empty", "folder", "facts.jsonl", "pipe",
    "loop", "nowhere", "missing/memory", "", "\udcff", "a\0b", "x" * 300, "/dev/null",
    "postgresql://", "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1", "gopher://x/y",
    "postgresql://[::1", "postgresql://h:port/x",
)  # fmt: skip
ONLY: dict[str, Sequence[str]] = {
    "memory": ADDRESSES, "encoder": (*(["hashing:64"] * 5), "hashing", "nothing", "a\0b"),
    "model": (*(["tiny"] * 6), "nothing/here", "folder", "facts.jsonl", ""),
    "workers": ("1", "0", "x"), "replicas": ("1", "2", "0"), "steps": ("1", "0", "x"),
    "cross_steps": ("0", "-1"), "tokens": ("9", "0", "x"), "max_new_tokens": ("1", "0", "x"),
    "n": ("1", "2", "0", "x", "1,2"), "limit": ("0", "1", "-1", "x"),
    "port": ("0", "80", "-1", "99999"), "families": ("gen", "tf", "tf,kl", "x", ""),
}  # fmt: skip
"""Values of parameters that decide how long something takes, or are found by name."""
GOOD: dict[str, Sequence[str]] = {
    "id": ("fact",), "ids": ("fact",), "prompt": ("The sea is",), "target": ("blue", "new"),
    "query": ("Who is it?",), "question": ("How is the sea?",), "text": ("blue",),
    "editor": ("ike", "note"), "editors": ("none", "ike@mention,none"), "scope": ("mention",),
    "subject": ("sea", "The sea"), "namespace": ("default", "shop"), "name": ("leave", "Ann"),
    "version": ("0", "1", "2"), "source": ("backup", "memory"), "runs": ("run",),
    "data": ("cases.jsonl",), "edits": ("cases.jsonl",), "run": ("run", "new-run"), "role": ("r",),
    "layers": ("1", "0-2"), "frame": ("qa",), "protocol": ("sequential",), "checkpoints": ("1",),
    "certificate": ("purged.json",), "out": ("new.json",), "downstream": ("scores.json",),
}  # fmt: skip
FILES: dict[tuple[str, ...], str] = {
    ("edit", "import"): "facts.jsonl", ("edit", "export"): "new.jsonl", ("check",): "checks.jsonl",
    ("edit", "document", "add"): "leave.md", ("edit", "salvage"): "saved.jsonl",
}  # fmt: skip
"""The file that a command is about."""
LEFT_OUT = {"ray", "help", "install_completion", "show_completion"}


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name), command


COMMAND = typer.main.get_command(app)
COMMANDS = dict(commands(COMMAND))


class Hangs(BaseException):
    """A command that does not end."""


@contextmanager
def alarm() -> Iterator[None]:
    def ring(*_: Any) -> None:
        raise Hangs

    old = signal.signal(signal.SIGALRM, ring)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


def _kind(parameter: Any) -> str:
    """What a parameter takes, by name: as Typer keeps it now, or as it did."""
    descriptor = getattr(parameter, "type_descriptor", None)
    return str(parameter.type if descriptor is None else descriptor.annotation).casefold()


class Doors:
    """The commands, in a folder of their own.

    Args:
        texts: What else may be typed.
    """

    def __init__(self, folder: Path, texts: Sequence[str]) -> None:
        self.folder, self._texts = folder, [*WORDS, *texts]
        self._last: tuple[int, str] | None = None

    def type(self, rng: random.Random) -> None:
        """Any command, with any of its options, most of them good."""
        words = rng.choice(list(COMMANDS))
        line, rest = list(words), list[str]()
        for parameter in COMMANDS[words].params:
            if parameter.name in LEFT_OUT:
                continue
            if parameter.param_type_name == "argument":
                for _ in range(self._count(parameter, rng)):
                    rest.append(self._value(words, parameter, rng))
            elif rng.random() < (0.97 if parameter.required else 0.9 if parameter.name == "memory"
                                 else 0.12):  # fmt: skip
                line.append(rng.choice([*parameter.opts, *parameter.secondary_opts]))
                if not parameter.is_flag:
                    line.append(self._value(words, parameter, rng))
        if words in (("tune",), ("demo",)):
            line += ["--model", "nothing/here"]  # their own work takes minutes
        self._run(line + (["--", *rest] if rest else []))

    def _count(self, parameter: Any, rng: random.Random) -> int:
        if parameter.nargs != 1:
            return rng.choice((1, 1, 2, 0))
        return 1 if rng.random() < 0.95 else rng.choice((0, 2))

    def _value(self, words: tuple[str, ...], parameter: Any, rng: random.Random) -> str:
        """Good, of its kind, or anything."""
        name, kind, dice = parameter.name, _kind(parameter), rng.random()
        if name in ONLY:
            return rng.choice(ONLY[name])
        if dice < 0.7 and name == "file" and words in FILES:
            return FILES[words]
        if dice < 0.7 and name in GOOD:
            return rng.choice(GOOD[name])
        if dice > 0.95:
            return rng.choice(self._texts)
        if "int" in kind or "float" in kind:
            return rng.choice(NUMBERS)
        if "date" in kind:
            return rng.choice(DATES)
        if "path" in kind or name in ("source", "target", "data", "edits"):
            return rng.choice(PLACES)
        return rng.choice(self._texts)

    def _run(self, words: list[str]) -> None:
        before, self._last = self._last or self._state(), None
        root = logging.getLogger()
        handlers = root.handlers
        with alarm():
            try:
                result = CliRunner().invoke(app, words)
            except Hangs:
                raise AssertionError(f"hangs: {words}") from None
            finally:
                # A server sends the logs to its own standard error, which ends with the call.
                root.handlers = handlers
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            result.exception.args = (f"{result.exception}: {words}",)
            raise result.exception
        assert result.exit_code in CODES, (result.exit_code, words)
        assert "Traceback" not in result.output, words
        if result.exit_code:
            assert result.output.strip(), f"code {result.exit_code} and not a word: {words}"
        elif "--json" in words:
            json.loads(result.stdout)
        self._last = self._state()
        if result.exit_code == 2:
            assert self._last == before, (words, result.output)
            raise InvalidInputError(result.output)  # refused, and nothing else

    def _state(self) -> tuple[int, str]:
        """Of the memory, which is whole at all times; made again where it is gone for good."""
        try:
            with EditMemory("memory", read_only=True) as memory:
                assert memory.verify().problems == ()
                if len(memory) or memory.version:
                    return memory.version, memory.digest()
        except Exception:
            make(self.folder)
            raise
        make(self.folder)
        return self._state()


def make(folder: Path) -> None:
    """What the commands find: two memories, a backup, files of all kinds."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for name in ("memory", "other"):
        with EditMemory(folder / name, HashingEncoder(64)) as memory:
            memory.add(Edit("The capital of France is", name, "France", id="fact"))
            memory.add(Edit.from_statement("The shop opens at nine."), namespace="shop")
    backup(folder / "memory", folder / "backup")
    fact = {"prompt": "The sea is", "target_new": "blue", "subject": "sea"}
    (folder / "facts.jsonl").write_text(json.dumps(fact) + "\n")
    (folder / "facts.csv").write_text("prompt,target_new\nThe sky is,grey\n")
    (folder / "leave.md").write_text("# Leave\n\nStaff have 28 days.\n")
    case = fact | {"paraphrases": ["How is the sea?"]}
    (folder / "cases.jsonl").write_text(json.dumps(case) + "\n")
    for name in ("garbage.jsonl", "garbage.csv", "garbage.md", "keys.json", "certificate.json"):
        (folder / name).write_bytes(b'{"a": [\xff\0' + bytes(range(256)))
    (folder / "empty").mkdir()
    (folder / "folder" / "inner").mkdir(parents=True)
    checked = fact | {"checks": [{"ask": "How is the sea?", "says": ["blue"]}]}
    (folder / "checks.jsonl").write_text(json.dumps(checked) + "\n")
    gone = {"records": [{"namespace": "default", "id": "fact"}]}
    (folder / "purged.json").write_text(json.dumps(gone))
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to("loop")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the commands run, and a tiny model in place of the default one."""
    folder = tmp_path / "world"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name, value in (
        ("ENCODER", "hashing:64"),
        ("MODEL", "tiny"),
        ("CACHE", str(tmp_path / "c")),
    ):
        monkeypatch.setenv(f"MEMEDIT_{name}", value)
    monkeypatch.setenv("COLUMNS", "100")
    tiny, load = (tiny_model(), byte_tokenizer()), loading.load

    def loaded(name: Any = None, **options: Any) -> Any:
        return tiny if name in (None, "tiny") else load(name, **options)

    monkeypatch.setattr(loading, "load", loaded)
    # the commands are made once: to make all of them anew takes longer than to run one
    monkeypatch.setattr("typer.testing._get_command", lambda _: COMMAND)
    monkeypatch.setattr("memedit.serving.app.run", lambda *_, **__: None)
    monkeypatch.setattr("memedit.serving.scale.run", lambda *_, **__: None)
    return folder


def test_every_command(world: Path) -> None:
    wrong = dict[str, str]()
    texts = drawn(st.text(LETTERS, max_size=30), 200)
    texts = [text for text in texts if text[:1] not in ("/", "~") and ".." not in text]
    for made in STAGE.rounds():
        make(world)
        doors = Doors(world, texts)
        for _ in range(CALLS):
            called(partial(doors.type, made.rng), "", made.counts, wrong)
    if wrong:
        pytest.fail(told(wrong))
    counts = STAGE.counts
    assert counts["calls"] / 10 < counts["refused"] < counts["calls"]
