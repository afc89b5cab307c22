"""How the command line shows things: tables and messages for people, plain data for programs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from memedit.cli.wording import counted, tell_kept
from memedit.core.moments import format_days
from memedit.core.types import Hit, Record, Role
from memedit.memory.plain import plain_record

if TYPE_CHECKING:
    from memedit.cli.doctor import Finding
    from memedit.evaluation.checks import Outcome
    from memedit.memory import Event, ImportReport, Receipt, VerifyReport
    from memedit.model.explanation import Explanation
    from memedit.model.tuning import Tuning

_REFUSED_SHOWN = 10
_LATER_CONTROLS = re.compile("[\\x7f-\\x9f]")  # those before are escaped by JSON itself
_CONTROLS = [*range(0x20), *range(0x7F, 0xA0)]
_VISIBLE = {code: f"\\x{code:02x}" for code in _CONTROLS if chr(code) not in "\t\n"}
"""How control characters of a text are shown: a terminal would do what they say."""


class _Terminal(Console):
    """A console to which texts are texts, whoever wrote them: neither markup nor commands."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                shown = segment.text.translate(_VISIBLE).encode("utf-8", "backslashreplace")
                yield Segment(shown.decode(), segment.style)


def stdout() -> Console:
    """For results."""
    return _Terminal()


def stderr() -> Console:
    """For progress, notes and errors, so that standard output holds the result alone."""
    return _Terminal(stderr=True)


def say(text: str, style: str = "") -> None:
    """A line of the result, its brackets taken literally."""
    stdout().print(Text(text, style=style), soft_wrap=True)


def tell(text: Text) -> None:
    """A line of the result that has its styles."""
    stdout().print(text, soft_wrap=True)


def note(text: str, style: str = "dim") -> None:
    """A line beside the result."""
    stderr().print(Text(text, style=style), soft_wrap=True)


def error(message: str, hint: str = "", section: str = "") -> None:
    """What went wrong, what to do about it, and where the documentation has more.

    Args:
        section: Where that is.
    """
    stderr().print(Text.assemble(("Error: ", "bold red"), (message, "red")), soft_wrap=True)
    if hint:
        note(hint, style="")
    if section:
        note(f"See {section}, or: memedit errors {section.partition('#')[2]}")


def list_names(lines: Mapping[str, str]) -> None:
    """Names, each with a line beside it; in a narrow terminal the line is broken, not the name."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, text in lines.items():
        table.add_row(Text(name), Text(text))
    stdout().print(table)


_STATES = {"ok": "green", "missing": "bold red", "optional": "yellow", "note": "dim"}
"""How a finding of memedit doctor is coloured."""


def findings(found: Sequence[Finding]) -> None:
    """What memedit doctor found, part by part, each with the command that cures it."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for each in found:
        said = Text(each.said)
        if each.cure:
            said.append(f"\n{each.cure}", style="bold")
        table.add_row(Text(each.state, style=_STATES[each.state]), Text(each.name), said)
    stdout().print(table)


def json_text(value: Any) -> str:
    """``value`` as JSON for a file."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def as_json(value: Any) -> None:
    """``value`` as JSON, for programs; escaped where the terminal's encoding needs it."""
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").casefold()
    text = json.dumps(value, indent=2, ensure_ascii=not encoding.startswith("utf"))
    text = _LATER_CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    sys.stdout.write(text.encode("utf-8", "replace").decode("utf-8") + "\n")


@contextmanager
def working(what: str) -> Iterator[None]:
    """A spinner while something of unknown length runs."""
    with stderr().status(Text(what)):
        yield


@contextmanager
def counting(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar; the callback takes how many are done so far."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:,.0f}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=stderr(), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


@contextmanager
def measuring() -> Iterator[Callable[[str, int, int], None]]:
    """A bar with the time left per editor; the callback takes (editor, done, of how many)."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=stderr(), transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def show_progress(editor: str, done: int, total: int) -> None:
            if editor not in tasks:
                tasks[editor] = progress.add_task(editor, total=total)
            progress.update(tasks[editor], completed=done, total=total)

        yield show_progress


def fact(record: Record) -> Text:
    """The fact on one line, what was edited in bold."""
    edit = record.edit
    if edit.target_new is None:
        return Text(_line(edit.prompt))
    return Text.assemble(f"{_line(edit.prompt)} ", (_line(edit.target_new), "bold"))


def _line(text: str) -> str:
    return " ".join(text.split())


def _validity(record: Record) -> str:
    """When it holds, both ends included, in UTC."""
    return format_days(record.valid_from, record.valid_until)


_WIDTHS = {"fact": 16, "subject": 12, "reason": 24}
"""Letters that a column has at least, so that a narrow terminal breaks between words."""


def _table(*columns: str, title: str | None = None) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        numeric = column in {"version", "score", "similarity", "relation"}
        table.add_column(
            column,
            justify="right" if numeric else "left",
            no_wrap=numeric or column in {"id", "when", "what", "namespace", "line"},
            overflow="fold",  # a word too long for its column is broken, never cut
            min_width=_WIDTHS.get(column),
        )
    return table


def records(shown: Sequence[Record], total: int, *, where: str) -> None:
    """The edits of a memory, those left out counted."""
    if not shown:
        say(f"No edits in {where}.")
        return
    several = len({r.namespace for r in shown}) > 1
    dated = any(_validity(r) for r in shown)
    extra = [name for name, wanted in (("namespace", several), ("valid", dated)) if wanted]
    table = _table("id", "fact", "subject", *extra, "version")
    for record in shown:
        cells = {"namespace": record.namespace, "valid": _validity(record)}
        more = [Text(cells[name]) for name in extra]
        subject = Text(record.edit.subject or "")
        table.add_row(record.id, fact(record), subject, *more, str(record.version))
    stdout().print(table)
    if total > len(shown):
        note(f"{len(shown):,} newest of {total:,} edits; --limit N shows more, --limit 0 all.")


def record(shown: Record, events: Sequence[Event]) -> None:
    """One edit and what happened to it."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in plain_record(shown).items():
        if value not in (None, "", []):
            text = "\n".join(value) if isinstance(value, list) else str(value)
            table.add_row(name, Text(text))
    stdout().print(table)
    history(events, len(events))


def receipt(given: Receipt, where: str) -> None:
    """What became of an edit."""
    when = f" {_validity(given.record)}".rstrip()
    if given.status == "duplicate" and not given.superseded:
        lead = f"Already in {where}: {given.id}{when} (nothing changed): "
        return tell(Text.assemble(lead, fact(given.record)))
    verb = ("Added ", "green") if given.status == "added" else "Already there: "
    tell(Text.assemble(verb, f"{given.id}: ", fact(given.record)))
    for old in given.superseded:
        tell(Text.assemble(f"Replaces {old.id}{when}: ", fact(old)))
    for other in given.conflicts:
        tell(Text.assemble(("Note: ", "yellow"), f"{other.id} seems to differ: ", fact(other)))
    for said in tell_kept(given.kept_queries, given.kept_excluded):
        note(said)
    resting(given.may_rest)
    if given.conflicts:
        note("Both stay in force. memedit edit forget ID takes out the one that is wrong.")
    if given.record.edit.is_statement and given.record.edit.prompt.rstrip().endswith("?"):
        note("It asks and says nothing: memedit edit add QUESTION ANSWER.", style="yellow")
    if given.suspicious:
        note(f"It looks like more than a fact: {', '.join(given.suspicious)}.", style="yellow")
    note(f"{where} is at version {given.version}; memedit edit undo takes this back.")


def resting(records: Sequence[Record], said: str = "may rest on what changed") -> None:
    """What may rest on what is gone, or what else is ``said`` of records."""
    for each in records:
        tell(Text.assemble(("Note: ", "yellow"), f"{each.id} {said}: ", fact(each)))


def checks(outcomes: Sequence[Outcome]) -> None:
    """Questions with their answers, and what is wrong with them."""
    table = _table("", "line", "question", "answer", "what is wrong")
    for outcome in outcomes:
        mark = Text("wrong", "red") if outcome.wrong else Text("right", "green")
        line, asked = str(outcome.check.edit[0]), Text(_line(outcome.check.ask))
        table.add_row(mark, line, asked, Text(_line(outcome.answer)[:160]), Text(outcome.wrong))
    stdout().print(table)


def history(events: Sequence[Event], total: int) -> None:
    """Events, oldest first: a line each, and below it the fact; of a long one the beginning."""
    console = stdout()
    digits = len(str(events[-1].version)) if events else 0
    for event in events:
        when = event.at.astimezone().strftime("%Y-%m-%d %H:%M")
        head = f"{event.version:>{digits}}  {when}  {event.kind:<9}  {event.record.id}"
        console.print(Text.assemble((head, "bold"), (_tell_cause(event), "dim")), soft_wrap=True)
        told = _shorten(fact(event.record), 2 * max(40, console.width - digits - 2))
        console.print(Padding(told, (0, 0, 0, digits + 2)))
    if not events:
        say("Nothing has happened yet.")
    if total > len(events):
        note(f"The last {len(events):,} of {total:,} events; --limit N shows more, --limit 0 all.")


def _shorten(text: Text, most: int) -> Text:
    """A text, of more than so many characters its beginning."""
    if len(text) > most:
        text.truncate(most - 2)
        text.append(" …")
    return text


def _tell_cause(event: Event) -> str:
    if event.other is not None and event.other.id == event.record.id:
        return " (stored anew)"
    if event.kind == "supersede" and event.other is not None:
        return f" (by {event.other.id})"
    if event.took_place and event.other is not None:
        return f" (in place of {event.other.id})"
    return f" ({event.reason})" if event.reason else ""


def import_report(report: ImportReport, where: str) -> None:
    """What became of a file."""
    say(
        f"{report.added:,} added, {report.duplicate:,} already there, {report.superseded:,} older "
        f"edits replaced, {report.refused_total:,} line{'s' * (report.refused_total != 1)} refused."
    )
    if report.resumed_at:
        note(f"Continued an interrupted import after {report.resumed_at:,} lines.")
    if report.added and not report.compared:
        note("Taken as they are: --compare compares each line in other words with what is in force"
             ", and with those before it, some 0.1 s a line.")  # fmt: skip
    if report.suspicious:
        note(
            f"{report.suspicious:,} of them look like more than facts: orders, role marks, links, "
            "code or invisible characters.",
            style="yellow",
        )
    if report.refused:
        table = _table("line", "text", "reason", title="Refused")
        for line, text, reason in report.refused[:_REFUSED_SHOWN]:
            table.add_row(str(line), Text(text), Text(reason))
        stdout().print(table)
        if report.refused_total > _REFUSED_SHOWN:
            note(f"{report.refused_total - _REFUSED_SHOWN:,} more; --json lists up to 1,000.")


def verify_report(report: VerifyReport, where: str) -> None:
    """Whether a memory is sound."""
    if report.ok:
        held = counted(report.records, "edit")
        say(f"{where} is sound: {held}, version {report.version}.", "green")
        return
    say(f"{where} is damaged. Problems: {len(report.problems):,}", "bold red")
    for problem in report.problems:
        say(f"  {problem}")


_MARKS: dict[Role | None, Text] = {"asks": Text("*", "green"), "informs": Text("~", "cyan")}
"""How an edit that the query asks, or whose answer depends on it, is marked among the others."""


def explanation(given: Explanation) -> None:
    """Both answers, and the evidence for the decision."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    decision = given.decision
    verdict = "no edit is asked for" if decision.informs else "no edit applies"
    if decision.hits:
        verdict = f"an edit applies ({given.editor})"
        if given.answer == given.base_answer:  # a reader may find no answer in a fact
            verdict = f"an edit was found ({given.editor}), but the answer is the base's own"
    table.add_row("answer", Text(given.answer))
    table.add_row("base answer", Text(given.base_answer))
    table.add_row(
        "decision", Text(f"{verdict}: {_compare_scores(decision.score, decision.threshold)}")
    )
    if decision.read_as:
        table.add_row("read as", Text(_line(decision.read_as)))
    if decision.as_of is not None:
        table.add_row("time", Text(f"{decision.named!r}: the facts of {decision.as_of:%Y-%m-%d}"))
    if decision.informs:
        used = f"used by {given.editor}" if given.editor and not decision.hits else "beside it"
        least, how_many = decision.informing_threshold, counted(len(decision.informs), "edit")
        table.add_row("depends on", Text(f"{how_many} ({used}; threshold {least:.3f})"))
    if decision.companions:
        table.add_row("told beside", Text(_say_all(decision.companions)))
    for hit in decision.bearing:
        if (at := hit.passage) is not None:
            told = f"{at.document}, version {at.version}, passage {at.number} of {at.count}"
            table.add_row("from", Text(f"{told}: {_line(hit.record.edit.statement)}"))
    if decision.disagrees:
        told = f"answered from it; an edit disagrees: {_say_all(decision.disagrees)}"
        table.add_row("document", Text(told))
    stdout().print(table)
    _candidates(decision.candidates, {hit.record.id: hit.role for hit in decision.bearing})


def _say_all(hits: Sequence[Hit]) -> str:
    return "; ".join(_line(hit.record.edit.statement) for hit in hits)


def tuning(found: Tuning) -> None:
    """What was tried on a base, what held how often, and what is taken from now on."""
    table = _table("request", "form", "right", "", title="Forms tried")
    for kind, scores in found.scores.items():
        taken = getattr(found.forms, kind)
        for form, share in scores.items():
            style, mark = ("green", "taken") if form == taken else ("", "")
            table.add_row(kind, Text(form, style), Text(f"{share:.0%}", style), mark)
    stdout().print(table)
    say(f"Kept in {found.file}", "dim")


def _compare_scores(score: float, threshold: float) -> str:
    relation = "reaches" if score >= threshold else "is below"
    return f"score {score:.3f} {relation} the threshold {threshold:.3f}"


def _candidates(hits: Sequence[Hit], roles: Mapping[str, Role | None]) -> None:
    both = any(hit.bearing is not None for hit in hits)
    chances = ("asks", "bears") if both else ("score",)
    table = _table("", "id", "fact", *chances, "alike", title="Edits weighed")
    table.columns[2].min_width = 26 if both else 34  # in 80 columns all numbers are whole
    for hit in hits:
        mark = _MARKS.get(roles.get(hit.record.id), "")
        numbers = (hit.score, hit.bearing)[: len(chances)] + (hit.similarity,)
        shown = ("" if number is None else f"{number:.3f}" for number in numbers)
        table.add_row(mark, hit.record.id, _explain_hit(hit), *shown)
    if table.row_count:
        stdout().print(table)


def _explain_hit(hit: Hit) -> Text:
    """The fact, and below it what the query shares with it."""
    from memedit.scope.features import match_words  # numpy: not for `memedit edit list`

    words = ", ".join(match_words(hit))
    shared = (f"names {hit.mention}" if hit.mention else "", f"words: {words}" if words else "")
    looked = "" if hit.second_look is None else f"the model's second look: {hit.second_look:+.1f}"
    below = "; ".join(part for part in (*shared, looked) if part)
    return Text.assemble(fact(hit.record), (f"\n{below}" if below else "", "dim"))
