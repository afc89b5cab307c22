"""What changed, word by word."""

from __future__ import annotations

from memedit.cli.wording import counted, mark_changes, pair_rewordings


def test_the_changed_word_is_marked() -> None:
    told = mark_changes("Staff have 28 days, in full.", "Staff have 30 days.").plain
    assert told == "Staff have [-28-]{+30+} days[-, in full-]."
    assert mark_changes("same", "same").plain == "same"
    assert mark_changes("", "new").plain == "{+new+}"


def test_only_texts_alike_that_stand_near_are_put_together() -> None:
    old = [(0, "Staff have 28 days of leave."), (1, "Notice is given by mail.")]
    new = [(2, "Staff have 30 days of leave."), (3, "Ties are worn on Monday.")]
    assert pair_rewordings(old, new) == {2: 0}
    assert pair_rewordings(old, [(40, "Staff have 30 days of leave.")]) == {}
    twice = [(2, "Staff have 30 days of leave."), (3, "Staff have 31 days of leave.")]
    assert pair_rewordings(old[:1], twice) == {2: 0}  # one text becomes one other


def test_how_many_there_are() -> None:
    assert [counted(n, "edit") for n in (0, 1, 1024)] == ["0 edits", "1 edit", "1,024 edits"]
