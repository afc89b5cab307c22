"""The split by subject."""

from __future__ import annotations

from collections import Counter

from memedit.data.split import part_of


def test_a_subject_is_in_one_part_however_it_is_written() -> None:
    assert part_of("The Beatles") == part_of("the beatles") == part_of("Beatles")


def test_the_parts_have_about_the_sizes_they_should() -> None:
    counts = Counter(part_of(f"Subject {i}") for i in range(20_000))
    assert abs(counts["train"] / 20_000 - 0.60) < 0.015
    assert abs(counts["calibration"] / 20_000 - 0.12) < 0.01


def test_the_split_is_the_one_that_shipped_models_were_trained_with() -> None:
    names = ("Danielle Darrieux", "France", "Toyota", "Nepal")
    assert [part_of(name) for name in names] == ["train", "train", "evaluation", "evaluation"]
