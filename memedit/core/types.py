"""The data that everything passes around: frozen, comparable, nothing that needs torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from memedit.core.errors import InvalidEditError
from memedit.core.text import subject_span

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor

    from memedit.core.chat import ChatFormat
    from memedit.core.protocols import LM, Intervention

DEFAULT_NAMESPACE = "default"
MAX_TEXT = 8_192
"""Longest prompt, target or query of an edit, in characters: one fact, not a document."""

_DANGLING = frozenset(
    "a an the is are was were be of in on at by to for from with and or as than its their".split()
)

Payload: TypeAlias = "Mapping[str, Tensor | str | float]"
"""What an editor must remember of one edit: flat, so that it is stored as safetensors and JSON."""

Result = TypeVar("Result")

Role: TypeAlias = Literal["asks", "informs"]
"""What an edit is to a query: ``asks``, the answer is what the edit says; ``informs``, the answer
depends on it (the hard in-scope examples of Mitchell et al. 2022: yes or no, a choice, a hop)."""


def check_text(name: str, text: object) -> str:
    """``text`` if it can be stored, searched and tokenised, else :class:`InvalidEditError`."""
    if not isinstance(text, str):
        raise InvalidEditError(f"{name} must be a string, not {type(text).__name__}.")
    if not text.strip():
        raise InvalidEditError(f"{name} is empty.", hint="Give the text of the fact.")
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

    def __post_init__(self) -> None:
        check_text("prompt", self.prompt)
        for name in ("target_new", "subject", "target_true"):
            if (value := getattr(self, name)) is not None:
                check_text(name, value)
        for name in ("queries", "excluded"):
            texts = getattr(self, name)
            if isinstance(texts, str):
                raise InvalidEditError(f"{name} must be a sequence of strings, not one string.")
            object.__setattr__(self, name, tuple(texts))
            for text in texts:
                check_text(name, text)
        if self.subject is not None and subject_span(self.prompt, self.subject) == (0, 0):
            raise InvalidEditError(
                f"subject {self.subject!r} does not occur in prompt {self.prompt!r}.",
                hint="Write the subject as it stands in the prompt, or leave it out.",
            )
        last = self.prompt.split()[-1].casefold()
        if self.target_new is None and last in _DANGLING:
            raise InvalidEditError(
                f"{self.prompt!r} looks like a prompt whose target_new is missing.",
                hint="Pass target_new, or write the statement out.",
            )
        if not self.id:
            object.__setattr__(self, "id", self._content_hash())

    def _content_hash(self) -> str:
        content = [self.prompt, self.target_new, self.subject, self.target_true, self.queries]
        content += [self.excluded] if self.excluded else []
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @classmethod
    def from_statement(
        cls, text: str, subject: str | None = None, *, queries: Sequence[str] = ()
    ) -> Edit:
        """A fact with no prompt/target split, e.g. ``"Our refund window is 60 days."``."""
        return cls(text, None, subject, queries=tuple(queries))

    def told(self, query: str, *, concerns: bool) -> Edit:
        """This edit, under its id, with ``query`` among the texts that shall find it, or not."""
        queries = tuple(text for text in self.queries if text != query)
        excluded = tuple(text for text in self.excluded if text != query)
        if concerns:
            return replace(self, queries=(*queries, query), excluded=excluded)
        return replace(self, queries=queries, excluded=(*excluded, query))

    @property
    def is_statement(self) -> bool:
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
        start, end = subject_span(self.prompt, self.subject)
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


@dataclass(frozen=True, slots=True)
class Decision:
    """What the scope said of one query. No hits: it asks no edit.

    Attributes:
        hits: The edits that it asks, most probable first.
        score: That of the best candidate, fired or not.
        threshold: Score from which an edit is asked.
        candidates: All that were weighed.
        unsure: Nothing fired, but the score lies in the scope's abstain band.
        informs: The edits on which the answer depends though it is not what they say, most
            probable first. A scope without roles gives none.
        informing_threshold: ``Hit.bearing`` from which an edit that is not asked informs.
        disagrees: Edits that would bear, but say otherwise than a document which the query asks
            about; that is answered from the document.
    """

    hits: tuple[Hit, ...] = ()
    score: float = 0.0
    threshold: float = 0.0
    candidates: tuple[Hit, ...] = field(default=(), repr=False)
    unsure: bool = False
    informs: tuple[Hit, ...] = ()
    informing_threshold: float = 0.0
    disagrees: tuple[Hit, ...] = ()

    def __bool__(self) -> bool:
        """Whether an edit is asked."""
        return bool(self.hits)

    @property
    def bearing(self) -> tuple[Hit, ...]:
        """Every edit that bears on the answer: those asked, then those that inform."""
        return (*self.hits, *self.informs)

    def read(self, roles: frozenset[Role]) -> tuple[Hit, ...]:
        """The edits that have one of these roles, those asked first."""
        asked = self.hits if "asks" in roles else ()
        return (*asked, *self.informs) if "informs" in roles else asked


@dataclass(frozen=True, slots=True)
class Turn:
    """What stands around the last user turn of a chat prompt, template tokens included.

    ``chat`` holds the markers of the template, for editors that add turns.
    """

    before: str
    after: str
    chat: ChatFormat


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt of a batch.

    Attributes:
        prompt: What the model reads (for a chat: the content of the last user turn).
        target: None to generate, else the continuation to score (without the separating space);
            "" to score the prompt's own tokens.
        decision: What the scope said of it.
        turn: The rest of the chat around ``prompt``; None for plain text.
        ids: [T] token ids of the whole text exactly as the caller gave them; None if it gave text.
        rewritten: The prompt no longer is what ``ids`` say.
        asked: How many of ``ids`` are the question, where they go on with an answer to be rated;
            None: all.
        answers: What is generated is one of these texts, word for word; empty: anything.
        keeps: What sampling leaves to no chance: how the answer begins, and these texts, wherever
            the likeliest token begins or continues one. None: everything is drawn.
        leans: Texts that the answer shall hold, each until it does: their tokens are that much
            likelier (natural log); what they have nothing to do with stays far more likely.
        only: What sampling may answer with, word for word; empty: anything.
        likeliest: Nothing is drawn, even where the caller samples: the answer rests on worked
            examples, whose words no chance may bring in.
    """

    prompt: str
    target: str | None = None
    decision: Decision = Decision()
    turn: Turn | None = None
    ids: Tensor | None = field(default=None, compare=False, repr=False)
    rewritten: bool = False
    asked: int | None = None
    answers: tuple[str, ...] = ()
    keeps: tuple[str, ...] | None = None
    leans: tuple[tuple[str, float], ...] = ()
    only: tuple[str, ...] = ()
    likeliest: bool = False

    @property
    def text(self) -> str:
        """The whole text the model reads, chat template included."""
        return (
            self.prompt if self.turn is None else self.turn.before + self.prompt + self.turn.after
        )


Recall: TypeAlias = "Callable[[Sequence[str]], list[Decision]]"


def _nothing(prompts: Sequence[str]) -> list[Decision]:
    return [Decision() for _ in prompts]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows for one call of the engine, and everything that shall be done to that call. Immutable.

    Attributes:
        rows: The prompts.
        interventions: Installed for this call only, in order.
        recall: Asks memory and scope about further texts (multi-hop editors).
        prefix: Text put before every row; its keys and values are computed once and reused.
        stop: Generation ends at the first token containing one of these strings; the token is
            not part of the answer.
        options: Generation options, passed to the base model's ``generate`` untouched.
        lm: The base model, for editors that must ask it something before they answer, whatever is
            being computed; None where there is none (a batch built by hand).
        ask: Further questions of such editors, through the editors inside this one in a chain: one
            :class:`Completion` per row, whatever is being computed. None: there are none inside.
    """

    rows: tuple[Row, ...]
    interventions: tuple[Intervention, ...] = ()
    recall: Recall = _nothing
    lm: LM | None = field(default=None, compare=False, repr=False)
    ask: Call | None = field(default=None, compare=False, repr=False)
    prefix: str = ""
    stop: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def map_rows(self, change: Callable[[Row], Row]) -> Batch:
        return replace(self, rows=tuple(change(row) for row in self.rows))

    def map_prompts(self, change: Callable[[Row], str]) -> Batch:
        """Every row's prompt replaced by ``change(row)``; untouched rows keep the caller's ids."""

        def rewritten(row: Row) -> Row:
            prompt = change(row)
            return row if prompt == row.prompt else replace(row, prompt=prompt, rewritten=True)

        return self.map_rows(rewritten)

    def intervene(self, *interventions: Intervention) -> Batch:
        return replace(self, interventions=(*self.interventions, *interventions))

    def with_prefix(self, prefix: str) -> Batch:
        """``prefix`` put before every row, inside any prefix already there."""
        return replace(self, prefix=self.prefix + prefix)

    def with_stop(self, *stop: str) -> Batch:
        return replace(self, stop=(*self.stop, *stop))

    def only(self, rows: Sequence[int]) -> Batch:
        """The batch of the rows at these positions."""
        return replace(self, rows=tuple(self.rows[i] for i in rows))

    def route(
        self,
        mine: Callable[[Row], bool],
        inside: Callable[[Batch], list[Result]],
        outside: Callable[[Batch], list[Result]],
    ) -> list[Result]:
        """Rows for which ``mine`` holds go to ``inside``, others to ``outside``; order is kept."""
        taken = [bool(mine(row)) for row in self.rows]
        results: dict[int, Result] = {}
        for answer, which in ((inside, True), (outside, False)):
            if positions := [i for i, mine_ in enumerate(taken) if mine_ is which]:
                results |= dict(zip(positions, answer(self.only(positions)), strict=True))
        return [results[i] for i in range(len(self))]


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer.

    Attributes:
        text: The generated continuation (or the scored target).
        ids: [n, T] generated token ids, right-padded; n is ``num_return_sequences``.
        logprob: Sum over the target's tokens of log p, natural log; None for a generation.
        decision: What the scope said.
        editor: Name of the editor that answered; "" for the untouched base.
    """

    text: str
    ids: Tensor | None = field(default=None, compare=False, repr=False)
    logprob: float | None = None
    decision: Decision = Decision()
    editor: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """How a model that is forced along a target rates it (teacher forcing).

    Attributes:
        ids: The target's tokens, its separating space included.
        logprobs: log p of each, given the prompt and the tokens before it; natural log.
        greedy: The most likely token at each position.
        decision: What the scope said of the prompt.
    """

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    greedy: tuple[int, ...]
    decision: Decision = Decision()

    @property
    def logprob(self) -> float:
        """Sum over the target's tokens."""
        return sum(self.logprobs)

    @property
    def right(self) -> tuple[bool, ...]:
        """Whether each token is the most likely one."""
        return tuple(a == b for a, b in zip(self.ids, self.greedy, strict=True))


Call: TypeAlias = "Callable[[Batch], list[Any]]"
"""The engine (or the next editor): one result per row, in order. Its results are opaque."""
