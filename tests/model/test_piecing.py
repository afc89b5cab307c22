"""What is told of a text that asks several things."""

from __future__ import annotations

from memedit.core.types import Decision, Edit, Hit, Record
from memedit.model.house import House
from memedit.model.itemising import is_about_form
from memedit.model.piecing import Pieces

ASKED = "Write a mail to Ida. She should know what a tour costs and when we close. Friendly."
PRICE, HOURS, DOGS = (
    Hit(Record(Edit.from_statement(text), n, n), 0.9, role="informs", bearing=0.9)
    for n, text in enumerate(("A tour costs 9 euros.", "We close at 6.", "Dogs are welcome."))
)


def test_a_text_asks_the_questions_within_its_sentences() -> None:
    pieces = Pieces.of(ASKED, House())
    assert {"what a tour costs", "when we close"} <= {*pieces.texts}


def test_what_is_said_of_the_form_is_no_question() -> None:
    said = ("3-4 sentences", "Please write a mail to Ida", "nothing else", "sign it Maud")
    assert all(map(is_about_form, said))
    assert not any(map(is_about_form, ("when we close", "3 opening times of the zoo")))


def test_what_another_sentence_asks_is_no_piece() -> None:
    assert Pieces.of(ASKED, House()).alone
    assert Pieces.of(f"Could you help me? {ASKED} Are dogs welcome?", House()).alone is False
    assert Pieces.of(ASKED, House(), alone=False).alone is False
    assert Pieces.of("List: the fee of a tour, the day we close. Thx", House()).alone
    more = (
        "List: dogs, the fee of a tour, the day we close",
        "List: no. of tours, the fee of one, the day we close",
    )
    assert not any(Pieces.of(turn, House()).alone for turn in more)


def join(own: Decision, *found: Decision) -> Decision:
    return Pieces(clauses=("what a tour costs", "when we close"), housed=("", "")).join(
        own, iter(found)
    )


def test_what_a_piece_asks_and_nothing_tells_is_told() -> None:
    own = Decision(informs=(PRICE,), candidates=(PRICE,))
    joined = join(own, Decision(hits=(PRICE,)), Decision(hits=(HOURS,)))
    assert [hit.record.id for hit in joined.bearing] == [PRICE.record.id, HOURS.record.id]
    faint = Hit(HOURS.record, 0.3, role="asks", bearing=0.3)
    assert join(own, Decision(hits=(PRICE,)), Decision(hits=(faint,))).bearing == (PRICE,)


def test_what_no_piece_asks_is_not_told_where_each_is_answered() -> None:
    own = Decision(informs=(PRICE, DOGS, HOURS), candidates=(PRICE, DOGS, HOURS))
    joined = join(own, Decision(hits=(PRICE,)), Decision(hits=(HOURS,)))
    assert joined.informs == (PRICE, HOURS)
    assert [hit.bearing for hit in joined.candidates] == [0.9, 0.0, 0.9]
    behind = Pieces(clauses=("what a tour costs", "when we close"), housed=("", ""), alone=False)
    found = iter((Decision(hits=(PRICE,)), Decision(hits=(HOURS,))))
    assert behind.join(own, found).informs == own.informs
    # A piece that nothing answers may be asked in other words than an edit's.
    assert join(own, Decision(hits=(PRICE,)), Decision()).informs == own.informs
