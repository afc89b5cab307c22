"""Days that an edit's own words name."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from memedit.core.days import find_named_days
from memedit.core.times import find_near_time
from memedit.core.types import Edit, Record
from memedit.model.spans import find_spans


@pytest.mark.parametrize("text", [
    "Closed from Christmas 9999 to between Christmas and New Year 9999.",
    "We are closed on 3 Aprıl, and on Monday in May.",
])  # fmt: skip
def test_no_edit_makes_every_question_fail(text: str) -> None:
    assert find_spans([Record(Edit.from_statement(text), 1, 1)]) == ()


def test_no_day_of_a_question_fails() -> None:
    now = datetime(2026, 11, 29, tzinfo=timezone.utc)
    for text in ("Are you open on Frıday?", "Are you open on 3 Aprıl?"):
        assert find_named_days(text, now, timezone.utc) is None, text
        assert find_near_time(text, now, timezone.utc) is None, text
