"""Data sets: one file each, recognised by the keys of their first record.

A module has ``recognises(record) -> bool`` and ``read(records, options)``, which yields an
:class:`~memedit.data.cases.EvalCase` per record, or :class:`~memedit.data.cases.Unusable` (or
None) for one that is no valid edit.
Another package adds its own through the entry-point group ``memedit.datasets``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from memedit.core.errors import InvalidEditError, InvalidInputError
from memedit.core.registry import Registry, members_of, modules_in
from memedit.core.types import Edit
from memedit.data.cases import EFFICACY, EvalCase, Probe, Read, Unusable
from memedit.data.records import Json


@dataclass(frozen=True, slots=True)
class Options:
    """How records are read.

    Attributes:
        target: Of zsRE: ``"alt"`` edits towards the counterfactual (MEND, EasyEdit), ``"answers"``
            towards the true answer (ROME, MEMIT). The figures of the two do not compare.
        sources: Only records whose ``source`` is one of these; empty for all.
        path: The file, for a data set that is completed by a file beside it.
        hard: Add probes that look like the edit's question and do not ask it.
        references: ROME's ``attribute_snippets.json``, for consistency and essence.
    """

    target: str = "alt"
    sources: frozenset[str] = frozenset()
    path: Path | None = None
    hard: bool = False
    references: Path | None = None

    def __post_init__(self) -> None:
        if self.target not in {"alt", "answers"}:
            raise InvalidInputError(
                f"Unknown target convention {self.target!r}.", hint="It is 'alt' or 'answers'."
            )
        if self.references is not None and not self.references.is_file():
            # Now: a data set without a place for them would never look.
            raise InvalidInputError(
                f"There is no file {str(self.references)!r}.",
                hint="references is ROME's attribute_snippets.json.",
            )


class Format(Protocol):
    """What a module of this package (or an entry point) offers."""

    def recognises(self, record: Json) -> bool:
        """Whether a file whose first record this is has this format: no other's may do."""

    def read(self, records: Iterable[Json], options: Options) -> Iterator[Read]:
        """A case per record, in their order, or why it is none."""


_FORMATS = Registry(
    "format", "memedit.datasets", partial(modules_in, __name__, __path__), members_of(Format),
    named=False,
)  # fmt: skip


def formats() -> dict[str, Format]:
    """Every known format by name.

    Raises:
        RegistrationError: another package declares one that lacks a member.
    """
    return {name: _FORMATS.find(name) for name in _FORMATS.names()}


def detect(record: Json) -> tuple[str, Format]:
    """The name and format of a data set by one of its records.

    Raises:
        InvalidInputError: no format recognises it.
    """
    if isinstance(record, Mapping):
        known = formats()
        # "own" comes last: it takes whatever has a prompt.
        for name in sorted(known, key=lambda name: name == "own"):
            if known[name].recognises(record):
                return name, known[name]
    keys = ", ".join(list(record)[:8]) if isinstance(record, Mapping) else type(record).__name__
    raise InvalidInputError(
        f"No known data set has records of this form: {keys}.",
        hint=f"Known: {', '.join(sorted(formats()))}. 'own' is one JSON object a line with "
        "prompt and target_new, or with edits and probes.",
    )


def texts(value: Any) -> tuple[str, ...]:
    """A string, a list of strings, or a list of lists of aliases: every non-empty string, once."""
    if value is None:
        return ()
    if isinstance(value, str | int | float):
        return (str(value),) if str(value).strip() else ()
    return tuple(dict.fromkeys(t for each in value for t in texts(each)))


def read_required(value: Any) -> tuple[tuple[str, ...], ...]:
    """What an answer must name: of each group one alias. A list of lists is a group each; a string
    or a list of strings are aliases of one thing."""
    several = isinstance(value, list) and any(isinstance(each, list) for each in value)
    groups = [texts(each) for each in value] if several else [texts(value)]
    return tuple(each for each in groups if each)


def group(name: str) -> str:
    """``"Relation_Specificity"`` -> ``"relation_specificity"``."""
    return "_".join(name.casefold().replace("_", " ").split())


def case_of(
    case_id: object,
    edits: Sequence[Mapping[str, Any]],
    probes: Iterable[Probe],
    relations: Sequence[str] = (),
    **more: Any,
) -> EvalCase | Unusable:
    """A case, or why it is none: one of its edits is no valid edit.

    Args:
        case_id: Names it in reports: its number, or the data set's own id.
        edits: Per edit the fields of :class:`~memedit.core.types.Edit` by name, at least "prompt".
        probes: What is asked once the edits are in force.
        relations: Which relations the edits are of, where the data set says so.
        more: Further fields of :class:`~memedit.data.cases.EvalCase`.
    """
    try:
        made = tuple(_edit(fields) for fields in edits)
    except InvalidEditError as error:
        return Unusable(str(error))
    return EvalCase(str(case_id), made, tuple(probes), tuple(relations), **more)


def _edit(fields: Mapping[str, Any]) -> Edit:
    """An edit; a subject written in other capitals than in the prompt is taken as it stands there.

    One that does not occur in the prompt is left out.
    """
    subject, prompt = fields.get("subject"), str(fields.get("prompt", ""))
    if subject:
        at = prompt.casefold().rfind(str(subject).casefold())
        subject = prompt[at : at + len(str(subject))] if at >= 0 else None
    return Edit(**{**fields, "subject": subject or None})


def own_probes(edits: Sequence[Mapping[str, Any]]) -> Iterator[Probe]:
    """The efficacy probe of each edit that has a target."""
    for edit in edits:
        if target := texts(edit.get("target_new")):
            yield Probe(EFFICACY, edit["prompt"], target, texts(edit.get("target_true")))
