"""Whether an amount keeps a fact's bound."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from memedit.editors.prompting.bounds import judge_bound
from memedit.editors.prompting.comparing import Verdict

QUESTIONS = Path(__file__).resolve().parents[3] / "benchmarks/yes_no.jsonl"
REFUND = "A refund must be asked for within 19 days."


@pytest.mark.parametrize(("words", "fact", "given"), [
    ("I travelled 24 days ago. Am I still in time for a refund?", REFUND, "No"),
    ("I travelled 12 days ago. Am I still in time for a refund?", REFUND, "Yes"),
    ("We'd be there at 15:45, is check-in open by then?", "Check-in is from 15:30.", "Yes"),
    ("Can a visitor stay until half past seven in the evening?", "Visiting time ends at 18:45.",
     "No"),
    ("I have had my licence for 1 year. Can I join?",
     "It is open to anyone who has held a licence for at least two years.", "No"),
    ("The plane goes at 14:00 and it is 13:00 now. Can I still check in?",
     "Check-in closes 75 minutes before departure.", "No"),
    ("I give up my flat on 1 March for 31 March. Is that enough warning?",
     "The notice that a tenant must give to end a tenancy is six weeks.", "No"),
    ("Clara threw up two days ago and is well since. May she come back?",
     "A sick child stays at home until it has been free of symptoms for 72 hours.", "No"),
    ("Our film is at 8 pm and it's 5:45 pm now. Can we still get our money back?",
     "Tickets may be given back up to two hours before the film.", "Yes"),
    ("It was signed at 7:00 and it's 14:00 now. Still good?", "A permit is valid for six hours.",
     "No"),
    ("A text of 25 days ago, can I still find it?", "Delivery logs are kept for 21 days.", "No"),
])  # fmt: skip
def test_a_bound_is_kept_or_not(words: str, fact: str, given: Verdict) -> None:
    assert judge_bound(words, fact) == given


@pytest.mark.parametrize(("words", "fact"), [
    ("I travelled 24 days ago. Is it too late for a refund?", REFUND),  # a yes would be a no
    ("I travelled 24 days ago. Don't I still get a refund?", REFUND),
    ("I travelled 24 days ago. Where can I ask for a refund?", "Ask within 19 days or 2 months."),
    ("Can my cat eat at 11 pm?", "No food may be given from 10 pm."),
    ("Can I bring 3 dogs?", "Up to 2 cats may be brought."),
    ("Can I come at 15:45?", "The shop is at Bay 15."),
    ("I ordered 10 days ago. Can I still change it?", "Orders are shipped within 14 days."),
    ("It is 200 days old, still valid?", "Passwords expire after 180 days."),
    ("Can I book a court 10 days ahead?", "Courts are booked up to 7 days in advance."),
    ("My child is 10 years old. Can she swim?", "Under 12 years an adult must accompany them."),
    ("Can I come at 8:00?", "We are open until 18:00."),  # but from when on?
    ("I've been a member for 3 years. Can I have a break?", "A break is up to 2 years."),
    ("Can I quit in 2 weeks?", "The notice is 4 weeks."),
    ("It was 21 euros. Is that still so?", "It costs at most 27 euros."),  # of what was
    ("Can I come 24 days later? " + "x" * 400, REFUND),
    ("It's 16:20 and I'm an hour's drive away. Can I still bring it?", "Return it by 17:00."),
    ("Our lorry weighs 7.5 tonnes. Is it allowed?", "It is closed to vehicles over 3.5 tonnes."),
    ("It's 5 March. Can I use the lift?", "The lift is out of order until 12 March."),
    ("About ten hours. Is that longer than allowed?", "The maximum stay is 4 hours."),
    ("Could a 15-tonne fire engine cross?", "Up to 7.5 tonnes; fire engines are exempt."),
])  # fmt: skip
def test_what_is_asked_otherwise_is_the_bases_to_judge(words: str, fact: str) -> None:
    assert judge_bound(words, fact) is None


def test_of_questions_written_by_others_none_is_judged_wrongly() -> None:
    """1,203 questions for a yes or a no with their facts, by two writers who knew no rule of ours.
    Of the 32 that this rule judged before, five were wrong."""
    judged = right = 0
    for line in QUESTIONS.read_text("utf-8").splitlines():
        asked = json.loads(line)
        said = {judge_bound(asked["q"], fact) for fact in asked["facts"]} - {None}
        judged += len(said) == 1
        right += said == {asked["a"].capitalize()}
    assert judged == right and judged >= 20
