"""What fires, and in which role, on requests as people make them: any folder of files of one form.

    python benchmarks/everyday_scope.py --data-dir everyday --json out.json --part visible-heldout

All edits of a set are in one memory, all its probes are asked (``--part``: only those about
subjects that training kept out). No language model is needed. Per set and type, shares of ``n``:

fires     any edit is asked or informs (for a pair that is not the same: that edit)
right     one of the probe's own edits is asked or informs
asks      … is asked (where nothing should change: any edit is)
informs   … informs and is not asked

``traffic``: ordinary texts of all sets, put to some hundred edits about named subjects. ``frames``:
direct questions in 30 frames, of those whose bare question finds its edit. The manifest has the
expected calibration error of both probabilities and the time a query takes beyond the encoder.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import binomtest

from benchmarks.everyday_data import PARTS, Probe, Set, named, read_set, truth
from benchmarks.everyday_frames import FRAMES
from memedit import EditMemory
from memedit.core.protocols import Encoder, Scope
from memedit.core.text import normalise
from memedit.core.types import Decision, Edit
from memedit.engine.encoders import load_encoder
from memedit.scope import load_scope
from memedit.scope.calibrate import reliability

BATCH = 128
CANDIDATES = 16
TRAFFIC_EDITS = 400
FRAMED = 100
TIMED, AT = 300, 5_000
_ORDINARY = Probe("traffic", "", (), "unchanged")


class Clocked:
    """An encoder that says how long it took in all."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder, self.seconds = encoder, 0.0

    @property
    def id(self) -> str:
        return self._encoder.id

    @property
    def dimension(self) -> int:
        return self._encoder.dimension

    def encode(self, texts: Sequence[str]) -> Any:
        """As the encoder does."""
        begun = time.perf_counter()
        try:
            return self._encoder.encode(texts)
        finally:
            self.seconds += time.perf_counter() - begun


class Bench:
    """One memory with some edits, and a scope."""

    def __init__(self, edits: Iterable[Edit], scope: Scope, console: Console) -> None:
        self.scope, self.console = scope, console
        self.encoder = Clocked(load_encoder())
        self.memory = EditMemory(None, self.encoder)
        self.memory.add_many(list(edits))
        self._live = {record.id for record in self.memory.records()}
        self._by_prompt = {
            normalise(record.edit.prompt): record.id for record in self.memory.records()
        }

    def __len__(self) -> int:
        return len(self._live)

    def decide(self, queries: Sequence[str], what: str) -> list[Decision]:
        found: list[Decision] = []
        order = sorted(range(len(queries)), key=lambda i: len(queries[i]))
        parts = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
        for part in track(parts, what, console=self.console, transient=True):
            texts = [queries[i] for i in part]
            found += self.scope.decide(texts, self.memory.search(texts, k=CANDIDATES))
        back = dict(zip(order, found, strict=True))
        return [back[i] for i in range(len(queries))]

    def ids(self, edits: Iterable[Edit]) -> frozenset[str]:
        """The edits in force that say what these do: of equal prompts the last one is."""
        ids = (
            edit.id if edit.id in self._live else self._by_prompt.get(normalise(edit.prompt), "")
            for edit in edits
        )
        return frozenset(id for id in ids if id)


class Chances:
    """Probabilities of the best candidate, and what was so, for both roles."""

    def __init__(self) -> None:
        self.asks: list[tuple[float, bool]] = []
        self.bearing: list[tuple[float, bool]] = []

    def take(self, decision: Decision, own: frozenset[str], so: tuple[bool, bool]) -> None:
        for kept, name, true in zip(
            (self.asks, self.bearing), ("score", "bearing"), so, strict=True
        ):
            weighed = [h for h in decision.candidates if getattr(h, name) is not None]
            if weighed:
                best = max(weighed, key=lambda hit: getattr(hit, name))
                kept.append((getattr(best, name), true and best.record.id in own))

    def errors(self) -> dict[str, float | None]:
        return {"asks": _ece(self.asks), "bearing": _ece(self.bearing)}


def _ece(pairs: Sequence[tuple[float, bool]]) -> float | None:
    if not pairs:
        return None
    chances, so = zip(*pairs, strict=True)
    return round(reliability(np.array(chances), np.array(so)).ece, 4)


def _outcome(decision: Decision, own: frozenset[str], probe: Probe) -> tuple[bool, ...]:
    """(fires, right, asks, informs) of one probe."""
    asked = {hit.record.id for hit in decision.hits}
    informing = {hit.record.id for hit in decision.informs}
    if probe.only_own:
        asked, informing = asked & own, informing & own
    seen = (asked, informing) if probe.expect == "unchanged" else (asked & own, informing & own)
    right = bool((asked | informing) & own)
    return bool(asked | informing), right, bool(seen[0]), bool(seen[1] and not seen[0])


def _shares(rows: Sequence[tuple[bool, ...]]) -> dict[str, float]:
    means = np.mean(np.array(rows, float), axis=0)
    names = ("fires", "right", "asks", "informs")
    shares = {name: round(float(mean), 4) for name, mean in zip(names, means, strict=True)}
    return {"n": len(rows), **shares}


def measure_set(bench: Bench, chosen: Set, limit: int, seed: int, chances: Chances) -> Any:
    """{type of probe: shares} of one set; at most ``limit`` probes of a type are asked."""
    rng = random.Random(seed)
    by_type: dict[str, list[Probe]] = defaultdict(list)
    for probe in chosen.probes:
        by_type[probe.type].append(probe)
    probes = [
        probe
        for some in by_type.values()
        for probe in (rng.sample(some, limit) if limit and len(some) > limit else some)
    ]
    rows: dict[str, list[tuple[bool, ...]]] = defaultdict(list)
    decisions = bench.decide([probe.text for probe in probes], chosen.name)
    for probe, decision in zip(probes, decisions, strict=True):
        if not (own := bench.ids(probe.own)):
            continue
        rows[probe.type].append(_outcome(decision, own, probe))
        prompted = not probe.own[0].is_statement
        if not probe.only_own and (so := truth(probe, prompted)) is not None:
            chances.take(decision, own, so)
    return {kind: _shares(found) for kind, found in rows.items()}


def measure_traffic(
    sets: Sequence[Set], scope: Scope, limit: int, seed: int, console: Console
) -> Any:
    """{set: shares} of ordinary texts against edits about named subjects, and of all together."""
    edits = named(sets, TRAFFIC_EDITS)
    if not edits or not any(s.traffic for s in sets):
        return {}
    bench, rng = Bench(edits, scope, console), random.Random(seed)
    found: dict[str, Any] = {}
    every: list[tuple[bool, ...]] = []
    for chosen in sets:
        texts = list(dict.fromkeys(chosen.traffic))
        texts = rng.sample(texts, limit) if limit and len(texts) > limit else texts
        decisions = bench.decide(texts, f"{chosen.name}, traffic") if texts else []
        rows = [_outcome(decision, frozenset(), _ORDINARY) for decision in decisions]
        if rows:
            found[chosen.name], every = _shares(rows), every + rows
    return {**found, "all": _shares(every)}


def measure_frames(bench: Bench, chosen: Set, limit: int, seed: int) -> Any:
    """{kind of frame: shares} over direct questions whose bare form finds its edit."""
    rng = random.Random(seed)
    direct = [p for p in chosen.probes if p.type == "direct" and p.own[0].subject]
    direct = rng.sample(direct, min(limit or FRAMED, FRAMED, len(direct)))
    bare = bench.decide([p.text for p in direct], "frames")
    direct = [p for p, d in zip(direct, bare, strict=True) if _outcome(d, bench.ids(p.own), p)[2]]
    answers = [p.own[0].target_new or "" for p in direct]
    found: dict[str, Any] = {}
    every: list[tuple[bool, ...]] = []
    for kind, frames in FRAMES.items():
        asked = [
            (p, f, a, rng.choice(answers))
            for f in frames
            for p, a in zip(direct, answers, strict=True)
        ]
        texts = [_framed(frame, probe, a, b) for probe, frame, a, b in asked]
        decisions = bench.decide(texts, kind) if texts else []
        rows = [
            _outcome(d, bench.ids(p.own), p) for d, (p, *_) in zip(decisions, asked, strict=True)
        ]
        if rows:
            found[kind], every = _shares(rows), every + rows
    return {**found, "all": _shares(every)} if every else {}


def _framed(frame: str, probe: Probe, answer: str, other: str) -> str:
    return frame.format(q=probe.text, s=probe.own[0].subject or "it", a=answer, b=other)


def milliseconds(
    sets: Sequence[Set], scope: Scope, seed: int, console: Console
) -> dict[str, float]:
    """What one query takes beyond the encoder, one at a time, with up to 5,000 edits in memory."""
    rng = random.Random(seed)
    edits = [edit for chosen in sets for edit in chosen.edits.values()]
    bench = Bench(rng.sample(edits, min(AT, len(edits))), scope, console)
    asked = [probe.text for chosen in sets for probe in chosen.probes]
    asked += [text for chosen in sets for text in chosen.traffic]
    taken = []
    for query in rng.sample(asked, min(TIMED, len(asked))):
        before, begun = bench.encoder.seconds, time.perf_counter()
        scope.decide([query], bench.memory.search([query], k=CANDIDATES))
        taken.append(time.perf_counter() - begun - (bench.encoder.seconds - before))
    each = np.array(taken) * 1_000
    return {
        "edits": len(bench),
        "queries": len(taken),
        "median": round(statistics.median(each.tolist()), 2),
        "p90": round(float(np.quantile(each, 0.9)), 2),
    }


def show(results: Any, console: Console) -> None:
    """The table, in per cent; of what is right with its 95% Wilson interval."""
    table = Table("set", "probe", "n", "fires", "right", "asks", "informs")
    for name, kinds in results.items():
        if name == "manifest":
            continue
        for kind, row in kinds.items():
            shares = [f"{100 * row[k]:.1f}" for k in ("fires", "right", "asks", "informs")]
            shares[1] += f" ({_interval(row['right'], row['n'])})"
            table.add_row(name, kind, f"{row['n']:,}", *shares)
        table.add_section()
    console.print(table)
    manifest = results["manifest"]
    console.print(f"ECE {manifest['ece']}; ms beyond the encoder {manifest['ms_beyond_encoder']}")


def _interval(share: float, n: int) -> str:
    if not n:
        return ""
    found = binomtest(round(share * n), n).proportion_ci(method="wilson")
    return f"{100 * found.low:.1f}–{100 * found.high:.1f}"


def main(
    data_dir: Annotated[Path, typer.Option(help="Folder of *.jsonl or *.jsonl.gz files.")],
    json_out: Annotated[Path, typer.Option("--json", help="Where the results go.")],
    sets: Annotated[str, typer.Option(help="Names of files, comma-separated. [default: all]")] = "",
    limit: Annotated[int, typer.Option(help="Most probes of a type, and texts; 0: all.")] = 0,
    scope: Annotated[str, typer.Option(help="The scope to measure.")] = "default",
    model: Annotated[str, typer.Option(help="Folder of a trained classifier.")] = "",
    part: Annotated[str, typer.Option(help=f"Subjects asked about: {', '.join(PARTS)}.")] = "all",
    seed: Annotated[int, typer.Option(help="Of what is drawn.")] = 0,
    framed: Annotated[bool, typer.Option("--frames/--no-frames", help="Framed, too.")] = True,
    timed: Annotated[bool, typer.Option("--times/--no-times", help="Time queries.")] = True,
) -> None:
    """Measure a scope on everyday requests."""
    console = Console(stderr=True)
    if part not in PARTS:
        raise typer.BadParameter(f"{part!r} is none of {', '.join(PARTS)}.")
    chosen = load_scope(scope, **({"model": model} if model else {}))
    wanted = {name for name in sets.split(",") if name}
    files = sorted([*data_dir.glob("*.jsonl"), *data_dir.glob("*.jsonl.gz")])
    read = [read_set(f, part) for f in files if not wanted or f.name.split(".")[0] in wanted]
    results: dict[str, Any] = {}
    chances = Chances()
    frames: dict[str, Any] = {}
    for one in read:
        if not one.probes:
            continue
        bench = Bench(one.edits.values(), chosen, console)
        results[one.name] = measure_set(bench, one, limit, seed, chances)
        if framed and not frames:
            frames = measure_frames(bench, one, limit, seed)
    results["frames"] = frames
    results["traffic"] = measure_traffic(read, chosen, limit, seed, console)
    results["manifest"] = {
        "command": " ".join(sys.argv),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "scope": repr(chosen),
        "part": part,
        "seed": seed,
        "limit": limit,
        "edits": {one.name: len(one.edits) for one in read},
        "refused": {one.name: one.refused for one in read if one.refused},
        "ece": chances.errors(),
        "ms_beyond_encoder": milliseconds(read, chosen, seed, console) if timed else {},
    }
    json_out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    show(results, Console())


if __name__ == "__main__":
    typer.run(main)
