"""What changed, word by word."""

from __future__ import annotations

from memedit.cli.wording import rewordings, words_changed


def test_the_changed_word_is_marked() -> None:
    told = words_changed("Staff have 28 days, in full.", "Staff have 30 days.").plain
    assert told == "Staff have [-28-]{+30+} days[-, in full-]."
    assert words_changed("same", "same").plain == "same"
    assert words_changed("", "new").plain == "{+new+}"


def test_only_texts_alike_that_stand_near_are_put_together() -> None:
    old = [(0, "Staff have 28 days of leave."), (1, "Notice is given by mail.")]
    new = [(2, "Staff have 30 days of leave."), (3, "Ties are worn on Monday.")]
    assert rewordings(old, new) == {2: 0}
    assert rewordings(old, [(40, "Staff have 30 days of leave.")]) == {}
    twice = [(2, "Staff have 30 days of leave."), (3, "Staff have 31 days of leave.")]
    assert rewordings(old[:1], twice) == {2: 0}  # one text becomes one other
