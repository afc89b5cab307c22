"""One honest table of all editors, from one manifest, by one command.

    python -m benchmarks.table --data-dir DIR --out OUT

The manifest (``benchmarks/table.json``) names for every method the settings of its paper and ours,
the data, the protocol and how many records; a section is a table. Killed, it goes on with the same
command; run again when it is done, it writes the same bytes. Every cell has its n and its 95%
interval over records: bootstrap, and Wilson's where all records agree. Rows marked with a circle
can say nothing but the object of an edit, or end by construction: their "says only the target" is
no achievement of the method's.

``--section single --n 20`` and ``--method ROME`` measure a part of it; a line of the manifest may
have an ``n`` of its own, or a reason why it is left out (``left``). ``--report`` measures nothing:
it writes the table of what is there. What the published forms need besides is written
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
from scipy.stats import binomtest

from memedit.core.errors import InvalidInputError
from memedit.core.files import write_atomically
from memedit.data.records import read_records
from memedit.data.split import part_of
from memedit.evaluation.measures.rows import read
from memedit.evaluation.measures.summary import Interval, aggregate
from memedit.evaluation.runs.cell import rows_of
from memedit.evaluation.runs.folder import MANIFEST as RUN
from memedit.evaluation.runs.folder import read_manifest as read_run
from memedit.evaluation.runs.jobs import run_job
from memedit.evaluation.runs.part import Job
from memedit.evaluation.runs.specs import NONE, Spec

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
        n: Records, where they are not the section's.
        left: Why it is not run; it then says so in the table.
    """

    method: str
    form: str
    editor: str
    restricted: bool = False
    n: int | None = None
    left: str = ""

    def name(self, out: Path) -> str:
        """The editor as the run knows it."""
        return self.editor.replace("{out}", str(out))


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

    def jobs(
        self, data: Path, out: Path, n: int | None, methods: Sequence[str] = (), **base: Any
    ) -> dict[int, Job]:
        """The section as measurements, one for each number of records: ``{n: job}``."""
        settings = dict(self.settings)
        locality = settings.pop("locality", None)
        chosen = [x for x in self.lines if not x.left and (not methods or x.method in methods)]
        groups: dict[int, list[str]] = {}
        for line in chosen:
            groups.setdefault(self.count(line, n), [NONE]).append(line.name(out))
        return {
            count: Job(
                editors=tuple(editors), data=str(data / self.data), n=count, part=self.part,
                locality=locality, settings=settings, **base,
            )
            for count, editors in groups.items()
        }  # fmt: skip

    def count(self, line: Line, n: int | None) -> int:
        """How many records a row is measured on."""
        return n or line.n or self.n


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
    low, high = value.low, value.high
    if low == high and value.mean in (0.0, 1.0):  # resamples of equal records say nothing
        low, high = binomtest(round(value.mean * value.n), value.n).proportion_ci(method="wilson")
    return f"{100 * value.mean:.1f} [{100 * low:.1f}, {100 * high:.1f}] n={value.n}"


Figures = Mapping[str, Interval]


def collect(section: Section, out: Path, n: int | None) -> dict[tuple[str, int], Figures]:
    """What the section's runs have measured until now: ``{(editor, n): {metric: interval}}``."""
    found: dict[tuple[str, int], Figures] = {}
    for count in dict.fromkeys(section.count(line, n) for line in section.lines):
        folder = out / section.name / str(count)
        if not (folder / RUN).is_file():
            continue
        dataset = read_run(folder)["data"]["format"]
        names = [line.name(out) for line in section.lines if section.count(line, n) == count]
        for name in (NONE, *names):
            file = rows_of(folder, Spec(name, None).slug)
            table = aggregate(read(file), dataset) if file.is_file() else {}
            if table:
                found[name, count] = table[max(table, key=int)]
    return found


def place(section: Section, out: Path, n: int | None) -> str:
    """The options of the command that say where and in what its figures were computed."""
    counts = dict.fromkeys(section.count(line, n) for line in section.lines)
    runs = [out / section.name / str(count) for count in counts]
    known = [read_run(run)["identity"] for run in runs if (run / RUN).is_file()]
    options = {"device": "cpu", "dtype": "float32"}
    return "".join(
        f" --{name} {value}"
        for name, usual in options.items()
        for value in sorted({run.get(name, usual) for run in known} - {usual})
    )


def render(
    section: Section, found: Mapping[tuple[str, int], Figures], out: Path, n: int | None
) -> str:
    """The section in Markdown, with the command of each row's figures."""
    heads = ["method", "form", *(COLUMNS[name] for name in section.columns)]
    rows = [heads, ["---"] * len(heads)]
    counts = sorted({count for name, count in found if name == NONE}, reverse=True)
    bases = [Line("unedited", "", NONE, n=count) for count in counts]
    for line in (*bases, *section.lines):
        count = line.n if line.editor == NONE and line.n else section.count(line, n)
        rows.append(_row(line, found.get((line.name(out), count)), section.columns))
    text = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    settings = ", ".join(f"{k} {v}" for k, v in section.settings.items())
    named = "\n".join(
        f"- {line.method}{f', {line.form}' if line.form else ''}: `{line.editor}`"
        for line in section.lines
    )
    return (
        f"## {section.title}\n\n{section.data}, part {section.part}, {settings}.\n\n"
        f"{text}\n\n`python -m benchmarks.table --section {section.name} --data-dir DIR "
        f"--out OUT{place(section, out, n)}`:\n\n{named}\n"
    )


def _row(line: Line, figures: Figures | None, columns: Sequence[str]) -> list[str]:
    head = [f"{line.method}{f' {RESTRICTED}' if line.restricted else ''}", line.form]
    if figures is None:
        return [*head, f"not run{': ' if line.left else ''}{line.left}", *[""] * (len(columns) - 1)]
    return [*head, *(cell(figures.get(name)) for name in columns)]


def measure(
    sections: Sequence[Section],
    data: Path,
    out: Path,
    n: int | None,
    methods: Sequence[str] = (),
    **base: Any,
) -> None:
    """Measure the sections, or what is left of them.

    Args:
        sections: Which.
        data: Folder of the data sets.
        out: Where runs and tables are kept.
        n: Other than the manifest's numbers of records.
        methods: Only these rows; all by default.
        base: Fields of the job: model, encoder, device, dtype.
    """
    for section in sections:
        for count, job in section.jobs(data, out, n, methods, **base).items():
            run_job(job, out / section.name / str(count))


def main(
    data_dir: Annotated[Path, typer.Option(help="Folder of the data sets.")],
    out: Annotated[Path, typer.Option(help="Where runs and the table are kept.")],
    section: Annotated[list[str] | None, typer.Option(help="Only these. Repeatable.")] = None,
    method: Annotated[list[str] | None, typer.Option(help="Only these. Repeatable.")] = None,
    n: Annotated[int | None, typer.Option(min=1, help="Other than the manifest's.")] = None,
    report: Annotated[
        bool, typer.Option(help="Measure nothing: the table of what is there.")
    ] = False,
    manifest: Annotated[Path, typer.Option(help="What is measured.")] = MANIFEST,
    model: Annotated[str | None, typer.Option(help="Other than the packaged one.")] = None,
    encoder: Annotated[str | None, typer.Option(help="Sentence encoder.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...")] = "cpu",
    dtype: Annotated[str, typer.Option(help="Of the weights.")] = "float32",
) -> None:
    """Measure the table, or what is left of it, and write it to OUT/table.md."""
    chosen = [s for s in read_manifest(manifest) if not section or s.name in section]
    if not chosen:
        raise InvalidInputError(f"The manifest has no section of {section}.")
    known = {line.method for s in chosen for line in s.lines}
    if unknown := sorted(set(method or ()) - known):
        raise InvalidInputError(
            f"No row is called {', '.join(unknown)}.", hint=", ".join(sorted(known))
        )
    out.mkdir(parents=True, exist_ok=True)
    if not report:
        for name, write in (("counterfact_full", write_corpus), ("zsre", write_prompts)):
            if (file := data_dir / f"{name}.jsonl.gz").is_file():
                write(file, out)
        base: dict[str, Any] = {
            "model": model,
            "encoder": encoder,
            "device": device,
            "dtype": dtype,
        }
        measure(chosen, data_dir, out, n, method or (), **base)
    text = "\n".join(render(s, collect(s, out, n), out, n) for s in chosen)
    write_atomically(out / "table.md", text)
    Console().print(f"Written to {out / 'table.md'}.")


if __name__ == "__main__":
    typer.run(main)
