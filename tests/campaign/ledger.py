"""The rounds of the campaign, few where tests run, many by ``make campaign``; what they counted.

A round is made from its seed alone. A long run writes each one down when it has ended, so that one
that was interrupted keeps what it had, and goes on from there when it is started again.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCALE = float(os.environ.get("MEMEDIT_CAMPAIGN_SCALE", "0"))
"""0: the bounded part; 1: as many rounds as the issue asks for."""
SEED = int(os.environ.get("MEMEDIT_CAMPAIGN_SEED", "19"))
MINUTES = float(os.environ.get("MEMEDIT_CAMPAIGN_MINUTES", "60"))
"""Of the whole long run: a stage that has had its share ends early, and says so."""
OUT = Path(os.environ.get("MEMEDIT_CAMPAIGN_OUT", ".campaign/rounds.jsonl"))
LONG = SCALE > 0


@dataclass
class Round:
    """One round of a stage: what it draws from, what it counts, and what else it measured."""

    number: int
    seed: str
    counts: Counter[str] = field(default_factory=Counter)
    measured: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)


@dataclass
class Stage:
    """A part of the campaign.

    Attributes:
        name: What it does.
        bounded, long: Rounds where tests run, and at scale 1.
        share: Of the long run's minutes.
        counts: Of all rounds that are done, those of an interrupted run too.
    """

    name: str
    bounded: int
    long: int
    share: float
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def wanted(self) -> int:
        """How many rounds there shall be."""
        return math.ceil(self.long * SCALE) if LONG else self.bounded

    def rounds(self) -> Iterator[Round]:
        """Every round that is not done yet, until the stage's time is over."""
        end = time.monotonic() + self.share * MINUTES * 60
        done = _kept(self.name) if LONG else {}
        for counts in done.values():
            self.counts.update(counts)
        for number in range(self.wanted):
            if number in done:
                continue
            if LONG and time.monotonic() > end:
                say(f"{self.name}: its time is over after {number} of {self.wanted} rounds")
                return
            made = Round(number, f"{SEED}:{self.name}:{number}")
            started = time.monotonic()
            yield made  # what raises there is not written down
            self.counts.update(made.counts)
            if LONG:
                _write(self, made, time.monotonic() - started)


def _kept(stage: str) -> dict[int, dict[str, int]]:
    if not OUT.exists():
        return {}
    lines = map(json.loads, OUT.read_text("utf-8").splitlines())
    return {
        line["round"]: line["counts"]
        for line in lines
        if line["stage"] == stage and line["seed"] == _seed(stage, line["round"])
    }


def _seed(stage: str, number: int) -> str:
    return f"{SEED}:{stage}:{number}"


def _write(stage: Stage, made: Round, seconds: float) -> None:
    OUT.parent.mkdir(parents=True, exist_ok=True)
    row: dict[str, Any] = {
        "stage": stage.name, "round": made.number, "of": stage.wanted, "seed": made.seed,
        "seconds": round(seconds, 2), "counts": dict(sorted(made.counts.items())),
        "measured": made.measured,
    }  # fmt: skip
    with OUT.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    told = ", ".join(f"{name} {count:,}" for name, count in stage.counts.items())
    say(f"{stage.name} {made.number + 1}/{stage.wanted} (seed {made.seed}): {told}")


def say(text: str) -> None:
    """A line of the run's log."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()


def sha256(values: Any) -> str:
    """Of what values look like."""
    return hashlib.sha256(repr(values).encode("utf-8", "surrogatepass")).hexdigest()


def table(file: Path) -> str:
    """The counts of a run by stage, as Markdown."""
    stages: dict[str, Counter[str]] = {}
    rounds: dict[str, tuple[int, int]] = {}
    seconds: Counter[str] = Counter()
    for line in map(json.loads, file.read_text("utf-8").splitlines()):
        name = line["stage"]
        stages.setdefault(name, Counter()).update(line["counts"])
        rounds[name] = rounds.get(name, (0, 0))[0] + 1, line["of"]
        seconds[name] += line["seconds"]
    rows = ["| stage | rounds | s | counted |", "|---|---|---|---|"]
    for name, counts in stages.items():
        done, of = rounds[name]
        rows.append(f"| {name} | {done} of {of} | {seconds[name]:,.0f} | {_told(counts)} |")
    return "\n".join(rows)


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


if __name__ == "__main__":
    sys.stdout.write(table(Path(sys.argv[1]) if len(sys.argv) > 1 else OUT) + "\n")
