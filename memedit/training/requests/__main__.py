"""``python -m memedit.training.requests DATA OUT``: write the examples, and how many there are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import typer

from memedit.training.requests.build import write


def main(data: Path, out: Path, seed: int = 0) -> None:
    """Write the examples made of the folder DATA to OUT (.jsonl.gz)."""
    count = write(data, out, seed, lambda text: typer.echo(text, err=True))
    for at, name in ((0, "set"), (1, "kind"), (2, "role"), (3, "split")):
        total: Counter[str] = Counter()
        for key, value in count.items():
            total[key[at]] += value
        typer.echo(f"{name}: {dict(total.most_common())}")
    typer.echo(f"all: {sum(count.values())}")


if __name__ == "__main__":
    typer.run(main)
