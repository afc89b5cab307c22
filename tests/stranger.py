"""A stranger's package, as docs/contributing.md says: installed for one test, with entry points."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

import pytest

EDITOR = '''
from dataclasses import dataclass
from typing import ClassVar

from memedit.core.calls import Batch, Call
from memedit.core.types import Edit, Payload
from memedit.protocols import LM


@dataclass(frozen=True, slots=True, kw_only=True)
class Parrot:
    """Puts the fact before the prompt."""

    name: ClassVar[str] = "parrot"
    needs: ClassVar[frozenset[str]] = frozenset()
    times: int = 1

    def fit(self, edits: list[Edit], lm: LM) -> list[Payload]:
        return [{"said": " ".join([edit.statement] * self.times)} for edit in edits]

    def run(self, batch: Batch, call: Call) -> list:
        def put(row):
            mine = [h.record.payloads[self.name] for h in row.decision.hits
                    if self.name in h.record.payloads]
            return f"{mine[0]['said']}. {row.prompt}" if mine else row.prompt

        return call(batch.map_prompts(put))
'''
SCOPE = '''
from dataclasses import dataclass, replace
from typing import ClassVar

from memedit.core.types import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Starts:
    """Fires where the query begins with the edit's prompt."""

    name: ClassVar[str] = "starts"
    letters: int = 8

    def decide(self, prompts, candidates):
        found = []
        for prompt, hits in zip(prompts, candidates, strict=True):
            fired = [replace(h, role="asks") for h in hits
                     if prompt[: self.letters] == h.record.edit.prompt[: self.letters]]
            found.append(Decision(tuple(fired), float(bool(fired)), 1.0, tuple(hits)))
        return found
'''
FORMAT = """
from memedit.data.cases import EFFICACY, EvalCase, Probe
from memedit.data.formats import case_of


def recognises(record):
    return "stranger" in record


def read(records, options):
    for number, record in enumerate(records):
        fields = {"prompt": record["stranger"], "target_new": record["says"]}
        probe = Probe(EFFICACY, record["stranger"], (record["says"],))
        yield case_of(number, [fields], [probe])
"""
ENCODER = '''
import numpy as np


class Letters:
    """How often each letter stands in a text."""

    id = "letters"
    dimension = 26

    def encode(self, texts):
        found = np.zeros((len(texts), 26), np.float32)
        for row, text in zip(found, texts, strict=True):
            for letter in text.lower():
                if "a" <= letter <= "z":
                    row[ord(letter) - 97] += 1
            norm = np.linalg.norm(row)
            row /= norm or 1
        return found
'''
REWRITER = """
from memedit.serving.upstream.placing import Form
from memedit.serving.upstream.stating import OneFact


def make_rewriter(editor):
    return OneFact("parrot-chat", Form("Said"), lambda edit: edit.statement)
"""
STORE = '''
from pathlib import Path

from memedit.memory.journal.sqlite import SQLite


class Shelf(SQLite):
    """A memory in a directory that is named by a URL: ``shelf:///where/it/is``."""

    def __init__(self, url: str, *, read_only: bool) -> None:
        super().__init__(Path(url.removeprefix("shelf://")), read_only=read_only)
'''
PACKAGE = {
    "memedit.editors": ("parrot", "Parrot", EDITOR),
    "memedit.scopes": ("starts", "Starts", SCOPE),
    "memedit.datasets": ("stranger", "", FORMAT),
    "memedit.encoders": ("letters", "Letters", ENCODER),
    "memedit.rewriters": ("parrot", "", REWRITER),
    "memedit.stores": ("shelf", "Shelf", STORE),
}


def install(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    package: str = "stranger_package",
    parts: Mapping[str, tuple[str, str, str]] = PACKAGE,
) -> None:
    """Write the package into ``folder`` and make it importable, entry points and all.

    Args:
        folder: An empty one, of the test.
        monkeypatch: Takes it away afterwards.
        package: Its name; another one for another content.
        parts: Entry-point group -> (name, class or "", source of its module).
    """
    (folder / package).mkdir(parents=True)
    (folder / package / "__init__.py").write_text("")
    lines = []
    for group, (name, cls, source) in parts.items():
        module = f"{name}_{group.rpartition('.')[2]}"
        (folder / package / f"{module}.py").write_text(source)
        where = f"{package}.{module}" + (f":{cls}" if cls else "")
        lines += [f"[{group}]", f"{name} = {where}"]
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
