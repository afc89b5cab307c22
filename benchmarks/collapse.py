"""What is left of a model: perplexity of ordinary sentences after 1, 10, 50 ... sequential edits.

Perplexity tells a collapse that no comparison of two probabilities shows (Yang et al. 2024, arXiv
2402.09656). A run of ``memedit compare --protocol sequential`` keeps its memory, and with it the
edited model at every checkpoint: nothing is edited again.

``python -m benchmarks.collapse RUN ... --texts me_ppl_1k.jsonl.gz --json OUT --svg OUT``
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console

from memedit import EditableModel
from memedit.data.texts import sentences
from memedit.engine.engine import Engine
from memedit.engine.tokens import pad_right
from memedit.evaluation.measures.summary import Interval, Table, bootstrap
from memedit.evaluation.reports.page import make_standalone
from memedit.evaluation.reports.plots import curves
from memedit.evaluation.reports.tables import points_of
from memedit.evaluation.runs.cell import rows_of
from memedit.evaluation.runs.compare import Comparison, load
from memedit.evaluation.runs.specs import NONE, Spec, parse

METRIC = "text_nll"
_ROWS = 16


def nll(lm: Engine, texts: Sequence[str]) -> Any:
    """[n, 2] per text: its negative log-likelihood (nats) after its first token, its tokens."""
    rows = sorted((lm.codec.ids(text, special=True) for text in texts), key=len)
    found = []
    for start in range(0, len(rows), _ROWS):
        ids, mask = pad_right(rows[start : start + _ROWS], lm.codec.pad)
        with torch.no_grad():
            logits = lm.base(input_ids=ids.to(lm.device), attention_mask=mask.to(lm.device)).logits
        logs = logits[:, :-1].float().log_softmax(-1).cpu()
        each = -logs.gather(-1, ids[:, 1:, None])[..., 0] * mask[:, 1:]
        found += list(zip(each.sum(1).tolist(), mask[:, 1:].sum(1).tolist(), strict=True))
    return np.array(found)


def interval(values: Any) -> Interval:
    """Nats a token, with its 95% bootstrap interval over texts."""
    means = [float(v[:, 0].sum() / v[:, 1].sum()) for v in bootstrap(values, METRIC)]
    low, high = np.percentile(means, [2.5, 97.5])
    mean = float(values[:, 0].sum() / values[:, 1].sum())
    return Interval(mean, float(low), float(high), len(values))


def measured(model: EditableModel, run: Comparison, texts: Sequence[str]) -> Iterator[Any]:
    """(editor, checkpoint, interval) of every checkpoint of a run."""
    assert run.folder is not None
    if run.manifest["identity"]["model"] != model.engine.fingerprint:
        raise typer.BadParameter(f"{run.folder} is a run on another model: give --model.")
    for editor in run.tables:
        if editor != NONE:
            folder = rows_of(run.folder, Spec(editor, None).slug).with_suffix("") / "memory"
            if not folder.is_dir():
                raise typer.BadParameter(f"{run.folder} keeps no memory: sequential runs do.")
            edited = parse(editor).build(model, folder)
            records = sorted(edited.memory.records(), key=lambda record: record.sequence)
            for point in points_of({editor: run.tables[editor]}):
                with edited.at(records[int(point) - 1].version):
                    yield editor, point, interval(nll(edited.view(), texts))
            edited.memory.close()


def main(
    runs: Annotated[list[Path], typer.Argument(help="Folders of sequential runs.")],
    texts: Annotated[list[Path], typer.Option(help="Ordinary text. Repeatable.")],
    count: Annotated[int, typer.Option(min=2, help="Sentences.")] = 300,
    model: Annotated[str | None, typer.Option(help="The base the runs were made with.")] = None,
    svg: Annotated[Path | None, typer.Option(help="Draw the curves here.")] = None,
    out: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Perplexity of sentences at every checkpoint of sequential runs."""
    tell = Console(highlight=False).print
    base = EditableModel.from_pretrained(model)
    chosen = sentences(texts, each=1)[:count]
    before = interval(nll(base.engine, chosen))
    tell(f"unedited: perplexity {np.exp(before.mean):.1f} ({len(chosen)} sentences)")
    tables: dict[str, Table] = {}
    for run in map(load, runs):
        for editor, point, value in measured(base, run, chosen):
            tables.setdefault(editor, {})[point] = {METRIC: value}
            tell(f"{editor}, {point} edits: perplexity {np.exp(value.mean):.4g}")
    if out is not None:
        plain = {e: {p: v[METRIC].to_dict() for p, v in t.items()} for e, t in tables.items()}
        text = json.dumps({"unedited": before.to_dict(), "unit": "nats a token", **plain}, indent=1)
        out.write_text(text + "\n", "utf-8")
    if svg is not None:
        svg.write_text(make_standalone(curves(tables, [METRIC])), "utf-8")


if __name__ == "__main__":
    typer.run(main)
