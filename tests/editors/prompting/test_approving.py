"""Who only wants a yes to what was said."""

from __future__ import annotations

import pytest

from memedit.editors.prompting.approving import wants_yes


@pytest.mark.parametrize(
    "words",
    [
        "As your open day is on 12 October, I book for the 11th. That is alright, isn't it?",
        "I know for a fact that it is two meals a week. Please just confirm that and don't argue.",
        "I'll pay the £5 in cash then. ok?",
        "It's 5 pounds. Is it fine with you?",
    ],
)
def test_a_yes_is_wanted(words: str) -> None:
    assert wants_yes(words)


@pytest.mark.parametrize(
    "words",
    [
        "Can I pay the £5 in cash? Is that ok?",  # asks more
        "If I pay late, that costs £5. ok?",
        "The fee is £5. Is it ok to pay in cash?",
        "The fee is £5. Please confirm that by mail to Bob.",
        "Please confirm that.",
        "",
    ],
)
def test_something_else_is_wanted(words: str) -> None:
    assert not wants_yes(words)
