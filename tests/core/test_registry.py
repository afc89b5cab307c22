"""Names with settings, as they are typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from memedit import editors, scope
from memedit.core.errors import InvalidInputError, RegistrationError
from memedit.core.registry import Registry, classes_in, parse_call, split
from memedit.data.formats import detect
from memedit.editors import load_editor
from memedit.editors.ft_l import FtL
from memedit.editors.memit import Memit
from memedit.editors.rome import Rome
from memedit.engine.encoders import load_encoder
from memedit.evaluation import load_cases
from memedit.evaluation.runs.specs import parse, parse_all
from memedit.serving.upstream.rewriters import load_rewriter
from tests import stranger


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
        ("serac(counterfactual=my-adapter)", ("serac", {"counterfactual": "my-adapter"})),
        ("x(a=v1.0-b, c=1e-5, d=[2, 1.5])", ("x", {"a": "v1.0-b", "c": 1e-5, "d": (2, 1.5)})),
    ],
)
def test_settings_are_read(text: str, wanted: tuple[str, dict[str, object]]) -> None:
    assert parse_call(text) == wanted


@pytest.mark.parametrize(
    "text",
    ["rome(5)", "rome(layer=5", "rome(layer)", "rome(**x)", "rome(layer=1+x)", "rome(a=b())"],
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="cannot be read"):
        parse_call(text)


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


def test_what_a_stranger_registers_is_found_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger.install(tmp_path / "site", monkeypatch)
    assert "parrot" in editors.available() and "starts" in scope.available()
    assert load_editor("parrot(times=3)") == editors.editor_class("parrot")(times=3)
    assert scope.load_scope("starts", letters=2).name == "starts"
    assert load_encoder("letters").encode(["aa"])[0, 0] == 1
    assert detect({"stranger": "Who is it?", "says": "Bo"})[0] == "stranger"
    file = tmp_path / "cases.jsonl"
    file.write_text('{"stranger": "The capital of France is", "says": "Lyon"}\n')
    (case,) = load_cases(file).cases
    assert case.edits[0].target_new == "Lyon"
    assert load_rewriter("parrot").name == "parrot-chat"
    with pytest.raises(InvalidInputError, match="has no setting 'size'. It has: times"):
        load_editor("parrot", size=1)


BROKEN = {
    "no run": ("half", "Half", "class Half:\n    name = 'half'\n    needs = frozenset()\n"),
    "another name": (
        "other",
        "Other",
        "class Other:\n    name = 'mine'\n    needs = fit = run = None\n",
    ),
}


@pytest.mark.parametrize(
    ("which", "said"),
    [
        ("no run", "entry point 'half' of memedit.editors has no fit and no run"),
        ("another name", "calls itself 'mine'"),
    ],
)
def test_what_is_no_editor_is_refused_with_a_reason(
    which: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, _, _ = BROKEN[which]
    stranger.install(tmp_path / "site", monkeypatch, f"broken_{name}", {
        "memedit.editors": BROKEN[which]
    })  # fmt: skip
    with pytest.raises(RegistrationError, match=said):
        load_editor(name)


def test_what_cannot_be_imported_is_refused_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger.install(tmp_path / "site", monkeypatch, "broken_import", {
        "memedit.editors": ("torn", "Torn", "import no_such_package"),
        "memedit.scopes": ("lost", "Lost", "x = 1"),
    })  # fmt: skip
    with pytest.raises(RegistrationError, match="'torn' of memedit.editors .*no_such_package"):
        load_editor("torn")
    with pytest.raises(RegistrationError, match="'lost' of memedit.scopes .*Lost"):
        scope.load_scope("lost")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("class A:\n    name = 'a'\nclass B:\n    name = 'b'\n", "it defines A, B"),
        ("x = 1\n", "it defines none"),
        ("class A:\n    name = 'b'\n    run = None\n", "calls itself 'b'"),
        ("class A:\n    name = 'mine'\n", "has no run"),
    ],
)
def test_a_file_of_ours_that_is_no_editor_is_refused_with_a_reason(
    source: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = f"methods_{abs(hash(source))}"
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("")
    (tmp_path / package / "mine.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = Registry(
        "editor", "none.such", lambda: classes_in(package, [str(tmp_path / package)]),
        ("name", "run"),
    )  # fmt: skip
    assert found.names() == ["mine"]
    with pytest.raises(RegistrationError, match=said):
        found.find("mine")
