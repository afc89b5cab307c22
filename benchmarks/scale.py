"""What a memory of so many edits costs: RAM, disk, and the time of each verb.

    python -m benchmarks.scale --edits 1000,10000,100000,1000000 --json out.json

Each size is filled in one fresh process and opened in another, and the figures are written as they
come. Up to ``--real`` edits the packaged encoder makes the vectors; beyond, sums of vectors that
stand for words, under its name: then searches and changes cost what they do, and only the filling
is quicker. Times are without what the encoder takes, unless they are ratios. On a machine that does
other work, too, ``--cpu`` counts what this process computed instead of what passed. Linux only.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.made_up import OUT_OF_SCOPE, Standing, edits, name_of, questions
from memedit import Edit, EditMemory
from memedit.engine.encoders import load_encoder

CHUNK = 1_024  # lines that an import adds in one transaction
SEARCHES, CHANGES, RECALLED = 400, 20, 100
FAR = 100_000_000  # numbers of edits from here on are in no memory
TOKENS, PAIRS = 32, 7
KEPT = 16

Results = dict[str, Any]


def memory_mb(field: str = "VmRSS") -> float:
    """What the kernel says of this process, in MB: RAM now ("VmRSS") or at most ("VmHWM")."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/self/status names no {field}")


def milliseconds(encoder: Standing, action: Callable[[], object]) -> float:
    """Time of an action, without the encoder's."""
    encoder.seconds = 0.0
    start = encoder.clock()
    action()
    return 1000 * (encoder.clock() - start - encoder.seconds)


def encoder_of(name: str | None, *, real: bool, cpu: bool) -> Standing:
    """The encoder of a name, whose time is counted by the clock that is asked for."""
    encoder = Standing(load_encoder(name), real=real)
    encoder.clock = time.process_time if cpu else time.perf_counter
    return encoder


def fill(
    folder: Path, size: int, *, real: bool, name: str | None = None, cpu: bool = False
) -> Results:
    """Put ``size`` edits into a memory that has some of them."""
    encoder = encoder_of(name, real=real, cpu=cpu)
    start = encoder.clock()
    with EditMemory(folder, encoder) as memory:
        there = len(memory)
        for first in range(there, size, CHUNK):
            memory.add_many(edits(min(CHUNK, size - first), first))
        filled = encoder.clock() - start
    total, new = encoder.clock() - start, max(1, size - there)
    disk = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return {
        "disk_kb_an_edit": disk / size / 1024,
        "fill_edits_a_second": new / filled,
        "fill_edits_a_second_beyond_encoder": new / (filled - encoder.seconds),
        "bulk_of_encoder": encoder.seconds / filled if real else None,
        "close_s": total - filled,
        "fill_peak_mb": memory_mb("VmHWM"),
    }


class Opened:
    """A memory of ``size`` edits, opened in this process."""

    def __init__(self, folder: Path, size: int, *, real: bool, name: str | None, cpu: bool) -> None:
        self.encoder = encoder_of(name, real=real, cpu=cpu)
        self.encoder.inner.encode(["Everything is loaded."])
        with EditMemory(None, self.encoder) as small:
            small.add_many(edits(10))
            small.search(questions([3]))
        gc.collect()
        self._bare = memory_mb()
        self.size, self.rng = size, np.random.default_rng(1)
        begun = self.encoder.clock()
        self.memory = EditMemory(folder, self.encoder)
        assert self.memory.search(questions([size // 2]))[0]
        self.opening = self.encoder.clock() - begun

    def resident(self) -> float:
        """kB of RAM an edit, beside what a process with a memory of ten needs."""
        gc.collect()
        return 1024 * (memory_mb() - self._bare) / self.size

    def search(self) -> Results:
        """Milliseconds of a search, for questions about edits and about none."""
        numbers = self.rng.integers(self.size, size=SEARCHES // 2).tolist()
        asked = questions(numbers)
        asked += [f"{text} {i}" for i in range(SEARCHES // 16) for text in OUT_OF_SCOPE]
        for query in asked[:20]:
            self.memory.search([query])
        find = self.memory.search
        times = [milliseconds(self.encoder, partial(find, [query])) for query in asked]
        middle, high = np.percentile(times, [50, 99]).tolist()
        return {"search_ms_p50": middle, "search_ms_p99": high}

    def changes(self) -> Results:
        """Milliseconds of each change but for the encoder, the middle of some and the longest."""
        memory, version = self.memory, self.memory.version
        found = {"commit_ms": self._commit()}
        found["first_add_ms"] = milliseconds(self.encoder, partial(memory.add, edits(1, FAR)[0]))
        new = edits(CHANGES, FAR + 1)
        found |= self._times("add", [partial(memory.add, edit) for edit in new])
        chosen = dict.fromkeys(self.rng.integers(self.size, size=CHANGES).tolist())
        anew = [Edit(edits(1, i)[0].prompt, "Ulm", name_of(i)) for i in chosen]
        found |= self._times("correct", [partial(memory.add, edit) for edit in anew])
        found |= self._times("forget", [partial(memory.forget, edit.id) for edit in new])
        found["restore_ms"] = milliseconds(self.encoder, lambda: self.memory.restore(version))
        return found

    def _commit(self) -> float:
        """Milliseconds of the smallest durable write to the same disk: no change costs less."""
        assert self.memory.path is not None
        with (self.memory.path / "probe").open("wb") as file:

            def write() -> None:
                file.write(bytes(4096))
                file.flush()
                os.fsync(file.fileno())

            times = [milliseconds(self.encoder, write) for _ in range(CHANGES)]
        (self.memory.path / "probe").unlink()
        return statistics.median(times)

    def _times(self, name: str, actions: Sequence[Callable[[], object]]) -> Results:
        times = [milliseconds(self.encoder, action) for action in actions]
        return {f"{name}_ms": statistics.median(times), f"{name}_ms_longest": max(times)}

    def recall(self) -> float:
        """Share of the sixteen edits nearest to a question that a search finds."""
        numbers = self.rng.integers(self.size, size=RECALLED).tolist()
        view = self.memory.at(self.memory.version)  # compares every vector
        shares = []
        for query in questions(numbers):
            near, exact = (
                {hit.record.sequence for hit in where.search([query], k=KEPT)[0][:KEPT]}
                for where in (self.memory, view)
            )
            shares.append(len(near & exact) / len(exact))
        return float(np.mean(shares))

    def generate(self) -> Results:
        """Out of scope against the bare base, and an edit against an encoder call, both real."""
        import torch

        from benchmarks.overhead import ratio
        from memedit import EditableModel

        self.encoder.real = True
        model = EditableModel.from_pretrained(None, memory=self.memory)
        base: Any = model.base
        inputs: Any = model.tokenizer(OUT_OF_SCOPE[0], return_tensors="pt")
        options: Any = {"max_new_tokens": TOKENS, "min_new_tokens": TOKENS, "do_sample": False}
        options["pad_token_id"] = base.generation_config.eos_token_id
        mine, theirs = (m.generate(**inputs, **options) for m in (model, base))
        assert torch.equal(mine, theirs), "An edit fired where none should."
        apart = ratio(
            lambda: model.generate(**inputs, **options),
            lambda: base.generate(**inputs, **options),
            PAIRS,
        )
        new, text = iter(edits(1_000, 2 * FAR)), edits(1, 3 * FAR)[0].prompt
        version = self.memory.version
        edit = ratio(
            lambda: model.edit(next(new)), lambda: self.encoder.inner.encode([text]), 3 * PAIRS
        )
        self.memory.restore(version)
        return {"out_of_scope": apart, "edit": edit}


def measure(
    folder: Path,
    size: int,
    *,
    real: bool,
    generate: bool,
    name: str | None = None,
    cpu: bool = False,
) -> Results:
    """Open a memory, and time what may be asked of it."""
    opened = Opened(folder, size, real=real, name=name, cpu=cpu)
    found: Results = {"open_s": opened.opening, "resident_kb_an_edit": opened.resident()}
    found |= opened.search()
    found["resident_kb_an_edit_searched"] = opened.resident()
    found |= opened.changes()
    found["resident_kb_an_edit_changed"] = opened.resident()
    found["peak_mb"] = memory_mb("VmHWM")
    if generate:
        found |= opened.generate()
        opened.encoder.real = real
    found["recall_16"] = opened.recall()
    opened.memory.close()
    return found


def in_fresh_process(function: Callable[..., Results], *args: Any, **options: Any) -> Results:
    """What a function returns in a process that did nothing else."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args, **options).result()


@contextmanager
def folder_for(size: int, cache: Path | None) -> Iterator[Path]:
    """Where the memory of ``size`` edits lies: kept in the cache, else for this once."""
    with tempfile.TemporaryDirectory(prefix="memedit-scale-", dir=cache) as scratch:
        folder = Path(scratch) if cache is None else cache / str(size)
        folder.mkdir(parents=True, exist_ok=True)
        yield folder


def table(results: Results) -> Table:
    """A row per figure, a column per size."""
    sizes = list(results["sizes"])
    shown = Table("figure", *(f"{int(size):,}" for size in sizes))
    for name in dict.fromkeys(name for row in results["sizes"].values() for name in row):
        values = [results["sizes"][size].get(name) for size in sizes]
        shown.add_row(name, *("" if value is None else f"{value:.3f}" for value in values))
    return shown


def main(
    edits_: Annotated[str, typer.Option("--edits", help="Numbers of edits.")] = "1000,10000",
    json_: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
    real: Annotated[
        int, typer.Option(help="Up to so many edits the real encoder fills the memory.")
    ] = 100_000,
    generate: Annotated[bool, typer.Option(help="Load the base and compare answers too.")] = True,
    encoder: Annotated[
        str | None, typer.Option(help="Another than the packaged one; hashing:64 needs no model.")
    ] = None,
    cpu: Annotated[bool, typer.Option(help="Seconds of CPU, not of the clock.")] = False,
    cache: Annotated[
        Path | None, typer.Option(help="Keep the filled memories here for the next run.")
    ] = None,
) -> None:
    """RAM, disk and time that memories of these sizes need."""
    if cache is not None:
        cache.mkdir(parents=True, exist_ok=True)
    setting: Results = {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "load": os.getloadavg()[0],
    }
    results: Results = {"setting": setting, "sizes": {}}
    for size in sorted({int(part) for part in edits_.split(",")}):
        with folder_for(size, cache) as folder:
            how: dict[str, Any] = {"real": size <= real, "name": encoder, "cpu": cpu}
            found = in_fresh_process(fill, folder, size, **how)
            found |= in_fresh_process(measure, folder, size, generate=generate, **how)
        results["sizes"][str(size)] = found
        if json_ is not None:
            json_.write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    Console().print(table(results))


if __name__ == "__main__":
    typer.run(main)
