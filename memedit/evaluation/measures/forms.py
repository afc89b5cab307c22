"""Whether an answer has the form its request asks for. Checks by code, one function a form.

A form is a mapping with a ``type`` and parameters, as it stands in a file of cases::

    {"type": "list", "n": 3}   {"type": "json", "keys": ["name", "price"]}   {"type": "mail"}

An answer keeps no form, whatever is asked for, where it shows a part of a prompt of ours ("Fact:")
or a chat marker.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from html.parser import HTMLParser
from itertools import takewhile
from types import MappingProxyType
from typing import Any, TypeAlias

from memedit.core.errors import InvalidInputError
from memedit.evaluation.measures.saying import asserts, find_polarity, make_canonical

Form: TypeAlias = Mapping[str, Any]

_LEAK = re.compile(
    r"(?im)^\W*(?:facts?|new facts?|clarification|known facts|use these facts|"
    r"(?:current|up-to-date) facts\b[^\n:]{0,60})\s*:|<\|im_|<\|end"
)
_ITEM = re.compile(r"^(\s*)(?:[-*•–+]|\(?\d{1,2}[.):]|\(?[a-z][.)])\s+\S")
_RULE = re.compile(r"\|?(?: *:?-{2,}:? *\|)+(?: *:?-{2,}:? *)?")
"""Under the heads of a Markdown table."""
_BAR = re.compile(r"(?<!\\)\|")
_FENCE = re.compile(r"```[\w+-]*[^\S\n]*\n?(.*?)```", re.DOTALL)
# Behind three letters, at least: "Dr." and "e.g." end no sentence.
_SENTENCE = re.compile(r"(?<=[\w\"')]{3})[.!?]+[\"')]*\s+(?=[^\s\d])")
_GREETING = re.compile(
    r"(?im)^\W*(?:subject\b|betreff\b|dear\b|hello\b|hi\b|hey\b|good (?:morning|day|afternoon|"
    r"evening)|greetings\b|to\b.*:|to whom)"
)
_CLOSING = re.compile(
    r"(?i)\b(?:regards|sincerely|faithfully|yours|best|thank(?:s| you)|cheers|wishes|love|warmly|"
    r"respectfully|see you|take care|cordially|\w+ team)\b"
)
_WORDS: Mapping[str, frozenset[str]] = MappingProxyType({
    "en": frozenset("the is are of and to in for with that this you your it on at not was has have"
                    " by from be can will".split()),
    "de": frozenset("der die das ist sind und zu im für mit dass sie ihr es auf nicht war hat haben"
                    " von ein eine einer den dem wird werden am um".split()),
    "fr": frozenset("le la les est sont et à dans pour avec que vous votre il elle sur pas était a"
                    " ont par de du des un une en au".split()),
    "es": frozenset("el la los las es son y en para con que usted su lo no fue ha han por de del un"
                    " una al se está cuesta".split()),
    "it": frozenset("il lo la gli le è sono e in per con che lei suo non era ha hanno da di del"
                    " della un una al si".split()),
    "nl": frozenset("de het een is zijn en van te in voor met dat u uw op niet was heeft hebben"
                    " door er".split()),
    "pt": frozenset("o a os as é são e em para com que você seu não foi tem de do da um uma ao se"
                    " por".split()),
})  # fmt: skip


def has_form(form: Form, answer: str) -> bool:
    """Whether ``answer`` has this form.

    Raises:
        InvalidInputError: no such type of form, or a parameter that it does not have.
    """
    check(form)
    if not answer.strip() or _LEAK.search(answer):
        return False
    settings = {name: value for name, value in form.items() if name != "type"}
    return FORMS[str(form["type"])](answer.strip(), **settings)


def check(form: Form) -> None:
    """See that a form can be checked.

    Raises:
        InvalidInputError: no such type, or a parameter that it does not have.
    """
    name = str(form.get("type"))
    if name not in FORMS:
        raise InvalidInputError(
            f"There is no form {name!r}.", hint=f"There are: {', '.join(sorted(FORMS))}."
        )
    code = FORMS[name].__code__
    # The first is the answer.
    known = set(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount])
    if unknown := sorted(set(form) - known - {"type"}):
        raise InvalidInputError(
            f"The form {name!r} has no {unknown[0]!r}.",
            hint=f"It has: {', '.join(sorted(known)) or 'no parameters'}.",
        )


def language_of(text: str) -> str:
    """The language most of the text's small words are of; "" where there are none."""
    words = re.findall(r"[^\W\d_]+", text.casefold())
    counts = {name: sum(w in small for w in words) for name, small in _WORDS.items()}
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] else ""


def find_chosen(answer: str, options: Mapping[str, str]) -> set[str]:
    """The options (name -> text) that an answer takes, by name or by text.

    A name counts where it opens the answer, ends it, or follows "option" or "answer"; a text where
    it is not said of it that it is wrong.
    """
    names = "|".join(re.escape(name) for name in options)
    said = {name for name, text in options.items() if asserts(answer, [text])}
    if told := re.search(_TOLD.format(names), answer):
        return {_as_named(told[1], options)}
    if opened := re.match(_OPENED.format(names), answer.strip()):
        return {_as_named(opened[1], options)} | said
    if not said and (alone := re.search(_ALONE.format(names), answer)):
        return {_as_named(alone[1], options)}
    return said


_TOLD = (
    r"(?i)\b(?:option|answer|choice)\W*(?:is\W+)?(?:option\W+)?\(?({})(?=\W*$|\W*\n|[).:,](?!\d))"
)
_OPENED = r"(?i)\W*({})(?=\W*$|\)|[.:,](?!\d)|\W*\n|\s+[-–—=]\s)"
_ALONE = r"(?im)(?:^|[\s(])\(?({})\)?\W*$"


def _as_named(found: str, options: Mapping[str, str]) -> str:
    return next(name for name in options if name.casefold() == found.casefold())


# The forms


def _reply(answer: str, max_words: int = 160) -> bool:
    return len(answer.split()) <= max_words


def _continues(answer: str) -> bool:
    return any(c.isalnum() for c in answer)


def _sentence(answer: str) -> bool:
    return _is_whole(answer) and len(_SENTENCE.split(answer)) == 1 and "\n" not in answer


def _is_whole(answer: str) -> bool:
    """Whether it is more than the bare value: some words, ended as a sentence is."""
    return len(answer.split()) >= 4 and answer.rstrip("\"'”’)*`")[-1:] in {".", "!", "?", "…"}


def _text(answer: str, min_words: int = 0, max_words: int = 10_000) -> bool:
    return min_words <= len(answer.split()) <= max_words


def _mail(answer: str, min_words: int = 20) -> bool:
    lines = [line for line in answer.splitlines() if line.strip()]
    opened = any(_GREETING.search(line) for line in lines[:4])
    closed = any(_CLOSING.search(line) for line in lines[-4:])
    return opened and closed and len(lines) >= 3 and len(answer.split()) >= min_words


def _list(answer: str, n: int | None = None, min: int = 1) -> bool:
    counts = _count_cells(answer) or {len(items(answer))}
    return max(counts) >= min if n is None else n in counts


def _count_cells(answer: str) -> set[int]:
    """How many things a Markdown table holds, by its rows; of a single row by its columns, too.
    Empty: there is no table."""
    lines = [line.strip() for line in answer.splitlines()]
    ruled = next((at for at, line in enumerate(lines) if _RULE.fullmatch(line)), None)
    if ruled is None:
        return set()
    body = list(takewhile(lambda line: "|" in line, lines[ruled + 1 :]))
    columns = len(_BAR.split(body[0].strip("|"))) if len(body) == 1 else len(body)
    return {len(body), columns}


def items(answer: str) -> list[str]:
    """The items of a list: its lines with a bullet or number, of the outermost depth; of an answer
    without any, its lines, but for one that ends in a colon."""
    lines = [line for line in answer.splitlines() if line.strip()]
    found = [(len(m[1].expandtabs()), line) for line in lines if (m := _ITEM.match(line))]
    if found:
        least = min(depth for depth, _ in found)
        return [line for depth, line in found if depth <= least + 1]  # one space more is a slip
    return [line for line in lines if not line.rstrip().endswith(":")]


def _yes_no(answer: str, says: str = "yes", strict: bool = False) -> bool:
    if strict:
        return find_polarity(answer) is not None and len(answer.split()) <= 3
    return find_polarity(answer) is not None or _is_whole(answer)


def _choice(answer: str, options: Mapping[str, str], right: str = "", max_words: int = 60) -> bool:
    return len(find_chosen(answer, options)) == 1 and len(answer.split()) <= max_words


def _json(answer: str, keys: Sequence[str] = ()) -> bool:
    for text in (answer, *blocks(answer)):
        try:
            found = json.loads(text)
        except ValueError:
            continue
        return isinstance(found, dict | list) and _has(found, keys)
    return False


def _has(found: Any, keys: Sequence[str]) -> bool:
    if isinstance(found, list):
        return bool(found) and all(isinstance(each, dict) and _has(each, keys) for each in found)
    return set(keys) <= {str(key).casefold() for key in found} | set(found)


def blocks(answer: str) -> list[str]:
    """What stands in an answer's fenced blocks, without white space around it."""
    return [block.strip() for block in _FENCE.findall(answer) if block.strip()]


def _code(answer: str, language: str = "python") -> bool:
    if language != "python":
        raise InvalidInputError(f"Code in {language!r} cannot be parsed.", hint="python.")
    return any(_program(text) for text in blocks(answer) or [answer])


def _program(text: str) -> bool:
    """Whether a text is Python that does more than name a value."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two: too deep
        return False
    bare = (ast.Constant, ast.Name, ast.Attribute, ast.UnaryOp, ast.BinOp, ast.Tuple, ast.Compare)
    return any(not (isinstance(s, ast.Expr) and isinstance(s.value, bare)) for s in body)


def _is_fenced(answer: str) -> bool:
    return bool(blocks(answer))


def _table(answer: str, columns: int = 2, rows: int = 1) -> bool:
    lines = [line.strip() for line in answer.splitlines() if line.count("|") >= columns - 1 > 0]
    ruled = [i for i, line in enumerate(lines) if re.fullmatch(r"[|\s:-]+", line) and "-" in line]
    if not ruled or ruled[0] == 0:
        return False
    body = lines[ruled[0] + 1 :]
    return len(body) == rows and all(len(line.strip("|").split("|")) == columns for line in body)


def _csv(answer: str, columns: int = 2) -> bool:
    text = (blocks(answer) or [answer])[0]
    rows = [row for row in csv.reader(io.StringIO(text), skipinitialspace=True) if row]
    return len(rows) >= 2 and all(len(row) == columns for row in rows)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.closed: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.closed.append(tag)


def _html(answer: str, tag: str = "p") -> bool:
    parser = _Tags()
    parser.feed((blocks(answer) or [answer])[0])
    return tag in parser.opened and tag in parser.closed


def _language(answer: str, language: str, min_words: int = 3) -> bool:
    return language_of(answer) == language and len(make_canonical(answer).split()) >= min_words


FORMS: Mapping[str, Callable[..., bool]] = MappingProxyType({
    "choice": _choice, "code": _code, "continues": _continues, "csv": _csv, "fenced": _is_fenced,
    "html": _html, "json": _json, "language": _language, "list": _list, "mail": _mail,
    "reply": _reply, "sentence": _sentence, "table": _table, "text": _text, "yes_no": _yes_no,
})  # fmt: skip
