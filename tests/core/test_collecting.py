from __future__ import annotations

import gc

import pytest

from memedit.core.collecting import collecting_later


def test_nothing_is_collected_within_and_all_is_as_before_behind() -> None:
    with collecting_later():
        assert not gc.isenabled()
        with collecting_later():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ValueError), collecting_later():
        raise ValueError
    assert gc.isenabled()


def test_who_collects_nothing_goes_on_so() -> None:
    gc.disable()
    try:
        with collecting_later():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
