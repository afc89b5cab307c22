"""The options that the measuring commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    str, typer.Option("--data", metavar="FILE", help="Cases; the format is told by the content.")
]
Count = Annotated[
    int | None, typer.Option("--n", min=1, metavar="N", help="How many cases. [default: all]")
]
Protocol = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        help="batch, batch-sequential, instance, sequential or single. "
        "[default: batch; sequential with checkpoints]",
    ),
]
BatchEdits = Annotated[
    int | None,
    typer.Option("--batch-edits", min=1, metavar="N", help="Cases per operation of batch-*."),
]
Checkpoints = Annotated[
    str, typer.Option("--checkpoints", metavar="1,10,...", help="Evaluate after so many cases.")
]
Families = Annotated[
    str, typer.Option("--families", help="Of gen, tf, kl, fluency (slow), which to measure.")
]
Locality = Annotated[
    int, typer.Option("--locality", min=0, metavar="N", help="Locality probes of a kind per case.")
]
Target = Annotated[
    str, typer.Option("--zsre-target", help="zsRE: alt (MEND, EasyEdit) or answers (ROME, MEMIT).")
]
Sources = Annotated[
    str, typer.Option("--sources", metavar="A,B", help="Only records of these sources.")
]
Tokens = Annotated[
    int, typer.Option("--max-new-tokens", min=1, metavar="N", help="Budget of a free answer.")
]
Frame = Annotated[str, typer.Option("--frame", help="How prompts are put: plain, qa or chat.")]
Seed = Annotated[int, typer.Option("--seed", help="Of sampled texts.")]
Recheck = Annotated[
    bool,
    typer.Option("--recheck", help="Ask also where no edit fires, instead of taking the base's."),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        envvar="MEMEDIT_MODEL",
        help="Hub id, folder or GGUF file of the language model. [default: SmolLM2-135M-Instruct]",
    ),
]
EncoderName = Annotated[
    str | None,
    typer.Option("--encoder", metavar="NAME", envvar="MEMEDIT_ENCODER", help="Sentence encoder."),
]
Run = Annotated[
    Path | None,
    typer.Option(
        "--run",
        metavar="DIR",
        help="Keep the run here and go on with it. [default: beside OUT, else the cache]",
    ),
]
Out = Annotated[
    Path | None, typer.Option("--json", metavar="OUT", help="Write the aggregates here.")
]
Html = Annotated[
    Path | None, typer.Option("--html", metavar="OUT", help="Write a page with plots here.")
]
Markdown = Annotated[Path | None, typer.Option("--markdown", metavar="OUT", help="Tables.")]
Csv = Annotated[Path | None, typer.Option("--csv", metavar="OUT", help="Every figure, one a line.")]
Timings = Annotated[
    bool, typer.Option(help="Write seconds too; without them OUT is the same in every run.")
]
Workers = Annotated[
    int, typer.Option("--workers", min=1, metavar="N", help="Editors measured at once.")
]
Ray = Annotated[
    str | None,
    typer.Option("--ray", metavar="ADDRESS", help="Measure on a Ray cluster ('local': start one)."),
]
Editors = Annotated[
    str,
    typer.Option(
        "--editors",
        metavar="A,B",
        help="NAME, NAME@SCOPE, NAME-ungated (the nearest edit always fires), none.",
    ),
]
