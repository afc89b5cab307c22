"""Options that are misspelt, of whatever somebody makes or calls."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from memedit import EditableModel, EditMemory, editors, scope
from memedit.core.errors import InvalidInputError, UnknownOptionError
from memedit.core.types import Edit
from memedit.editors.grace import Grace
from memedit.editors.serac import Serac

EDIT = Edit("The capital of France is", "Lyon", subject="France")
_MISSPELT: list[tuple[Callable[..., Any], str, str]] = [
    (lambda **given: EditableModel(None, **given), "editr", "editor"),
    (lambda **given: EditableModel.from_pretrained("none", **given), "memroy", "memory"),
    (EditMemory, "pth", "path"),
    (lambda **given: Edit("Tea is at five.", None, **given), "subjct", "subject"),
    (lambda **given: replace(EDIT, **given), "target_nw", "target_new"),
]


@pytest.mark.parametrize(("make", "given", "meant"), _MISSPELT)
def test_the_nearest_is_named(make: Callable[..., Any], given: str, meant: str) -> None:
    """The fault: Python's own error, which before 3.13 does not say what there is."""
    with pytest.raises(UnknownOptionError, match=f"no option '{given}'. Did you mean: {meant}"):
        make(**{given: "x"})


def test_it_is_what_one_would_catch(tmp_path: Path) -> None:
    for kind in (TypeError, InvalidInputError):
        with pytest.raises(kind):
            EditMemory(folder=tmp_path)  # type: ignore[call-arg]
    assert list(tmp_path.iterdir()) == []


def test_signatures_are_as_before() -> None:
    assert [*inspect.signature(EditMemory).parameters] == ["path", "encoder", "read_only"]
    assert [*inspect.signature(Edit).parameters][:2] == ["prompt", "target_new"]
    loading = inspect.signature(EditableModel.from_pretrained)
    assert [*loading.parameters][0] == "model" and loading.return_annotation == "EditableModel"
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        Edit("x")  # type: ignore[call-arg]


@pytest.mark.parametrize("name", editors.available())
def test_of_an_editor_all_settings_are_named(name: str) -> None:
    """The fault: Python's own error, or, from a name, no guess at what was meant."""
    for make in (editors.editor_class(name), partial(editors.load_editor, name)):
        with pytest.raises(UnknownOptionError) as told:
            make(xx=1)
        assert told.value.hint.startswith("It has: ")


@pytest.mark.parametrize("name", scope.available())
def test_of_a_scope_all_settings_are_named(name: str) -> None:
    cls: type[Any] = type(scope.load_scope(name))
    with pytest.raises(UnknownOptionError, match="It has: "):
        cls(xx=1)


def test_of_a_setting_the_nearest_is_named_and_all_there_are() -> None:
    told = r"'radiuss'. Did you mean: radius\? It has: .*radius, .*steps"
    makers: list[Callable[..., Any]] = [Grace, partial(editors.load_editor, "grace")]
    for make in makers:
        with pytest.raises(UnknownOptionError, match=told):
            make(radiuss=1)
    with pytest.raises(UnknownOptionError, match=r"'verbtim'. Did you mean: verbatim\?"):
        replace(Serac(), verbtim=True)  # type: ignore[call-arg]
