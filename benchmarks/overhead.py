"""What editing costs, as ratios of time to the bare model and the bare encoder.

    python -m benchmarks.overhead --json out.json --sizes 0,1000 --cache /tmp/memories

Both sides of a ratio run in turn in one process, so that a busy machine slows both; each figure is
the median of the ratios of such pairs. Both sides generate the same number of tokens. Memories are
filled through ``edit_many`` with the real encoder: 100,000 edits take some minutes, and ``--cache``
keeps them for the next run.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.made_up import OUT_OF_SCOPE, edits
from memedit import Edit, EditableModel, EditMemory
from memedit.engine.encoders import load_encoder

if TYPE_CHECKING:
    import numpy.typing as npt

    from memedit.core.protocols import Encoder

TOKENS = 32
CHUNK = 5_000
SEARCHES = 500
SPEED: dict[str, Any] = {"max_new_tokens": TOKENS, "min_new_tokens": TOKENS, "do_sample": False}

IN_SCOPE = Edit("The capital of France is", "Lyon", "France")

Action = Callable[[], object]
Results = dict[str, Any]


class Remembering:
    """The real encoder, under its own id, that notes what it encodes and can repeat it for free."""

    def __init__(self, inner: Encoder) -> None:
        self.inner, self.id, self.dimension = inner, inner.id, inner.dimension
        self.seen: list[str] = []
        self.known: dict[str, npt.NDArray[np.float32]] | None = None

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if self.known is None:
            self.seen.extend(texts)
            return self.inner.encode(texts)
        if new := [text for text in texts if text not in self.known]:
            self.known.update(zip(new, self.inner.encode(new), strict=True))
        return np.stack([self.known[text] for text in texts])

    @contextmanager
    def repeating(self) -> Iterator[None]:
        """Inside, a text is encoded once; so what is timed is what is not encoding."""
        self.known = {}
        try:
            yield
        finally:
            self.known = None


def seconds(action: Action) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def ratio(ours: Action, bare: Action, repeats: int) -> float:
    """Median of ours / bare over pairs run one after the other, each going first half the time."""
    ours(), bare()
    ratios = []
    for turn in range(repeats):
        if turn % 2:
            mine, theirs = seconds(ours), seconds(bare)
        else:
            theirs, mine = seconds(bare), seconds(ours)
        ratios.append(mine / theirs)
    return statistics.median(ratios)


class Bench:
    """One base model and encoder, and the figures found so far."""

    def __init__(self, model: str | None, cache: Path | None, repeats: int) -> None:
        self.console, self.repeats = Console(stderr=True), repeats
        self.encoder = Remembering(load_encoder())
        with self.console.status("Loading the model"):
            first = EditableModel.from_pretrained(model, memory=EditMemory(None, self.encoder))
        self.base, self.tokenizer = first.base, first.tokenizer
        self.cache = cache

    @contextmanager
    def model(self, size: int) -> Iterator[EditableModel]:
        """The model over a memory of ``size`` edits on disk."""
        with tempfile.TemporaryDirectory(prefix="memedit-overhead-") as scratch:
            folder = (self.cache or Path(scratch)) / str(size)
            folder.mkdir(parents=True, exist_ok=True)
            with EditMemory(folder, self.encoder) as memory:
                model = EditableModel(self.base, self.tokenizer, memory=memory)
                self._fill(model, size)
                yield model

    def _fill(self, model: EditableModel, size: int) -> None:
        there = len(model.memory)
        if there > size:
            raise typer.BadParameter(f"{model.memory.path} holds {there:,} edits, not {size:,}.")
        with Progress(console=self.console, transient=True) as progress:
            task = progress.add_task(f"Filling a memory with {size:,} edits", total=size)
            for start in range(there, size, CHUNK):
                progress.update(task, completed=start)
                model.edit_many(edits(min(CHUNK, size - start), start))

    def _inputs(self, texts: Sequence[str]) -> Any:
        return self.tokenizer(list(texts), return_tensors="pt", padding=True, padding_side="left")

    def generate(self, model: EditableModel, texts: Sequence[str], *, fires: bool) -> float:
        """Our ``generate`` against the base's, on the same tensors."""
        inputs = self._inputs(texts)
        if any(bool(d.hits) is not fires for d in model.decide(texts)):
            raise RuntimeError(f"The scope decided otherwise than this figure needs: {texts}")
        options = SPEED | {"pad_token_id": self.base.generation_config.eos_token_id}
        length = inputs["input_ids"].shape[1] + TOKENS
        for made in (model, self.base):
            assert made.generate(**inputs, **options).shape[1] == length
        return ratio(
            lambda: model.generate(**inputs, **options),
            lambda: self.base.generate(**inputs, **options),
            self.repeats,
        )

    def search(self, model: EditableModel) -> tuple[float, float]:
        """(p50, p99) milliseconds of a search whose text is already encoded."""
        queries = [edit.prompt for edit in edits(SEARCHES // 2)]
        queries += [f"{text} {i}" for i in range(SEARCHES // 16) for text in OUT_OF_SCOPE]
        with self.encoder.repeating():
            times = []
            for query in queries:
                model.memory.search([query])
                times.append(1000 * seconds(lambda q=query: model.memory.search([q])))  # type: ignore[misc]
        return tuple(np.percentile(times, [50, 99]).tolist())

    def edit(self, model: EditableModel) -> float:
        """One ``edit`` call against one encoder call on its prompt."""
        new = iter(edits(1_000, start=10_000_000))
        text = edits(1, start=20_000_000)[0].prompt
        return ratio(
            lambda: model.edit(next(new)),
            lambda: self.encoder.inner.encode([text]),
            max(30, self.repeats),
        )

    def bulk(self, size: int) -> Results:
        """``edit_many`` against the encoder on all texts it encodes, and on the prompts alone."""
        times, ratios, prompts = [], [], []
        for turn in range(max(3, self.repeats // 3)):
            new = edits(size, start=30_000_000 + turn * size)
            with tempfile.TemporaryDirectory(prefix="memedit-overhead-") as folder:
                memory = EditMemory(Path(folder), self.encoder)
                model = EditableModel(self.base, self.tokenizer, memory=memory)
                self.encoder.seen.clear()
                times.append(seconds(lambda m=model, e=new: m.edit_many(e)))  # type: ignore[misc]
                memory.close()
            texts = list(self.encoder.seen)
            ratios.append(times[-1] / seconds(lambda t=texts: self.encoder.inner.encode(t)))  # type: ignore[misc]
            own = [edit.prompt for edit in new]
            prompts.append(times[-1] / seconds(lambda t=own: self.encoder.inner.encode(t)))  # type: ignore[misc]
        return {
            "bulk": statistics.median(ratios),
            "bulk_prompts_only": statistics.median(prompts),
            "bulk_edits_per_second": size / statistics.median(times),
        }


def measure(bench: Bench, sizes: Sequence[int], bulk: int) -> Results:
    """All figures; those that are asked once come from the largest memory."""
    results: Results = {name: {} for name in ("out_of_scope", "out_of_scope_batch_8")}
    searches: Results = {name: {} for name in ("search_ms_p50", "search_ms_p99")}
    for size in sorted(sizes):
        with bench.model(size) as model:
            bench.console.print(f"{size:,} edits: out of scope")
            key = str(size)
            results["out_of_scope"][key] = bench.generate(model, OUT_OF_SCOPE[:1], fires=False)
            results["out_of_scope_batch_8"][key] = bench.generate(model, OUT_OF_SCOPE, fires=False)
            if size:
                middle, high = bench.search(model)
                searches["search_ms_p50"][key], searches["search_ms_p99"][key] = middle, high
            if size == max(sizes):
                bench.console.print(f"{size:,} edits: in scope, and editing")
                results |= once(bench, model)
    bench.console.print(f"editing {bulk:,} at once")
    return results | bench.bulk(bulk) | searches


def once(bench: Bench, model: EditableModel) -> Results:
    """In scope, and one edit at a time; what is added is forgotten again."""
    version = model.memory.version
    model.edit(IN_SCOPE)
    try:
        in_scope = bench.generate(model, [IN_SCOPE.prompt], fires=True)
        return {"in_scope": in_scope, "edit": bench.edit(model)}
    finally:
        model.memory.restore(version)


def table(results: Results) -> Table:
    shown = Table("figure", "edits", "value")
    for name, value in results.items():
        for size, number in (value if isinstance(value, dict) else {"": value}).items():
            shown.add_row(name, size, f"{number:.3f}" if isinstance(number, float) else str(number))
    return shown


def main(
    json_: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
    sizes: Annotated[str, typer.Option(help="Numbers of edits in memory.")] = "0,1000,100000",
    cache: Annotated[
        Path | None, typer.Option(help="Keep the filled memories here for the next run.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Pairs per figure.")] = 11,
    bulk: Annotated[int, typer.Option(min=1, help="Edits of one edit_many call.")] = 1_000,
    model: Annotated[str | None, typer.Option(help="Base model; default the packaged.")] = None,
) -> None:
    """Time of generate, edit, edit_many and search against the bare model and encoder."""
    counts = sorted({int(part) for part in sizes.split(",")})
    results = measure(Bench(model, cache, repeats), counts, bulk)
    Console().print(table(results))
    results["setting"] = {
        "tokens": TOKENS,
        "repeats": repeats,
        "model": model or "SmolLM2-135M-Instruct",
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
    }
    if json_ is not None:
        json_.write_text(json.dumps(results, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    typer.run(main)
