"""Measurements that are kept, and the site's page of them."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.record import RESULTS, TOPICS, _plain, entry, figures_of, figures_of_run
from memedit.core.errors import InvalidInputError

ROOT = Path(__file__).resolve().parents[1]


def pages() -> Any:
    """``docs/site/measurements.py``, which is no part of a package."""
    file = ROOT / "docs/site/measurements.py"
    spec = importlib.util.spec_from_file_location("measurements", file)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.parent))  # as hooks.py does
    try:
        spec.loader.exec_module(made)
    finally:
        sys.path.remove(str(file.parent))
    return made


def test_every_measurement_that_is_kept_says_what_it_rests_on() -> None:
    files = sorted(RESULTS.glob("*.json"))
    assert files
    for file in files:
        kept = json.loads(file.read_text("utf-8"))
        assert kept["topic"] in TOPICS and kept["topic"] in pages().TITLES
        assert all(kept[name] for name in ("title", "command", "model", "code", "date"))
        assert "/root" not in kept["command"] and "/work" not in kept["command"]
        for figure in kept["figures"]:
            assert figure["n"] > 0
            if figure["low"] is not None:
                assert figure["low"] <= figure["value"] + 1e-3
                assert figure["value"] <= figure["high"] + 1e-3


def test_figures_are_found_wherever_they_stand() -> None:
    found = list(figures_of({
        "part": "all",
        "kept": {"n": 50, "share": 1.0, "interval": [0.93, 1.0]},
        "by kind": {"yes": {"n": 4, "fires": 0.5, "right": 0.25}},
        "key": {"seed": 0},
    }))  # fmt: skip
    assert [each["name"] for each in found] == [
        "kept",
        "by kind, yes, fires",
        "by kind, yes, right",
    ]
    assert (found[0]["low"], found[0]["n"]) == (0.93, 50)
    assert 0 < found[2]["low"] < 0.25 < found[2]["high"] < 1
    value = {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 20}
    (one,) = figures_of_run({"ike": {"20": {"gen_efficacy": value, "unheard_of": value}}})
    assert one["name"] == "ike, 20 edits: gen_efficacy" and one["unit"] == "%"


def test_a_measurement_that_says_too_little_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(
        '{"kept": {"n": 50, "share": 1.0}, "manifest": {"date": "2026-11-28T10:00:00"}}'
    )
    with pytest.raises(InvalidInputError, match="nobody says its command"):
        entry(file, {"model": "m"})
    made = entry(file, {"model": "m", "command": "c"})
    assert made["date"] == "2026-11-28T10:00"
    file.write_text('{"kept": 1.0}')
    with pytest.raises(InvalidInputError, match="no figures"):
        entry(file, {"model": "m", "command": "c"})


def test_the_page_shows_the_newest_beside_the_one_before(tmp_path: Path) -> None:
    for day, share in (("2026-11-01T00:00", 0.5), ("2026-11-02T00:00", 0.75)):
        figure = {"name": "a|b", "value": share, "low": 0.25, "high": 0.9, "n": 1000, "unit": "%"}
        kept = {
            "topic": "zsre",
            "title": "T",
            "command": "c",
            "model": "m",
            "code": "1",
            "date": day,
        }
        (tmp_path / f"{day}.json".replace(":", "")).write_text(
            json.dumps(kept | {"figures": [figure]})
        )
    text = pages().page(tmp_path)
    assert "| a\\|b | 75.0% | 25.0–90.0 | 1,000 | 50.0% |" in text
    assert "before (2026-11-01)" in text and '??? note "As of 2026-11-01"' in text
    assert text.count("## zsRE") == 1 and "## Scale" not in text


def test_what_has_several_shares_is_drawn_from_what_is_kept(tmp_path: Path) -> None:
    """The page had tables alone, and no picture that was made from a measurement."""
    text, drawn = pages().page(RESULTS), pages().pictures(RESULTS)
    assert len(drawn) >= 20
    for name, svg in drawn.items():
        assert text.count(f"]({name})") == 1 and len(ElementTree.fromstring(svg)) > 12
    assert "](pictures/scale.svg)" in text and (ROOT / "docs/pictures/scale.svg").is_file()
    low = {"low": 0.25, "high": 0.9, "n": 1000, "unit": "%"}
    told = {"topic": "zsre", "title": "T [x]", "command": "c", "model": "m", "code": "1"}
    for day, share in (("2026-11-01", 0.0), ("2026-11-02", 1.0)):
        figures = [{"name": name, "value": share} | low for name in ("a<b", "other")]
        kept = told | {"date": f"{day}T00:00", "figures": figures}
        (tmp_path / f"{day}.json").write_text(json.dumps(kept))
    (svg,) = pages().pictures(tmp_path).values()
    circles = ElementTree.fromstring(svg).findall("{*}circle")
    assert [c.get("fill") == "none" for c in circles] == [True, False] * 2  # the ring is older
    assert float(circles[1].get("cx", 0)) - float(circles[0].get("cx", 0)) == 380
    assert "a&lt;b" in svg and "![T (x): shares" in pages().page(tmp_path)


def test_the_page_has_every_topic_but_cost_and_large_figures_in_full() -> None:
    text = pages().page(RESULTS)
    without = {name for name, title in pages().TITLES.items() if f"## {title}\n" not in text}
    assert without <= {"cost"}  # docs/performance.md has it
    assert "| 100,000 edits: the first add after opening | 1,045 ms |" in text and "e+0" not in text


def test_a_command_by_its_words_is_one_line() -> None:
    words = ["/home/me/benchmarks/everyday.py", "--data", "", "--model", "/models/m.gguf"]
    assert (
        _plain(words)
        == "benchmarks/everyday.py --data '' --model m.gguf"
        == _plain(" ".join(words).replace("  ", " '' "))
    )
