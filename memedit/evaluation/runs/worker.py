"""``python -m memedit.evaluation.runs.worker PLACE JOB EDITOR FOLDER``: one cell of a run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from memedit.evaluation.runs.part import Job, Part


def main(place: str, job: str, editor: str, folder: str) -> None:
    """Measure, telling ``[done] [units, of how many]`` on standard output.

    Args:
        place: From where relative paths lead. Python looks for modules where it began, not there.
        job, editor, folder: Of the :class:`~memedit.evaluation.runs.part.Part`.
    """
    os.chdir(place)

    def tell(_: str, done: int, total: int) -> None:
        sys.stdout.write(f"[done] [{done}, {total}]\n")
        sys.stdout.flush()

    Part(Job.from_json(job), editor, Path(folder), editor).run(tell)


if __name__ == "__main__":
    main(*sys.argv[1:])
