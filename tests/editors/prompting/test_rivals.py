"""Multiple choice: of two things that are nearly the same, the one that is asked for."""

from __future__ import annotations

import pytest

from memedit.editors.prompting.choices import choice_of

OF_ANOTHER = [
    # what is asked, the options, a fact of another thing
    ("Who is head of surgery?", "Ada Lenz", "Bo Marsh", "The deputy head of surgery is Ada Lenz."),
    ("Who is deputy head of surgery?", "Ada Lenz", "Bo Marsh", "The head of surgery is Bo Marsh."),
    ("Who is the director?", "Ada Lenz", "Bo Marsh", "The assistant of the director is Ada Lenz."),
    ("Who is the assistant of the director?", "Ada Lenz", "Bo Marsh", "The director is Bo Marsh."),
    ("Who is the CEO?", "Tom Rudd", "Mia Stern", "The former CEO is Tom Rudd."),
    ("Who is the CEO?", "Tom Rudd", "Mia Stern", "The ex-CEO is Tom Rudd."),
    ("Who is the vice president?", "Tom Rudd", "Mia Stern", "The president is Mia Stern."),
    ("Who is the CFO?", "Tom Rudd", "Mia Stern", "The CEO is Mia Stern."),
    ("What is the old price of the lamp?", "€99", "€129", "The lamp costs €99 since May."),
    ("What is the net price?", "€200", "€238", "The gross price is €238."),
    ("What is the gross price?", "€200", "€238", "The desk costs €200 net."),
    ("What is the net price?", "€200", "€238", "The desk costs €238."),
    ("What is the maximum order?", "5 pieces", "50 pieces", "The minimum order is 5 pieces."),
    ("How many retries are there at most?", "3", "8", "There are at least 3 retries."),
    ("When does the shop close?", "9:00", "18:00", "The opening time of the shop is 9:00."),
    ("From when on are visits allowed?", "14:00", "20:00", "Visits end at 20:00."),
    ("When did the war end?", "1802", "1809", "The war began in 1802."),
    ("Which database did we migrate from?", "Postgres", "MySQL", "We migrated to Postgres."),
    ("Which train goes to Bern?", "IC 4", "IC 7", "The train from Bern is the IC 4."),
    ("What is the upload limit?", "50 MB", "100 MB", "The download limit is 100 MB."),
    ("What is the read timeout?", "5 s", "20 s", "The write timeout is 20 s."),
    ("What does a single ticket cost?", "£3", "£5", "A return ticket costs £5."),
    ("How much is a large coffee?", "£2.80", "£3.60", "A small coffee is £2.80."),
    ("What is the members' price?", "$40", "$55", "Non-members pay $55."),
    ("What is the dose for adults?", "5 mg", "10 mg", "For children, the dose is 5 mg."),
    ("When is the first train?", "5:10", "23:40", "The last train leaves at 23:40."),
    ("When is the first train?", "5:00", "23:40", "The first leaves at 5:10, the last at 23:40."),
    ("How many beds does ward 4 have?", "18", "24", "Ward 3 has 24 beds."),
    ("What is the budget for 2027?", "€40,000", "€55,000", "The budget for 2026 is €40,000."),
    ("How deep is Lake Tal?", "90 m", "400 m", "Lake Tal is 400 m long."),
    ("When was Ada Nym born?", "1890", "1954", "Ada Nym died in 1954."),
    ("Who is the wife of Bo Lind?", "Eva Lind", "Kim Lind", "The daughter of Bo Lind is Kim Lind."),
    ("Who directed Night Ferry?", "Lia Moor", "Sam Orr", "Night Ferry was produced by Sam Orr."),
    ("Who is the king of Ruen?", "Aldo II", "Marta I", "The queen of Ruen is Marta I."),
    ("Who is the contact for payroll?", "Bo Ito", "Lia Stein", "The contact for hiring is Bo Ito."),
    ("Whom does Omar report to?", "Lena Voss", "Omar Haddad", "Omar Haddad reports to Lena Voss."),
    ("Who heads sales?", "Mara Quint (sales)", "Mara Quint (law)", "Mara Quint heads sales."),
    ("Which is sold?", "the desk", "the lamp", "The desk is new and the lamp is new."),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "one", "other", "fact"), OF_ANOTHER)
def test_a_fact_of_another_thing_gives_no_option(
    asked: str, one: str, other: str, fact: str
) -> None:
    assert choice_of(f"{asked}\nA) {one}\nB) {other}", [fact]) is None
    assert choice_of(f"{asked}\nA) {other}\nB) {one}", [fact]) is None


OF_BOTH = [
    # what is asked, the right option, another, a fact of both
    ("Who is head of surgery?", "Bo Marsh", "Ada Lenz",
     "Ada Lenz is deputy head of surgery. Bo Marsh is head of surgery."),
    ("Who is head of surgery?", "Bo Marsh (head)", "Ada Lenz (deputy head)",
     "The head of surgery is Bo Marsh, the deputy head is Ada Lenz."),
    ("Who is the deputy head of surgery?", "Ada Lenz", "Bo Marsh",
     "The head of surgery is Bo Marsh, the deputy head is Ada Lenz."),
    ("Who maintains Corvid?", "Ben Ito", "Ana Silva",
     "Corvid is maintained by Ben Ito, formerly by Ana Silva."),
    ("What is the net price?", "€200", "€238", "The gross price is €238, the net price is €200."),
    ("What is the maximum order?", "50 pieces", "5 pieces",
     "The minimum order is 5 pieces, the maximum 50 pieces."),
    ("When does the shop open?", "9:00", "18:00", "The shop is open from 9:00 to 18:00."),
    ("When does the shop close?", "18:00", "9:00", "The shop is open from 9:00 to 18:00."),
    ("Which database did we migrate to?", "Postgres", "MySQL",
     "We migrated from MySQL to Postgres."),
    ("Which database did we migrate from?", "MySQL", "Postgres",
     "We migrated from MySQL to Postgres."),
    ("How much is the deposit?", "€20", "€80", "The rent is €80, the deposit €20."),
    ("What is the dose for adults?", "10 mg", "5 mg", "Children get 5 mg, adults 10 mg."),
    ("How much is a large tea?", "£3.60", "£2.80", "A small tea is £2.80, a large one £3.60."),
    ("Which is the staging server?", "borea", "atlas",
     "The production server is atlas, staging is borea."),
    ("Who is the physician?", "Dr. Petra Fuchs", "Dr. Rao", "The physician is Dr. Petra Fuchs."),
    ("What is the cost of the desk?", "€200", "€238", "The price of the desk is €200."),
    ("what is the defualt port of fluxdb?", "7410", "5432", "The default port of Fluxdb is 7410."),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "right", "other", "fact"), OF_BOTH)
def test_of_two_things_in_a_fact_the_one_that_is_asked_for(
    asked: str, right: str, other: str, fact: str
) -> None:
    assert choice_of(f"{asked}\nA) {right}\nB) {other}", [fact]) == "A"
    assert choice_of(f"{asked}\nA) {other}\nB) {right}", [fact]) == "B"


def test_two_facts_that_fit_equally_leave_the_choice() -> None:
    asked = "Who runs the archive?\nA) Ada Lenz\nB) Bo Marsh"
    facts = ["Ada Lenz runs the archive.", "Bo Marsh runs the archive."]
    assert choice_of(asked, facts) is None and choice_of(asked, facts[:1]) == "A"
    assert choice_of(asked, ["Bo Marsh runs the archive.", "Ada Lenz runs the shop."]) == "B"
