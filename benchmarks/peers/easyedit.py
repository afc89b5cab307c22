"""EasyEdit from our side: what its driver is given, and what its raw outcomes come to.

The records, the token ids and the code of the metrics are ours; the editing is EasyEdit's.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.peers.settings import Method
from memedit.core.calls import Row, Score
from memedit.core.errors import InvalidInputError
from memedit.core.files import write_atomically
from memedit.data.cases import EvalCase
from memedit.evaluation.asking.outcomes import probes_of
from memedit.evaluation.measures import probes as measures
from memedit.evaluation.measures.metrics import EDIT
from memedit.evaluation.measures.probes import Answer, Outcome
from memedit.evaluation.schedule import CHECKPOINT

if TYPE_CHECKING:
    from memedit.model.editable import EditableModel

DRIVER = Path(__file__).with_name("easyedit_driver.py")
HOW = (
    "git clone https://github.com/zjunlp/EasyEdit DIR (2026-07: 14cea82), then "
    "benchmarks/peers/install.sh DIR ENV, and give --snapshot DIR --env ENV."
)
Json = dict[str, Any]


def check_snapshot(snapshot: Path | None, env: Path | None) -> tuple[Path, Path]:
    """(the snapshot, the Python of its environment), both there.

    Raises:
        InvalidInputError: one is not; the hint says how to get it.
    """
    if snapshot is None or not (snapshot / "easyeditor" / "models").is_dir():
        where = "No folder was named" if snapshot is None else f"{snapshot} holds no snapshot"
        raise InvalidInputError(f"EasyEdit is not at hand: {where}.", hint=HOW)
    python = None if env is None else env / "bin" / "python"
    if python is None or not python.is_file():
        raise InvalidInputError("There is no environment to run EasyEdit in.", hint=HOW)
    return snapshot.resolve(), python.absolute()  # not resolved: a link, beside its packages


def asks_of(case: EvalCase) -> tuple[list[str], list[tuple[str, str]]]:
    """The prompts to answer freely and the (prompt, target) pairs to score, each once."""
    probes = probes_of([case])
    pairs = [(p.prompt, t) for p in probes for t in (*p.targets[:1], *p.reject[:1])]
    return list(dict.fromkeys(p.prompt for p in probes)), list(dict.fromkeys(pairs))


def describe(model: EditableModel, number: int, case: EvalCase) -> Json:
    """A record as the driver reads it.

    Raises:
        InvalidInputError: it has several edits.
    """
    if len(case.edits) != 1:
        raise InvalidInputError(f"Record {case.case_id} has {len(case.edits)} edits, not one.")
    (edit,), codec = case.edits, model.engine.codec
    prompts, pairs = asks_of(case)

    def ids(pair: tuple[str, str]) -> list[list[int]]:
        row = Row(pair[0], target=pair[1])
        return [part.tolist() for part in codec.with_target(row, prefixed=False)]

    return {
        "case": number, "prompt": edit.prompt, "subject": edit.subject,
        "target_new": str(edit.target_new).strip(),
        "prompts": [codec.prompt(Row(p), prefixed=False).tolist() for p in prompts],
        "pairs": [ids(pair) for pair in pairs],
    }  # fmt: skip


def export_model(model: EditableModel, out: Path) -> Path:
    """The base in float32, and its tokenizer, in a folder that EasyEdit can open."""
    folder = out / "model"
    if not (folder / "config.json").is_file():
        model.base.save_pretrained(folder)
        model.tokenizer.save_pretrained(folder)
    return folder


def export_moments(moments: Mapping[str, torch.Tensor], out: Path) -> str:
    """The second moments by module, as npz; "" for none."""
    if not moments:
        return ""
    file = out / f"moments-{len(moments)}.npz"
    np.savez(file, **{site: each.float().numpy() for site, each in moments.items()})  # type: ignore[arg-type]
    return str(file)


def make_job(
    model: EditableModel,
    method: Method,
    cases: Sequence[EvalCase],
    snapshot: Path,
    out: Path,
    tokens: int,
) -> Json:
    """All that the driver needs to know."""
    from memedit.editors.weights.statistics import AUTO, moments_of

    lm = model.engine
    found = moments_of(lm, method.layers(lm), AUTO)
    moments = {lm.sites.mlp_out(layer): each.matrix for layer, each in found.items()}
    folder = export_model(model, out)
    settings = method.settings(lm) | {
        "alg_name": method.peer, "model_name": "llama", "device": "cpu",
        **({"stats_dir": str(out / "stats")} if moments else {}),
    }  # fmt: skip
    return {
        "snapshot": str(snapshot), "model": str(folder), "method": method.peer,
        "hparams": settings, "padding": method.padding, "tokens": tokens,
        "ends": sorted(model.engine.eos()), "moments": export_moments(moments, out),
        "cases": [describe(model, number, case) for number, case in enumerate(cases)],
    }  # fmt: skip


def run_driver(python: Path, job: Json, file: Path) -> None:
    """Let EasyEdit do what is left of a job; outcomes go to ``file``, what it says to ``.log``.

    Raises:
        InvalidInputError: it failed; the message has its last words.
    """
    described = file.with_suffix(".job.json")
    write_atomically(described, json.dumps(job))
    with file.with_suffix(".log").open("wb") as log:
        command = [str(python), str(DRIVER), str(described), str(file)]
        # In a folder of its own: some of its modules write into the current one.
        ended = subprocess.run(command, cwd=file.parent, stdout=log, stderr=subprocess.STDOUT)
    if ended.returncode:
        last = file.with_suffix(".log").read_text("utf-8", "replace").strip().splitlines()[-3:]
        raise InvalidInputError(
            f"EasyEdit failed: {' / '.join(last)}", hint=f"See {file.with_suffix('.log')}."
        )


def read_outcomes(file: Path) -> list[Json]:
    """The driver's lines, by record; what was cut off by a kill is left out.

    Raises:
        InvalidInputError: a line is something else.
    """
    found: dict[int, Json] = {}
    lines = file.read_text("utf-8").splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            found[int(row["case"])] = {k: row[k] for k in ("case", "seconds", "before", "after")}
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines) and not line.endswith("\n"):
                break
            raise InvalidInputError(
                f"Line {number} of {file} is no outcome ({error!r}).",
                hint="It is what easyedit_driver.py writes; delete it, and it is measured anew.",
            ) from error
    return [found[case] for case in sorted(found)]


def outcomes_of(model: EditableModel, case: EvalCase, raw: Json, tokens: int) -> dict[Any, Outcome]:
    """What the model made of each probe of a record, from the driver's ids and numbers."""
    prompts, pairs = asks_of(case)
    codec, ends = model.engine.codec, model.engine.ends()
    said = {
        prompt: Answer(codec.text(torch.tensor(ids)), len(ids) < tokens or ids[-1] in ends)
        for prompt, ids in zip(prompts, raw["said"], strict=True)
    }
    scored = {
        pair: Score(_target(codec, pair), tuple(logprobs), tuple(greedy))
        for pair, (logprobs, greedy) in zip(pairs, raw["scored"], strict=True)
    }
    return {
        p: Outcome(
            said[p.prompt],
            scored[p.prompt, p.targets[0]] if p.targets else None,
            scored[p.prompt, p.reject[0]] if p.reject else None,
        )
        for p in probes_of([case])
    }


def _target(codec: Any, pair: tuple[str, str]) -> tuple[int, ...]:
    row = Row(pair[0], target=pair[1])
    return tuple(codec.with_target(row, prefixed=False)[1].tolist())


def rows_of(
    model: EditableModel, cases: Sequence[EvalCase], lines: Iterable[Json], tokens: int
) -> list[Json]:
    """Rows of measures, as a run of ours writes them, from the driver's outcomes."""
    rows: list[Json] = []
    for line in lines:
        index, case = line["case"], cases[line["case"]]
        where = {"index": index, "case": case.case_id, "edited": len(cases)}
        took = {"phase": EDIT, "measure": "seconds_per_edit", "value": line["seconds"]}
        rows.append(where | took)
        before, after = (outcomes_of(model, case, line[x], tokens) for x in ("before", "after"))
        for probe, outcome in after.items():
            for name, value in measures.measures(probe, outcome, before[probe]).items():
                row = {"phase": CHECKPOINT, "kind": probe.kind, "measure": name, "value": value}
                rows.append(where | row)
    return rows
