"""MemPrompt: a user's clarification before the question, after worked examples."""

from __future__ import annotations

from memedit.editors.memprompt import LABEL, SHOTS, MemPrompt, clarification
from memedit.serving.upstream.placing import Form
from memedit.serving.upstream.rewriters import Rewriter
from memedit.serving.upstream.stating import OneFact


def make_rewriter(editor: MemPrompt) -> Rewriter:
    """Its examples and the clarification."""
    form = Form(LABEL, SHOTS[: editor.shots])
    return OneFact("memprompt-chat", form, clarification, editor.default_scope)
