"""The interfaces an extension implements. Structural: nothing here needs to be inherited from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from memedit.core.types import Batch, Call, Decision, Edit, Hit, Payload, Record, Role, Row

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor

    from memedit.core.sites import Sites
    from memedit.engine.tokens import Codec


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


class LM(Protocol):
    """What an editor's ``fit`` may use of the base model."""

    @property
    def base(self) -> Any:
        """The Hugging Face model. Its weights are read only."""

    @property
    def tokenizer(self) -> Any: ...

    @property
    def codec(self) -> Codec:
        """Texts to token ids."""

    @property
    def records(self) -> Sequence[Record]:
        """The edits that are in the model's weights already: those fitted before, in order."""

    @property
    def original(self) -> LM:
        """The model without any edits."""

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
        """Functions called at modules for the length of the block (:meth:`Engine.watch`)."""

    def passed_over(self, blocks: Sequence[str]) -> AbstractContextManager[None]:
        """Blocks that hand on what they are given (:meth:`Engine.passed_over`)."""

    @property
    def sites(self) -> Sites: ...

    @property
    def fingerprint(self) -> str:
        """Identifies the base model, for what was trained for it (:func:`models.fingerprint`)."""

    def generate(self, batch: Batch) -> list[Any]: ...

    def ends(self) -> frozenset[int]:
        """The tokens at which a text ends, and the padding behind them."""

    def transcript(self, prefix: str, rows: int) -> Transcript:
        """``rows`` texts that begin with ``prefix`` and grow in rounds."""

    def nll(self, batch: Batch) -> Tensor:
        """[B] negative log-likelihood of each row's target, summed over tokens; differentiable."""

    def read(self, prompts: Sequence[str], site: str, column: Callable[[str], int]) -> Tensor:
        """[B, d_in] input of module ``site`` at character ``column(prompt)`` of each prompt."""


@runtime_checkable
class Editor(Protocol):
    """A method: how an edit in scope changes the answer. Frozen; its fields are its settings.

    An editor may also have ``roles`` (:class:`ReadsRoles`).
    """

    @property
    def name(self) -> str:
        """The name it is registered under, and its payloads are stored under."""

    @property
    def needs(self) -> frozenset[str]:
        """Of {"subject", "target"}: an edit without them is refused when it is added."""

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        """Compile the edits, one payload each, in order. Reads ``lm``, never changes it."""

    def run(self, batch: Batch, call: Call) -> list[Any]:
        """Wrap the call: use it 0..n times. Rows without my payload pass unchanged."""


ASKED: frozenset[Role] = frozenset({"asks"})
"""What an editor reads that does not say."""


@runtime_checkable
class ReadsRoles(Protocol):
    """An editor that says in which roles it reads edits; one that does not reads :data:`ASKED`.

    One that reads ``informs`` is also handed rows that ask no edit and whose answer depends on one:
    those stand in ``row.decision.informs``, with its payloads.
    """

    @property
    def roles(self) -> frozenset[Role]: ...


def roles_of(editor: Editor) -> frozenset[Role]:
    """The roles in which an editor reads edits."""
    return editor.roles if isinstance(editor, ReadsRoles) else ASKED


@runtime_checkable
class Scope(Protocol):
    """Which of the candidate edits, if any, a query concerns."""

    def decide(self, prompts: Sequence[str], candidates: Sequence[Sequence[Hit]]) -> list[Decision]:
        """One decision per prompt. A scope may also have

        - ``wants_all = True``: the candidates are all live edits, not the nearest ones;
        - ``check_encoder(id)``: raises EncoderMismatchError for vectors it was not trained on.
        """


@runtime_checkable
class Encoder(Protocol):
    """Texts to unit vectors."""

    @property
    def id(self) -> str:
        """Names model and revision; recorded in every memory built with it."""

    @property
    def dimension(self) -> int: ...

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """[n, dimension] float32, rows of unit length (zero for a text with no content)."""
