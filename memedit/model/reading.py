"""A model that takes files: of edits, and documents."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path

from memedit.core.files import as_path
from memedit.core.moments import Moment
from memedit.core.types import Edit
from memedit.data.documents.reading import read_document
from memedit.memory import DocumentChange, ImportReport
from memedit.model.asking import AskableModel
from memedit.model.deciding import Decider
from memedit.model.importing import compare_with


class ReadingModel(AskableModel):
    """An askable model whose facts come from files too."""

    @property
    @abstractmethod
    def decider(self) -> Decider:
        """What finds the edits of a query: memory and scope."""

    @abstractmethod
    def check_edit(self, edit: Edit) -> None:
        """See that the editors in use can take this edit."""

    @abstractmethod
    def _check_unmerged(self) -> None:
        """Refuse a change while the edits are in the base's weights."""

    def import_edits(
        self,
        path: str | Path,
        *,
        namespace: str | None = None,
        source: str = "",
        compare: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> ImportReport:
        """Add the edits of a JSONL or CSV file; refused lines are reported, the others kept.

        An interrupted import continues where it stopped when it is run again. With ``compare`` each
        line is compared in other words with what is in force, as a single edit is, and so with
        those before it: some 0.1 s a line.
        """
        return self.memory.import_file(
            path, namespace=namespace or self._now.namespace, source=source, progress=progress,
            compare=compare_with(self.decider) if compare else None,
        )  # fmt: skip

    def edit_document(
        self,
        path: str | Path,
        *,
        name: str | None = None,
        namespace: str | None = None,
        dry_run: bool = False,
        valid_from: Moment | None = None,
        valid_until: Moment | None = None,
    ) -> DocumentChange:
        """Put a document in force: Markdown, text, HTML, PDF or DOCX, by its suffix.

        In place of its version before: passages that it says no longer are retired, those that it
        says still keep their ids.

        Args:
            path: The file.
            name: What the document is called, in every version; None: as the file.
            namespace: Default the view's.
            dry_run: Only tell what would change.
            valid_from, valid_until: When this version holds, both ends included; up to then the
                version before stays in force.

        Raises:
            InvalidInputError: it cannot be read; nothing was changed.
            MissingExtraError: what reads it is not installed: ``memedit[documents]``.
        """
        self.decider.check()
        self._check_unmerged()
        document = read_document(as_path(path), name)
        # The first stands for all: passages are statements, and lack or have the same.
        self.check_edit(Edit.from_statement(document.passages[0]))
        return self.memory.put_document(
            document, namespace=namespace or self._now.namespace, dry_run=dry_run,
            valid_from=valid_from, valid_until=valid_until,
        )  # fmt: skip
