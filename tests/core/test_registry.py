"""Names with settings, as they are typed."""

from __future__ import annotations

import pytest

from memedit.core.errors import InvalidInputError
from memedit.core.registry import called, split
from memedit.editors import load_editor
from memedit.editors.ft_l import FtL
from memedit.editors.memit import Memit
from memedit.editors.rome import Rome
from memedit.evaluation.runs.specs import parse, parse_all


def test_separators_inside_of_brackets_do_not_separate() -> None:
    assert split("ike, rome(layer=5, variant=r)-ungated,none", ",") == [
        "ike", "rome(layer=5, variant=r)-ungated", "none",
    ]  # fmt: skip
    assert split("memit(layers=[3,4])+ike", "+") == ["memit(layers=[3,4])", "ike"]
    assert split("", ",") == [""]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("rome", ("rome", {})),
        ("rome()", ("rome", {})),
        ("rome(layer=5, variant=original)", ("rome", {"layer": 5, "variant": "original"})),
        ("memit(layers=(3,4), weight=1.5e4)", ("memit", {"layers": (3, 4), "weight": 15_000.0})),
        ("memit(layers=[3, 4])", ("memit", {"layers": (3, 4)})),
        ('rome(statistics="a b/c", plain=none)', ("rome", {"statistics": "a b/c", "plain": None})),
        ("mend(hypernetwork=../my-net/v1.0)", ("mend", {"hypernetwork": "../my-net/v1.0"})),
        ("x(a=/b/c, d=~/e)", ("x", {"a": "/b/c", "d": "~/e"})),
        ('x(a="b=/c,d", e=5e-4)', ("x", {"a": "b=/c,d", "e": 5e-4})),
        ("x(a=true, b=-0.5)", ("x", {"a": True, "b": -0.5})),
    ],
)
def test_settings_are_read(text: str, wanted: tuple[str, dict[str, object]]) -> None:
    assert called(text) == wanted


@pytest.mark.parametrize(
    "text",
    ["rome(5)", "rome(layer=5", "rome(layer)", "rome(**x)", "rome(layer=1+x)", "rome(a=b())"],
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="cannot be read"):
        called(text)


def test_editors_and_comparisons_take_settings_in_names() -> None:
    assert load_editor("rome(layer=7, variant=original)") == Rome(layer=7, variant="original")
    assert load_editor("memit(layers=(3,4))", weight=9.0) == Memit(layers=(3, 4), weight=9.0)
    assert load_editor("ft_l(bound=5e-4)") == FtL(bound=5e-4)
    assert load_editor("ike+rome(layer=2)").editors[1] == Rome(layer=2)  # type: ignore[attr-defined]
    spec = parse("rome(layer=5, variant=original)-ungated")
    assert (spec.editor, spec.scope) == ("rome(layer=5, variant=original)", "everything")
    assert "/" not in spec.slug
    assert parse("ike@threshold(similarity=0.5)").scope == "threshold(similarity=0.5)"
    names = [s.text for s in parse_all("rome(layer=5,variant=r)-ungated,none")]
    assert names == ["rome(layer=5,variant=r)-ungated", "none"]
    with pytest.raises(InvalidInputError, match="lair"):
        parse("rome(lair=5)")
