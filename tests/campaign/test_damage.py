"""Every kind of file, damaged: an error that is memedit's, or what was there; never another text
where a hash can tell."""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from memedit import EditableModel
from memedit.core.types import Edit
from memedit.editors.prompting.adapter import Adapter
from memedit.editors.weights.hypernetworks import read as read_hypernetwork
from memedit.editors.weights.statistics import moment_of
from memedit.engine.engine import Engine
from memedit.memory import EditMemory
from memedit.memory.live import state as live_module
from memedit.memory.moving import backup, restore
from memedit.memory.salvage import salvage
from memedit.scope.classifier import PairModel
from memedit.serving import keys
from memedit.serving.ledger.audit import AuditLog, Author
from memedit.serving.ledger.desk import Desk
from memedit.serving.ledger.tables import tables_of
from tests.campaign.acting import ENCODER, opened
from tests.campaign.ledger import LONG, Stage
from tests.campaign.spoiling import Kind, try_damage
from tests.helpers import byte_tokenizer, tiny_model

TRIALS = 50 if LONG else 5  # of one kind, in a round
STAGE = Stage("damaged files", bounded=1, long=10, share=0.10)
SHIPPED = Path("memedit/scope/trained")
WHO = Author("k1", "Kay")
QUERIES = ["What is the capital of Land 7?", "The capital of Land 33 is", "Isle 3"]


@dataclass
class Worlds:
    """What is damaged: everything in order, made once."""

    root: Path
    texts: frozenset[str]
    found: list[list[str]]
    base: Any
    tokenizer: Any
    lm: Engine


def statements(memory: EditMemory) -> frozenset[str]:
    return frozenset(record.edit.statement for record in memory.records())


def found_in(memory: EditMemory) -> list[list[str]]:
    return [[hit.record.id for hit in hits] for hits in memory.search(QUERIES, k=3)]


def _fill(folder: Path) -> None:
    with opened(folder) as memory:
        memory.add_many(
            [Edit(f"The capital of Land {i} is", f"Town {i}", f"Land {i}") for i in range(100)]
        )
        memory.report(memory.add(Edit("The king is", "Otto")).id, "Who rules?", concerns=True)
        record = next(iter(memory.records()))
        memory.put_payloads({record.sequence: {"ike": {"v": torch.arange(5.0), "t": "x"}}})
        memory.forget(record.id, reason="a slip")
        memory.snapshot()
        tables = tables_of(memory)
        audit, desk = AuditLog.of(memory, tables), Desk(tables)
        for i in range(12):
            with audit.change(WHO, "create", "default", id=f"e{i}", query=f"question {i}"):
                desk.propose(WHO, "default", "create", {"statement": f"Proposal {i}."})
            desk.report(WHO, "default", "wrong_answer", f"question {i}?", None, None)
        desk.close()
    (folder / "model.json").write_text(
        json.dumps({"editor": {"name": "ike", "settings": {}}, "scope": None})
    )


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    root = tmp_path_factory.mktemp("worlds")
    with pytest.MonkeyPatch.context() as patch:
        small = {"upto": None, "flat_limit": 60}  # so that the index has cells
        patch.setattr(live_module.LiveSet.__init__, "__kwdefaults__", small)
        logging.getLogger("memedit").setLevel(logging.CRITICAL)
        _fill(root / "memory")
        backup(root / "memory", root / "backup")
        with opened(root / "memory") as memory:
            memory.export(root / "edits.jsonl")
            texts, found = statements(memory), found_in(memory)
        key, _ = keys.make_key("a", ("read",))
        keys.add(root / "keys.json", key)
        base, tokenizer = tiny_model(), byte_tokenizer()
        lm = Engine(base, tokenizer)
        _parts(root, base, lm)
        yield Worlds(root, texts, found, base, tokenizer, lm)
        logging.getLogger("memedit").setLevel(logging.NOTSET)


def _parts(root: Path, base: Any, lm: Engine) -> None:
    adapter = root / "adapter"
    adapter.mkdir()
    a, b = "base_model.model.x.lora_A.weight", "base_model.model.x.lora_B.weight"
    save_file({a: torch.ones(2, 3), b: torch.ones(4, 2)}, adapter / "adapter_model.safetensors")
    (adapter / "adapter_config.json").write_text('{"r": 2, "lora_alpha": 4}')
    (adapter / "manifest.json").write_text("{}")
    scope = root / "scope"
    scope.mkdir()
    for name in ("manifest.json", "scope.safetensors"):
        shutil.copy(SHIPPED / name, scope / name)
    (root / "statistics").mkdir()
    inputs = {
        "model": lm.fingerprint, "site": lm.sites.mlp_out(0), "tokens": 9, "ids": "", "length": 1,
        "dtype": "float32", "text": "",
    }  # fmt: skip
    numbers = {"first": 1, "firsts": 1, "count": 1, "energy": 1, "ratio": 1}
    width = base.get_submodule(inputs["site"]).in_features
    save_file(
        {"moment": torch.eye(width)},
        root / "statistics" / "m.safetensors",
        {"inputs": json.dumps(inputs), "numbers": json.dumps(numbers)},
    )
    (root / "hypernetwork").mkdir()
    save_file({"x": torch.ones(50, 3)}, root / "hypernetwork" / "hypernetwork.safetensors")
    manifest = json.dumps({"kind": "ke", "base": lm.fingerprint})
    (root / "hypernetwork" / "manifest.json").write_text(manifest)


Look = Callable[[Worlds, Path], bool]
"""Opens what was damaged; whether a hash would have told. Raises MemeditError where it is refused.
"""


def _memory(worlds: Worlds, folder: Path) -> bool:
    """The journal: what verify calls sound says what was said; salvage tells what is lost."""
    report = salvage(folder, folder / "saved.jsonl")
    with EditMemory(folder, ENCODER, read_only=True) as memory:
        texts = statements(memory)
        memory.history()
        found_in(memory)
        memory.at(1)
        ok = memory.verify().ok
        assert not ok or (texts == worlds.texts and not report.lost and not report.altered)
    with opened(folder) as memory:
        memory.add(Edit("The capital of Chad is", "Lyon", "Chad"))
    return True


def _index(worlds: Worlds, folder: Path) -> bool:
    """A snapshot is derived: whatever is wrong with it, nothing is wrong with the memory."""
    with opened(folder) as memory:
        assert statements(memory) == worlds.texts and found_in(memory) == worlds.found
        assert memory.verify().ok
        memory.snapshot()
    return True


def _settings(worlds: Worlds, folder: Path) -> bool:
    EditableModel(worlds.base, worlds.tokenizer, memory=folder, encoder=ENCODER)
    return False


def _audit(worlds: Worlds, folder: Path) -> bool:
    """Whatever was altered shows."""
    with opened(folder) as memory:
        tables = tables_of(memory)
        try:
            audit = AuditLog.of(memory, tables)
            audit.tail(5)
            same = (folder / "audit.jsonl").read_bytes() == _original(worlds, "audit.jsonl")
            assert bool(audit.verify().problems) != same
            with audit.change(WHO, "create", "default", id="later"):
                pass
            assert any(entry.get("id") == "later" for entry in audit.tail(5))
        finally:
            tables.close()
    return True


def _original(worlds: Worlds, name: str) -> bytes:
    return (worlds.root / "memory" / name).read_bytes()


def _desk(worlds: Worlds, folder: Path) -> bool:
    with opened(folder) as memory:
        desk = Desk(tables_of(memory))
        try:
            desk.proposals("default", None, 99)
            desk.reports("default", 99)
            desk.report(WHO, "default", "wrong_answer", "q", None, None)
        finally:
            desk.close()
    return False


def _backup(worlds: Worlds, folder: Path) -> bool:
    """What is brought back is what was backed up, or nothing."""
    target = folder.parent / "target"
    try:
        restore(folder, target)
        with EditMemory(target, ENCODER, read_only=True) as memory:
            assert statements(memory) == worlds.texts and memory.verify().ok
        settings = (target / "model.json").read_bytes()
        assert settings == _original(worlds, "model.json")
    finally:
        shutil.rmtree(target, ignore_errors=True)
    return True


def _export(worlds: Worlds, folder: Path) -> bool:
    with EditMemory(None, ENCODER) as memory:
        memory.import_file(folder / "edits.jsonl")
        assert memory.verify().ok
    return False


def _keys(worlds: Worlds, folder: Path) -> bool:
    ring = keys.KeyRing(folder / "keys.json")
    assert ring.find("mk_00000000_nothing") is None
    return False


def _adapter(worlds: Worlds, folder: Path) -> bool:
    Adapter.load(folder)
    return False


def _scope(worlds: Worlds, folder: Path) -> bool:
    PairModel.load(folder)
    return False


def _statistics(worlds: Worlds, folder: Path) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numbers that were damaged
        moment_of(worlds.lm, 0, str(folder / "m.safetensors"))
    return False


def _hypernetwork(worlds: Worlds, folder: Path) -> bool:
    read_hypernetwork("ke", str(folder), worlds.lm)
    return False


KINDS: dict[str, tuple[str, str, Look]] = {
    "journal": ("memory", "journal.sqlite", _memory),
    "index": ("memory", "index/*.safetensors", _index),
    "index manifest": ("memory", "index/manifest.json", _index),
    "settings": ("memory", "model.json", _settings),
    "audit log": ("memory", "audit.jsonl", _audit),
    "desk": ("memory", "serving.sqlite3", _desk),
    "backup": ("backup", "journal.sqlite", _backup),
    "backup manifest": ("backup", "backup.json", _backup),
    "backup settings": ("backup", "model.json", _backup),
    "export": ("edits.jsonl", "edits.jsonl", _export),
    "keys": ("keys.json", "keys.json", _keys),
    "adapter": ("adapter", "adapter_model.safetensors", _adapter),
    "adapter settings": ("adapter", "*.json", _adapter),
    "scope": ("scope", "scope.safetensors", _scope),
    "scope manifest": ("scope", "manifest.json", _scope),
    "statistics": ("statistics", "m.safetensors", _statistics),
    "hypernetwork": ("hypernetwork", "*", _hypernetwork),
}
"""By what is damaged: what is copied, the file in it, and what opens it."""


@pytest.mark.slow
def test_every_kind(worlds: Worlds, tmp_path: Path) -> None:
    wrong: list[str] = []
    for made in STAGE.rounds():
        for kind in KINDS:
            for number in range(TRIALS):
                source, pattern, look = KINDS[kind]
                place = tmp_path / f"{made.number}-{kind}-{number}"
                seen = Kind(kind, source, pattern, partial(look, worlds))
                wrong.append(try_damage(seen, worlds.root, place, made))
    if any(wrong):
        pytest.fail("\n".join(filter(None, wrong)))
    assert STAGE.counts["refused"] > STAGE.counts["damaged"] / 4
