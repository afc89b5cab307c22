"""What the cross-encoder reads: the request around what was compared, a long fact's best part."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

from memedit.core.types import Edit, Hit, Record
from memedit.scope.reading import FACT_CHARS, REQUEST_CHARS, fact_text, pair_texts, window

POLICY = (
    "Returns policy of the shop. Customers may return goods within 45 days. "
    + "The parcel must be closed with tape and carry the label we sent. " * 5
    + "Refunds are paid to the card within 7 days. "
    + "Vouchers are not exchanged for money under any circumstances whatever. " * 3
)


def test_a_short_request_is_read_whole() -> None:
    record = Record(Edit("Ada was born in", "Oslo", "Ada"), 1, 1)
    query = "It is false that\nAda was  born in"
    hit = Hit(record, 0.9, "Ada was  born in", "Ada")
    assert pair_texts(hit, query) == ("It is false that Ada was born in", "Ada was born in Oslo")


def test_a_first_day_that_has_come_is_read_only_where_it_is_asked() -> None:
    text = "As of Friday the fee is 60 euros."
    told, dated = Edit.from_statement(text), datetime(2026, 11, 27, tzinfo=timezone.utc)
    record = Record(told, 1, 1, valid_from=dated)
    hit, ask = Hit(record, 0.9, "", None), "What is the fee?"
    assert pair_texts(hit, ask) == (ask, "The fee is 60 euros.")
    assert pair_texts(hit, "Since when is the fee 60 euros?")[1] == text
    # Without dates it says them itself; and what other sentences say is not moved to another time.
    assert pair_texts(replace(hit, record=replace(record, valid_from=None)), ask)[1] == text
    two = Edit.from_statement("The fee is 50 euros. As of Friday it is 60 euros.")
    assert pair_texts(replace(hit, record=replace(record, edit=two)), ask)[1] == two.prompt


def test_of_a_long_request_what_was_compared_is_read_with_what_stands_around_it() -> None:
    query = "before " * 200 + "Where was Ada born?" + " after" * 200
    start = query.index("Where")
    text = window(query, start, start + 19)
    assert "Where was Ada born?" in text and len(text) <= REQUEST_CHARS
    before, after = text.split("Where was Ada born?")
    assert len(before) > len(after) > 60  # pronouns point back
    assert text.split()[0] == "before"  # no word is cut at the beginning


def test_a_view_longer_than_the_budget_keeps_its_end() -> None:
    query = "word " * 300 + "Where was Ada born?"
    assert window(query, 0, len(query)).endswith("Where was Ada born?")


def test_of_a_long_fact_the_part_that_is_asked_is_read_after_its_beginning() -> None:
    text = fact_text(POLICY, "When are refunds paid to my card?")
    assert text.startswith("Returns policy of the shop") and "…" in text
    assert "Refunds are paid to the card within 7 days." in text
    assert len(text) <= FACT_CHARS + 3
    first = fact_text(POLICY, "How many days do customers have to return goods?")
    assert first.startswith("Returns policy of the shop. Customers may return goods within 45")
    assert fact_text("Ada was born in\n Oslo", "x") == "Ada was born in Oslo"
