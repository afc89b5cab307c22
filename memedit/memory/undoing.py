"""What a memory can take back: edits, and whole versions."""

from __future__ import annotations

from collections.abc import Sequence

from memedit.core.types import DEFAULT_NAMESPACE, Record
from memedit.memory import changing
from memedit.memory.reports import Undone
from memedit.memory.store import Store


class Undoable:
    """A memory of which edits are forgotten and versions brought back."""

    _store: Store

    def forget(self, id: str, *, namespace: str = DEFAULT_NAMESPACE, reason: str = "") -> Record:
        """Take an edit out; what would hold again after it has its time, too. The record that was.

        Raises:
            UnknownEditError: no live edit has this id.
        """
        return self.forget_many([id], namespace=namespace, reason=reason)[0]

    def forget_many(
        self, ids: Sequence[str], *, namespace: str = DEFAULT_NAMESPACE, reason: str = ""
    ) -> list[Record]:
        """:meth:`forget` for several edits in one transaction: all or none. Each once, however
        often it is named; none of them gets time that another leaves.

        Raises:
            UnknownEditError: no live edit has one of these ids.
        """
        return changing.forget(self._store, ids, namespace, reason)[0]

    def forget_to_refit(
        self, ids: Sequence[str], refit: Sequence[str], *, namespace: str = DEFAULT_NAMESPACE
    ) -> tuple[list[Record], list[Record]]:
        """:meth:`forget_many`, and in the same transaction take out ``refit``, live edits that
        are fitted anew afterwards and keep their time.

        Returns:
            The records that were, and those to be added again with the time that they have now.

        Raises:
            UnknownEditError: no live edit has one of these ids.
        """
        return changing.forget(self._store, ids, namespace, "", refit)

    def restore(self, version: int, *, namespace: str | None = None) -> int:
        """Make the live set exactly what it was at ``version``, as a new version, but for what was
        purged since (:meth:`count_purged`): as if that had been purged then. So what resumes after
        an edit that is forgotten has its time; what had been replaced entirely does not come again
        (:meth:`find_unanswered`).

        Args:
            namespace: Only this one goes back; the others stay as they are.

        Returns:
            The memory's version now (unchanged if the live set was that one already).
        """
        return changing.restore(self._store, version, namespace)

    def undo(self, version: int | None = None, *, namespace: str | None = None) -> Undone:
        """Take back the last change, whatever it was; asked again, the one before it. Edits that
        were added at once are one change, and so is a file, whatever others wrote while it was
        read in.

        What others changed since the change had begun stays as they left it.

        Args:
            version: One that the change made (:attr:`ImportReport.change` of a file): it need not
                be the last. None: the last change.
            namespace: The last change of this one; the others stay as they are. Where all are
                asked to go back afterwards, this was the last change: it comes again.

        Raises:
            InvalidInputError: there is no change that still stands, or nothing of this one does, or
                it is a purge, which nothing takes back.
        """
        return changing.undo(self._store, version, namespace)

    def count_purged(self, version: int, *, namespace: str | None = None) -> int:
        """How many edits that were in force at ``version`` were purged since: nothing brings them
        back.

        Raises:
            InvalidInputError: there was no such version.
        """
        return changing.count_purged(self._store, version, namespace)

    def find_unanswered(self, version: int, *, namespace: str | None = None) -> list[Record]:
        """The records that were replaced entirely by what was in force at ``version`` and purged
        since, and of which nothing is in force now: oldest first. To be added again, if wanted.

        Raises:
            InvalidInputError: there was no such version.
        """
        return changing.find_unanswered(self._store, version, namespace)
