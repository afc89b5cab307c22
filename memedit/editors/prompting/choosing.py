"""Which form suits a base. The first of these that says so:

1. the editor's own settings;
2. what ``memedit tune`` found on this base (:func:`keep`);
3. the adapter shipped for it: SERAC, for what is asked;
4. the table of families;
5. the rule for a base that was not measured: notes. One with a chat template and at least a
   billion parameters answers in its own sentences, a smaller one with the edit's object.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from memedit.core.calls import LM
from memedit.core.chat import has_template
from memedit.core.errors import InvalidInputError
from memedit.core.files import cache_folder, write_atomically
from memedit.core.registry import parse_call

AUTO, NONE = "auto", "none"
SENTENCES, OBJECTS, ADAPTER = "note", "note(sentences=False)", "serac"
_KNOWN = frozenset({AUTO, NONE, "note", "serac", "ike"})
SAFE = (*sorted(_KNOWN), OBJECTS)
"""What a stranger's memory may choose: editors whose settings name no file."""
_LARGE = 1_000_000_000
"""Parameters from which a base can be trusted with a note in its own words."""


@dataclass(frozen=True, slots=True)
class Forms:
    """The editor for each kind of request.

    Attributes:
        asks: A chat that asks an edit.
        completes: A text to be continued that asks one.
        informs: A request whose answer depends on one.
        source: What it comes from, for people: a setting, "tuned", "shipped", "family", "rule".
    """

    asks: str
    completes: str
    informs: str
    source: str = ""

    def check(self) -> None:
        """See that these are editors that can be chosen.

        Raises:
            InvalidInputError: one is not.
        """
        for form in (self.asks, self.completes, self.informs):
            if parse_call(form)[0] not in _KNOWN:
                raise InvalidInputError(
                    f"auto cannot choose {form!r}.",
                    hint=f"One of {', '.join(sorted(_KNOWN))}, with settings in brackets.",
                )

    def of(self, *, asks: bool, chat: bool) -> str:
        """The editor for one kind of request; "" leaves it to the base."""
        form = (self.asks if chat else self.completes) if asks else self.informs
        return "" if form == NONE else form

    def over(self, other: Forms) -> Forms:
        """These, and where they say ``auto`` those of ``other``."""
        mine, theirs = asdict(self), asdict(other)
        return Forms(**{k: theirs[k] if mine[k] in (AUTO, "") else mine[k] for k in mine})


FAMILIES: Mapping[str, Forms] = {
    "llama-30x576": Forms(SENTENCES, SENTENCES, SENTENCES, "family: SmolLM2-135M-Instruct"),
    "gemma3_text-18x640": Forms(OBJECTS, SENTENCES, SENTENCES, "family: Gemma 3 270M"),
    "qwen2-28x1536": Forms(SENTENCES, SENTENCES, SENTENCES, "family: Qwen2.5-Coder-1.5B"),
}
"""Families by :func:`family`; docs/editors.md says which of them were measured, and how."""


def forms_for(lm: LM | None, given: Forms) -> Forms:
    """The forms for a base, the given ones first."""
    if lm is None:
        return given.over(Forms(SENTENCES, SENTENCES, SENTENCES))
    # Read once for a model: every row asks.
    known = lm.kept.get("forms")
    if known is None:
        known = lm.kept["forms"] = read_tuned(lm.fingerprint) or _choose_untuned(lm)
    found: Forms = given.over(known)
    return found


def _choose_untuned(lm: LM) -> Forms:
    # Here: it needs torch, which a server in front of another one begins without.
    from memedit.editors.prompting.adapter import adapter_for

    found = FAMILIES.get(family(lm.base)) or _rule(lm)
    if adapter_for(lm.fingerprint) is None:
        return found
    return replace(found, asks=ADAPTER, completes=ADAPTER, source="shipped adapter")


def _rule(lm: LM) -> Forms:
    return Forms(SENTENCES if is_able(lm) else OBJECTS, SENTENCES, SENTENCES, "rule")


def is_able(lm: LM) -> bool:
    """Whether a base answers chats, and is large enough to be trusted with its own words."""
    known: bool | None = lm.kept.get("able")
    if known is None:
        size = sum(parameter.numel() for parameter in lm.base.parameters())
        known = lm.kept["able"] = size >= _LARGE and has_template(lm.tokenizer)
    return known


def family(base: Any) -> str:
    """Models of one architecture and size: ``"qwen2-28x1536"`` (layers x width)."""
    config = base.config.get_text_config()
    layers, width = config.num_hidden_layers, config.hidden_size
    return f"{config.model_type}-{layers}x{width}"


def read_tuned(fingerprint: str) -> Forms | None:
    """What was found for this base on this machine; None: it was not tuned.

    Raises:
        InvalidInputError: the file is not one of ours.
    """
    file = file_of(fingerprint)
    if not file.is_file():
        return None
    names = {field.name for field in fields(Forms)}
    try:
        said = json.loads(file.read_text("utf-8"))["forms"]
        found = Forms(**{name: str(said[name]) for name in names})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInputError(
            f"{file} does not say which forms suit this base ({error}).",
            hint="Delete it, or run memedit tune again.",
        ) from None
    # The file may be from a version that knew other editors.
    found.check()
    return found


def keep(fingerprint: str, forms: Forms, scores: Mapping[str, Any]) -> Path:
    """Write what was found for a base where :func:`read_tuned` reads it."""
    file = file_of(fingerprint)
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"forms": asdict(forms), "scores": scores}, indent=2) + "\n"
    write_atomically(file, text)
    return file


def file_of(fingerprint: str) -> Path:
    """Where the forms of a base are kept."""
    return cache_folder() / "forms" / f"{fingerprint}.json"
