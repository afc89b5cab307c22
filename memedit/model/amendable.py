"""A model whose edits are put right by their ids."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import Any

from memedit.core.errors import InvalidEditError
from memedit.core.moments import Moment
from memedit.core.options import check_options
from memedit.core.types import Edit, Payload, Record
from memedit.memory import Receipt
from memedit.memory.altering import CHANGED, alter, read_text
from memedit.model.amending import correct, find_by
from memedit.model.asking import AskableModel
from memedit.model.deciding import Decider
from memedit.model.fitting import Fitter


class AmendableModel(AskableModel):
    """An askable model whose edits are put right by their ids."""

    @property
    @abstractmethod
    def decider(self) -> Decider:
        """What finds the edits of a query: memory and scope."""

    @property
    @abstractmethod
    def _fitter(self) -> Fitter:
        """What fits edits for the editors in use."""

    @abstractmethod
    def check_edit(self, edit: Edit) -> None:
        """See that the editors in use can take this edit."""

    @abstractmethod
    def _check_unmerged(self) -> None:
        """Refuse a change while the edits are in the base's weights."""

    def correct(
        self, id: str, text: str | None = None, *, namespace: str | None = None, **changed: Any
    ) -> Receipt:
        """Put an edit right by its id; what is not given stays as it is.

        It is compared with what is in force as a new edit is, but for the edit itself: what says
        otherwise in other words is replaced, or told as a conflict. ``PATCH /v1/edits/{id}`` and
        ``memedit edit correct`` do the same.

        Args:
            id: The id of the edit that is wrong.
            text: What shall follow its prompt; of a statement, the whole statement.
            namespace: Where it is; default the view's.
            **changed: Fields by name; None removes: ``prompt``, ``target_new``, ``statement``,
                ``subject``, ``target_true``, ``queries``, ``multiple``, ``because_of``,
                ``source``, ``valid_from``, ``valid_until``.

        Returns:
            A receipt, as of :meth:`EditableModel.edit`. Its ``superseded`` names the edit that was
            wrong; where another edit in force says already what is right, the receipt is of that
            one (``duplicate``).

        Raises:
            UnknownEditError: no such edit in force.
            InvalidEditError: nothing is given; no such edit can be. Nothing was stored.
            EntangledEditError: other edits were fitted on it, which an editor of weights does.
            InvalidInputError: no such field.
        """
        check_options("EditableModel.correct", changed, CHANGED)
        if text is None and not changed:
            raise InvalidEditError("What is right is missing.", hint='correct(id, "what is right")')
        self._check_unmerged()
        self.decider.check()
        namespace = namespace or self._now.namespace
        with self.memory.comparing():
            old = self.memory.get(id, namespace=namespace)
            if text is not None:
                changed |= read_text(old, text, changed)
            edit, rest = alter(old, changed)
            self.check_edit(edit)
            if "because_of" in changed:  # what it rested on before may be gone since
                self.memory.check_reasons(edit, namespace)
            find, fit = find_by(self.decider), partial(_fit, self._fitter, old)
            return correct(self.memory, old, edit, find, fit=fit, **rest)


def _fit(
    fitter: Fitter, old: Record, edit: Edit, replaces: list[str], **rest: Moment | str | None
) -> Mapping[str, Payload]:
    """What the editors must remember of an edit that takes the place of a record."""
    if _take_fitted(edit) == _take_fitted(old.edit):
        return old.payloads
    options = {"namespace": old.namespace, **rest}
    return fitter.fit_new([edit], options, [old.id, *replaces])[0]


def _take_fitted(edit: Edit) -> tuple[str | None, ...]:
    """What of an edit is fitted."""
    return edit.prompt, edit.target_new, edit.subject, edit.target_true
