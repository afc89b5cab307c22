"""What is thought through before it is said, as a chain of thought that nobody sees.

A base that must begin with yes or no has not compared anything yet (Wei et al. 2022, arXiv
2201.11903): it says that a basket of 65 euros is delivered free from 80 euros on. Asked to compare
first, the same base is right. A thought that reckons begins with the fact's own words; one that
compares is better off without them: behind them the base says that the fact tells nothing of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from memedit.core.calls import LM, Batch, Row
from memedit.core.errors import ContextOverflowError
from memedit.core.suspicion import find_in_texts
from memedit.editors.prompting import formulas, timesums
from memedit.editors.prompting.arithmetic import mend_sums
from memedit.editors.prompting.claims import concludes_falsely
from memedit.editors.prompting.comparing import Verdict
from memedit.editors.prompting.forms import plain
from memedit.editors.prompting.notes import write_question
from memedit.engine.polls import Frame

MOST_NEW, _MOST_END = 128, 24
"""New tokens of a thought, and of the result of one that has none."""
_ASKED = (
    "\n\nThink it through in one or two short sentences: what do the facts say, what is asked, how "
    'do they compare? End with "Answer: Yes" or "Answer: No".'
)
_BEGINS = 'The facts say: "{fact}" '
"""With its space, as it was measured."""
_RECKONED = (
    "\n\nDo not answer yet. Work it out in one or two short sentences: what do the facts say, and "
    'what follows from it? End with "Result: ...".'
)
_RESULT = re.compile(r"\bresult\b(?! of\b)[^\n]{0,160}\d", re.IGNORECASE)
_TOLD = re.compile(r"\b[Rr]esult:[\s*\"“]{1,6}(?P<told>[A-Z\d€£$][^\n]{0,240})$")
_NOT_TOLD = re.compile(
    r"\b(?:I|[Ww]e|[Mm]e|us|[Oo]ur|[Mm]y|[Mm]ine|[Oo]urs)\b|:(?!\d\d)|=|\bResult\b|"
    r"\d ?[-+*×·÷/x−–] ?\d|\b(?:no information|unclear|cannot|can['’]t|unknown|not (?:known|"
    r"stated|given|specified|"
    r"sure|clear|enough|possible))\b"
)
"""In a result that is none to tell: it speaks of the base, does not know, or still reckons."""
_LONGEST = 400
"""Characters of a fact that a thought begins with; a longer one is too much to say again."""
_CONCLUDED = re.compile(
    r"\banswer(?:\s+is)?\W{0,8}(yes|no)\b(?!\s*/|\W{0,3}\s(?:or|if|longer|one|data|"
    r"information|answer)\b)"
    r"[^\n]{0,80}$",
    re.IGNORECASE,
)
_BRIEF = 250
"""Characters of a thought that had room to end."""
_MOST_READ = 12_000
"""Characters of a chat that is thought about: it is read once more for it."""
_ECHOED = re.compile(r"\byes\W{1,4}or\W{1,4}answer", re.IGNORECASE)
"""What a base says that repeats how it shall end."""


@dataclass(frozen=True, slots=True)
class Exercise:
    """What a base writes on one line behind worked examples, and what it comes to.

    Attributes:
        order: What it is to do.
        show: The examples: what is asked, and the line.
        most: New tokens.
        read: What comes out of a line, given its facts, the best last, and the user's words; "":
            nothing.
    """

    order: str
    show: Callable[[], list[tuple[str, str]]]
    most: int
    read: Callable[[str, Sequence[str], str], str]


def _read_sum(line: str, facts: Sequence[str], words: str) -> str:
    return formulas.work_out_formula(line, " ".join(reversed(facts)), words)


SUMS = Exercise(formulas.ORDER, formulas.show, formulas.MOST_NEW, _read_sum)
"""Formulas: what a sum comes to."""
MOMENTS = Exercise(timesums.ORDER, timesums.show, timesums.MOST_NEW, timesums.work_out_moment)
"""Days and times so long before or after others."""


def think_through(rows: Sequence[Row], batch: Batch) -> list[Verdict | None]:
    """What the base concludes of each row: a question with the facts before it; None: nothing.

    Args:
        rows: Chats, with their notes.
        batch: Theirs; its base thinks.
    """
    asked = [replace(row, prompt=row.prompt + _ASKED) for row in rows]
    return [find_conclusion(thought) for thought in _think(asked, [""] * len(rows), batch)]


def work_out(rows: Sequence[Row], facts: Sequence[str], batch: Batch) -> list[str]:
    """What a base reckons of each row, thinking, on one line; "" where it comes to no number.

    Args:
        rows: Chats, with their notes.
        facts: For each the fact that its thought begins with.
        batch: Theirs; its base thinks.
    """
    assert batch.lm is not None
    asked = [replace(row, prompt=row.prompt + _RECKONED) for row in rows]
    said = _finish(asked, facts, _think(asked, facts, batch), batch)
    return [plain(find_result(thought), batch.lm.tokenizer) for thought in said]


def work_out_lines(
    exercise: Exercise,
    rows: Sequence[Row],
    told: Sequence[Sequence[str]],
    earlier: Sequence[str],
    batch: Batch,
) -> list[str]:
    """What comes out of the line that the base writes for each row; "" where it writes none.

    Args:
        exercise: What it writes.
        rows: Chats.
        told: For each its facts, the best last.
        earlier: For each what was said before.
        batch: Theirs; its base writes.
    """
    lines = _write_lines(exercise, rows, told, earlier, batch)
    return [
        exercise.read(line, facts, row.words)
        for line, facts, row in zip(lines, told, rows, strict=True)
    ]


def _write_lines(
    exercise: Exercise,
    rows: Sequence[Row],
    told: Sequence[Sequence[str]],
    earlier: Sequence[str],
    batch: Batch,
) -> list[str]:
    """What a base writes for each row behind worked examples; "" where there is no room."""
    lm = batch.lm
    assert lm is not None
    if not rows or (frame := _recall_frame(exercise, lm)) is None:
        return [""] * len(rows)
    asked = [
        write_question(facts, row.words, said)
        for row, facts, said in zip(rows, told, earlier, strict=True)
    ]
    fit = [n for n, each in enumerate(asked) if frame.has_room(each, lm, exercise.most)]
    begun = tuple(replace(_bare(rows[n]), prompt=asked[n] + frame.closes, turn=None) for n in fit)
    lines = _generate(begun, batch, exercise.most, frame.prefix)
    found = dict(zip(fit, lines, strict=True))
    return [found.get(n, "") for n in range(len(rows))]


def _recall_frame(exercise: Exercise, lm: LM) -> Frame | None:
    """What stands around a question, made once."""
    if exercise.order not in lm.kept:
        lm.kept[exercise.order] = Frame.of(lm, exercise.order, exercise.show())
    found: Frame | None = lm.kept[exercise.order]
    return found


def _finish(
    rows: Sequence[Row], facts: Sequence[str], thoughts: Sequence[str], batch: Batch
) -> list[str]:
    """The thoughts, with a result those that ended without one."""
    said = list(thoughts)
    open_ones = [n for n, each in enumerate(said) if re.search(r"\d", each) and _lacks_end(each)]
    begun = [f"{_begin(facts[n])}{said[n].strip()} Result:" for n in open_ones]
    asked = [rows[n] for n in open_ones]
    ends = _think_on(asked, begun, batch, most=_MOST_END) if asked else []
    for n, end in zip(open_ones, ends, strict=True):
        said[n] = f"{said[n].strip()} Result: {end.strip().splitlines()[0]}" if end.strip() else ""
    return said


def _lacks_end(thought: str) -> bool:
    """Whether a thought ended, and said no result."""
    whole = " ".join(thought.split())
    return not _breaks_off(whole) and "result" not in whole.casefold()


def _breaks_off(whole: str) -> bool:
    return len(whole) > _BRIEF and whole[-1] not in '.!)"*%'


def find_result(thought: str) -> str:
    """A thought that comes to a number, on one line; "" where it does not, or broke off.

    What it may have read in the chat that reads as an order, or a link, is not taken over.
    """
    whole = mend_sums(" ".join(thought.split()))
    if _breaks_off(whole) or not _RESULT.search(whole) or find_in_texts([whole]):
        return ""
    return whole


def find_told(worked: str) -> str:
    """The end of what was worked out, as it can be told to who asked; "" where it cannot.

    A base that has reckoned reckons again, step by step, until its answer is cut off: the result of
    its thought is the answer. One that speaks of itself ("I would have to add") is none.
    """
    found = _TOLD.search(worked)
    told = found["told"].strip(' *"”') if found else ""
    return told if re.search(r"\d", told) and not _NOT_TOLD.search(told) else ""


def _think(rows: Sequence[Row], facts: Sequence[str], batch: Batch) -> list[str]:
    """The thoughts of rows; "" where one has no room."""
    return _think_on(rows, [_begin(fact) for fact in facts], batch)


def _think_on(
    rows: Sequence[Row], begins: Sequence[str], batch: Batch, *, most: int = MOST_NEW
) -> list[str]:
    """How thoughts go on that have begun."""
    begun = {
        at: replace(_bare(row), turn=row.turn and replace(row.turn, after=row.turn.after + begin))
        for at, (row, begin) in enumerate(zip(rows, begins, strict=True))
        if len(row.text) <= _MOST_READ
    }
    thoughts = dict(zip(begun, _generate(tuple(begun.values()), batch, most), strict=True))
    return [thoughts.get(at, "") for at in range(len(rows))]


def _bare(row: Row) -> Row:
    """A row without what its answer is to be like."""
    return replace(
        row, rewritten=True, formed=False, keeps=None,
        answers=(), only=(), leans=(), swaps=(), opens=(), shuns=(),
    )  # fmt: skip


def _generate(rows: tuple[Row, ...], batch: Batch, most: int, prefix: str = "") -> list[str]:
    if not rows or batch.lm is None:
        return [""] * len(rows)
    options = {"max_new_tokens": most, "do_sample": False}
    call = batch.aside or batch.lm.generate
    try:
        return [
            said.text for said in call(Batch(rows, lm=batch.lm, prefix=prefix, options=options))
        ]
    except ContextOverflowError:  # the answer may fit where the thought does not
        if len(rows) == 1:
            return [""]
    return [thought for row in rows for thought in _generate((row,), batch, most, prefix)]


def _begin(fact: str) -> str:
    return _BEGINS.format(fact=fact) if 0 < len(fact) <= _LONGEST else ""


def find_conclusion(thought: str) -> Verdict | None:
    """The yes or no with which a thought ends, the other one where it rests on a comparison that is
    wrong; None where it comes to none."""
    found = _CONCLUDED.search(thought.strip())
    if found is None or "<think>" in thought or _ECHOED.search(thought):
        return None
    last = _CONCLUDED.search(thought.strip(), found.start() + 1)
    while last is not None:
        found, last = last, _CONCLUDED.search(thought.strip(), last.start() + 1)
    yes = (found[1].casefold() == "yes") != concludes_falsely(thought)
    return "Yes" if yes else "No"
