"""One honest table of all editors, from one manifest, by one command.

    python -m benchmarks.table --data-dir DIR --out OUT

The manifest (``benchmarks/table.json``) names for every method the settings of its paper and ours,
the data, the protocol and how many records; a section is a table. Killed, it goes on with the same
command; run again when it is done, it writes the same bytes. Every cell has its n and its 95%
bootstrap interval over records. Rows marked with a circle can say nothing but the object of an
edit, or end by construction: their "says only the target" is no achievement of the method's.

``--section single --n 20`` measures a part of it. What the published forms need besides is written
into OUT: IKE's corpus (CounterFact's records whose subjects no measurement sees) and WISE's prompts
(questions of zsRE's training part). For other models MEMIT and AlphaEdit need second moments first
(``memedit statistics``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from memedit.core.errors import InvalidInputError
from memedit.core.files import write_atomically
from memedit.data.records import read_records
from memedit.data.split import part_of
from memedit.evaluation.measures.summary import Interval
from memedit.evaluation.runs.jobs import run_job
from memedit.evaluation.runs.part import Job

MANIFEST = Path(__file__).with_suffix(".json")
RESTRICTED = "○"
COLUMNS: Mapping[str, str] = {
    "es": "ES", "ps": "PS", "ns": "NS",
    "tf_efficacy": "forced: edit", "tf_generality": "forced: paraphrase",
    "gen_efficacy": "says it: edit", "gen_generality": "says it: paraphrase",
    "gen_efficacy_exact": "says only it: edit", "gen_generality_exact": "says only it: paraphrase",
    "gen_locality": "others word for word",
    "zsre_efficacy": "tokens: edit", "zsre_paraphrase": "tokens: rephrase",
    "tf_locality": "others: argmax kept",
    "multihop_any": "any of 3 holds it", "multihop_any_em": "any of 3 is it",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a section: a method in one form.

    Attributes:
        method, form: As they are printed.
        editor: As ``memedit compare --editors`` takes it; ``{out}`` stands for the folder.
        restricted: Its free answers are kept to the object, or end by construction.
    """

    method: str
    form: str
    editor: str
    restricted: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A table: one data set, one protocol.

    Attributes:
        name, title: For the command and the reader.
        data: File in the data folder.
        n: Records.
        part: Of the split.
        columns: Metrics.
        settings: Of the measurement.
        lines: Its rows.
    """

    name: str
    title: str
    data: str
    n: int
    part: str | None
    columns: tuple[str, ...]
    settings: Mapping[str, Any]
    lines: tuple[Line, ...]

    def job(self, data: Path, out: Path, n: int | None, **base: Any) -> Job:
        """The section as a measurement."""
        settings = dict(self.settings)
        locality = settings.pop("locality", None)
        return Job(
            editors=("none", *(line.editor.replace("{out}", str(out)) for line in self.lines)),
            data=str(data / self.data), n=n or self.n, part=self.part, locality=locality,
            settings=settings, **base,
        )  # fmt: skip


def read_manifest(path: Path = MANIFEST) -> list[Section]:
    """The sections of a manifest; what all share stands in ``defaults``.

    Raises:
        InvalidInputError: a row's editor is named twice in a section, or a column is unknown.
    """
    manifest = json.loads(path.read_text("utf-8"))
    sections = [_section({**manifest["defaults"], **each}) for each in manifest["sections"]]
    for section in sections:
        names = [line.editor for line in section.lines]
        if len(set(names)) < len(names) or not set(section.columns) <= set(COLUMNS):
            raise InvalidInputError(f"Section {section.name} of {path} repeats or misnames a row.")
    return sections


def _section(given: dict[str, Any]) -> Section:
    lines = tuple(Line(**line) for line in given.pop("lines"))
    fields = {k: given.pop(k) for k in ("name", "title", "data", "n", "part", "columns")}
    return Section(**{**fields, "columns": tuple(fields["columns"])}, settings=given, lines=lines)


def write_corpus(data: Path, out: Path) -> Path:
    """IKE's corpus: the records of CounterFact whose subjects belong to training."""
    found = (
        json.dumps(record)
        for record in read_records(data)
        if part_of(record["requested_rewrite"]["subject"]) == "train"
    )
    file = out / "corpus.jsonl"
    write_atomically(file, "\n".join(found) + "\n")
    return file


def write_prompts(data: Path, out: Path) -> Path:
    """WISE's prompts: unrelated questions of zsRE's records that belong to training."""
    found = {
        str(record["loc"]).strip(): None
        for record in read_records(data)
        if part_of(str(record["subject"])) == "train"
    }
    file = out / "prompts.txt"
    write_atomically(file, "\n".join(found) + "\n")
    return file


def cell(value: Interval | None) -> str:
    """``97.5 [93.1, 99.0] n=100``, in percent; a dash where nothing was measured."""
    if value is None:
        return "-"
    low, mean, high = (f"{100 * each:.1f}" for each in (value.low, value.mean, value.high))
    return f"{mean} [{low}, {high}] n={value.n}"


def render(section: Section, tables: Mapping[str, Mapping[str, Any]], out: Path) -> str:
    """The section in Markdown, with the command of each row's figures."""
    heads = ["method", "form", *(COLUMNS[name] for name in section.columns)]
    rows = [heads, ["---"] * len(heads)]
    for line in (Line("unedited", "", "none"), *section.lines):
        table = tables.get(line.editor.replace("{out}", str(out)), {})
        last = table.get(max(table, key=int)) if table else {}
        mark = f" {RESTRICTED}" if line.restricted else ""
        figures = [cell((last or {}).get(name)) for name in section.columns]
        rows.append([f"{line.method}{mark}", line.form, *figures])
    text = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    settings = ", ".join(f"{k} {v}" for k, v in section.settings.items())
    named = "\n".join(
        f"- {line.method}{f', {line.form}' if line.form else ''}: `{line.editor}`"
        for line in section.lines
    )
    return (
        f"## {section.title}\n\n{section.data}, n={section.n}, part {section.part}, {settings}.\n\n"
        f"{text}\n\n`python -m benchmarks.table --section {section.name} --data-dir DIR "
        f"--out OUT`:\n\n{named}\n"
    )


def measure(sections: Sequence[Section], data: Path, out: Path, n: int | None, **base: Any) -> str:
    """Measure the sections, or what is left of them; their tables in Markdown.

    Args:
        sections: Which.
        data: Folder of the data sets.
        out: Where runs and tables are kept.
        n: Other than the manifest's number of records.
        base: Fields of the job: model, encoder.
    """
    tables = []
    for section in sections:
        comparison = run_job(section.job(data, out, n, **base), out / section.name)
        tables.append(render(section, comparison.tables, out))
    return "\n".join(tables)


def main(
    data_dir: Annotated[Path, typer.Option(help="Folder of the data sets.")],
    out: Annotated[Path, typer.Option(help="Where runs and the table are kept.")],
    section: Annotated[list[str] | None, typer.Option(help="Only these. Repeatable.")] = None,
    n: Annotated[int | None, typer.Option(min=1, help="Other than the manifest's.")] = None,
    manifest: Annotated[Path, typer.Option(help="What is measured.")] = MANIFEST,
    model: Annotated[str | None, typer.Option(help="Other than the packaged one.")] = None,
    encoder: Annotated[str | None, typer.Option(help="Sentence encoder.")] = None,
) -> None:
    """Measure the table, or what is left of it, and write it to OUT/table.md."""
    chosen = [s for s in read_manifest(manifest) if not section or s.name in section]
    if not chosen:
        raise InvalidInputError(f"The manifest has no section of {section}.")
    out.mkdir(parents=True, exist_ok=True)
    for name, write in (("counterfact_full", write_corpus), ("zsre", write_prompts)):
        if (file := data_dir / f"{name}.jsonl.gz").is_file():
            write(file, out)
    text = measure(chosen, data_dir, out, n, model=model, encoder=encoder)
    write_atomically(out / "table.md", text)
    Console().print(f"Written to {out / 'table.md'}.")


if __name__ == "__main__":
    typer.run(main)
