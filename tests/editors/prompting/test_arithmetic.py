"""The sums in a thought are right."""

from __future__ import annotations

import pytest

from memedit.editors.prompting.arithmetic import mend_sums


@pytest.mark.parametrize(("thought", "mended"), [
    ("1979 - 1879 = 90 years. Result: It turned 90 in 1979.",
     "1979 - 1879 = 100 years. Result: It turned 100 in 1979."),
    ("3 x £14 = £40, so £40.", "3 x £14 = £42, so £42."),
    ("27 euros * 5 days = 125 euros", "27 euros * 5 days = 135 euros"),
    ("27 euros per day × 5 days = 125 euros", "27 euros per day × 5 days = 135 euros"),
    ("€74.50 + €36 = €110", "€74.50 + €36 = €110.50"),
    ("1,785 + 1,785 = 3,560 euros", "1,785 + 1,785 = 3,570 euros"),
    ("2 * 4 + 3 = 14", "2 * 4 + 3 = 11"),
    ("100 - 20 - 5 = 85", "100 - 20 - 5 = 75"),
    ("12 - 14 = 2", "12 - 14 = -2"),
    ("1+1=3", "1+1=2"),
    ("10 / 4 = 2", "10 / 4 = 2.50"),
])  # fmt: skip
def test_a_wrong_sum_is_mended(thought: str, mended: str) -> None:
    assert mend_sums(thought) == mended


@pytest.mark.parametrize("thought", [
    "3 x £14 = £42. Result: £42.", "10 / 3 = 3.33", "€110.50 = 74.50 + 36",
    "It is 17:30 - 9:00 = 8",
    "from 2010-2012 = 3", "10 / 0 = 5", "1 - 2", "Between 9 - 17 = open", "4 GB = 4096 MB",
    "Order 12-34 = 5 boxes.", "A = 5", "74.50 + 36 = 110.5",
])  # fmt: skip
def test_all_else_stays(thought: str) -> None:
    assert mend_sums(thought) == thought
