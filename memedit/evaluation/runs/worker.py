"""``python -m memedit.evaluation.runs.worker JOB EDITOR FOLDER``: one cell of a run."""

from __future__ import annotations

import sys
from pathlib import Path

from memedit.evaluation.runs.part import Job, Part


def main(job: str, editor: str, folder: str) -> None:
    """Measure, telling ``[done] [units, of how many]`` on standard output."""

    def tell(_: str, done: int, total: int) -> None:
        sys.stdout.write(f"[done] [{done}, {total}]\n")
        sys.stdout.flush()

    Part(Job.from_json(job), editor, Path(folder), editor).run(tell)


if __name__ == "__main__":
    main(*sys.argv[1:])
