"""The data that everything passes around: frozen, comparable, nothing that needs torch."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

from memedit.core.documents import Passage
from memedit.core.errors import InvalidEditError, InvalidInputError
from memedit.core.options import known_fields
from memedit.core.text import find_subject, mask

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor

DEFAULT_NAMESPACE = "default"
MAX_TEXT = 8_192
"""Longest prompt, target or query of an edit, in characters: one fact, not a document."""

DANGLING = frozenset(
    "a an the is are was were be of in on at by to for from with and or as than its their".split()
)

Payload: TypeAlias = "Mapping[str, Tensor | str | float]"
"""What an editor must remember of one edit: flat, so that it is stored as safetensors and JSON."""


Vectors: TypeAlias = "npt.NDArray[np.float32]"
"""[n, d] one unit vector a row, unless said otherwise."""
Ids: TypeAlias = "npt.NDArray[np.int64]"
"""[n] sequences of records."""

SLOT = re.compile(r"<[^<>\n]*>")
"""The argument of an intent, ``"What is akin to <bright>?"``, as MemPrompt marks it."""

Role: TypeAlias = Literal["asks", "informs"]
"""What an edit is to a query: ``asks``, the answer is what the edit says; ``informs``, the answer
depends on it (the hard in-scope examples of Mitchell et al. 2022: yes or no, a choice, a hop)."""


def check_text(name: str, text: object) -> str:
    """``text`` if it can be stored, searched and tokenised, else :class:`InvalidEditError`."""
    # Most are plain: a memory that is opened looks at millions.
    if type(text) is str and text.isascii() and len(text) <= MAX_TEXT and "\x00" not in text:
        if text and not text.isspace():
            return text
    if not isinstance(text, str):
        raise InvalidEditError(f"{name} must be a string, not {type(text).__name__}.")
    if not text.strip():
        fact = name in {"prompt", "target_new"}
        hint = "Give the text of the fact." if fact else "Give a text, or leave it out."
        raise InvalidEditError(f"{name} is empty.", hint=hint)
    if len(text) > MAX_TEXT:
        raise InvalidEditError(
            f"{name} has {len(text):,} characters; at most {MAX_TEXT:,} are allowed.",
            hint="An edit is one fact: split longer text into one edit per fact.",
        )
    if "\x00" in text:
        raise InvalidEditError(f"{name} contains a NUL character.", hint="Remove it.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidEditError(
            f"{name} contains a lone surrogate at position {error.start}.",
            hint="The text was decoded wrongly: read it as UTF-8.",
        ) from None
    return text


MAX_ID = 256
_ID_HINT = (
    "An id is 1 to 256 printable characters without slashes and spaces around it, and not . or .. "
    "(it stands in URLs); leave it out for one made of the content."
)


def check_named(what: str, name: object) -> str:
    """``name``, of an edit or a namespace, if some memory could know it: asking for others is no
    question that a database understands.

    Raises:
        InvalidInputError: it is no text.
    """
    if not isinstance(name, str):
        raise InvalidInputError(f"{what} must be a string, not {type(name).__name__}.")
    # ASCII, as nearly all names are, is known without a look at each character.
    if "\x00" in name or not name.isascii() and any("\ud800" <= c <= "\udfff" for c in name):
        shown = name[:40].encode("utf-8", "backslashreplace").decode()
        raise InvalidInputError(f"{what} {shown!r} is no text.", hint="Nothing has such a name.")
    return name


def check_ids(ids: Iterable[str]) -> list[str]:
    """Some ids, each once, if a memory could know them.

    Raises:
        InvalidInputError: one string instead of several, or an id that is no text.
    """
    if isinstance(ids, str):  # which is a sequence of strings, too
        raise InvalidInputError(f"ids must be a list of ids, not {ids!r}.")
    return list(dict.fromkeys(check_named("id", id) for id in ids))


def check_id(id: object) -> str:
    """``id`` if every door can name it: in a file, on a command line, in a URL's path.

    Raises:
        InvalidEditError: saying what an id is.
    """
    if not isinstance(id, str):
        raise InvalidEditError(f"id must be a string, not {type(id).__name__}.", hint=_ID_HINT)
    fits = 0 < len(id) <= MAX_ID and id.isprintable() and id == id.strip()
    if not fits or id in (".", "..") or "/" in id or "\\" in id:
        shown = id[:40].encode("utf-8", "backslashreplace").decode()
        raise InvalidEditError(f"{shown!r} is no id.", hint=_ID_HINT)
    return id


def _check_ids(ids: Sequence[str]) -> tuple[str, ...]:
    if isinstance(ids, str):
        raise InvalidEditError("because_of must be a sequence of ids, not one string.")
    return tuple(map(check_id, ids))


@known_fields
@dataclass(frozen=True, slots=True)
class Edit:
    """One fact to hold: after ``prompt`` the model shall say ``target_new``.

    Attributes:
        prompt: Text the fact is keyed by, e.g. ``"The capital of France is"`` or a question.
        target_new: The new continuation, without the separating space. ``None`` for a statement:
            a fact with no prompt/target split, whose whole text is ``prompt``.
        subject: The entity the fact is about; must occur in ``prompt``. Without it only vector
            similarity can put a query in scope.
        target_true: What the unedited model is expected to say (used by evaluation and by some
            weight editors).
        queries: Further texts that shall find this edit (paraphrases, questions).
        id: Content hash of the other fields when left empty: adding the same edit twice is a no-op.
        excluded: Texts that shall not find this edit: on which it fired and should not have.
        multiple: One of several values that hold side by side: it replaces none of the others.
        because_of: Ids of the edits that it rests on: when one of them goes, this one is told of.

    Raises:
        InvalidEditError: a text is empty, too long, or holds NUL or lone surrogates; the subject
            does not occur in the prompt; a statement that ends like an unfinished prompt.
    """

    prompt: str
    target_new: str | None
    subject: str | None = None
    target_true: str | None = None
    queries: tuple[str, ...] = ()
    id: str = ""
    excluded: tuple[str, ...] = ()
    multiple: bool = False
    because_of: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_text("prompt", self.prompt)
        for name in ("target_new", "subject", "target_true"):
            if (value := getattr(self, name)) is not None:
                check_text(name, value)
        for name in ("queries", "excluded"):
            if getattr(self, name) != ():
                self._check_texts(name)
        if self.subject is not None and find_subject(self.prompt, self.subject) == (0, 0):
            raise InvalidEditError(
                f"subject {self.subject!r} does not occur in prompt {self.prompt!r}.",
                hint="Write the subject as it stands in the prompt, or leave it out.",
            )
        if not isinstance(self.multiple, bool):
            raise InvalidEditError(f"multiple must be true or false, not {self.multiple!r:.40}.")
        if self.because_of != ():
            object.__setattr__(self, "because_of", _check_ids(self.because_of))
        if self.target_new is None and self.prompt.split()[-1].casefold() in DANGLING:
            raise InvalidEditError(
                f"{self.prompt!r} looks like a prompt whose target_new is missing.",
                hint="Give what follows it (target_new), or write a whole sentence.",
            )
        if not self.id:
            object.__setattr__(self, "id", self._content_hash())

    def _check_texts(self, name: str) -> None:
        texts = getattr(self, name)
        # A text is a sequence of texts, too: of its letters.
        if isinstance(texts, str):
            raise InvalidEditError(f"{name} must be a sequence of strings, not one string.")
        object.__setattr__(self, name, tuple(texts))
        for text in texts:
            check_text(name, text)

    def _content_hash(self) -> str:
        content = [self.prompt, self.target_new, self.subject, self.target_true, self.queries]
        # Only where they say something: ids made before there were these fields stay what they
        # were.
        content += [self.excluded] if self.excluded else []
        content += ["multiple"] if self.multiple else []
        content += [("because", *self.because_of)] if self.because_of else []
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @classmethod
    def from_statement(
        cls, text: str, subject: str | None = None, *, queries: Sequence[str] = ()
    ) -> Edit:
        """A fact with no prompt/target split, e.g. ``"Our refund window is 60 days."``."""
        return cls(text, None, subject, queries=tuple(queries))

    def teach(self, query: str, *, concerns: bool) -> Edit:
        """This edit, under its id, with ``query`` among the texts that shall find it, or not."""
        queries = tuple(text for text in self.queries if text != query)
        excluded = tuple(text for text in self.excluded if text != query)
        if concerns:
            return replace(self, queries=(*queries, query), excluded=excluded)
        return replace(self, queries=queries, excluded=(*excluded, query))

    @property
    def is_statement(self) -> bool:
        """Whether the prompt says all there is to say: there is no target to be put behind it."""
        return self.target_new is None

    @property
    def statement(self) -> str:
        """The fact as one text: ``prompt`` and ``target_new`` joined by a single space."""
        if self.target_new is None:
            return self.prompt.strip()
        return f"{self.prompt.rstrip()} {self.target_new.strip()}"

    @property
    def template(self) -> str | None:
        """The prompt with the last occurrence of the subject replaced by ``{}``, if any."""
        if self.subject is None:
            return None
        start, end = find_subject(self.prompt, self.subject)
        return f"{self.prompt[:start]}{{}}{self.prompt[end:]}"


@dataclass(frozen=True, slots=True)
class Record:
    """One stored edit. ``sequence`` orders records by arrival and never changes.

    ``valid_from``/``valid_until`` (aware datetimes, half-open interval) say when the fact holds;
    ``version`` is the memory version at which it was added.
    """

    edit: Edit
    sequence: int
    version: int
    namespace: str = DEFAULT_NAMESPACE
    source: str = ""
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    payloads: Mapping[str, Payload] = field(default_factory=dict, compare=False, repr=False)

    @property
    def id(self) -> str:
        """The edit's; unique among the live records of a namespace."""
        return self.edit.id

    def holds_at(self, moment: datetime) -> bool:
        """Whether the fact is valid at ``moment`` (an aware datetime)."""
        return (self.valid_from is None or self.valid_from <= moment) and (
            self.valid_until is None or moment < self.valid_until
        )


@dataclass(frozen=True, slots=True)
class PairVectors:
    """Unit vectors [d] float32 of the two sides of a :class:`Hit`.

    Attributes:
        view: The query view.
        key: The edit's nearest key text (its prompt, or one of its queries).
        masked_view: The view with the subject masked; None without a mention.
        masked_key: The edit's prompt with the subject masked; None without a mention.
    """

    view: npt.NDArray[np.float32]
    key: npt.NDArray[np.float32]
    masked_view: npt.NDArray[np.float32] | None = None
    masked_key: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A record that a query may concern, with the evidence both doors found.

    Attributes:
        record: The stored edit.
        similarity: Cosine of the query view and the nearest key text of the edit, in [-1, 1].
        view: The part of the query that was compared.
        mention: The words of the query that name the edit's subject; None when they do not occur
            (or the edit has no subject).
        relation: Cosine of query view and edit prompt, both with the subject masked; None without
            a mention.
        vectors: What was compared, for scopes that learn; None when the memory was not asked.
        clause: The part of ``view`` that ``relation`` compares: all of it, or from the mention on.
        part: The sentence of a long edit that comes nearest to the view; "" for one that is found
            as a whole.
        score: What the scope made of it, e.g. the probability that the query asks what the edit
            says; None where it gives none.
        bearing: Probability that the query asks what the edit says, or that the answer depends on
            it: never below ``score``. None where the scope gives none.
        role: What the edit is to the query; None where it did not fire.
        passage: Where the record stands in a document; None: it is of none.
        former: Values that the edit's slot had before, as far as they are known.
        second_look: Log odds, by the base, that the edit is needed
            (:mod:`memedit.model.second_look`); None where the base was not asked.
        piece: Of a request for several things what it was surely found for; "" for all of it.
    """

    record: Record
    similarity: float
    view: str = ""
    mention: str | None = None
    relation: float | None = None
    vectors: PairVectors | None = field(default=None, compare=False, repr=False)
    clause: str = ""
    part: str = ""
    score: float | None = None
    bearing: float | None = None
    role: Role | None = None
    passage: Passage | None = None
    former: tuple[str, ...] = ()
    second_look: float | None = None
    piece: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the scope said of one query. True where an edit bears on the answer: it is asked, or
    informs. No hits: none is asked.

    Attributes:
        hits: The edits that it asks, most probable first.
        score: That of the best candidate, fired or not.
        threshold: Score from which an edit is asked.
        candidates: All that were weighed.
        unsure: Nothing fired, but the score lies in the scope's abstain band.
        informs: The edits on which the answer depends though it is not what they say, most
            probable first. A scope without roles gives none.
        informing_threshold: ``Hit.bearing`` from which an edit that is not asked informs.
        companions: Edits told beside those that bear, though they may not bear themselves
            (:mod:`memedit.model.companions`).
        disagrees: Edits that would bear, but say otherwise than a document which the query asks
            about; that is answered from the document.
        as_of: The moment whose facts were seen, where the query itself names a time.
        named: How it names it: "in 2010"; "" where it does not.
        read_as: The query in English, where it is in another language and was read so.
    """

    hits: tuple[Hit, ...] = ()
    score: float = 0.0
    threshold: float = 0.0
    candidates: tuple[Hit, ...] = field(default=(), repr=False)
    unsure: bool = False
    informs: tuple[Hit, ...] = ()
    informing_threshold: float = 0.0
    companions: tuple[Hit, ...] = ()
    disagrees: tuple[Hit, ...] = ()
    as_of: datetime | None = None
    named: str = ""
    read_as: str = ""

    def __bool__(self) -> bool:
        """Whether an edit bears on the answer; ``hits`` says whether one is asked."""
        return bool(self.hits or self.informs)

    @property
    def bearing(self) -> tuple[Hit, ...]:
        """Every edit that bears on the answer: those asked, then those that inform."""
        return (*self.hits, *self.informs)

    def read(self, roles: frozenset[Role]) -> tuple[Hit, ...]:
        """The edits that have one of these roles, those asked first."""
        asked = self.hits if "asks" in roles else ()
        return (*asked, *self.informs) if "informs" in roles else asked


def is_intent(edit: Edit) -> bool:
    """Whether an edit holds for every question of its prompt's form."""
    return edit.target_new is not None and bool(SLOT.search(edit.prompt))


def key_texts(edit: Edit) -> list[str]:
    """An edit's own words that shall find it; the prompt (or statement) first."""
    return [edit.prompt, *edit.queries]


def mask_prompt(edit: Edit) -> str | None:
    """The prompt with its subject masked; None without a subject."""
    if edit.subject is None:
        return None
    return mask(edit.prompt, *find_subject(edit.prompt, edit.subject))
