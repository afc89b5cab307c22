"""The judge: values said in any writing, yes and no, choices, and one check a form."""

from __future__ import annotations

import pytest

from memedit.core.errors import InvalidInputError
from memedit.evaluation.measures.forms import FORMS, Form, find_chosen, has_form, items, language_of
from memedit.evaluation.measures.judging import Wanted
from memedit.evaluation.measures.saying import agrees, asserts, find_polarity, make_canonical, says


def test_a_word_may_stand_in_its_plural_or_own_something() -> None:
    assert says("The Otters are her new group.", ["Otter"])
    assert says("Send the airline's confirmation.", ["airline"])
    assert not says("Otterton is her new group.", ["Otter"])
    assert not says("It costs 9 pounds.", ["9 po"])


def test_a_letter_that_names_something_is_no_article() -> None:
    assert not asserts("You get on the train in coach C.", ["coach A"])
    assert asserts("You get on the train in coach A.", ["coach A"])
    assert says("A coach is a bus.", ["coach is bus"])


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("€4.50", "4.5 euro"),
        ("4,50 Euro", "4.5 euro"),
        ("EUR 4.50", "4.5 euro"),
        ("$14 per user", "14 dollar per user"),
        ("forty-five days", "45 days"),
        ("45-day window", "45 day window"),
        ("9,210 metres", "9210 metre"),
        ("a hundred and twenty", "120"),
        ("two hundred", "200"),
        ("from 2 pm to 7 p.m.", "from 14:00 to 19:00"),
        ("2–7 pm", "14:00 19:00"),
        ("10 AM", "10:00"),
        ("09:30 a.m.", "9:30"),
        ("12 pm", "12:00"),
        ("January 31st", "31 january"),
        ("the 31st of January", "31 january"),
        ("2026-01-31", "31 january 2026"),
        ("Jan. 31", "31 january"),
        ("MPL-2.0", "mpl 2"),
        ("Python 3.11.", "python 3.11"),
        ("20 %", "20 percent"),
        ("quill dump --all", "quill dump all"),
        ("It's the rupee!", "its rupee"),
        ("45-min", "45 minute"),
        ("on Thursdays", "on thursday"),
        ("41 cents", "41 cent"),
        ("forty-five minutes", "45 minute"),
        ("9 kilo, 9kg", "9 kg 9 kg"),
        ("within 24 hrs.", "within 24 hour"),
        ("3 minor things, 5 hearts", "3 minor things 5 hearts"),
        ("0800-555-0142", "0800 555 0142"),
    ],
)
def test_one_way_to_write_it(text: str, form: str) -> None:
    assert make_canonical(text) == form


def test_values_are_whole_words_however_written() -> None:
    assert says("You have forty-five days.", ["45"]) and not says("145 days", ["45"])
    assert says("Delivery costs 4.50 euros", ["€4.50"]) and not says("It costs $4.50", ["€4.50"])
    assert says("Gold is Go.", ["Go"]) and not says("Just go there", ["Go"])
    assert says("Call 08005550142", ["0800 555 0142", "08005550142"])
    assert not says("anything", [" "])


@pytest.mark.parametrize(
    ("answer", "held"),
    [
        ("The window is 30 days.", True),
        ("It is 45 days, not 30 days.", False),
        ("It was changed from 30 days to 45 days.", False),
        ("The window is no longer 30 days.", False),
        ("Not at all. The window is 30 days.", True),
        ("It isn't 30 days any more", False),
        ("45 days", False),
    ],
)
def test_an_old_value_may_be_named_as_the_old_one(answer: str, held: bool) -> None:
    assert asserts(answer, ["30 days"]) == held


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("Yes.", "yes"), ("**Yes**, it is.", "yes"), ("No, it is 45.", "no"), ("Correct!", "yes"),
        ("Answer: No", "no"), ("That's right, Lyon is.", "yes"), ("45 days", None),
        ("Unfortunately, it is not.", "no"), ("Nobody knows", None), ("You cannot.", "no"),
        ("That is not correct.", "no"), ("I am not sure", None),
    ],
)  # fmt: skip
def test_polarity(answer: str, said: str | None) -> None:
    assert find_polarity(answer) == said


def test_a_yes_no_answer_that_says_neither_is_judged_by_its_values() -> None:
    assert agrees("Our refund window is 45 days.", "no", [["45"]])
    assert not agrees("Our refund window is 30 days.", "no", [["45"]])
    assert agrees("You can return it within 45 days.", "yes", [["45"]])
    assert not agrees("It is not possible, the window is 45 days.", "yes", [["45"]])
    assert not agrees("Yes, of course.", "no", [["45"]])
    assert not agrees("Hm.", "no", [])


OPTIONS = {"A": "30 days", "B": "45 days", "C": "60 days"}


@pytest.mark.parametrize(
    ("answer", "taken"),
    [
        ("B", "B"), ("B) 45 days", "B"), ("(b)", "B"), ("The correct answer is B.", "B"),
        ("Our refund window is 45 days.", "B"), ("The answer is: B) 45 days", "B"),
        ("A refund takes 45 days", "B"), ("It is 45 days, not 30 days.", "B"), ("C.", "C"),
        ("B: 30 days", "AB"), ("30 days or 45 days", "AB"), ("I do not know", ""),
        ("**B** - 45 days", "B"), ("Option C is right", ""), ("Option C", "C"),
    ],
)  # fmt: skip
def test_a_choice(answer: str, taken: str) -> None:
    assert find_chosen(answer, OPTIONS) == set(taken)


def test_options_named_by_numbers() -> None:
    options = {"1": "Python 3.8", "2": "Python 3.9", "3": "Python 3.11"}
    assert find_chosen("3", options) == {"3"} == find_chosen("Python 3.11", options)
    assert find_chosen("2) Python 3.9", options) == {"2"}


MAIL = (
    "Dear Mr. Jansen,\n\nthank you for your order. You have 45 days to return the table for a full "
    "refund, counted from delivery.\n\nKind regards,\nHollis & Wren"
)
TABLE = "| Item | Value |\n|---|---|\n| opens | 10 am |\n| manager | Imke Vos |"


@pytest.mark.parametrize(
    ("form", "good", "bad"),
    [
        ({"type": "reply"}, "45 days", "word " * 161),
        ({"type": "continues"}, "45 days", "..."),
        ({"type": "sentence"}, "Dr. Haddad runs it at 10 a.m. daily.", "45 days"),
        ({"type": "sentence"}, "It opens at **10**.", "from 2 pm to 7 pm"),
        ({"type": "sentence"}, "It is valid for 3 years.", "It is valid. You may use it daily."),
        ({"type": "text", "min_words": 3, "max_words": 5}, "See you at ten", "45 days"),
        ({"type": "mail"}, MAIL, "45 days"),
        ({"type": "mail"}, MAIL, MAIL.rpartition("\n\nKind")[0]),
        ({"type": "list", "n": 2}, "Here you are:\n- moss green\n- rust", "moss green and rust"),
        ({"type": "list", "n": 2}, "1. ten\n2. Imke\n   - since May", "1. ten"),
        ({"type": "list", "min": 2}, "Lyon\nMadrid\nRome", "Lyon"),
        ({"type": "yes_no", "says": "no"}, "No.", "45"),
        ({"type": "yes_no", "says": "no"}, "It sank in 1915.", "600 requests per minute"),
        ({"type": "yes_no", "says": "no", "strict": True}, "No.", "No, it is not like that."),
        ({"type": "choice", "options": OPTIONS, "right": "B"}, "B", "30 days or 45 days"),
        ({"type": "json", "keys": ["price"]}, '```json\n{"price": 4.5}\n```', "price: 4.5"),
        ({"type": "json", "keys": ["price"]}, '{"price": 4.5}', '{"cost": 4.5}'),
        ({"type": "json", "keys": ["a"]}, '[{"a": 1}]', "4.5"),
        ({"type": "code"}, "```python\nDAYS = 45\n```", "45"),
        ({"type": "code"}, 'symbols = {"gold": "Go"}', "DAYS = = 45"),
        ({"type": "fenced"}, "Run this:\n```\nquill dump --all\n```", "quill dump --all"),
        ({"type": "table", "columns": 2, "rows": 2}, TABLE, "opens: 10 am\nmanager: Imke Vos"),
        ({"type": "table", "columns": 2, "rows": 2}, TABLE, TABLE.rpartition("\n")[0]),
        ({"type": "csv", "columns": 2}, "product,price\nTilda,129", "129"),
        ({"type": "html"}, "<p>Harbour Gate</p>", "Harbour Gate"),
        ({"type": "language", "language": "de"}, "Die Hauptstadt ist Lyon.", "It is the capital."),
        ({"type": "language", "language": "es"}, "El Titanic se hundió en 1915.", "1915"),
    ],
)  # fmt: skip
def test_each_form(form: Form, good: str, bad: str) -> None:
    assert has_form(form, good) and not has_form(form, bad)


def test_every_form_is_tested() -> None:
    [mark] = test_each_form.pytestmark  # type: ignore[attr-defined]
    assert {form["type"] for form, _, _ in mark.args[1]} == set(FORMS)


def test_what_leaks_keeps_no_form() -> None:
    for leak in (
        "Fact: the window is 45 days.\n45 days",
        "45 days<|im_end|>",
        "Facts:\n- x",
        "Current facts replace what I know:\n- x",
    ):
        assert not has_form({"type": "reply"}, leak)
    assert not has_form({"type": "reply"}, " \n")
    assert has_form({"type": "reply"}, "In fact, it is 45 days.")


def test_a_table_is_a_list_of_its_rows_or_one_row_of_its_columns() -> None:
    head = "Sure, here it is:\n\n| Entry | Audio | Closed |\n|---|:---:|----|\n"
    one = f"{head}| 17 euros | 4 euros | Wednesday |\n\nCome and see us."
    two = f"{head}| a | b | c |\n| d | e | f |"
    assert has_form({"type": "list", "n": 3}, one) and not has_form({"type": "list", "n": 2}, one)
    assert has_form({"type": "list", "n": 2}, two) and not has_form({"type": "list", "n": 3}, two)
    assert has_form({"type": "list", "min": 2}, two) and not has_form({"type": "list", "n": 4}, two)
    assert not has_form({"type": "list"}, head)
    assert has_form({"type": "list", "n": 2}, "A | B\n--|--\nx | y")
    assert has_form({"type": "list", "n": 2}, "| A | B |\n|---|---|\n| x\\|y | 2 |")


def test_items_of_a_list() -> None:
    assert len(items("* a\n  * b\n* c")) == 2
    assert items("Sure:\nLyon\nMadrid") == ["Lyon", "Madrid"]


def test_languages() -> None:
    assert language_of("Il est ouvert à 10 heures dans le centre.") == "fr"
    assert language_of("La lámpara cuesta 129 euros.") == "es"
    assert language_of("Es sind 45 Tage.") == "de" and language_of("1915") == ""


def test_content_and_form_are_judged_apart() -> None:
    wanted = Wanted([["45"]], ["30 days"], {"type": "mail"})
    assert wanted.right("45 days") and not wanted.kept("45 days")
    assert wanted.right(MAIL) and wanted.kept(MAIL)
    assert not wanted.right(MAIL.replace("45", "30"))
    yes = Wanted([["45"]], (), {"type": "yes_no", "says": "yes"})
    assert yes.right("Yes") and not yes.right("No, it is 45 days")
    choice = Wanted((), (), {"type": "choice", "options": OPTIONS, "right": "B"})
    assert choice.right("B") and choice.right("45 days") and not choice.right("A")


@pytest.mark.parametrize("form", [{"type": "sonnet"}, {"type": "list", "length": 3}, {}])
def test_a_form_that_cannot_be_checked_is_refused(form: Form) -> None:
    with pytest.raises(InvalidInputError):
        Wanted(form=form)
