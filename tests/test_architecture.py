"""Imports point down only (design.md, section 6), and a few things are done in one place only."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.helpers import parse_python

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "memedit"
MODULES = sorted(PACKAGE.rglob("*.py"))

LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"core"}),
    frozenset({"errors", "protocols"}),
    frozenset({"engine"}),
    frozenset({"editors"}),
    frozenset({"memory"}),
    frozenset({"scope"}),
    frozenset({"data"}),
    frozenset({"model"}),
    frozenset({"training"}),
    frozenset({"evaluation"}),
    frozenset({"serving"}),
    frozenset({"cli"}),
    frozenset({"", "__main__"}),  # the package itself: imports lazily, by name; and as a command
)
"""The first may be imported by all, the last by none: layout.md, with the rooms that stand side by
side there put into one order."""
DOORS = frozenset({"errors", "protocols"})

HOOKS = frozenset({
    "register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook",
    "register_full_backward_pre_hook", "register_backward_hook", "register_hook",
    "register_module_forward_hook", "register_module_forward_pre_hook",
})  # fmt: skip
PICKLES = frozenset({"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"})


def name_of(path: Path) -> str:
    """``memedit/editors/ike.py`` -> ``memedit.editors.ike``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """``memedit.editors.ike`` -> ``editors``; the package itself is ``""``."""
    return module.partition(".")[2].partition(".")[0]


def layer_of(module: str) -> int:
    for number, parts in enumerate(LAYERS):
        if part_of(module) in parts:
            return number
    pytest.fail(f"{module} has no layer: add it to LAYERS here, where it belongs in design.md §6.")


@cache
def tree_of(path: Path) -> ast.Module:
    return parse_python(path.read_text("utf-8"), str(path))


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree_of(path)))


@cache
def imported_by(path: Path) -> frozenset[str]:
    """Absolute names of what a module imports: inside functions, too, and for types only."""
    names: set[str] = set()
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: relative import"
            names |= {_target(node.module or "", alias.name) for alias in node.names}
    return frozenset(names)


def _target(module: str, name: str) -> str:
    """``from memedit.core import types``: a module; ``... import Edit``: a name."""
    inner = ROOT.joinpath(*module.split("."), name)
    return f"{module}.{name}" if inner.is_dir() or inner.with_suffix(".py").is_file() else module


def offenders(
    check: Callable[[Path], Iterable[object]], paths: Sequence[Path] = MODULES
) -> dict[str, list[object]]:
    """By module what ``check`` finds wrong in it; nothing where all is well."""
    found = {name_of(path): list(check(path)) for path in paths}
    return {name: wrong for name, wrong in found.items() if wrong}


def attributes_of(path: Path) -> set[str]:
    return {n.attr for n in nodes_of(path) if isinstance(n, ast.Attribute)}


def own(names: frozenset[str]) -> set[str]:
    return {name for name in names if name.startswith("memedit.")}


def test_imports_point_down() -> None:
    def upwards(path: Path) -> list[str]:
        mine, room = layer_of(name_of(path)), part_of(name_of(path))
        return sorted(
            name
            for name in own(imported_by(path))
            if layer_of(name) > mine or (layer_of(name) == mine and part_of(name) != room)
        )

    assert offenders(upwards) == {}, "imports from above or beside"


def test_no_import_cycles() -> None:
    graph = {name_of(path): own(imported_by(path)) - {name_of(path)} for path in MODULES}
    cycle: list[str] = []
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        cycle = error.args[1]
    assert cycle == []


BY_NAME = {
    "memedit.model.editable": "memedit.evaluation.runs.compare",
    "memedit.memory.erasing.verbs": "memedit.serving.ledger.erasing",
}
"""The front door's ``compare``, and the server's books, which a purge must reach, are known by name
only, and loaded when they are needed. There shall be no third."""


def find_loaded(path: Path) -> Iterator[str]:
    """Modules of ours that a module loads by a name written out."""
    for node in nodes_of(path):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and str(first.value).startswith("memedit."):
                yield str(first.value)


def test_what_is_loaded_by_name_is_known() -> None:
    found = offenders(
        lambda path: [n for n in find_loaded(path) if layer_of(n) >= layer_of(name_of(path))]
    )
    assert found == {module: [name] for module, name in BY_NAME.items()}


def test_the_root_holds_rooms_and_doors_only() -> None:
    """A room holds code; ``errors`` and ``protocols`` are documented import paths into core.

    Thirteen at most of both, beside what every typed package has.
    """
    found = {p.name for p in PACKAGE.iterdir() if p.name != "__pycache__"}
    rooms = set().union(*LAYERS) - DOORS - {"", "__main__"}
    files = {"__init__.py", "__main__.py", "py.typed"}
    assert found == {*files, *(f"{door}.py" for door in DOORS), *rooms}
    assert len(rooms | DOORS) <= 13
    for door in DOORS:
        body = tree_of(PACKAGE / f"{door}.py").body
        assert all(isinstance(n, ast.Expr | ast.ImportFrom | ast.Assign) for n in body), door


METHODS = {p.stem for p in (PACKAGE / "editors").glob("[!_]*.py")}


def test_editors_know_neither_memory_nor_model_nor_each_other() -> None:
    methods = {f"memedit.editors.{name}" for name in METHODS}

    def foreign(path: Path) -> list[str]:
        names = own(imported_by(path)) - {name_of(path)}
        return [n for n in names if part_of(n) in {"memory", "model", "scope"} or n in methods]

    files = sorted((PACKAGE / "editors").rglob("*.py"))
    assert len(files) > len(METHODS)
    assert offenders(foreign, files) == {}


def pickled(path: Path) -> Iterator[str]:
    yield from {name.partition(".")[0] for name in imported_by(path)} & PICKLES
    for node in nodes_of(path):
        if isinstance(node, ast.Attribute) and node.attr in {"load", "save"}:
            if isinstance(node.value, ast.Name) and node.value.id == "torch":
                yield f"torch.{node.attr}"
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            yield "allow_pickle"


def test_nothing_is_pickled() -> None:
    assert offenders(pickled) == {}


def test_faiss_reads_and_writes_no_files() -> None:
    """Its format can name other files, which it then opens for writing."""
    forbidden = ("read_index", "deserialize_index", "read_VectorTransform", "OnDiskInvertedLists",
                 "write_index")  # fmt: skip
    assert offenders(lambda p: {n for n in attributes_of(p) if n.startswith(forbidden)}) == {}


def stateful(path: Path) -> Iterator[str]:
    for node in nodes_of(path):
        if isinstance(node, ast.Global):
            yield f"line {node.lineno}: global"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "print":
                yield f"line {node.lineno}: print"


def test_no_module_level_state_and_no_print() -> None:
    assert offenders(stateful) == {}


REFERENCE = re.compile(r":(?:class|func|meth|mod|data|exc|attr):`~?([\w.]+)`")


@cache
def known_names() -> frozenset[str]:
    """Modules, and whatever is defined or set anywhere in the package; builtins."""
    names = {part for path in MODULES for part in name_of(path).split(".")} | set(dir(builtins))
    for node in (node for path in MODULES for node in nodes_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.id if isinstance(node, ast.Name) else node.attr)
    return frozenset(names)


def dangling(path: Path) -> Iterator[str]:
    for reference in REFERENCE.findall(path.read_text("utf-8")):
        if not known_names().issuperset(reference.split(".")):
            yield reference


def test_docstrings_refer_to_what_is_there() -> None:
    assert offenders(dangling) == {}


def test_hooks_are_touched_in_one_file() -> None:
    assert list(offenders(lambda path: attributes_of(path) & HOOKS)) == ["memedit.engine.hooks"]


MOST_LINES, MOST_IN_A_FUNCTION, NINE_IN_TEN, MOST_PARAMETERS = 450, 80, 20, 12
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions_of(path: Path) -> list[Function]:
    return [n for n in nodes_of(path) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def length(function: Function) -> int:
    return (function.end_lineno or 0) - function.lineno + 1


def parameters(function: Function) -> int:
    given = function.args
    named = len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs)
    return named + (given.vararg is not None) + (given.kwarg is not None)


def test_modules_are_small() -> None:
    lines = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_functions_are_short() -> None:
    every = [(name_of(p), f.name, length(f)) for p in MODULES for f in functions_of(p)]
    assert [(m, name) for m, name, lines in every if lines > MOST_IN_A_FUNCTION] == []
    lengths = sorted(lines for _, _, lines in every)
    assert lengths[int(0.9 * len(lengths))] <= NINE_IN_TEN


def test_functions_take_few_parameters() -> None:
    """But for commands, whose parameters are their options."""
    within = [path for path in MODULES if part_of(name_of(path)) != "cli"]

    def greedy(path: Path) -> list[str]:
        return [f.name for f in functions_of(path) if parameters(f) > MOST_PARAMETERS]

    assert offenders(greedy, within) == {}


def test_the_checks_see_what_they_should(tmp_path: Path) -> None:
    """The rules themselves: imports in functions and for types count, as all others do."""
    file = tmp_path / "x.py"
    file.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from memedit.model.editable import EditableModel\n"
        "def f():\n    from memedit import memory\n    import pickle\n"
        "    global g\n    print(torch.load(x, allow_pickle=True))\n    m.register_hook(f)\n"
    )
    assert imported_by(file) == {"typing", "memedit.model.editable", "memedit.memory", "pickle"}
    assert sorted(pickled(file)) == ["allow_pickle", "pickle", "torch.load"]
    assert list(stateful(file)) == ["line 7: global", "line 8: print"]
    assert attributes_of(file) & HOOKS == {"register_hook"}
    other = tmp_path / "y.py"
    other.write_text("async def f(a, /, b, *c, d, **e):\n    def g():\n        pass\n    g()\n")
    assert [(f.name, length(f), parameters(f)) for f in functions_of(other)] == [
        ("f", 4, 5), ("g", 2, 0),
    ]  # fmt: skip
