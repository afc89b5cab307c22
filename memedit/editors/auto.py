"""AUTO: what a request asks and what its answer depends on, each in the form that suits the base.

A small model misreads a note that a large one follows; an adapter says an object as no prompt does,
and writes no mail. So the editor that answers is chosen for the base, and apart for three kinds of
request: a chat that asks an edit, a text to be continued that asks one, and what depends on one.
:mod:`memedit.editors.prompting.choosing` says where the choice comes from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from memedit.core.calls import LM, Batch, Call, Completion, Result, Row
from memedit.core.options import holds_settings
from memedit.core.registry import parse_call
from memedit.core.types import Decision, Edit, Hit, Payload, Role
from memedit.editors import load_editor
from memedit.editors.prompting.choosing import AUTO, SAFE, SENTENCES, Forms, forms_for
from memedit.editors.prompting.forms import plain
from memedit.editors.prompting.notes import state_whole


@holds_settings
class Auto:
    """The forms that suit a base.

    Attributes:
        asks: Editor for a chat that asks an edit, e.g. ``"serac"``, ``"ike"``, ``"note"``,
            ``"note(sentences=False)"``; ``"auto"``: chosen for the base.
        completes: Editor for a text to be continued that asks one; as above.
        informs: Editor for what depends on one; as above, ``"none"``: it is left to the base.

    Raises:
        InvalidInputError: an editor that it cannot choose.
    """

    name: ClassVar[str] = "auto"
    needs: ClassVar[frozenset[str]] = frozenset()
    roles: ClassVar[frozenset[Role]] = frozenset({"asks", "informs"})
    places: ClassVar[Mapping[str, tuple[str, ...]]] = {
        kind: SAFE for kind in ("asks", "completes", "informs")
    }
    asks: str = AUTO
    completes: str = AUTO
    informs: str = AUTO

    def __post_init__(self) -> None:
        self._given.check()

    @property
    def _given(self) -> Forms:
        return Forms(self.asks, self.completes, self.informs)

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        """One payload per edit: ``line``, its text on one line, and ``fact``, as a note has it."""
        tokenizer = lm.tokenizer
        return [
            {"line": plain(edit.statement, tokenizer), "fact": state_whole(edit, tokenizer)}
            for edit in edits
        ]

    def run(self, batch: Batch, call: Call) -> list[Any]:
        """Every row by the editor of its kind; those that no edit concerns pass unchanged."""
        if not batch.rows:
            return []

        def form_of(row: Row) -> str:
            chat = row.turn is not None
            return self.form_of(row.decision, batch.lm, chat=chat, formed=row.formed)

        # The rows of the first one's form now; the others come back here, form after form.
        form = form_of(batch.rows[0])
        mine, others = partial(self._run_by, form, call=call), partial(self.run, call=call)
        return batch.route(lambda row: form_of(row) == form, mine, others)

    def forms(self, lm: LM | None) -> Forms:
        """The editor of each kind of request, for a base."""
        return forms_for(lm, self._given)

    def form_of(
        self, decision: Decision, lm: LM | None, *, chat: bool, formed: bool = False
    ) -> str:
        """The editor, with its settings, that answers what the scope decided so; "" for none.

        Where the caller gives the answer a form, such as JSON, an object alone is none: the base
        reads the facts as a note, and says them in that form.
        """
        if not any(self.name in hit.record.payloads for hit in decision.bearing):
            return ""
        form = self.forms(lm).of(asks=bool(decision.hits), chat=chat)
        return SENTENCES if formed and form and parse_call(form)[0] != SENTENCES else form

    def answering(
        self, decision: Decision, lm: LM | None, *, chat: bool, formed: bool = False
    ) -> str:
        """Its name."""
        form = self.form_of(decision, lm, chat=chat, formed=formed)
        return load_editor(form).name if form else ""

    def _run_by(self, form: str, batch: Batch, call: Call) -> list[Any]:
        if not form:
            return call(batch)
        editor = load_editor(form)
        answers = editor.run(batch.map_rows(partial(self._lend, to=editor.name)), call)
        return [_sign(answer, editor.name) for answer in answers]

    def _lend(self, row: Row, to: str) -> Row:
        """The row with our payloads as those of another editor."""

        def lend_hit(hit: Hit) -> Hit:
            own = hit.record.payloads.get(self.name)
            if own is None:
                return hit
            fact = own["fact"] if to == "note" else own["line"]
            payloads = {**hit.record.payloads, to: {"fact": fact}}
            return replace(hit, record=replace(hit.record, payloads=payloads))

        decision: Decision = row.decision
        told = replace(
            decision,
            hits=tuple(map(lend_hit, decision.hits)),
            informs=tuple(map(lend_hit, decision.informs)),
            companions=tuple(map(lend_hit, decision.companions)),
        )
        return replace(row, decision=told)


def _sign(answer: Result, editor: str) -> Result:
    """An answer that says which editor gave it; scores and logits say nothing."""
    if isinstance(answer, Completion) and not answer.editor:
        return replace(answer, editor=editor)
    return answer
