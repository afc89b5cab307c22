"""SERAC: a request in scope goes, with the fact, to the adapter that the upstream serves."""

from __future__ import annotations

from memedit.core.errors import InvalidInputError
from memedit.editors.serac import Serac
from memedit.serving.upstream.placing import Form
from memedit.serving.upstream.rewriters import Rewriter
from memedit.serving.upstream.stating import Facts

_OTHER = "model:"


def make_rewriter(editor: Serac) -> Rewriter:
    """Facts for a model of another name.

    Raises:
        InvalidInputError: the editor does not say under which name.
    """
    if not editor.counterfactual.startswith(_OTHER):
        raise InvalidInputError(
            "SERAC behind an upstream needs the name under which that serves the adapter.",
            hint="--editor \"serac(counterfactual='model:NAME')\".",
        )
    name = editor.counterfactual.removeprefix(_OTHER)
    return Facts("serac-chat", Form("Fact", model=name), editor.facts, asked=True)
