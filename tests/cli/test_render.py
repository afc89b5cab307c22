"""What people see of an explanation, and of a fact that says its last day."""

from datetime import datetime, timezone

import pytest

from memedit.cli import render
from memedit.cli.using import _tell_uses
from memedit.core.days import find_last_day
from memedit.core.types import Decision, Edit, Hit, Record
from memedit.memory.reports import Receipt
from memedit.memory.using import EditUse
from memedit.model.explanation import Explanation


def record(statement: str, until: datetime | None = None) -> Record:
    return Record(Edit(statement, None), sequence=1, version=1, valid_until=until)


def explanation() -> Explanation:
    """Of a question that asks for no edit, and whose answer depends on one."""
    days = record("Employees have 28 days of paid holiday a year, whatever their hours are.")
    hit = Hit(days, 0.641, "", score=0.017, bearing=0.925, role="informs")
    decision = Decision((), 0.017, 0.3, (hit,), informs=(hit,), informing_threshold=0.2)
    return Explanation("25 days, right?", "No, 28.", "Yes.", decision, "note", 1)


@pytest.fixture
def eighty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_what_the_answer_depends_on_applies(
    eighty: None, capsys: pytest.CaptureFixture[str]
) -> None:
    render.explanation(explanation())
    text = capsys.readouterr().out
    assert "no edit is asked for" in text
    assert "no edit applies" not in text
    assert "depends on" in text


def test_no_number_is_cut_in_eighty_columns(
    eighty: None, capsys: pytest.CaptureFixture[str]
) -> None:
    render.explanation(explanation())
    line = next(line for line in capsys.readouterr().out.splitlines() if "~" in line)
    assert [float(word) for word in line.split()[-3:]] == [0.017, 0.925, 0.641]


def test_a_last_day_without_a_date_is_told() -> None:
    offer = "Until Sunday, all helmets are 20 percent off."
    assert Receipt("a", "added", 1, record(offer)).open_end == "Until Sunday"
    dated = record(offer, datetime(2027, 1, 1, tzinfo=timezone.utc))
    assert Receipt("a", "added", 1, dated).open_end == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The helmets offer ends on Saturday.", "ends on Saturday"),
        ("The ramp is closed until 3 May 2027.", "until 3 May 2027"),
        ("The offer runs until the end of May.", "until the end of May"),
        ("The voucher is valid through Easter.", "through Easter"),
        ("We are open from Monday until Friday.", ""),
        ("Monday till Friday you can reach us.", ""),
        ("Every parcel is kept until Friday.", ""),
        ("The shop is open until 18:00 on weekdays.", ""),
        ("Orders may be placed until 3 pm.", ""),
        ("The road ends at Sunday Street.", ""),
    ],
)
def test_a_last_day_is_found(text: str, words: str) -> None:
    assert find_last_day(text) == words


def test_a_passage_is_one_line_in_a_review(capsys: pytest.CaptureFixture[str]) -> None:
    use = EditUse(record("Returns › Repairs:\nTen days."), datetime.now(timezone.utc))
    _tell_uses([use], [], [use], 180, 20)
    assert "Returns › Repairs: Ten days." in capsys.readouterr().out
