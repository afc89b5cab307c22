"""IKE: the best edit before the question, after worked examples."""

from __future__ import annotations

from memedit.core.errors import InvalidInputError
from memedit.editors.ike import Ike, demonstrations
from memedit.editors.prompting.shots import Shot
from memedit.serving.upstream.placing import Form
from memedit.serving.upstream.rewriters import Rewriter
from memedit.serving.upstream.stating import OneFact, statement


def make_rewriter(editor: Ike) -> Rewriter:
    """Its demonstrations and the fact.

    Raises:
        InvalidInputError: another setting than ``demonstrations``.
    """
    if editor.retain or editor.repeats != Ike().repeats:
        raise InvalidInputError("Of IKE's settings an upstream takes demonstrations only.")
    shown = demonstrations(retain=False)[: editor.demonstrations]
    shots = tuple(Shot(d.fact, d.query, d.answer, d.context) for d in shown)
    return OneFact("ike-chat", Form("Fact", shots), statement)
