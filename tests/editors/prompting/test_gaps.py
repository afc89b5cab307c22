"""How long it is between the two moments that a request names."""

from __future__ import annotations

import pytest

from memedit.editors.prompting.gaps import find_gap


@pytest.mark.parametrize(("words", "fact", "gap"), [
    ("The permit was signed at 7 o'clock this morning. It's now 14:00. Still good?",
     "The permit is valid for six hours.", "420 minutes"),
    ("Our film is at 8 pm and it's 5.45 pm now. Still in time?",
     "Tickets are refunded up to two hours before the start.",
     "135 minutes"),
    ("Now it's 10 July, and it was deleted on 3 June. Gone?", "It is kept for 45 days.",
     "37 days"),
    ("Bought on 3 May 2026, today is 1 June. Too late?", "Returns are taken for four weeks.",
     "29 days"),
    ("Bought on 20 December 2025, today is 4 January 2026. Too late?", "within 14 days",
     "15 days"),
])  # fmt: skip
def test_a_gap_is_counted(words: str, fact: str, gap: str) -> None:
    assert str(find_gap(words, fact)) == gap


@pytest.mark.parametrize(("words", "fact"), [
    ("Bought on 20 December, today is 4 January.", "within 14 days"),  # of which years?
    ("I bought it on 10 December, and now it's 2 October.", "within 14 days"),
    ("From 20 February to 3 March?", "within 14 days"),  # the 29th of February
    ("From 30 February to 3 March?", "within 14 days"),
    ("I bought it on 3 May. Too late?", "within 14 days"),
    ("On 3 May, 4 May and 5 May?", "within 14 days"),
    ("Bought on 3 May, today is 9 May.", "It closes two hours before the show."),  # other units
    ("Dinner was at 8 pm the evening before, my test is at 9 am.", "Fast for 10 hours."),
    ("On Monday at 10:00, on Tuesday at 11:00?", "up to 20 hours before"),
    ("It's 8:15 and the film is at 9 pm.", "up to two hours before"),  # in the evening?
    ("Signed at 7:00, now it's 14:00.", "Permits are signed by the shift lead."),
    ("Bought on 3 May, today is 9 May. " + "x" * 1_300, "within 14 days"),
])  # fmt: skip
def test_a_gap_that_nobody_knows_is_not_counted(words: str, fact: str) -> None:
    assert find_gap(words, fact) is None
