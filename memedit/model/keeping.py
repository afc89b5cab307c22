"""A model with its edits, written to disk."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

from memedit.core.files import as_path
from memedit.core.protocols import Editor, Scope
from memedit.engine import loading
from memedit.model.asking import AskableModel
from memedit.model.settings import tell_of_edits, write_settings


class KeptModel(AskableModel):
    """An askable model that can be saved, with its editor and scope."""

    @property
    @abstractmethod
    def editor(self) -> Editor:
        """The method that answers in scope."""

    @property
    @abstractmethod
    def scope(self) -> Scope:
        """What decides whether an edit is concerned."""

    def save(self, path: str | Path) -> Path:
        """Write memory, editor and scope settings to a directory. Weights are not part of it."""
        folder = as_path(path)
        self.memory.save(folder)
        write_settings(folder, self.editor, self.scope, loading.fingerprint(self.base))
        return folder

    def save_pretrained(self, path: str | Path, **options: Any) -> None:
        """Write the base and its tokenizer as transformers do, and the edits into ``path/memory``.

        The base's weights hold no edits, as the log says, unless inside of ``merged()``, where they
        hold them and nothing else is written.

        Args:
            path: A folder; made if it is not there.
            **options: Of the base's ``save_pretrained``.
        """
        self.base.save_pretrained(path, **options)
        self.tokenizer.save_pretrained(path)
        if len(self.memory) and not self._now.merged:
            tell_of_edits(path, self.save(Path(path) / "memory"), len(self.memory))

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({type(self.base).__name__}, editor={self.editor.name!r}, "
            f"scope={self.scope.name!r}, "
            f"edits={len(self.memory)})"
        )
