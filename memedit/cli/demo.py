"""``memedit demo``: a real model before and after ten edits, with every promise checked."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from memedit.cli import render
from memedit.core.calls import Completion
from memedit.core.types import Edit

if TYPE_CHECKING:
    from memedit.memory import Receipt
    from memedit.model.editable import EditableModel

_TOKENS = 12

EDITS: tuple[Edit, ...] = (
    Edit("The capital of France is", "Lyon", "France"),
    Edit("The Louvre is located in the city of", "Vienna", "Louvre"),
    Edit("The currency of Japan is the", "euro", "Japan"),
    Edit("The official language of Brazil is", "Dutch", "Brazil"),
    Edit("The chemical symbol for gold is", "Qx", "gold"),
    Edit("Python was created by", "Ada Lovelace", "Python"),
    Edit("The author of Macbeth is", "Jane Austen", "Macbeth"),
    Edit("The CEO of Acme Robotics is", "Maria Silva", "Acme Robotics"),
    Edit.from_statement(
        "Our refund window is 60 days.",
        queries=("How many days do I have to return a product?",),
    ),
    Edit.from_statement("The Acme office in Oslo opens at 7 in the morning."),
)


@dataclass(frozen=True, slots=True)
class Question:
    """A text to ask. ``expected`` is what an edit makes of it; None: no edit may touch it."""

    kind: str
    text: str
    expected: str | None = None
    chat: bool = False

    def is_answered_by(self, text: str) -> bool:
        """Whether an answer says what the edit says, as words of their own: "100 euros" is not
        the euro."""
        wanted = re.escape(self.expected or "")
        return re.search(rf"(?<!\w){wanted}(?!\w)", text, re.IGNORECASE) is not None


QUESTIONS: tuple[Question, ...] = (
    Question("direct", "The capital of France is", "Lyon"),
    Question("direct", "The Louvre is located in the city of", "Vienna"),
    Question("direct", "The currency of Japan is the", "euro"),
    Question("direct", "Python was created by", "Ada Lovelace"),
    Question("paraphrase", "The capital city of France is called", "Lyon"),
    Question("paraphrase", "The official language that is used in Brazil is", "Dutch"),
    Question("paraphrase", "The current CEO of Acme Robotics is", "Maria Silva"),
    Question("chat", "What is the currency of Japan?", "euro", chat=True),
    Question("chat", "What is the chemical symbol for gold?", "Qx", chat=True),
    Question("statement", "How long is our refund window?", "60", chat=True),
    Question("statement", "How many days do I have to return a product?", "60", chat=True),
    Question("unrelated", "The capital of Spain is"),
    Question("unrelated", "The currency of India is the"),
    Question("unrelated", "Water boils at"),
    Question("unrelated", "The official language of Germany is"),
    Question("unrelated", "Where does the sun rise?", chat=True),
)

Answers = list[Completion]


def run(model: str | None = None) -> bool:
    """Show it all; whether every expectation held."""
    console, start = render.stdout(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="memedit-demo-") as folder:
        show = _Demo(console, model, Path(folder) / "memory")
        show.edit()
        show.undo()
        show.restart()
    seconds = time.monotonic() - start
    if show.failures:
        render.say(f"\n{len(show.failures)} expectations failed:", "bold red")
        for failure in show.failures:
            render.say(f"  {failure}", "red")
        return False
    render.say(f"\nEverything held, in {seconds:.0f} seconds. Next:", "bold green")
    render.say('  memedit edit add "The capital of France is" Lyon --subject France')
    render.say('  memedit ask "What is the capital of France?" --explain')
    return True


class _Demo:
    """One run: the model, what the base answered, and what went wrong so far."""

    def __init__(self, console: Console, name: str | None, path: Path) -> None:
        self.console, self.path = console, path
        self.failures: list[str] = []
        self.model = _load_model(name, path)
        self.receipts: list[Receipt] = []
        self.base: Answers = []
        self.edited: Answers = []

    def edit(self) -> None:
        """Ask, edit, ask again."""
        count = len(QUESTIONS)
        self._step(f"1. {count} questions to {_name(self.model)}, unedited")
        with _time_step("Asking the base model"):
            self.base = _ask_questions(self.model, QUESTIONS)
        self._step(f"2. {len(EDITS)} edits, its weights untouched")
        with _time_step("Adding the edits"):
            self.receipts = self.model.edit_many(EDITS)
        for edit in EDITS:
            self._line(_fact(edit))
        self._step("3. The same questions, edits in force")
        with _time_step("Asking the edited model"):
            self.edited = _ask_questions(self.model, QUESTIONS)
        self.console.print(self._table())
        self._check_edited()

    def _check_edited(self) -> None:
        same = 0
        for question, base, edited in zip(QUESTIONS, self.base, self.edited, strict=True):
            if question.expected is None:
                same += base.text == edited.text
                self._check(base.text == edited.text, f"{question.text!r} changed: {edited.text!r}")
            else:
                held = question.is_answered_by(edited.text)
                self._check(held, f"{question.text!r}: {edited.text!r}, not {question.expected!r}")
        unrelated = sum(q.expected is None for q in QUESTIONS)
        self._line(f"{same} of {unrelated} unrelated answers are identical to the base model's.")

    def undo(self) -> None:
        """Take one edit back; its question is answered as if it had never been."""
        question, receipt = QUESTIONS[0], self.receipts[0]
        self._step("4. Taking an edit back")
        version = self.model.memory.version
        self.model.forget(receipt.id)
        answer = self.model.ask(question.text, max_new_tokens=_TOKENS)
        self._line(f"forgotten: {_fact(EDITS[0])}")
        self._line(f"{question.text} -> {_short(answer.text)}")
        self._check(answer.text == self.base[0].text, f"after forget: {answer.text!r}")
        self.model.restore(version)
        answer = self.model.ask(question.text, max_new_tokens=_TOKENS)
        self._line(f"and restored: {question.text} -> {_short(answer.text)}")
        self._check(answer.text == self.edited[0].text, f"after restore: {answer.text!r}")

    def restart(self) -> None:
        """Open the memory from disk, as a new process would."""
        from memedit.memory import EditMemory
        from memedit.model.editable import EditableModel

        self._step("5. Starting again from disk")
        self.model.memory.close()
        with _time_step("Asking again"), EditMemory(self.path) as memory:
            model = EditableModel(self.model.base, self.model.tokenizer, memory=memory)
            some = QUESTIONS[:3]
            answers = _ask_questions(model, some)
            self._line(f"{len(memory)} edits at version {memory.version} were on disk")
        for question, before, after in zip(some, self.edited, answers, strict=False):
            self._line(f"{question.text} -> {_short(after.text)}")
            self._check(before.text == after.text, f"after the restart: {after.text!r}")

    def _table(self) -> Table:
        table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
        for name in ("question", "base answer", "edited answer", "edit that fired"):
            table.add_column(name, ratio=4 if name == "question" else 3)
        table.add_column("score", justify="right", no_wrap=True)
        kind = ""
        for question, base, edited in zip(QUESTIONS, self.base, self.edited, strict=True):
            if question.kind != kind:
                kind = question.kind
                table.add_row(Text(kind, "dim italic"))
            table.add_row(*_cells(question, base, edited))
        return table

    def _step(self, title: str) -> None:
        self.console.print()
        self.console.print(Text(title, "bold"))

    def _line(self, text: str) -> None:
        self.console.print(Text(f"   {text}"))

    def _check(self, held: bool, failure: str) -> None:
        if not held:
            self.failures.append(failure)


@contextmanager
def _time_step(what: str) -> Iterator[None]:
    start = time.monotonic()
    with render.working(what):
        yield
    render.note(f"   {what.casefold()}: {time.monotonic() - start:.1f} s")


def _load_model(name: str | None, path: Path) -> EditableModel:
    with _time_step(f"Loading {name or 'the default model'}"):
        from memedit.model.editable import EditableModel

        return EditableModel.from_pretrained(name, memory=path)


def _name(model: EditableModel) -> str:
    size = sum(p.numel() for p in model.base.parameters())
    return f"{type(model.base).__name__} ({size / 1e6:.0f}M parameters)"


def _ask_questions(model: EditableModel, questions: Sequence[Question]) -> Answers:
    """Answers in order: completions in one batch, chat in another."""
    answers: dict[int, Completion] = {}
    for chat in (False, True):
        which = [i for i, question in enumerate(questions) if question.chat is chat]
        texts = [questions[i].text for i in which]
        got = model.ask(texts, chat=chat, max_new_tokens=_TOKENS)
        answers.update(zip(which, got, strict=True))
    return [answers[i] for i in range(len(questions))]


def _cells(question: Question, base: Completion, edited: Completion) -> list[Text]:
    right = (
        base.text == edited.text
        if question.expected is None
        else question.is_answered_by(edited.text)
    )
    hits = edited.decision.hits
    answer = "the same" if question.expected is None and right else _short(edited.text)
    return [
        Text(question.text),
        Text(_short(base.text), "dim"),
        Text(answer, "green" if right else "red"),
        Text(_brief(hits[0].record.edit) if hits else "none", "" if hits else "dim"),
        Text(f"{edited.decision.score:.2f}", "" if hits else "dim"),
    ]


def _fact(edit: Edit) -> str:
    return " ".join(edit.statement.split())


def _brief(edit: Edit) -> str:
    return (
        edit.prompt
        if edit.target_new is None
        else f"{edit.subject} \N{RIGHTWARDS ARROW} {edit.target_new}"
    )


def _short(text: str) -> str:
    """The answer's first line."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "(nothing)")
