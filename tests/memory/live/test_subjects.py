from __future__ import annotations

import time

import pytest

from memedit.core.text import find_sentence_starts, find_subject, mask, subject_key
from memedit.memory.live.subjects import SubjectIndex


def index(*subjects: str) -> SubjectIndex:
    known = SubjectIndex()
    for sequence, subject in enumerate(subjects, start=1):
        known.add(sequence, subject)
    return known


def named(known: SubjectIndex, text: str) -> list[str]:
    return [mention.text for mention in known.mentions(text)]


@pytest.mark.parametrize(
    ("subject", "key"),
    [
        ("The  Beatles", "beatles"),
        ("France's", "france"),
        ("Ministry of Health (Italy)", "ministry of health italy"),
        ("the Who", "the who"),
        ("C++", "c++"),
        ("Ｔｏｋｙｏ", "tokyo"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("日本", "日 本"),
        ("🎉", "🎉"),
    ],
)
def test_key(subject: str, key: str) -> None:
    assert subject_key(subject) == key


def test_longest_known_mention_wins() -> None:
    known = index("Italy", "Ministry of Health (Italy)")
    assert named(known, "Who leads the Ministry of Health (Italy)?") == [
        "Ministry of Health (Italy"
    ]
    assert named(known, "Is the ministry of health, Italy, in Italy?") == [
        "ministry of health, Italy",
        "Italy",
    ]
    assert named(index("Italy"), "Who leads the Ministry of Health (Italy)?") == ["Italy"]


def test_mentions_carry_positions_and_records_newest_first() -> None:
    known = index("France", "france", "Spain")
    text = "Is FRANCE's capital older than that of spain?"
    first, second = known.mentions(text)
    assert (first.text, first.sequences) == ("FRANCE", (2, 1))
    assert text[second.start : second.end] == "spain"
    assert known.sequences("france") == (2, 1)


def test_the_belongs_to_a_mention_only_where_a_subject_has_it() -> None:
    assert named(index("The Beatles"), "Where did the Beatles form?") == ["the Beatles"]
    assert named(index("Beatles"), "Where did the Beatles form?") == ["Beatles"]
    assert named(index("The Who"), "Who is that?") == []


def test_parts_of_words_are_no_mentions() -> None:
    assert named(index("Oman"), "A romance of Romania and a woman") == []
    assert named(index("York"), "Yorkshire") == []


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("日本", "日本の首都は"),
        ("프랑스", "프랑스의 수도는"),
        ("ไทย", "เมืองหลวงของประเทศไทยคือ"),
        ("Beyonce\u0301", "who is BEYONCÉ married to"),
        ("İstanbul", "what is in İSTANBUL today"),
        ("भारत", "भारत की राजधानी"),
        ("🎉", "what does 🎉 mean"),
        ("Côte d'Ivoire", "the capital of Côte d’Ivoire"),
    ],
)
def test_scripts(subject: str, text: str) -> None:
    assert len(index(subject).mentions(text)) == 1


def test_removed_subjects_are_forgotten() -> None:
    known = index("New York", "New York City", "New York")
    known.remove(2, "New York City")
    assert named(known, "New York City") == ["New York"]
    known.remove(1, "New York")
    assert known.mentions("New York")[0].sequences == (3,)
    known.remove(3, "New York")
    known.remove(3, "New York")
    assert named(known, "New York City") == []
    assert len(known) == 0 and "New York" not in known


def test_cost_does_not_grow_with_the_number_of_subjects() -> None:
    small, large = index("Town 1"), index(*(f"Town {i} of the North" for i in range(20_000)))
    text = "What is the mayor of Town 77 of the North called? " * 20

    def seconds(known: SubjectIndex) -> float:
        start = time.process_time()
        for _ in range(5):
            known.mentions(text)
        return time.process_time() - start

    seconds(small)
    assert len(large.mentions(text)) == 20
    assert seconds(large) < 10 * seconds(small) + 0.05


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", ["One. ", "Two! ", "Three?"]),
        ("Mr. Smith met J. R. Tolkien in St. Louis. Who?", 2),
        ("It costs 3.5 dollars. really", 1),
        ("Yahoo! is a firm", 1),
        ('He said "no." "Why?" she asked', 2),
        ("first line\nsecond line\n\n", 2),
        ("東京は首都です。大阪は？はい", 3),
        ("", 1),
    ],
)
def test_sentences(text: str, sentences: list[str] | int) -> None:
    starts = find_sentence_starts(text)
    parts = [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]
    assert parts == sentences if isinstance(sentences, list) else len(parts) == sentences


@pytest.mark.parametrize(
    ("prompt", "subject", "expected"),
    [
        ("France borders france", "France", "it borders france"),
        ("Die Straße von Hormus liegt in", "hormus", "Die Straße von it liegt in"),
        ("STRASSE ist", "Straße", "it ist"),
        ("İİ Ankara liegt", "ankara", "İİ it liegt"),
    ],
)
def test_masking_survives_case_folding(prompt: str, subject: str, expected: str) -> None:
    assert mask(prompt, *find_subject(prompt, subject)) == expected
