"""``requested_rewrite``: an edit as CounterFact and MQuAKE write it down (ROME's form)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Rewrite:
    """One requested rewrite.

    Attributes:
        template: The prompt, with ``{}`` for the subject.
        subject: What it is about.
        target: The new object.
        true: The object before; None where it is not told.
        relation: A property of Wikidata (``"P36"``), or "".
        target_id: The new object's item of Wikidata, or "".
    """

    template: str
    subject: str
    target: str
    true: str | None
    relation: str = ""
    target_id: str = ""

    @property
    def prompt(self) -> str:
        """The prompt with its subject."""
        return self.fill(self.template)

    def fill(self, template: str) -> str:
        """Another text about the subject, which stands for its ``{}``."""
        return template.replace("{}", self.subject)


def read_rewrite(fields: Any) -> Rewrite:
    """A record's ``requested_rewrite``, or one of a list of them.

    Raises:
        KeyError: ``prompt``, ``subject``, ``target_new`` or ``target_true`` is missing.
        TypeError, AttributeError: one of them is of another type.
    """
    return Rewrite(
        template=fields["prompt"],
        subject=fields["subject"],
        target=fields["target_new"]["str"],
        true=fields["target_true"]["str"],
        relation=fields.get("relation_id") or "",
        target_id=fields["target_new"].get("id") or "",
    )
