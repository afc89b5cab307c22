"""Every verb that changes a memory, drawn from a seed: the same steps on the same memory give the
same state, in whatever process. Must not import pytest: processes that are killed import it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from memedit.core.types import Edit, Record
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory, importing
from memedit.memory.moving import backup, restore
from tests.campaign.ledger import sha256

ENCODER = HashingEncoder(16)
LINES = 25
CHUNK = 10  # so that an import takes several transactions
NAMESPACES = ("default", "other")


@dataclass
class Place:
    """A memory and what belongs to it.

    Attributes:
        address: Of the memory.
        folder: Of its backups and files.
        backup: Name of the newest backup that is known to be whole; "" without one.
        inputs: Where files to be imported are made; "": in the folder too.
    """

    address: str
    folder: str
    backup: str = ""
    inputs: str = ""

    def path(self, name: str) -> Path:
        return Path(self.folder) / name


@dataclass
class Act:
    """What one step has to go by."""

    memory: EditMemory
    place: Place
    rng: random.Random
    step: int

    def edit(self, number: int = 0) -> Edit:
        """A new fact, or another value of an older one."""
        name = f"Land {self.rng.randrange(40)}"
        return Edit(f"The mayor of {name} is", f"Ann {self.step} {number}", name)

    def one(self) -> Record:
        """An edit in force."""
        return self.rng.choice(list(self.memory.records()))


def _add(act: Act) -> None:
    act.memory.add(act.edit(), namespace=act.rng.choice(NAMESPACES))


def _add_many(act: Act) -> None:
    act.memory.add_many([act.edit(i) for i in range(act.rng.randrange(2, 9))])


def _supersede(act: Act) -> None:
    old = act.one()
    act.memory.supersede(old.id, act.edit(), namespace=old.namespace)


def _report(act: Act) -> None:
    one = act.one()
    asked, concerns = f"Who leads {act.step}?", act.rng.random() < 0.5
    act.memory.report(one.id, asked, concerns=concerns, namespace=one.namespace)


def _forget(act: Act) -> None:
    one = act.one()
    act.memory.forget(one.id, namespace=one.namespace)


def _restore(act: Act) -> None:
    namespace = act.rng.choice([None, *NAMESPACES])
    act.memory.restore(act.rng.randrange(act.memory.version + 1), namespace=namespace)


def _undo(act: Act) -> None:
    act.memory.restore(max(0, act.memory.version - 1))


def _payloads(act: Act) -> None:
    act.memory.put_payloads({act.one().sequence: {"ike": {"text": f"of {act.step}"}}})


def _import(act: Act) -> None:
    edits = [act.edit(i) for i in range(LINES)]
    rows = [
        {"prompt": e.prompt, "target_new": e.target_new, "subject": e.subject} for e in edits
    ] + [{"nonsense": act.step}]
    file = Path(act.place.inputs or act.place.folder) / f"import-{act.step}.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    whole, importing.CHUNK = importing.CHUNK, CHUNK
    try:
        act.memory.import_file(file)
    finally:
        importing.CHUNK = whole  # other tests of this process read whole ones


def _export(act: Act) -> None:
    act.memory.export(act.place.path("export.jsonl"))


def _snapshot(act: Act) -> None:
    act.memory.snapshot()


def name_backup(step: int) -> str:
    """The backup of a step; names are in the order of time, for they are compared."""
    return f"backup-{step:06}"


def _backup(act: Act) -> None:
    if act.memory.version:
        name = name_backup(act.step)
        backup(act.place.address, act.place.path(name))
        act.place.backup = name


def _bring_back(act: Act) -> None:
    if act.place.backup:
        restore(act.place.path(act.place.backup), act.place.address, replace=True)


def _purge(act: Act) -> None:
    one = act.one()
    if act.rng.random() < 0.5:
        act.memory.purge(one.id, namespace=one.namespace)
    else:
        act.memory.purge(subject=one.edit.subject, namespace=one.namespace)


def _reembed(act: Act) -> None:
    act.memory.reembed(HashingEncoder(16))


def _zone(act: Act) -> None:
    act.memory.set_zone(act.rng.choice(["UTC", "Europe/Berlin", "Asia/Tokyo"]))


VERBS: dict[str, Callable[[Act], None]] = {
    "add": _add, "add_many": _add_many, "replace": _supersede, "report": _report,
    "forget": _forget, "restore": _restore, "undo": _undo, "payloads": _payloads,
    "import": _import, "export": _export, "snapshot": _snapshot, "backup": _backup,
    "bring back": _bring_back, "purge": _purge, "reembed": _reembed, "zone": _zone,
}  # fmt: skip
_NEED_AN_EDIT = {"replace", "report", "forget", "payloads", "purge"}
_WEIGHTS = {"add": 3, "add_many": 3, "forget": 2, "import": 2}


def verb_of(seed: str, step: int) -> str:
    """What is done at a step."""
    weights = [_WEIGHTS.get(name, 1) for name in VERBS]
    return random.Random(f"{seed}/{step}").choices(list(VERBS), weights)[0]


def act(memory: EditMemory, place: Place, seed: str, step: int, verb: str = "") -> None:
    """Take a step; ``verb`` instead of the one that is drawn. Where there is no edit that it could
    change, one is added instead: a step is one change."""
    rng = random.Random(f"{seed}/{step}/how")
    verb = verb or verb_of(seed, step)
    if verb in _NEED_AN_EDIT and not len(memory):
        verb = "add"
    VERBS[verb](Act(memory, place, rng, step))


def opened(address: str | Path) -> EditMemory:
    """The memory there."""
    return EditMemory(address, ENCODER)


def state(memory: EditMemory) -> str:
    """A hash of what is in force, with payloads, and of all that happened, but not of when."""
    happened = [(e.version, e.kind, e.record.id, e.record.namespace) for e in memory.history()]
    held = [
        (r.sequence, r.id, sorted((name, sorted(p.items())) for name, p in r.payloads.items()))
        for r in memory.records()
    ]
    return sha256((memory.version, memory.digest(), happened, held, str(memory.zone)))


def work(say: Callable[[tuple[object, ...]], None], place: Place, seed: str, step: int) -> None:
    """Steps without end. Says ``("open",)``, then ``("begin", step)`` and ``("done", step, state,
    backup)`` of each."""
    memory = opened(place.address)
    say(("open",))
    while True:
        say(("begin", step))
        act(memory, place, seed, step)
        say(("done", step, state(memory), place.backup))
        step += 1
