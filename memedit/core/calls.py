"""A call of the base model: rows, batches, and what is done to it. Nothing here loads torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, runtime_checkable

from memedit.core.chat import Turn, strip_tools
from memedit.core.types import Decision, Record

if TYPE_CHECKING:
    from torch import Tensor

    from memedit.core.sites import Sites


Result = TypeVar("Result")


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
        swaps: (a text, another): where one would be begun, and is likelier, the other is, until it
            was said.
        starts: Words an answer may begin with before it comes to what it shall hold: where the
            likeliest first token begins one of them, ``leans`` wait for the next.
        opens: Words that the answer is that much likelier to begin with.
        shuns: Words that the answer does not begin with, unless nothing else is left.
        only: What sampling may answer with, word for word; empty: anything.
        likeliest: Nothing is drawn, even where the caller samples: the answer rests on worked
            examples, whose words no chance may bring in.
        formed: The caller keeps the answer to a form of its own, such as JSON: it is no edit's
            object, word for word, however it is asked.
    """

    prompt: str
    target: str | None = None
    decision: Decision = Decision()
    turn: Turn | None = None
    # Out of comparisons: two tensors compare to a tensor, which is neither true nor false.
    ids: Tensor | None = field(default=None, compare=False, repr=False)
    rewritten: bool = False
    asked: int | None = None
    answers: tuple[str, ...] = ()
    keeps: tuple[str, ...] | None = None
    leans: tuple[tuple[str, float], ...] = ()
    swaps: tuple[tuple[str, str], ...] = ()
    starts: tuple[str, ...] = ()
    opens: tuple[tuple[str, float], ...] = ()
    shuns: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    likeliest: bool = False
    formed: bool = False

    @property
    def text(self) -> str:
        """The whole text the model reads, chat template included."""
        return (
            self.prompt if self.turn is None else self.turn.before + self.prompt + self.turn.after
        )

    @property
    def words(self) -> str:
        """What of ``prompt`` its author says: of a chat's turn all but what tools gave back."""
        return self.prompt if self.turn is None else strip_tools(self.prompt)


Recall: TypeAlias = "Callable[[Sequence[str]], list[Decision]]"


def _decide_nothing(prompts: Sequence[str]) -> list[Decision]:
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
        aside: Stands in for ``lm.generate`` where an editor has the base think about these rows
            before it answers them: who serves counts that, and ends it with those who wait.
    """

    rows: tuple[Row, ...]
    interventions: tuple[Intervention, ...] = ()
    recall: Recall = _decide_nothing
    lm: LM | None = field(default=None, compare=False, repr=False)
    ask: Call | None = field(default=None, compare=False, repr=False)
    aside: Call | None = field(default=None, compare=False, repr=False)
    prefix: str = ""
    stop: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def map_rows(self, change: Callable[[Row], Row]) -> Batch:
        """Every row replaced by ``change(row)``; a row whose text is another says ``rewritten``."""
        return replace(self, rows=tuple(change(row) for row in self.rows))

    def map_prompts(self, change: Callable[[Row], str]) -> Batch:
        """Every row's prompt replaced by ``change(row)``; untouched rows keep the caller's ids."""

        def rewritten(row: Row) -> Row:
            prompt = change(row)
            return row if prompt == row.prompt else replace(row, prompt=prompt, rewritten=True)

        return self.map_rows(rewritten)

    def intervene(self, *interventions: Intervention) -> Batch:
        """The batch with further interventions, which act after those already there."""
        return replace(self, interventions=(*self.interventions, *interventions))

    def with_prefix(self, prefix: str) -> Batch:
        """``prefix`` put before every row, inside any prefix already there."""
        return replace(self, prefix=self.prefix + prefix)

    def with_stop(self, *stop: str) -> Batch:
        """The batch with further texts at which an answer ends, without them."""
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


@dataclass(frozen=True, slots=True)
class Step:
    """Where in a call an intervention stands.

    Attributes:
        prefill: True for the pass over the prompt, False for each decode step.
        last: [B] column of each row's last prompt token in this pass; None when decoding.
        mask: [B, T] True at real tokens of this pass, False at padding.
    """

    prefill: bool
    last: Tensor | None
    mask: Tensor


Apply: TypeAlias = "Callable[[Tensor, Tensor, Step], Tensor]"
"""(input [B, T, d_in], output [B, T, d_out], step) -> new output [B, T, d_out]; never in place."""


@runtime_checkable
class Intervention(Protocol):
    """``y' = f(x, y)`` at one module of the base model, described, not installed."""

    @property
    def site(self) -> str:
        """Path of the module, as in ``model.get_submodule``."""

    def bind(self, rows: Sequence[Row]) -> Apply:
        """The function for one engine call: one row per tensor row. State lives in the closure."""


class Transcript(Protocol):
    """Texts that grow in rounds; what was read once is not read again."""

    def say(self, row: int, text: str) -> None:
        """Add to a row; the model reads it when it goes on."""

    def go_on(self, rows: Sequence[int], *, stop: Sequence[str], tokens: int) -> list[str]:
        """What the model adds to each of ``rows``, up to and with the first of ``stop``.

        Rows left out are done for good.
        """


class TokenCodec(Protocol):
    """Texts to token ids and back, by the rules of :mod:`memedit.engine.tokens`."""

    @property
    def pad(self) -> int:
        """The id that fills up a batch."""

    def ids(self, text: str, *, special: bool = False) -> Tensor:
        """[T] int64 token ids; ``special`` adds what the tokenizer puts before a text."""

    def text(self, ids: Tensor, *, special: bool = False) -> str:
        """Ids [T] back to text, verbatim; ``special`` keeps the special tokens visible."""

    def prompt(self, row: Row, *, prefixed: bool) -> Tensor:
        """[T] ids of a row's whole text; the caller's own ids while the prompt is as it was."""

    def with_target(self, row: Row, *, prefixed: bool) -> tuple[Tensor, Tensor]:
        """(prompt ids [P], target ids [T]) of a row to score, tokenised jointly."""


class LM(Protocol):
    """What an editor's ``fit`` may use of the base model."""

    @property
    def base(self) -> Any:
        """The Hugging Face model. Its weights are read only."""

    @property
    def tokenizer(self) -> Any:
        """Its tokenizer, of Hugging Face's."""

    @property
    def codec(self) -> TokenCodec:
        """Texts to token ids."""

    @property
    def records(self) -> Sequence[Record]:
        """The edits that are in the model's weights already: those fitted before, in order."""

    @property
    def original(self) -> LM:
        """The model without any edits."""

    @property
    def window(self) -> int | None:
        """Longest sequence the base accepts, in tokens; None if its config does not say."""

    def next_logits(self, batch: Batch) -> Tensor:
        """[B, V] float32 logits of what comes after every row, as the base has them."""

    def next_states(self, batch: Batch, layer: int) -> Tensor:
        """[B, d] float32 output of a layer at the last token of every row."""

    @property
    def kept(self) -> dict[Any, Any]:
        """A place for what is computed once of the original model; keys name every input."""

    def shadow(
        self, changes: Mapping[str, Tensor] | None = None, records: Sequence[Record] | None = None
    ) -> LM:
        """The model with changes [d_out, d_in] added to the weights of these modules, beside it."""

    def watch(
        self,
        *,
        before: Mapping[str, Callable[[Any, Any], Tensor | None]] | None = None,
        after: Mapping[str, Callable[[Tensor, Tensor], Tensor | None]] | None = None,
    ) -> AbstractContextManager[None]:
        """Functions called at modules for the length of the block:
        :meth:`memedit.engine.engine.Engine.watch`."""

    def passed_over(self, blocks: Sequence[str]) -> AbstractContextManager[None]:
        """Blocks that hand on what they are given:
        :meth:`memedit.engine.engine.Engine.passed_over`."""

    @property
    def sites(self) -> Sites:
        """Where the base keeps its parts: paths of modules, by layer.

        Raises:
            UnsupportedArchitectureError: memedit does not know its ``model_type``.
        """

    @property
    def fingerprint(self) -> str:
        """Identifies the base model, for what was trained for it (``loading.fingerprint``)."""

    def generate(self, batch: Batch) -> list[Any]:
        """A :class:`Completion` per row, in their order, with ids [n, T] int64; without gradients.

        Raises:
            ContextOverflowError: a row exceeds the model's window.
        """

    def ends(self) -> frozenset[int]:
        """The tokens at which a text ends, and the padding behind them."""

    def transcript(self, prefix: str, rows: int) -> Transcript:
        """``rows`` texts that begin with ``prefix`` and grow in rounds."""

    def nll(self, batch: Batch) -> Tensor:
        """[B] negative log-likelihood of each row's target, summed over tokens; differentiable."""

    def read(self, prompts: Sequence[str], site: str, column: Callable[[str], int]) -> Tensor:
        """[B, d_in] input of module ``site`` at character ``column(prompt)`` of each prompt."""
