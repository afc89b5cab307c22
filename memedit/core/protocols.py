"""The interfaces an extension implements. Structural: nothing here needs to be inherited from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from memedit.core.calls import LM, Batch, Call, Row
from memedit.core.types import Decision, Edit, Hit, Payload, Record, Role

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor


@runtime_checkable
class Editor(Protocol):
    """A method: how an edit in scope changes the answer. Frozen; its fields are its settings.

    What it may have beside these members is said by the protocols below: ``roles``
    (:class:`ReadsRoles`), ``changes`` (:class:`ChangesWeights`), ``joint`` (:class:`FitsJointly`),
    ``distance`` (:class:`MeasuresDistance`), ``keys`` (:class:`CountsKeys`), ``default_scope``
    (:class:`PrefersScope`), ``ungated`` (:class:`UngatedBy`), ``considers`` (:class:`Considers`),
    ``editors`` (:class:`ChainsEditors`), ``answering`` (:class:`ChoosesEditor`), ``places``
    (:class:`NamesPlaces`).
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
class ChangesWeights(Protocol):
    """An editor whose payloads are changes of weights that can be added up (ROME, MEMIT, ...)."""

    def changes(self, records: Sequence[Record]) -> Mapping[str, Tensor]:
        """Site -> D [d_out, d_in], what these records together add to the module's weight."""


@runtime_checkable
class FitsJointly(Protocol):
    """An editor whose edits live in one place: with ``joint`` they are fitted together, and on
    those before, where every edit concerns every prompt. All that change weights are.
    """

    @property
    def joint(self) -> bool: ...


@runtime_checkable
class MeasuresDistance(Protocol):
    """An editor that can say how far the edited matrices are from the original ones."""

    def distance(self, records: Sequence[Record]) -> Mapping[str, float]:
        """Site -> Frobenius norm of what these records change."""


@runtime_checkable
class CountsKeys(Protocol):
    """An editor with a codebook: how many entries it has for these records."""

    def keys(self, records: Sequence[Record]) -> int:
        """The number of entries: less than of records where some share one."""


@runtime_checkable
class ChainsEditors(Protocol):
    """An editor made of others, the outermost first; payloads are stored under their names."""

    @property
    def editors(self) -> tuple[Editor, ...]: ...

    @property
    def name(self) -> str:
        """Their names, joined by ``+``."""


@runtime_checkable
class PrefersScope(Protocol):
    """An editor that says which scope decides for it where none is asked for."""

    @property
    def default_scope(self) -> str: ...


@runtime_checkable
class UngatedBy(Protocol):
    """An editor that says which scope stands for "no gate" (``NAME-ungated``): ``"everything"``
    where all edits act at once. For one that does not say, the nearest edit fires.
    """

    @property
    def ungated(self) -> str: ...


@runtime_checkable
class Considers(Protocol):
    """An editor that reads rows in which no edit is in scope: a program may find one later."""

    def considers(self, row: Row) -> bool:
        """Whether it shall be handed this row."""


@runtime_checkable
class ChoosesEditor(Protocol):
    """An editor that leaves each answer to one of several, by the base and the decision."""

    def answering(self, decision: Decision, lm: LM, *, chat: bool, formed: bool = False) -> str:
        """The name of the one that answers (``formed``: in a form of the caller's)."""


@runtime_checkable
class NamesPlaces(Protocol):
    """A class of editors or scopes some of whose settings name files or models. What a stranger's
    memory says of them is refused (:func:`memedit.core.registry.read_saved_part`).
    """

    @property
    def places(self) -> Mapping[str, Collection[str]]:
        """Name of the setting -> the words that name none (``"auto"``)."""


def leaves_of(editor: Editor) -> tuple[Editor, ...]:
    """The editors of a chain; else the editor itself."""
    return editor.editors if isinstance(editor, ChainsEditors) else (editor,)


def is_joint(editor: Editor) -> bool:
    """Whether an editor's edits are fitted together and on those before: they are all in one place.

    So are the editors of weights, and those that say so (:class:`FitsJointly`).
    """
    if isinstance(editor, ChangesWeights):
        return True
    return isinstance(editor, FitsJointly) and editor.joint


@runtime_checkable
class Scope(Protocol):
    """Which of the candidate edits, if any, a query concerns. Its fields are its settings.

    A scope may also judge all edits (:class:`JudgesAll`), be trained for one encoder
    (:class:`ChecksEncoder`), or set its threshold by traffic (:class:`Calibrates`).
    """

    @property
    def name(self) -> str:
        """The name it is registered under; a saved model finds it by it."""

    def decide(self, prompts: Sequence[str], candidates: Sequence[Sequence[Hit]]) -> list[Decision]:
        """One decision per prompt, made of its candidates, nearest first."""


@runtime_checkable
class JudgesAll(Protocol):
    """A scope that with ``wants_all`` is handed every edit in force, not the nearest ones."""

    @property
    def wants_all(self) -> bool: ...


@runtime_checkable
class ChecksEncoder(Protocol):
    """A scope that was trained on the vectors of one encoder."""

    def check_encoder(self, encoder: str) -> None:
        """See that it was trained for the encoder of this id.

        Raises:
            EncoderMismatchError: it was not.
        """


@runtime_checkable
class Calibrates(Protocol):
    """A scope whose threshold can be set by traffic that concerns no edit."""

    def calibrate(
        self, negatives: Sequence[Decision], max_false_fire: float, confidence: float
    ) -> Scope:
        """The scope with a threshold that bounds the rate of false fires.

        Args:
            negatives: Decisions on texts that concern no edit.
            max_false_fire: Highest acceptable share of such texts on which an edit fires.
            confidence: Probability, over the draw of the texts, that this holds.

        Raises:
            InvalidInputError: too few of them for the bound.
        """


def judges_all(scope: Scope) -> bool:
    """Whether every edit in force is a candidate."""
    return isinstance(scope, JudgesAll) and scope.wants_all


@runtime_checkable
class Encoder(Protocol):
    """Texts to unit vectors. One that is a transformer may say so (:class:`IsTransformer`)."""

    @property
    def id(self) -> str:
        """Names model and revision; recorded in every memory built with it."""

    @property
    def dimension(self) -> int:
        """Length of its vectors."""

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """[n, dimension] float32, rows of unit length (zero for a text with no content)."""


@runtime_checkable
class IsTransformer(Protocol):
    """An encoder whose network may be read, for what is trained on top of it."""

    def transformer(self) -> tuple[Any, Any]:
        """(transformer, tokenizer), not copied: read-only.

        Raises:
            InvalidInputError: the model is no transformer of Hugging Face's.
        """
