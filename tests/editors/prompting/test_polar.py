"""Which requests are to be answered by yes or no."""

from __future__ import annotations

import pytest

from memedit.editors.prompting.polar import find_sentences, is_polar

POLAR = [
    "It is two meals a week, my sister told me. Please just confirm that and don't sell me more.",
    "pls confirm that the fee is £9",
    "i'll be round on tuesday then cos thats your bargain day init",
    "machu picchu is in peru right, we want to hike there",
    "That will be Dr Wessel as usual I take it?",
    "Nairobi is the capital of Kenya. Correct?",
    "I have £2.50. That's the right amount?",
    "It was €8 a night. Same again?",
    "Is Lyon the capital of France?",
    "I am in Oslo. Does the office open at 7? Answer yes or no.",
    "Can I return the lamp? I bought it on Monday.",
    "Does Dr. Roth work on Mondays?",
    "Is it released under the GPL 2.0 licence?",
    "A day ticket is £9, isn't it? Just yes or no.",
    "The account is $3.80 a month, true?",
    "Dr. Brandl looks after the rabbits, right? Please start with yes or no.",
    "Yes or no: the office is headed by Teodora.",
    "only yes or no - is ann in charge of it?",
    "lunch is £2.60, yes or no pls",
    "can i get to the gardens on the shuttle",
    "is the pool open on sundays",
    "can an admin turn it on or not?",
    "If I order today, will it be here on Friday?",
    "My bag weighs 7 kilos. Does it go free?",
    "id card = 41 euros, is that right? yes/no",
    "Is there a tour in German?",
    "Is it on May 4, 9 am?",
    "Is the desk open 24/7?",
    "Is it at Elm Street 5, 10115 Berlin?",
    "The tour is in German. Is it full?",
    "Answer briefly: is it open?",
    "In German hotels, is smoking allowed?",
    "Full time holliday is 25 days innit",
    "That's free for guests, right",
    "I can get my login code by sms, can't I",
    "i only need 2 night drives before my test dont i",
    "you deliver to Norway, don't you",
    "so it was Michael Collins who first set foot on the moon",
    "so the fee is 9 euros",
    "so i can still return it after 40 days then",
]
OTHERS = [
    "Please confirm my booking",
    "please confirm that and tell me what it costs",
    "confirm it by mail",
    "how do i run git init",
    "run git init",
    "how much is a card, I forgot. it's £5?",
    "what time do you open. that is at 9?",
    "I have a question. It's about the pool?",
    "",
    "and that's at which address?",
    "and it ends in?",
    "i posted mine on 1 april, so?",
    "I've an appointment at 2, which floor do I have to go to?",
    "i pay $29 for print. that's the price isn't it? what is it really",
    "I need the number of the porter?",
    "we are looking for the phone number?",
    "turn left, right",
    "what does parking cost. the pool's free, right",
    "Can you tell me the refund window?",
    "Is it Lyon or Paris?",
    "Is it 5 €, 6 €?",
    "does it cost $5/$6",
    "Does it open at 9, at 10?",
    "What is the capital of France?",
    "In which city was he born?",
    "Write a mail on what is new.",
    "Is the shop open on Sunday? Write a short mail to the customer.",
    "May I know who heads the department?",
    "Could I have the number of the porter?",
    "Do you know when it opens?",
    "cant connect to the server, whats the port?",
    "I have taken 20 days so far. How many are left?",
    'The paper says: "He was there." Who was there?',
    "do the following: sum up the text",
    "Was ist die Hauptstadt von Frankreich?",
    "The chronicle says she was elected.",
    'Extract JSON: {"open_on_sunday": "yes or no"} from the text.',
    "What is a yes/no question?",
    "Can anyone tell me the fee?",
    "Do you have the address of the Oslo office?",
    "Rewrite politely: is it free?",
    "Is it free? Is it open on Sundays?",
    "Is smoking allowed? Answer in German.",
    "Answer in French: is it open?",
    "Is it open? Answer with true or false.",
    "Can I bring my dog? Respond only with 0 or 1.",
    "Is it open? Answer as JSON.",
    "Is it open? In Spanish, please.",
    "so I bought the lamp yesterday",
    "so it's which door",
    "take the second right, then the shop is on the left",
    "the office is closed right now, we need a key",
    "machu picchu is in peru right, how do i get there",
    "so sorry about that",
    "so the shop is closed. what now",
    "i forgot my key, why can't i get in",
    # "Right" is no tag, or a wish goes on behind one.
    "the car is parked right outside",
    "we have the right adapter with us",
    "the customer is always right they say",
    "it is not right, i paid twice",
    "my knee has hurt right since monday",
    "the left is 2 cm, right 3 cm",
    "my seat is 12a, right window",
    "i need to know if it is the right form for me",
    "the fee is £9 right, i need the iban",
    "the fee is £9 right, any discount for kids",
    "the boss is who right, i forgot",
]


@pytest.mark.parametrize("words", POLAR)
def test_a_yes_or_a_no_is_asked_for(words: str) -> None:
    assert is_polar(words)


@pytest.mark.parametrize("words", OTHERS)
def test_something_else_is_asked_for(words: str) -> None:
    assert not is_polar(words)


@pytest.mark.parametrize("words", [
    "is it right that four ghosts are after him",
    "how do i know if the cuff is the right size for my arm",
    "tell me if this is the right form, i am new",
    "where is it again right, we are lost",
])  # fmt: skip
def test_a_question_is_not_cut_behind_right(words: str) -> None:
    assert find_sentences(words) == [words]


@pytest.mark.parametrize("words", [
    "machu picchu is in peru right, we want to hike there",
    "doing 18 on the site road is ok isnt it, limit's 20",
    "the shop opens at 9 right I'm outside already",
])  # fmt: skip
def test_a_mark_may_be_left_out_within(words: str) -> None:
    assert is_polar(words)


@pytest.mark.parametrize(("words", "polar"), [
    ("Do we still get the whole sum back, or has that ship sailed?", True),
    ("I am 9 days late. Can I still return it or is it too late?", True),
    ("Is the pool open on Sundays or not?", True),
    ("Do we get the sum back, or a voucher?", False),
    ("Is it A or B?", False),
])  # fmt: skip
def test_a_no_that_is_offered_is_no_choice(words: str, polar: bool) -> None:
    assert is_polar(words) is polar


@pytest.mark.parametrize("words", [
    "we only got one day and its a tuesday :( will we be able to get into the louvre?",
    "I come at half past eight. Any chance you'd still be letting people in at that time?",
    "we r 14 ppl. is that enough for the cheaper group price",
    "My nan is bedridden. Would somebody from Okulara come round and test her eyes?",
    "I do my programme in Swedish. Will you type out what's said for me?",
    "May she fly without me or any other adult beside her?",
    "My van is 7.8 metres long. She is permitted in your camping?",
    "I can still return them can't I?", "We'd be pulling in at pier 7, is that correct",
    "Can you deliver on a Sunday?", "when we refund somebody, do you give us the fee back?",
])  # fmt: skip
def test_people_ask_for_a_yes_or_a_no_so(words: str) -> None:
    assert is_polar(words)


@pytest.mark.parametrize("words", [
    "it takes me 2 hours. whats the latest time i can start on a thursday and be done at closing?",
    "'Ow early can I ring you of a Tuesday?", "my ears are blocked, anything i can do about it?",
    "The tent smells now. Any trick to get rid of it?", "The price is?", "Would somebody tell me?",
    "Is there any way to switch and what will you take from me for it?",
    "Can you let me know the fee?", "Can you write it down?",
])  # fmt: skip
def test_these_ask_for_something_else(words: str) -> None:
    assert not is_polar(words)
