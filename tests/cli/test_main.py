"""The command line: what it prints, what it returns, and that it leaves the memory as it says."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from memedit.cli import demo, edits
from memedit.cli.commands import app
from memedit.cli.groups import OTHER_WORDS
from memedit.core.errors import MemeditError
from memedit.core.types import Edit
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.model.feedback import FeedbackReceipt
from tests.helpers import byte_tokenizer, tiny_model

FRANCE = ("The capital of France is", "Lyon", "--subject", "France")

Run = Callable[..., Result]


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "memory"


@pytest.fixture
def run(memory: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run("edit", "list")``: a command on the memory of this test; it must end with ``code``."""
    monkeypatch.setenv("MEMEDIT_MEMORY", str(memory))
    monkeypatch.setenv("MEMEDIT_ENCODER", "hashing")
    monkeypatch.setenv("COLUMNS", "120")

    def invoke(*words: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, list(words))
        crash = result.exception
        assert crash is None or isinstance(crash, SystemExit), f"{crash!r}"
        assert result.exit_code == code, result.output
        return result

    return invoke


def told(result: Result) -> Any:
    """What ``--json`` printed: standard output is JSON and nothing else."""
    return json.loads(result.stdout)


def added(run: Run, *words: str) -> dict[str, Any]:
    answer: dict[str, Any] = told(run("edit", "add", *words, "--json"))
    return answer


# Adding


def test_add_says_what_it_did(run: Run, memory: Path) -> None:
    result = run("edit", "add", *FRANCE)
    assert "Added" in result.stdout
    assert "The capital of France is Lyon" in result.stdout
    (record,) = EditMemory(memory, read_only=True).records()
    assert (record.edit.target_new, record.edit.subject) == ("Lyon", "France")


def test_add_tells_programs_everything(run: Run) -> None:
    receipt = added(
        run, *FRANCE, "--target-true", "Paris", "--query", "Capital of France?", "--query",
        "France's capital", "--source", "test", "--namespace", "geo",
        "--valid-from", "2026-01-01", "--valid-until", "2027-01-01T12:00:00Z",
    )  # fmt: skip
    record = receipt["record"]
    assert (receipt["status"], receipt["version"]) == ("added", 1)
    assert record["queries"] == ["Capital of France?", "France's capital"]
    assert (record["target_true"], record["source"], record["namespace"]) == (
        "Paris",
        "test",
        "geo",
    )
    assert record["valid_from"] == "2026-01-01T00:00:00+00:00"
    assert record["valid_until"] == "2027-01-01T12:00:00+00:00"


def test_days_in_the_memory_s_zone(run: Run) -> None:
    assert run("zone", "Europe/Berlin").stdout.strip() == run("zone").stdout.strip()
    record = added(run, *FRANCE, "--valid-from", "2026-07-01", "--valid-until", "2026-07-01")
    assert record["record"]["valid_from"] == "2026-06-30T22:00:00+00:00"
    assert record["record"]["valid_until"] == "2026-07-01T22:00:00+00:00"


@pytest.mark.parametrize(
    "words",
    [("Our refund window is 60 days.",), ("--statement", "Our refund window is 60 days.")],
    ids=["positional", "option"],
)
def test_add_a_statement(run: Run, words: tuple[str, ...]) -> None:
    record = added(run, *words)["record"]
    assert record["target_new"] is None
    assert record["statement"] == "Our refund window is 60 days."


def test_add_says_that_an_offer_goes_on(run: Run, tmp_path: Path) -> None:
    fact, told = "Until Sunday, all helmets are 20 percent off.", "It says 'Until Sunday'"
    assert told not in run("edit", "add", fact, "--valid-until", "2099-01-04").stderr
    assert told in run("edit", "add", fact, "--namespace", "other").stderr
    file = tmp_path / "offers.jsonl"
    file.write_text(json.dumps({"statement": fact.replace("Sunday", "Monday")}), "utf-8")
    assert "1 of them name a last day" in run("edit", "import", str(file)).stderr
    file.write_text('{"statement": "From tomorrow, helmets are 9 euros."}', "utf-8")
    told = run("edit", "import", str(file)).stderr
    assert "1 of them name a first day" in told and "last day" not in told


def test_a_correction_that_begins_later_is_told_with_its_day(run: Run) -> None:
    later = "From tomorrow the fee is 60 euros."
    assert "It says 'From tomorrow'" in run("edit", "add", later, "--namespace", "other").stderr
    run("edit", "add", "The fee is 50 euros.")
    told = run("edit", "add", later)
    assert "Replaces" in told.stdout and "from 20" in told.stdout and "It says" not in told.stderr


def test_the_target_may_be_an_option(run: Run) -> None:
    by_option = added(run, "The capital of France is", "--target", "Lyon", "--subject", "France")
    assert by_option["status"] == "added"
    assert added(run, *FRANCE)["status"] == "duplicate"


def test_adding_twice_changes_nothing(run: Run) -> None:
    run("edit", "add", *FRANCE)
    assert "nothing changed" in run("edit", "add", *FRANCE).stdout
    assert told(run("edit", "list", "--json"))["version"] == 1


def test_the_same_fact_in_another_form_is_there_once_and_it_is_said(run: Run) -> None:
    stated, parts = "The head librarian is Priya Nair.", ("The head librarian is", "Priya Nair")
    run("edit", "add", stated)
    assert "Replaces" in (changed := run("edit", "add", *parts)).stdout
    assert stated in changed.stdout
    again = run("edit", "add", stated).stdout
    assert "Already in" in again and "The head librarian is Priya Nair" in again
    assert added(run, stated)["status"] == "duplicate"
    assert told(run("edit", "list", "--json"))["total"] == 1


def test_a_new_value_replaces_the_old_and_says_so(run: Run) -> None:
    old = added(run, *FRANCE)
    result = run("edit", "add", "The capital of France is", "Nice", "--subject", "France")
    assert f"Replaces {old['id']}" in result.stdout


def test_square_brackets_are_text(run: Run) -> None:
    run("edit", "add", "The tag [bold] means [/bold]", "[red]x", "--subject", "[bold]")
    assert "[bold] means [/bold] [red]x" in run("edit", "list").stdout


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("",),
        ("  ", "x"),
        ("The capital of",),
        ("The capital of France is", ""),
        ("The capital of France is", "Lyon", "--subject", "Spain"),
        ("The capital of France is", "Lyon", "--target", "Nice"),
        ("A prompt", "--statement", "A fact."),
        ("x" * 100_000, "y"),
        ("bad \udcff", "y"),
        ("nul \x00", "y"),
        (*FRANCE, "--valid-from", "2026-02-01", "--valid-until", "2026-01-01"),
    ],
)
def test_a_wrong_edit_is_refused_and_nothing_is_stored(
    run: Run, memory: Path, words: tuple[str, ...]
) -> None:
    result = run("edit", "add", *words, code=2)
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.output
    assert result.stdout == ""
    assert not memory.exists() or len(EditMemory(memory)) == 0


def test_a_date_that_is_none_is_a_usage_error(run: Run) -> None:
    assert "2026-05-01" in run("edit", "add", *FRANCE, "--valid-from", "soon", code=2).stderr


# Looking


def test_list_is_newest_first_and_limited(run: Run) -> None:
    for number in range(5):
        run("edit", "add", f"Fact {number} is", f"value {number}", "--subject", f"Fact {number}")
    shown = told(run("edit", "list", "--limit", "2", "--json"))
    assert shown["total"] == 5
    assert [edit["prompt"] for edit in shown["edits"]] == ["Fact 4 is", "Fact 3 is"]
    assert len(told(run("edit", "list", "--limit", "0", "--json"))["edits"]) == 5
    text = run("edit", "list", "--limit", "2")
    assert "2 newest of 5" in text.stderr
    assert "Fact 0" not in text.stdout


def test_a_long_list_is_not_printed_whole(run: Run, memory: Path) -> None:
    from memedit.core.types import Edit
    from memedit.engine.encoders import load_encoder

    with EditMemory(memory, load_encoder("hashing")) as store:
        store.add_many([Edit(f"Item {n} costs", f"{n} euros", f"Item {n}") for n in range(1000)])
    assert len(run("edit", "list").stdout.splitlines()) < 70
    assert len(run("edit", "history").stdout.splitlines()) < 140


def test_list_filters(run: Run) -> None:
    run("edit", "add", *FRANCE, "--namespace", "geo")
    run("edit", "add", "Our refund window is 60 days.")
    by_text = told(run("edit", "list", "--match", "LYON", "--json"))
    by_namespace = told(run("edit", "list", "--namespace", "default", "--json"))
    assert [e["namespace"] for e in by_text["edits"]] == ["geo"]
    assert [e["statement"] for e in by_namespace["edits"]] == ["Our refund window is 60 days."]
    assert "geo" in run("edit", "list").stdout


def test_show_and_history(run: Run) -> None:
    old = added(run, *FRANCE)["id"]
    new = added(run, "The capital of France is", "Nice", "--subject", "France")["id"]
    shown = told(run("edit", "show", new, "--json"))
    assert (shown["id"], [e["kind"] for e in shown["history"]]) == (new, ["add"])
    events = told(run("edit", "history", old, "--json"))["events"]
    assert [(e["kind"], e["other"]) for e in events] == [("add", None), ("supersede", new)]
    assert "supersede" in run("edit", "history").stdout
    assert "Nice" in run("edit", "show", new).stdout


# Taking back


def test_forget_and_restore(run: Run) -> None:
    id = added(run, *FRANCE)["id"]
    assert "Forgotten" in run("edit", "forget", id).stdout
    assert told(run("edit", "list", "--json"))["total"] == 0
    back = {"restored": 1, "version": 3, "edits": 1, "purged": 0, "unanswered": []}
    assert told(run("edit", "restore", "1", "--json")) == back
    assert told(run("edit", "list", "--json"))["total"] == 1


def test_a_restore_tells_of_a_purge_only_where_it_misses_something(run: Run) -> None:
    spain = added(run, "The capital of Spain is", "Madrid", "--subject", "Spain")["id"]
    added(run, *FRANCE)
    assert "purged" not in run("edit", "restore", "1").stdout
    run("edit", "purge", spain, "--yes", "--json")
    assert "but for 1 that were purged since: 1 edit " in run("edit", "restore", "2").stdout
    run("edit", "restore", "0")
    assert "purged" not in run("edit", "restore", "0").stdout


def test_a_restore_tells_what_a_purged_edit_had_replaced(run: Run) -> None:
    old = added(run, *FRANCE)["id"]
    new = added(run, "The capital of France is", "Nice", "--subject", "France")["id"]
    run("edit", "purge", new, "--yes", "--json")
    back = told(run("edit", "restore", "2", "--json"))
    assert (back["edits"], back["purged"]) == (0, 1)
    assert [each["id"] for each in back["unanswered"]] == [old]
    assert f"{old} was replaced by what was purged" in run("edit", "restore", "2").stdout
    back = told(run("edit", "restore", "1", "--json"))
    assert (back["edits"], back["purged"], back["unanswered"]) == (1, 0, [])


def test_a_file_is_taken_back_by_its_version(run: Run, tmp_path: Path) -> None:
    added(run, "The mayor of Graz is", "Ann")
    file = tmp_path / "edits.jsonl"
    rows = [{"prompt": f"The mayor of T{n} is", "target_new": "Ann"} for n in range(1_100)]
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    assert "edit undo 2 takes all of it back" in run("edit", "import", str(file)).stderr
    history = run("edit", "history", "--limit", "1").stdout
    assert "(import 2)" in history
    added(run, "The mayor of Linz is", "Bo")
    undone = run("edit", "undo", "2")
    assert "Taken back: 1,080 more." in undone.stdout
    assert "came after the change had begun; memedit edit restore 4 brings" in undone.stderr
    left = told(run("edit", "list", "--json"))
    assert [each["prompt"] for each in left["edits"]] == [
        "The mayor of Linz is", "The mayor of Graz is"
    ]  # fmt: skip
    assert "no change of version 2" in run("edit", "undo", "2", code=2).stderr
    assert "Taken back" in run("edit", "undo").stdout


def test_what_is_forgotten_together_is_undone_together(run: Run) -> None:
    price = ("Shipping costs", "--subject", "Shipping", "--target")
    added(run, *price, "5 euros")
    added(run, *price, "3 euros", "--valid-until", "2090-12-31")
    inner = added(
        run, *price, "2 euros", "--valid-from", "2080-01-01", "--valid-until", "2080-12-31"
    )
    rows = told(run("edit", "list", "--json"))["edits"]
    offers = [row["id"] for row in rows if row["target_new"] == "3 euros"]
    # Without the inner offer the outer one is whole again, under one id.
    undo = run("edit", "forget", inner["id"], *offers).stderr
    assert "restore 3 undoes this" in undo
    (left,) = told(run("edit", "list", "--json"))["edits"]
    assert left["target_new"] == "5 euros" and left["valid_from"] is None


def test_the_last_change_is_taken_back(run: Run) -> None:
    first, second = added(run, *FRANCE), added(run, FRANCE[0], "Nice", *FRANCE[2:])
    undone = run("edit", "undo")
    assert f"Taken back {second['id']}" in undone.stdout
    assert f"In force again {first['id']}" in undone.stdout and "restore 2" in undone.stderr
    again = told(run("edit", "undo", "--json"))
    assert (again["undone"], again["version"], again["restored"]) == (1, 4, [])
    assert [row["id"] for row in again["forgotten"]] == [first["id"]]
    assert "no change" in run("edit", "undo", code=2).stderr


def test_a_namespace_s_last_change_comes_again_without_the_others(run: Run) -> None:
    added(run, *FRANCE, "--namespace", "acme")
    for town in ("Nice", "Metz"):
        added(run, FRANCE[0], town)
    hint = run("edit", "undo", "--namespace", "acme").stderr
    assert "'acme' of" in hint and "restore 1 --namespace acme" in " ".join(hint.split())
    run("edit", "restore", "1", "--namespace", "acme")
    towns = {row["target_new"] for row in told(run("edit", "list", "--json"))["edits"]}
    assert towns == {"Lyon", "Metz"}


def test_a_whole_sentence_corrects_an_edit_with_a_prompt(run: Run) -> None:
    """Lists show it so."""
    wrong = added(run, *FRANCE)["id"]
    for said, target in (
        ("The capital of France is Nice.", "Nice"),
        ("the capital of  France is St. Malo", "St. Malo"),
        ("The capital of France is\n  St. Malo,\n  by the sea.", "St. Malo,\n  by the sea."),
        ("The capital of Francese", "The capital of Francese"),
        ("The capital of France is", "The capital of France is"),
    ):
        record = told(run("edit", "correct", wrong, said, "--json"))["record"]
        assert (record["prompt"], record["target_new"]) == (FRANCE[0], target)
        wrong = record["id"]


def test_what_became_of_the_wrong_edit_is_told_where_the_right_one_is_there(run: Run) -> None:
    right = added(run, *FRANCE, "--valid-until", "2099-12-31")["id"]
    assert f"{right} until 2099-12-31 (nothing changed)" in run("edit", "add", *FRANCE).stdout
    wrong = added(run, "The capital of Spain is", "Lyon", "--valid-until", "2099-12-31")["id"]
    receipt = run("edit", "correct", wrong, "--prompt", FRANCE[0], "--subject", "France")
    assert f"Already there: {right}" in receipt.stdout and "nothing changed" not in receipt.stdout
    assert f"Replaces {wrong}" in receipt.stdout and "memedit edit undo" in receipt.stderr


def test_an_edit_is_put_right_by_its_id(run: Run) -> None:
    wrong = added(run, *FRANCE, "--valid-until", "2099-12-31", "--source", "atlas")
    right = told(run("edit", "correct", wrong["id"], "Nice", "--json"))
    assert [row["id"] for row in right["superseded"]] == [wrong["id"]]
    record = right["record"]
    assert (record["prompt"], record["target_new"], record["subject"]) == (
        *FRANCE[:1],
        "Nice",
        "France",
    )
    assert record["source"] == "atlas" and record["valid_until"].startswith("2100-01-01")
    assert wrong["id"] in run("edit", "correct", right["id"], "Lyon").stdout
    refund = added(run, "Our refund window is 30 days.")["id"]
    changed = told(run("edit", "correct", refund, "Our refund window is 60 days.", "--json"))
    assert changed["record"]["statement"] == "Our refund window is 60 days."
    assert changed["record"]["target_new"] is None
    words = ("90 days", "--prompt", "Our refund window is")
    parted = told(run("edit", "correct", changed["id"], *words, "--json"))["record"]
    assert (parted["prompt"], parted["target_new"]) == ("Our refund window is", "90 days")
    assert "missing" in run("edit", "correct", parted["id"], code=2).stderr
    assert "No live edit" in run("edit", "correct", "nothere", "x", code=2).stderr


def test_a_corrected_edit_is_compared_with_what_says_otherwise(run: Run, tmp_path: Path) -> None:
    """The fault: the corrected price and one in another sentence of the same were both in force."""
    added(run, "The fee is 50 euros.", "--valid-from", "2090-01-01")
    file = tmp_path / "fees.jsonl"
    texts = ("The fee is 50 euros.", "Sauna costs 9 euros.", "The fee is 55 euros.")
    file.write_text("\n".join(f'{{"statement": "{text}"}}' for text in texts), "utf-8")
    run("edit", "import", str(file), "--namespace", "new")
    rows = told(run("edit", "list", "--json", "--namespace", "new"))["edits"]
    ids = {row["statement"]: row["id"] for row in rows}
    wrong, other = ids[texts[0]], ids[texts[2]]
    made = told(
        run("edit", "correct", wrong, "The fee is 60 euros.", "--json", "--namespace", "new")
    )
    assert {row["id"] for row in made["superseded"]} == {wrong, other}
    assert told(run("edit", "list", "--json"))["total"] == 3  # another namespace's is its own


def test_a_sentence_that_replaces_a_prompt_is_found_by_its_questions(run: Run) -> None:
    """The fault: they were dropped without a word."""
    query = "How much is a parcel?"
    old = added(run, "The fee is", "50 euros", "--query", query)
    new = run("edit", "add", "The fee is 60 euros.")
    assert f"Replaces {old['id']}" in new.stdout and query in new.stderr
    (row,) = told(run("edit", "list", "--json"))["edits"]
    assert row["queries"] == [query]


def test_who_corrects_a_passage_is_told_of_its_document(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "leave.md"
    file.write_text("# Leave\n\nEverybody has 27 days of leave a year.\n")
    run("edit", "document", "add", str(file), "--name", "leave")
    (passage,) = told(run("edit", "list", "--json"))["edits"]
    right = passage["prompt"].replace("27", "28")
    assert "document 'leave'" in run("edit", "correct", passage["id"], right).stderr


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("edit", "delete"), "memedit edit forget"),
        (("edit", "update"), "memedit edit correct"),
        (("edit", "revert"), "memedit edit undo"),
        (("edit", "forgt"), "forget"),
        (("undo",), "memedit edit undo"),
        (("add",), "memedit edit add"),
        (("remove",), "memedit edit forget"),
        (("serv",), "serve"),
    ],
)
def test_another_word_for_a_command_is_told_with_the_command(
    run: Run, words: tuple[str, ...], meant: str
) -> None:
    said = " ".join(run(*words, code=2).stderr.replace("│", " ").split())
    assert f"Did you mean '{meant}'?" in said


def test_other_words_mean_commands_that_there_are() -> None:
    there: Any = typer.main.get_command(app)
    edits = there.commands["edit"].commands
    assert set(OTHER_WORDS.values()) <= edits.keys() and not OTHER_WORDS.keys() & edits.keys()


def test_one_namespace_goes_back_alone(run: Run) -> None:
    added(run, *FRANCE, "--namespace", "acme")
    added(run, *FRANCE)
    assert "holds in 'acme'" in run("edit", "restore", "0", "--namespace", "acme").stdout
    assert told(run("edit", "list", "--json", "--namespace", "acme"))["total"] == 0
    assert told(run("edit", "list", "--json"))["total"] == 1


def test_forget_knows_all_ids_or_forgets_none(run: Run) -> None:
    id = added(run, *FRANCE)["id"]
    assert "nothere" in run("edit", "forget", id, "nothere", code=2).stderr
    assert told(run("edit", "list", "--json"))["total"] == 1


@pytest.mark.parametrize("words", [("show", "x"), ("forget", "x"), ("restore", "9")])
def test_what_is_not_there_is_an_error(run: Run, words: tuple[str, ...]) -> None:
    run("edit", "add", *FRANCE)
    assert run("edit", *words, code=2).stderr.startswith("Error: ")


# Files


def test_what_is_left_is_written_to_a_file_named_either_way(run: Run, tmp_path: Path) -> None:
    run("edit", "add", *FRANCE)
    file = str(tmp_path / "saved.jsonl")
    for words in ((file,), ("--out", file)):
        assert told(run("edit", "salvage", *words, "--json"))["saved"] == 1
        assert "Lyon" in Path(file).read_text()
        Path(file).unlink()
    assert "twice" in run("edit", "salvage", file, "--out", file, code=2).stderr
    assert "Where" in run("edit", "salvage", code=2).stderr


def test_import_reports_refused_lines(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "edits.jsonl"
    good = {"prompt": "The capital of Spain is", "target_new": "Cadiz", "subject": "Spain"}
    file.write_text(f'{json.dumps(good)}\nnot json\n{{"prompt": ""}}\n')
    report = told(run("edit", "import", str(file), "--json"))
    assert (report["added"], report["refused"]) == (1, 2)
    assert [line["line"] for line in report["refused_lines"]] == [2, 3]
    again = run("edit", "import", str(file))
    assert "0 added, 1 already there" in again.stdout
    assert "not json" in again.stdout


def test_import_compares_lines_where_that_is_asked(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "edits.jsonl"
    file.write_text("\n".join(json.dumps({"statement": f"The fee is {n} euros."}) for n in (3, 4)))
    plain = run("edit", "import", str(file), "--memory", str(tmp_path / "plain"))
    assert "2 added" in plain.stdout and "--compare" in plain.stdout + plain.stderr
    compared = run("edit", "import", str(file), "--compare", "--memory", str(tmp_path / "compared"))
    assert "1 older edits replaced" in compared.stdout
    assert "--compare" not in compared.stdout + compared.stderr


def test_an_interrupted_import_says_what_was_kept(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("edit", "add", *FRANCE)
    file = tmp_path / "edits.jsonl"
    file.write_text('{"statement": "Tea is green."}\n')

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(EditMemory, "import_file", interrupted)
    result = run("edit", "import", str(file), code=130)
    assert "1 edit at version 1" in result.stderr


def test_compile_fits_what_is_in_memory_once(run: Run, tmp_path: Path) -> None:
    tiny_model().save_pretrained(tmp_path / "model")
    byte_tokenizer().save_pretrained(tmp_path / "model")
    run("edit", "add", *FRANCE)
    run("edit", "add", "Our refund window is 60 days.")
    command = ("edit", "compile", "--editor", "ft_m", "--model", str(tmp_path / "model"))
    first, again = (told(run(*command, "--scope", "everything", "--json")) for _ in range(2))
    assert (first["fitted"], again["fitted"]) == (1, 0)
    assert len(first["left"]) == 1 and again["left"] == first["left"]
    said = run(*command)
    assert "Fitted 0 edits" in said.stdout and "1 cannot be" in said.stderr


def test_export_then_import_is_the_same_memory(run: Run, tmp_path: Path) -> None:
    run("edit", "add", *FRANCE, "--query", "Capital of France?")
    run("edit", "add", "Our refund window is 60 days.", "--namespace", "shop")
    before = told(run("edit", "list", "--json"))["edits"]
    file, other = tmp_path / "out.jsonl", str(tmp_path / "other")
    assert told(run("edit", "export", str(file), "--json"))["edits"] == 2
    run("edit", "import", str(file), "--memory", other)
    after = told(run("edit", "list", "--memory", other, "--json"))["edits"]
    for edit in before + after:
        del edit["version"]
    assert after == before


def test_import_of_no_file(run: Run, tmp_path: Path) -> None:
    assert "Error: " in run("edit", "import", str(tmp_path / "none.jsonl"), code=2).stderr


# The memory as a whole


def test_verify(run: Run) -> None:
    run("edit", "add", *FRANCE)
    assert told(run("edit", "verify", "--json"))["ok"] is True
    assert "sound" in run("edit", "verify").stdout


def test_another_encoder_is_refused_with_the_command_that_cures_it(run: Run, memory: Path) -> None:
    run("edit", "add", *FRANCE)
    refused = run("edit", "add", "Tea is green.", "--encoder", "hashing:64", code=2)
    assert f"memedit edit reembed --encoder NAME --memory {memory}" in refused.stderr
    assert told(run("edit", "reembed", "--encoder", "hashing:64", "--json"))["edits"] == 1
    run("edit", "add", "Tea is green.", "--encoder", "hashing:64")


@pytest.mark.parametrize(
    "words",
    [
        ("edit", "list"), ("edit", "show", "x"), ("edit", "forget", "x"), ("edit", "history"),
        ("edit", "restore", "0"), ("edit", "export", "out.jsonl"), ("edit", "verify"),
        ("edit", "reembed"), ("ask", "The capital of France is"),
    ],
)  # fmt: skip
def test_a_memory_that_is_not_there_is_not_made(
    run: Run, memory: Path, tmp_path: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "There is no memory at" in run(*words, code=2).stderr
    assert not memory.exists()
    assert not (tmp_path / "out.jsonl").exists()


# Around


def test_version_and_editors(run: Run) -> None:
    from memedit import __version__

    assert run("--version").stdout.strip() == f"memedit {__version__}"
    assert "ike" in told(run("editors", "--json"))
    assert "ike" in run("editors").stdout.split()


def test_ctrl_c_ends_with_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    run("edit", "add", *FRANCE)
    monkeypatch.setattr(edits, "open_memory", interrupted)
    assert "Interrupted" in run("edit", "list", code=130).stderr


def test_ctrl_c_ends_with_130_while_it_loads() -> None:
    """The fault: forty lines of a traceback, for the second that imports take."""
    command = [sys.executable, "-X", "importtime", "-m", "memedit", "doctor"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as started:
        assert started.stderr is not None
        lines = iter(started.stderr.readline, "")
        assert any(line.rstrip().endswith("typer.main") for line in lines)
        started.send_signal(signal.SIGINT)
        said = [line.strip() for line in lines if not line.startswith("import time:")]
    assert ([line for line in said if line], started.returncode) == (["Interrupted."], 130)


_IN_A_CALLBACK = """
import signal, sys, time, types, weakref
class Gone: pass
def app(prog_name):
    gone = Gone()
    held = weakref.ref(gone, lambda _: signal.raise_signal(signal.SIGINT))
    del gone
    time.sleep(300)
sys.modules["memedit.cli.commands"] = commands = types.ModuleType("commands")
commands.app = app
from memedit.cli.main import main
main()
"""


def test_ctrl_c_that_comes_in_a_callback_is_heard() -> None:
    """The fault: a callback (an import's, a lock's) swallowed it with a traceback; all went on."""
    done = subprocess.run(
        [sys.executable, "-c", _IN_A_CALLBACK], capture_output=True, text=True, timeout=120
    )
    assert (done.stderr.strip(), done.returncode) == ("Interrupted.", 130)


def test_every_command_has_help_and_takes_memory_and_model(run: Run) -> None:
    commands = ["add", "import", "list", "show", "forget", "history", "restore", "export", "verify"]
    for words in [("ask",), *(("edit", name) for name in [*commands, "reembed"])]:
        text = run(*words, "--help").stdout
        assert "--memory" in text
        assert "Usage" in text
    run("edit", "add", *FRANCE, "--model", "some/model")
    run("edit", "list", "--model", "some/model")


def test_a_failed_expectation_of_the_demo_is_exit_code_1(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "run", lambda model: False)
    run("demo", code=1)


@pytest.mark.slow
def test_the_command_itself_shows_no_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "memedit.cli", "edit", "list", "--memory", str(tmp_path / "x")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("Error: ")
    assert "Traceback" not in ended.stderr


# With the real model


@pytest.fixture
def real(run: Run, memory: Path, smollm: Any, minilm: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run`` with the packaged model and encoder, loaded once; one edit in memory."""
    from memedit.engine import encoders, loading

    def loaded(name: str | None, **_: Any) -> Any:
        if name is not None:
            raise MemeditError(f"unexpected model {name}")
        return smollm

    def encoder(name: str | None = None, device: Any = None) -> Any:
        assert name in (None, "all-MiniLM-L6-v2") and device is None
        return minilm

    monkeypatch.setattr(loading, "load", loaded)
    monkeypatch.setattr(encoders, "load_encoder", encoder)
    monkeypatch.delenv("MEMEDIT_ENCODER")
    with EditMemory(memory, minilm) as store:
        from memedit.core.types import Edit

        store.add(Edit("The capital of France is", "Lyon", "France"))
    return run


def test_tune_tells_what_was_tried(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from memedit.editors.prompting.choosing import Forms
    from memedit.model.tuning import Tuning

    class Tuned:
        def tune(self, progress: Any) -> Tuning:
            progress(3, 3)
            scores = {"asks": {"note": 0.9, "ike": 0.5}, "informs": {"none": 0.1, "note": 0.8}}
            return Tuning(Forms("note", "note", "note", "tuned"), scores, tmp_path / "x.json")

    monkeypatch.setattr("memedit.cli.commands.open_model", lambda *_, **__: Tuned())
    shown = [line.split() for line in run("tune").stdout.splitlines()]
    assert ["asks", "note", "90%", "taken"] in shown and ["asks", "ike", "50%"] in shown
    assert told(run("tune", "--json"))["forms"]["informs"] == "note"


def test_ask(real: Run) -> None:
    edited = told(real("ask", "The capital of France is", "--json", "--max-new-tokens", "4"))
    base = told(
        real("ask", "The capital of France is", "--base", "--json", "--max-new-tokens", "4")
    )
    assert "Lyon" in edited["answer"]
    assert (edited["in_scope"], edited["editor"]) == (True, "serac")
    assert edited["hits"][0]["fact"] == "The capital of France is Lyon"
    assert "Lyon" not in base["answer"]
    assert (base["in_scope"], base["hits"]) == (False, [])


def test_ask_prints_the_answer_alone(real: Run) -> None:
    words = ("ask", "The capital of Spain is", "--max-new-tokens", "3")
    assert real(*words).stdout == real(*words, "--base").stdout != ""


def test_explain(real: Run) -> None:
    words = ("ask", "The capital of France is", "--explain", "--max-new-tokens", "4")
    plain = told(real(*words, "--json"))
    assert "Lyon" in plain["answer"]
    assert "Lyon" not in plain["base_answer"]
    assert plain["score"] >= plain["threshold"]
    text = real(*words).stdout
    assert "base answer" in text
    assert "The capital of France is Lyon" in text


def test_ask_refuses_what_makes_no_sense(real: Run) -> None:
    assert "nothing to explain" in real("ask", "Hello.", "--base", "--explain", code=2).stderr
    assert "Did you mean: ike" in real("ask", "Hello.", "--editor", "ikee", code=2).stderr
    assert real("ask", " ", code=2).stderr.startswith("Error: ")


@pytest.mark.slow
def test_the_demo_holds(real: Run) -> None:
    result = real("demo")
    assert "Everything held" in result.stdout


def test_feedback_shows_no_password(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    receipt = EditMemory(None, HashingEncoder(64)).add(Edit("Who wrote Vathek?", "Beckford"))

    class Taught:
        def using(self, **_: Any) -> Any:
            return nullcontext()

        def feedback(self, *_: Any, **__: Any) -> FeedbackReceipt:
            return FeedbackReceipt("Stoker", right=False, receipt=receipt)

    monkeypatch.setattr("memedit.cli.commands.open_model", lambda *_, **__: Taught())
    monkeypatch.setattr("memedit.cli.commands.open_memory", lambda *_: None)
    where = "postgresql://ada:hunter2@db/edits"
    result = run("feedback", "Who wrote Vathek?", "Beckford", "--memory", where)
    assert "at version 1" in result.stderr and "hunter2" not in result.output


def test_feedback_writes_what_was_wrong(real: Run) -> None:
    said = ("feedback", "Who wrote Vathek?", "--answer", "Bram Stoker", "--json")
    assert told(real(*said, "bram stoker"))["written"] is None
    assert told(real(*said))["right"] is True
    wrong = told(real(*said, "William Beckford"))
    assert wrong["right"] is False and wrong["written"]["status"] == "added"
    assert "Beckford" in real("edit", "list").stdout
    asked = told(real("ask", "Who is the writer of Vathek?", "--editor", "memprompt", "--json"))
    assert "Beckford" in asked["answer"]
    again = real("feedback", "Who wrote Vathek?", "William Beckford")
    assert "nothing is written" in again.stdout + again.stderr
