from __future__ import annotations

from memedit.memory.live.said import Said


def test_finds_words_whatever_their_case() -> None:
    said = Said()
    said.add(7, "The press contact of ACME is Ada")
    said.add(3, "Der Straße nach: Ａcme")  # folded as words are: ss, and wide letters
    said.add(9, "Nothing here\nbut two lines of acmes, acme's")
    assert said.find("acme") == {7, 3, 9} and said.find("strasse") == {3}
    assert said.find("lines") == {9} and said.find("acmes") == {9}
    assert said.find("line") == said.find("cme") == said.find("bob") == set()


def test_what_is_removed_is_overwritten_and_its_room_given_back() -> None:
    said = Said()
    for sequence in range(4_000):
        said.add(sequence, f"Land {sequence} has the secret word{sequence}x")
    for sequence in range(3_990):
        said.remove(sequence)
    said.remove(5)  # twice
    assert b"word12x" not in said._text and said.find("word12x") == set()
    full = len(said._text)
    said.add(12, "Land 12 again")
    assert len(said._text) < full / 100 and len(said) == 11
    assert said.find("again") == {12} and said.find("word3995x") == {3_995}
