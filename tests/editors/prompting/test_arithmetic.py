"""The sums in a thought are right, and right ones stay."""

from __future__ import annotations

import pytest

from memedit.editors.prompting.arithmetic import mend_sums


@pytest.mark.parametrize(("thought", "mended"), [
    ("1979 - 1879 = 90 years. Result: It turned 90 in 1979.",
     "1979 - 1879 = 100 years. Result: It turned 100 in 1979."),
    ("3 x £14 = £40. The 40 seats. Result: £40.", "3 x £14 = £42. The 40 seats. Result: £42."),
    ("27 euros * 5 days = 125 euros", "27 euros * 5 days = 135 euros"),
    ("27 euros per day × 5 days = 125 euros", "27 euros per day × 5 days = 135 euros"),
    ("The total is €74.50 + €36 = €110", "The total is €74.50 + €36 = €110.50"),
    ("1,785 + 1,785 = 3,560 euros", "1,785 + 1,785 = 3,570 euros"),
    ("100 - 20 - 5 = 85", "100 - 20 - 5 = 75"), ("1+1=3", "1+1=2"),
    ("29 days - 20 days = 8 days. Result: 8 days", "29 days - 20 days = 9 days. Result: 9 days"),
])  # fmt: skip
def test_a_wrong_sum_is_mended(thought: str, mended: str) -> None:
    assert mend_sums(thought) == mended


@pytest.mark.parametrize("thought", [
    "3 x £14 = £42. Result: £42.", "10 / 3 = 3.33", "€110.50 = 74.50 + 36", "17:30 - 9:00 = 8",
    "from 2010-2012 = 3", "10 / 0 = 5", "1 - 2", "Between 9 - 17 = open", "4 GB = 4096 MB",
    "Order 12-34 = 5 boxes.", "A = 5", "74.50 + 36 = 110.5",
    # Reckoned otherwise than a plain sum.
    "1 hour - 15 minutes = 45 minutes", "£1 - 20p = 80p", "2 euros + 50 cents = 2.50",
    "45 minutes + 30 minutes = 1.25 hours", "9 am - 5 pm = 8 hours", "22 - 6 = 8 hours",
    "10 March + 30 days = 9 April", "2 million + 500,000 = 2,500,000", "2 dozen + 6 = 30",
    "1/4 x 100 = 25", "10^2 + 5 = 105", "half of 50 + 10 = 35", "1 300 + 200 = 1 500",
    "1.500 + 500 = 2.000 Euro", "1920 x 1080 = 1080p", "7 / 2 = 3 remainder 1",
    "1 + 1 = 3 " + "and so on. " * 100, "2 x 500 g = 1 kg. Result: 1 kg", "5 x 20 cm = 1 metre",
    "24 bottles x 500 ml = 12 litres", "2 weeks + 3 weeks = 35 days", "£100 + €20 = £117",
    "30 days - 9 days = 3 weeks", "12 + 2 weeks = 26 days", "25 / 8 = 4 buses. Result: 4 buses",
    # A part of a longer one.
    "1 + 2 + 3 + 4 + 5 + 6 + 7 = 28. Result: 28", "-5 + 8 = 3. Result: 3",
    "14 euros a day x 3 x 2 = 84. Result: 84", "5 working days x 8 x 2 = 80",
    "£30 deposit fee + 2 x £5 = £40", "30 (base) + 2 x 5 = 40", "(14 x 3) + 5 + 2 = 49",
    "(2 + 3) x 4 + 5 = 25", "20% x 50 + 5 = 15", "250 - (2 x 30) - 10 - 5 = 175",
    "80 US dollars x 2 + 5 + 5 = 170", "3 x 20 + 5 = 60 + 5 = 65. Result: 65",
    "10 + 20 = 2 x 15", "12 × 30 = 350. 350 + 10 = 360. Result: 360.",
    # Spans, and what is short of something.
    "€50 - €65 = €15. Result: You are €15 short.", "Pages 12 - 14 = 3 pages", "12 - 14 = 3",
    "22 - 6 = 8. Result: 8 hours.",
])  # fmt: skip
def test_all_else_stays(thought: str) -> None:
    assert mend_sums(thought) == thought
