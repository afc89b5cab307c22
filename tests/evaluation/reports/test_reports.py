"""Tables, plots and the page: what they say, and that they stand alone."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from memedit.core.errors import InvalidInputError
from memedit.evaluation.measures.rows import Row
from memedit.evaluation.measures.summary import Interval
from memedit.evaluation.reports import plots, tables
from memedit.evaluation.reports.joining import join
from memedit.evaluation.reports.page import figures, page, pictures, worst
from memedit.evaluation.runs.compare import Comparison, compare
from tests.evaluation.helpers import record, small_model, write

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folder = tmp_path_factory.mktemp("report")
    data = write(folder / "cases.jsonl", [record(i) for i in range(4)])
    options: dict[str, Any] = {"protocol": "sequential", "checkpoints": [2], "tokens": 3}
    return compare(
        small_model(),
        ["ike@mention", "ike-ungated", "none"],
        data,
        folder=folder / "run",
        **options,
    )


def make_slim(comparison: Comparison, name: str) -> Comparison:
    """One editor, called so, with one metric: a page of few plots."""
    table = comparison.tables["ike@mention"]
    last = max(table, key=int)
    slim = {last: {"gen_efficacy": table[last]["gen_efficacy"]}}
    return Comparison({name: slim}, comparison.manifest)


def test_numbers_are_shown_in_their_unit() -> None:
    assert (
        tables.format_interval("gen_efficacy", Interval(0.9, 0.85, 0.95, 10)) == "90.0 [85.0, 95.0]"
    )
    assert tables.format_interval("kl_locality", Interval(1.5, 1, 2, 10)) == "1.5 [1, 2]"
    assert tables.format_interval("s", None) == ""
    assert [tables.unit(n) for n in ("s", "kl_locality", "seconds_per_edit")] == ["%", "nats", "s"]


@pytest.mark.slow
def test_the_terminal_shows_every_editor_at_every_checkpoint(comparison: Comparison) -> None:
    console = Console(width=160, file=io.StringIO(), force_terminal=False)
    for table in tables.rich_tables(comparison):
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    told = console.file.getvalue()
    assert "2 cases edited" in told and "4 cases edited" in told
    assert re.search(r"gen_locality \(%\) +100\.0 \[100\.0, 100\.0\]", told)


def test_a_narrow_terminal_breaks_no_name_and_no_figure(comparison: Comparison) -> None:
    console = Console(width=80, file=io.StringIO(), force_terminal=False)
    for table in tables.rich_tables(comparison, console.width):
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    told = console.file.getvalue()
    assert re.search(r"gen_generality_exact +\d+\.\d +\d+\.\d", told)
    assert re.search(r"\n \(%\) +\[\d+\.\d, \d+\.\d\] +\[\d+\.\d, \d+\.\d\]", told)
    assert max(map(len, told.splitlines())) <= 80


def test_editors_that_have_no_place_beside_the_others_stand_below(comparison: Comparison) -> None:
    """What does not fit a line would be cut off, figures and all."""
    names = ["ike", "rome(layer=5, variant=original)-ungated", "note", "rag", "memit", "none"]
    table = comparison.tables["ike@mention"]
    several = Comparison(dict.fromkeys(names, table), comparison.manifest)

    def show(width: int) -> str:
        console = Console(width=width, file=io.StringIO(), force_terminal=False)
        for each in tables.rich_tables(several, width):
            console.print(each)
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue()

    narrow, wide = show(80), show(400)
    assert max(map(len, narrow.splitlines())) <= 80
    intervals = [sorted(re.findall(r"\[\S+, \S+\]", told)) for told in (narrow, wide)]
    assert intervals[0] == intervals[1] and len(intervals[0]) > len(names)


def test_markdown_has_a_table_per_checkpoint_and_its_provenance(comparison: Comparison) -> None:
    text = tables.markdown(comparison)
    assert text.count("| metric | ike@mention | ike-ungated | none |") == 2
    assert "4 cases used of all asked; left out: none" in text


def test_csv_has_every_figure(comparison: Comparison) -> None:
    rows = list(csv.DictReader(io.StringIO(tables.as_csv(comparison))))
    found = next(r for r in rows if r["editor"] == "ike@mention" and r["metric"] == "es")
    assert float(found["mean"]) == comparison.tables["ike@mention"][found["checkpoint"]]["es"].mean
    count = sum(len(m) for t in comparison.tables.values() for m in t.values())
    assert len(rows) == count


@pytest.mark.slow
def test_the_page_stands_alone_and_takes_its_colours_from_the_theme(
    comparison: Comparison,
) -> None:
    text = page(comparison)
    assert text.count("<svg") == 2 * 6  # four families, curves, seconds; for telephones, too
    assert text.count("class='narrow'") == 6
    wide, slim = (
        set(
            re.findall(
                r'<clipPath id="(\w+)"',
                "".join(re.findall(f"class='{kind}'>(.*?)</div>", text, re.S)),
            )
        )
        for kind in ("wide plot", "narrow")
    )
    assert wide and slim and not wide & slim  # a reference finds what stands beside it
    said = re.findall(r"<p class='summary'>(.*?)</p>", text)
    assert len(said) == len(comparison.tables) and said[-1].startswith("The unedited model: ")
    assert re.fullmatch(r"ike@mention, \d+ cases edited: answers edited .* \d+%\.", said[0])
    assert not re.search(r"(src|href)\s*=\s*['\"]?http", text.replace("xlink:href", ""))
    for family in ("Free generation", "Teacher forcing", "Comparison of probabilities", "Scope"):
        assert f"<h3>{family}</h3>" in text  # what does not compare does not share a plot
    assert "prefers-color-scheme: dark" in text and "@media print" in text
    drawn = text[text.index("<svg") :]
    assert plots.INK not in drawn and plots.GRID not in drawn
    for name, colour in (("series-0", plots.COLOURS[0]), ("ink", "currentColor")):
        assert f"var(--{name}, {colour})" in drawn
    assert "Worst cases" in text and "The capital of Isle0 is" in text
    for figure in figures(comparison):  # drawn once more, each is the same
        assert figure.svg.partition("<svg")[2] in text


@pytest.mark.slow
def test_pictures_stand_alone(comparison: Comparison) -> None:
    found = pictures(comparison)
    assert len(found) == 6 and {"curves", "seconds", "scores-free-generation"} <= set(found)
    for svg in found.values():
        ElementTree.fromstring(svg)
        used = set(re.findall(r"var\((--[a-z0-9-]+)", svg))
        assert used and all(f"{name}:" in svg for name in used)


@pytest.mark.slow
def test_runs_are_reported_side_by_side(comparison: Comparison, tmp_path: Path) -> None:
    """The editor of both keeps its name once; each has its own rows."""
    data = write(tmp_path / "cases.jsonl", [record(i) for i in range(4)])
    options: dict[str, Any] = {"protocol": "batch", "folder": tmp_path / "other", "tokens": 3}
    other = compare(small_model(), ["ike@everything", "none"], data, **options)
    both = join([comparison, other])
    added = ["ike@everything", "none (other)"]
    assert list(both.tables) == [*comparison.tables, *added]
    assert both.tables["none (other)"] == other.tables["none"]
    assert list(both.rows("none (other)")) == list(other.rows("none"))
    assert tables.provenance(both).splitlines() == [
        f"{', '.join(run.tables)}: {tables.provenance(run).strip()}" for run in (comparison, other)
    ]
    text = page(both)
    assert "sequential and batch: 4 cases" in text
    listed = re.findall(r"<h3>(.*?)</h3>", text.split("<h2>Worst cases</h2>")[1])
    assert set(listed) >= {"ike-ungated", "ike@everything"} and not any("none" in n for n in listed)
    assert join([comparison]) is comparison
    foreign = replace(other, manifest={**other.manifest, "identity": {"model": "another"}})
    with pytest.raises(InvalidInputError, match="differ in their model"):
        join([comparison, foreign])


def test_the_page_shows_downstream_bars(comparison: Comparison) -> None:
    value = {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 20}
    results = {when: {"sst2": {"acc": value}} for when in ("before", "after")}
    text = page(make_slim(comparison, "ike@mention"), results)
    assert "Downstream tasks" in text and ">sst2<" in text


def test_texts_are_escaped(comparison: Comparison) -> None:
    text = page(make_slim(comparison, "<b>ike</b>"))
    assert "<b>ike</b>" not in text.split("<svg")[0] and "&lt;b&gt;ike" in text


def test_worst_cases_are_failures_at_the_last_checkpoint() -> None:
    def row(kind: str, measure: str, value: float, edited: int, text: str) -> Row:
        return {"phase": "checkpoint", "kind": kind, "measure": measure, "value": value,
                "edited": edited, "text": text, "prompt": "p", "target": "t"}  # fmt: skip

    rows = [
        row("efficacy", "gen_contains", 0, 1, "early"),
        row("neighbourhood", "gen_same", 0, 2, "changed"),
        row("efficacy", "gen_contains", 1, 2, "right"),
        row("neighbourhood", "gen_contains", 0, 2, "not a fault of the edit"),
        *(row("efficacy", "gen_contains", 0, 2, f"wrong {i}") for i in range(3)),
    ]
    assert [r["text"] for r in worst(rows, 2)] == ["wrong 0", "wrong 1", "changed"]


def test_labels_of_near_points_do_not_touch() -> None:
    assert plots._space_labels([1, 10, 50, 100, 200, 300]) == ["1", "10", "50", "100", "", "300"]


def test_plots_are_the_same_every_time(tmp_path: Path) -> None:
    made = {"a": {"x": Interval(0.5, 0.4, 0.6, 9)}, "b": {"x": Interval(0.2, 0.1, 0.3, 9)}}
    assert plots.bars(made, "%", scale=100) == plots.bars(made, "%", scale=100)
    assert plots.dots(made, ["x"]).startswith("<svg")
