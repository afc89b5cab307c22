"""What is compared, by name: ``none``, ``ike``, ``ike-ungated``, ``ike@threshold``, ``a+b``,
``rome(layer=5)-ungated``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from memedit.core.errors import InvalidInputError
from memedit.core.protocols import UngatedBy
from memedit.core.registry import parse_call, split
from memedit.editors import editor_class, load_editor
from memedit.memory import EditMemory
from memedit.scope import load_scope

if TYPE_CHECKING:
    from memedit.model.editable import EditableModel

NONE = "none"
_UNGATED = "-ungated"
_NEAREST = "nearest"


@dataclass(frozen=True, slots=True)
class Spec:
    """An editor with a scope; ``editor`` None for the unedited model, ``scope`` None for the
    default. ``text`` is what the user wrote."""

    text: str
    editor: str | None
    scope: str | None = None

    @property
    def slug(self) -> str:
        """A file name."""
        return quote(self.text, safe="+", errors="surrogatepass")

    def build(self, model: EditableModel, memory: str | Path | None) -> EditableModel:
        """The base of ``model`` under this editor, with a memory of its own.

        Args:
            model: Gives base model, tokenizer and sentence encoder.
            memory: Where the memory is kept; None for RAM.
        """
        from memedit.model.editable import EditableModel

        store = EditMemory(memory, model.memory.encoder)
        scope = self.scope if self.editor is not None else _NEAREST  # unedited: any will do
        options: dict[str, Any] = {"editor": self.editor, "scope": scope}
        return EditableModel(model.base, model.tokenizer, memory=store, **options)


def parse(text: str) -> Spec:
    """One editor by name.

    ``NAME-ungated`` takes away the gate: the nearest edit always fires, or the scope that the
    editor's class names as ``ungated``.

    Raises:
        UnknownNameError: no such editor or scope.
        InvalidInputError: an empty name, or both a scope and ``-ungated``.
    """
    text = text.strip()
    if not text:
        raise InvalidInputError("An editor's name is empty.", hint="none, ike, ike-ungated, ...")
    if text == NONE:
        return Spec(text, None)
    name, *scopes = split(text, "@")
    scope = scopes[0] if scopes else ""
    bare = name.removesuffix(_UNGATED)
    if bare != name and scope:
        raise InvalidInputError(f"{text!r} names a scope and takes it away.")
    # Made once now: a name or setting that is wrong is told before anything is measured.
    load_editor(bare)
    if bare != name:
        chained = len(split(bare, "+")) > 1
        scope = _NEAREST if chained else _open(bare)
    if scope:
        load_scope(scope)
    return Spec(text, bare, scope or None)


def _open(name: str) -> str:
    """The scope that takes an editor's gate away."""
    found = editor_class(parse_call(name)[0])
    return found.ungated if isinstance(found, UngatedBy) else _NEAREST


def parse_all(editors: str | Sequence[str]) -> list[Spec]:
    """Several, from a list or a comma-separated text.

    Raises:
        InvalidInputError: none, or one twice.
    """
    names = split(editors, ",") if isinstance(editors, str) else editors
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise InvalidInputError(
            f"Editors to compare are named, not {editors!r:.60}.", hint='["ike", "none"]'
        )
    specs = [parse(name) for name in names]
    texts = [spec.text for spec in specs]
    if not texts or len(set(texts)) < len(texts):
        raise InvalidInputError(f"Editors to compare must be distinct, not {texts}.")
    return specs
