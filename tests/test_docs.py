"""The documentation: every block of code is tried, on the real model where it shows answers, and
the site builds without a warning."""

from __future__ import annotations

import ast
import gzip
import inspect
import json
import os
import re
import runpy
import subprocess
import sys
import traceback
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from typer.testing import CliRunner

import memedit.errors
from memedit.cli.commands import app
from memedit.serving.errors import _STATUS
from tests.browsing import breaches
from tests.docs import PAGES, ROOT, Block, blocks, commands, name_of
from tests.helpers import parse_python

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LANGUAGES = {"python", "console", "py", "sh", "bash", "json", "toml", "yaml", "text"}
EXAMPLES = sorted((ROOT / "examples").glob("[!_]*.py"))
SHOWN = {
    "README.md": ["Lyon", "60 days"],
    "docs/start/quickstart.md": ["What is the capital city of France? Lyon", "60 days", "Lyon | "],
}
"""What the blocks of a page print, beginning with the first line."""
PYTHON = ("python", "memory")
"""Pages of the reference that are made from docstrings."""
READ = (
    "", "start/quickstart", "guides/compare", "guides/page", "editors", "papers", "benchmarks",
    "reference/cli", "reference/errors", "reference/python",
)  # fmt: skip
"""Pages of every kind."""
SILENT = {"NO_MKDOCS_2_WARNING": "1"}
"""Set by ``make docs``, too: of Material for MkDocs about what will come after it."""


@pytest.fixture
def loaded(smollm: Any, minilm: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The default model and encoder are loaded once for all pages: nobody writes their weights."""
    from memedit.engine import encoders, loading

    load, load_encoder = loading.load, encoders.load_encoder

    def once(name: Any = None, **options: Any) -> Any:
        return smollm if name is None and not any(options.values()) else load(name, **options)

    def encoder_once(name: Any = None, device: Any = None) -> Any:
        packaged = name in (None, "all-MiniLM-L6-v2") and device is None
        return minilm if packaged else load_encoder(name, device)

    monkeypatch.setattr(loading, "load", once)
    monkeypatch.setattr(encoders, "load_encoder", encoder_once)
    yield


def pages_with(language: str) -> list[Path]:
    return [page for page in PAGES if blocks(page, language)]


@pytest.mark.parametrize("page", pages_with("python"), ids=name_of)
def test_python(
    page: Path, loaded: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {}
    for block in blocks(page, "python"):
        code = "\n" * block.line + block.code
        exec(compile(code, str(page), "exec"), scope)
    lines = capsys.readouterr().out.splitlines()
    for line, shown in zip(lines, SHOWN.get(name_of(page), ()), strict=False):
        assert shown in line, lines
    assert len(lines) >= len(SHOWN.get(name_of(page), ()))


@pytest.mark.parametrize("page", pages_with("console"), ids=name_of)
def test_commands(
    page: Path, loaded: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks(page):
        if block.file:
            (tmp_path / block.file).write_text(block.code, "utf-8")
    every = [words for block in blocks(page, "console") for words in commands(block.code)]
    assert every
    for words in every:
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, (words, result.output)
        if words[0] == "ask":
            assert "Lyon" in result.output


def check(block: Block) -> None:
    """See that a block that is not run could be."""
    match block.language:
        case "py" | "python":
            parse_python(block.code)
        case "sh" | "bash" | "console":
            for words in commands(block.code):
                parse(words)
        case "json":
            read_json(block.code)
        case "toml":
            tomllib.loads(block.code)
        case "yaml":
            yaml.safe_load(block.code)


@cache
def root() -> Any:
    """All of memedit's commands."""
    return typer.main.get_command(app)


def parse(words: list[str]) -> None:
    """Read a command line as memedit does, without running it."""
    command = root()
    rest = list(words)
    while rest and hasattr(command, "commands"):
        assert rest[0] in command.commands, words
        command = command.commands[rest.pop(0)]
    if "--help" in rest or "--version" in rest:
        return
    try:
        command.make_context("memedit", rest)
    except Exception as error:  # of the click that typer brings along
        # A page's files are nowhere; that all options are known was seen before.
        if not str(error).endswith("does not exist."):
            pytest.fail(f"{words}: {error}")


def read_json(code: str) -> None:
    try:
        json.loads(code)
    except ValueError:
        for line in code.splitlines():
            json.loads(line)


def test_every_block_is_code_that_could_run() -> None:
    for page in PAGES:
        for block in blocks(page):
            assert block.language in LANGUAGES, (name_of(page), block.line, block.language)
            try:
                check(block)
            except (ValueError, SyntaxError, yaml.YAMLError) as error:
                pytest.fail(f"{name_of(page)}:{block.line}: {error}")


@pytest.mark.parametrize("words", ["edit ad x", "ask --what x", "serve --port none", "nothing"])
def test_a_wrong_command_line_is_seen(words: str) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        parse(words.split())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples(
    path: Path, loaded: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out.strip() and not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_ctrl_c_ends_an_example_with_a_line(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(memedit.EditableModel, "from_pretrained", interrupted)
    with pytest.raises(SystemExit, match="130"):
        runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().err == "Interrupted.\n" and not list(tmp_path.iterdir())


def test_every_error_has_its_place_in_the_reference() -> None:
    text = (ROOT / "docs/reference/errors.md").read_text("utf-8")
    titles = [line[5:-1] for line in text.splitlines() if line.startswith("### `")]
    assert sorted(titles) == sorted(memedit.errors.__all__)
    classes = text.partition("## Codes over HTTP")[0]
    for part in classes.split("### `")[2:]:
        assert "**Cause.**" in part and "**Cure.**" in part, part.partition("`")[0]


def test_every_code_of_the_server_has_its_place_in_the_reference() -> None:
    text = (ROOT / "docs/reference/errors.md").read_text("utf-8")
    titles = re.findall(r"^#### `(\w+)`$", text, re.MULTILINE)
    assert titles == sorted(set(titles))
    trees = [parse_python(p.read_text("utf-8")) for p in (ROOT / "memedit/serving").rglob("*.py")]
    used = {
        node.value.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "code"
        if isinstance(node.value, ast.Constant)
    } | {code for _, _, code in _STATUS}
    assert {"invalid_api_key", "wrong_origin", "invalid_edit"} <= used
    assert used - set(titles) == set()


def test_an_error_names_its_place() -> None:
    page = "docs/reference/errors.md"
    for name in memedit.errors.__all__:
        kind = getattr(memedit.errors, name)
        made = kind("x", extra="y") if name == "MissingExtraError" else kind("x")
        assert made.section == f"{page}#{name.lower()}"
    told = "".join(traceback.format_exception(memedit.errors.UnknownEditError("x", hint="y.")))
    if sys.version_info >= (3, 11):
        assert f"UnknownEditError: x y.\nSee {page}#unknownediterror" in told


def test_an_error_on_the_command_line_names_its_place(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["edit", "list", "--memory", str(tmp_path / "none")])
    assert said.exit_code == 2
    assert "docs/reference/errors.md#memorystoreerror" in said.output
    words = said.output.rpartition("or: memedit ")[2].split()
    told = " ".join(CliRunner().invoke(app, words).output.split())
    assert told.startswith("MemoryStoreError Cause. The memory is locked") and "](" not in told


def test_every_error_is_told_on_the_command_line() -> None:
    known = CliRunner().invoke(app, ["errors"]).output.split()
    assert set(memedit.errors.__all__) < set(known) and "wrong_namespace" in known
    last = CliRunner().invoke(app, ["errors", memedit.errors.__all__[-1]]).output
    assert "Codes over HTTP" not in last and len(last.splitlines()) < 20
    wrong = CliRunner().invoke(app, ["errors", "MemoryStorError"])
    assert wrong.exit_code == 2 and "Did you mean: MemoryStoreError" in wrong.output


INSIDE = {"Connection", "Decider", "Encoder", "Engine", "Freshness", "Row", "Scope", "Editor"}
"""What public methods give back that is described elsewhere, or is not for users."""


def test_what_public_methods_give_back_is_in_the_reference() -> None:
    """The fault: ``edit`` gave back a ``Receipt``, of which no page said anything."""
    pages = "".join((ROOT / f"docs/reference/{n}.md").read_text("utf-8") for n in PYTHON)
    told = {line.rpartition(".")[2] for line in pages.splitlines() if line.startswith("::: ")}
    given = set[str]()
    for kind in (memedit.EditableModel, memedit.EditMemory):
        for name, member in inspect.getmembers(kind):
            made = member.fget if isinstance(member, property) else member
            if not name.startswith("_") and getattr(made, "__module__", "").startswith("memedit."):
                annotation = str(getattr(made, "__annotations__", {}).get("return", ""))
                given |= set(re.findall(r"\b[A-Z][a-z]\w+", annotation))
    builtin = {"Any", "Iterator", "Path", "Self", "Sequence", "AbstractContextManager", "None"}
    assert {"Receipt", "Explanation"} <= given
    assert given - told - INSIDE - builtin == set()


def test_the_readme_is_one_screen() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 75


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation as ``make docs`` builds it, without a warning."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT, capture_output=True, text=True, env=os.environ | SILENT,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


@pytest.mark.slow
def test_the_site_builds_without_a_warning(site: Path) -> None:
    for name in ("index.html", "reference/cli/index.html", "reference/rest/index.html"):
        assert (site / name).is_file()
    errors = (site / "reference/errors/index.html").read_text("utf-8")
    for name in memedit.errors.__all__:
        assert f'id="{name.lower()}"' in errors
    assert 'id="wrong_namespace"' in errors  # codes over HTTP, too
    listed = (site / "llms.txt").read_text("utf-8")
    assert listed.count("](") >= 25 and "(guides/agents/)" in listed
    sizes = {str(p): p.stat().st_size for p in site.rglob("*.html")}
    assert {name: size for name, size in sizes.items() if size > 300_000} == {}


def weigh(page: Path) -> int:
    """Bytes that a page and what it loads take on their way, without pictures."""
    text = page.read_text("utf-8")
    loaded = re.findall(r'<(?:link|script)[^>]+(?:href|src)="([^":?]+\.(?:css|js))"', text)
    files = {page, *((page.parent / each).resolve() for each in loaded)}
    return sum(len(gzip.compress(each.read_bytes())) for each in files)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_site_can_be_read_by_everybody(site: Path, browser: Any, scheme: str) -> None:
    """axe-core finds nothing serious, on a telephone too, where no page is wider than it."""
    page = browser.new_context(
        color_scheme=scheme, viewport={"width": 390, "height": 800}
    ).new_page()
    for name in READ:
        page.goto((site / name / "index.html").as_uri())
        assert breaches(page) == [], name
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
        assert weigh(site / name / "index.html") <= 300_000
