"""A pasted document is answered from the document, and the decision says which edits disagree."""

from __future__ import annotations

import pytest

from memedit import Edit
from memedit.core.types import Decision, Hit, Record
from memedit.scope.documents import heed

CEO = Edit("The CEO of Acme Robotics is", "Maria Silva", "Acme Robotics")
REFUND = Edit.from_statement("Our refund window is 60 days.")
ARTICLE = "In 2019 Acme Robotics was led by its CEO John Park, who had joined from a supplier."
POLICY = "Policy of 2021: the refund window for all goods is 30 days from delivery, then closed."


def decided(query: str, edit: Edit, view: str = "") -> Decision:
    hit = Hit(Record(edit, 1, 1), 0.9, view=view, role="asks")
    return heed(query, Decision((hit,), 0.9, 0.5))


@pytest.mark.parametrize(
    ("query", "edit", "view"),
    [
        (f"According to this text, who is the CEO?\n\n{ARTICLE}", CEO, "who is the CEO?"),
        (f"{ARTICLE}\n\nWho leads Acme Robotics in the article above?", CEO, ""),
        (f"{POLICY}\nBased on the passage, how long is the refund window?", REFUND, ""),
        (f"Summarize the following paragraph: {ARTICLE}", CEO, ""),
        ('From a novel: "Acme Robotics was led by a cat." Who led it in the novel?', CEO, ""),
        (
            'Our config: {"refund": {"window": 30}}. What is our refund window in this file?',
            REFUND,
            "",
        ),
        (
            'My invoice: "Refund window: 14 days." What refund window does the invoice name?',
            REFUND,
            "",
        ),
        (
            "I was sent this letter: dear sir, as I said Acme Robotics was led by John Park, its "
            "CEO. Who is the CEO in this letter?",
            CEO,
            "",
        ),
        ('An ad says: "Refund window 14 days!" According to it, how long is it?', REFUND, ""),
    ],
)
def test_the_document_answers_and_the_edit_disagrees(query: str, edit: Edit, view: str) -> None:
    decision = decided(query, edit, view)
    assert not decision and not decision.bearing
    assert [hit.record.edit for hit in decision.disagrees] == [edit]


@pytest.mark.parametrize(
    ("query", "edit"),
    [
        ("Who is the CEO of Acme Robotics?", CEO),
        ("Who is the CEO of Acme Robotics? Answer in the following format: a name.", CEO),
        (f"{ARTICLE} Who is the CEO of Acme Robotics today?", CEO),  # points at no document
        (ARTICLE.replace("John Park", "Maria Silva") + " Who is CEO in this text?", CEO),
        ("According to the text, who is the CEO of Acme Robotics?", CEO),  # there is none
        ('My draft says: "Our refund window is 30 days." Is what the draft says right?', REFUND),
        ('A customer writes: "I bought a rug." What is our refund window in this town?', REFUND),
        ('The letter says: "Our refund window is 60 days." How long is it in the letter?', REFUND),
        # A letter that somebody got, a page that somebody looks at, and a text to be continued.
        (
            "I got the refusal from Acme Robotics yesterday and cried all evening. My school typed "
            "a C where it was an A. Who is the CEO I write to, from the letter on?",
            CEO,
        ),
        (
            "He wants proof that the Acme Robotics episode got its plays. I keep hitting reload "
            "but nothing moves. Who is the CEO of the firm, and does that page get new numbers?",
            CEO,
        ),
        (
            "Welcome to Acme Robotics! On this page you meet the people you find in your first "
            "week. The canteen is run by Mrs Abt. The CEO of Acme Robotics is",
            CEO,
        ),
        ("Write a text about our refund window of goods in this shop with all its rules.", REFUND),
    ],
)
def test_without_a_document_that_says_otherwise_the_edit_stands(query: str, edit: Edit) -> None:
    decision = decided(query, edit)
    assert decision and not decision.disagrees
