"""What a memory can be asked to erase."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence

from memedit.core.documents import check_name
from memedit.core.errors import InvalidInputError
from memedit.core.types import DEFAULT_NAMESPACE, check_named, check_text
from memedit.memory.erasing import purging
from memedit.memory.erasing.certificate import Certificate
from memedit.memory.erasing.purging import Beside, PurgePlan, Wanted
from memedit.memory.store import Store


class Erasable:
    """A memory of which edits can be erased for good."""

    _store: Store

    def purge(
        self,
        *ids: str,
        subject: str | None = None,
        document: str | None = None,
        namespace: str = DEFAULT_NAMESPACE,
        everything: bool = False,
    ) -> Certificate:
        """Erase edits for good: their texts, vectors and payloads, in force or not, leave journal,
        index, audit log, proposals and reports, their files, and every copy that follows. Only
        that something was purged, when, under which id, and a salted hash stay. What would hold
        again after an edit has its time, as when it is forgotten.

        There is no way back. An interrupted purge is finished by the next one, which may be this
        call again. Copies elsewhere (backups, exports) are purged by themselves: open one and purge
        there. What a database cannot promise is in docs/security.md.

        Args:
            ids: Of edits, with every older record under them.
            subject: Every edit about it.
            document: The passages of a document, of every version.
            everything: All edits of the namespace.

        Returns:
            What was done, and where the texts were looked for afterwards. Unless it is
            ``complete``, it says what is still to be done.

        Raises:
            InvalidInputError: not exactly one of ids, subject, document and everything is given.
            UnknownEditError: there is nothing to purge.
            MemoryStoreError: it cannot be done; nothing was purged, or purging again goes on.
        """
        wanted = _make_wanted(ids, subject, document, namespace, everything=everything)
        return purging.purge(self._store, wanted, _beside(self))

    def preview_purge(
        self,
        *ids: str,
        subject: str | None = None,
        document: str | None = None,
        namespace: str = DEFAULT_NAMESPACE,
        everything: bool = False,
    ) -> PurgePlan:
        """What :meth:`purge` would take now, and which other edits name the same subjects."""
        return purging.plan(
            self._store, _make_wanted(ids, subject, document, namespace, everything=everything)
        )

    def finish_purge(self) -> Certificate | None:
        """Finish a purge that was interrupted; None: there is none."""
        return purging.finish(self._store, _beside(self))

    def when_purged(self, forget: Callable[[], None]) -> None:
        """Have ``forget`` called whenever something was purged, by whomever, in this process's
        copy: who keeps what was made of edits lets go of it."""
        self._store.replica.when_purged.append(forget)


def _make_wanted(
    ids: Sequence[str],
    subject: str | None,
    document: str | None,
    namespace: str,
    *,
    everything: bool,
) -> Wanted:
    if not isinstance(everything, bool):
        raise InvalidInputError(f"everything must be True or False, not {everything!r:.40}.")
    if bool(ids) + (subject is not None) + (document is not None) + everything != 1:
        raise InvalidInputError(
            "Say what to purge: ids, or a subject, or a document, or everything of a namespace.",
            hint='memedit edit purge ID, --subject "Ada Lovelace", --document NAME, --everything; '
            'in Python purge("3f2a..."), purge(subject="Ada Lovelace"), purge(everything=True).',
        )
    if subject is not None:
        check_text("subject", subject)
    if document is not None:
        check_name(document)
    for id in ids:
        check_named("id", id)
    check_named("namespace", namespace)
    return Wanted(namespace, tuple(ids), subject, document)


def _beside(memory: Erasable) -> Beside:
    """A server's books lie beside the memory; they stand above it: known here by name only."""
    made: Beside = importlib.import_module("memedit.serving.ledger.erasing").Books(memory)
    return made
