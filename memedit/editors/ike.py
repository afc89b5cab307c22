"""IKE: in-context knowledge editing (Zheng et al. 2023, arXiv 2305.12740).

The edit is put into the prompt, after demonstrations that teach the model to use it: *copy* (the
edit's own prompt), *update* (a paraphrase) and *retain* (an unrelated prompt, answered as before).
The paper gives retrieved demonstrations in the ratio 1 : 3 : 4 to every prompt. Here a scope has
already kept unrelated prompts away, so by default retain demonstrations are left out
(``retain=True`` brings them back), and the demonstrations are the same for every edit, so that
their keys and values are computed once. ``published=True`` is the paper's form: demonstrations
retrieved from a corpus, retain among them, the fact stated once
(:mod:`memedit.editors.prompting.retrieved`).

Two forms. A *completion* gets the fact between what precedes and the part that asks, so that a
distracting sentence does not come between fact and question; the caller's own text stays last. A
*chat* gets the demonstrations as earlier turns, and the fact as the hidden beginning of the reply.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files
from typing import Any, ClassVar

from memedit.core.calls import LM, Batch, Call, Row
from memedit.core.errors import ContextOverflowError, InvalidInputError
from memedit.core.options import holds_settings
from memedit.core.types import Edit, Payload
from memedit.editors.prompting.forms import (
    END,
    awaits_reply,
    before_query,
    head,
    hits_of,
    make_sure,
    open_reply,
    plain,
    split_at_view,
    state_fact,
)
from memedit.editors.prompting.retrieved import contexts, drop_half, pose, strip_lead


@dataclass(frozen=True, slots=True)
class Demonstration:
    """One worked example. ``context`` is a distracting sentence before the query, or ""."""

    kind: str
    fact: str
    query: str
    answer: str
    context: str = ""


@holds_settings
class Ike:
    """In-context editing with demonstrations.

    Attributes:
        published: The paper's form, for which ``corpus`` is needed; ``demonstrations``,
            ``retain`` and ``repeats`` count for nothing there.
        corpus: File of CounterFact records (JSON lines, gzip'd or not) that demonstrations are
            retrieved from; the records to be measured should not be in it.
        encoder: Sentence encoder that finds the nearest; "" for the packaged MiniLM, the paper's.
        seed: Of what is drawn in the published form.
        demonstrations: How many, up to 32 with ``retain`` and 16 without.
        retain: Include retain demonstrations, copy : update : retain = 1 : 3 : 4.
        repeats: How often a completion states the fact; small models follow two better than one.

    Raises:
        InvalidInputError: a number out of range, or the published form without a corpus.
    """

    name: ClassVar[str] = "ike"
    needs: ClassVar[frozenset[str]] = frozenset()
    places: ClassVar[Mapping[str, tuple[str, ...]]] = {"corpus": ("",), "encoder": ("",)}
    published: bool = False
    corpus: str = ""
    encoder: str = ""
    seed: int = 0
    demonstrations: int = 6
    retain: bool = False
    repeats: int = 2

    def __post_init__(self) -> None:
        most = len(demonstrations(retain=self.retain))
        if not 0 <= self.demonstrations <= most:
            raise InvalidInputError(f"demonstrations must be 0 to {most}.")
        if self.repeats < 1:
            raise InvalidInputError("repeats must be at least 1.")
        if self.published and not self.corpus:
            raise InvalidInputError(
                "The published form of ike retrieves its demonstrations from a corpus.",
                hint="ike(published=true, corpus=./counterfact_full.jsonl.gz)",
            )

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        """One payload per edit: ``fact``, the edit as a line that cannot break out of its place;
        in the published form also ``context``, what stands before it.

        Raises:
            InvalidInputError: the corpus cannot be read or is too small.
        """
        facts = [plain(edit.statement, lm.tokenizer) for edit in edits]
        if not self.published or not edits:
            return [{"fact": fact} for fact in facts]
        found = contexts(lm, edits, facts, path=self.corpus, encoder=self.encoder, seed=self.seed)
        return [{"fact": fact, "context": each} for fact, each in zip(facts, found, strict=True)]

    def run(self, batch: Batch, call: Call) -> list[Any]:
        """Rows in scope answered with their best edit in the prompt; the others pass unchanged."""
        concerned = self._run_published if self.published else self._run_concerned
        return batch.route(self._concerns, partial(concerned, call=call), call)

    def _concerns(self, row: Row) -> bool:
        return bool(hits_of(row, self.name))

    def _run_concerned(self, batch: Batch, call: Call) -> list[Any]:
        """The rows with their fact; with half the demonstrations where all are too long."""
        sure = batch.map_rows(lambda row: make_sure(row, hits_of(row, self.name)[0]))
        try:
            return sure.route(
                lambda row: row.turn is None or row.target == "",
                partial(self._complete, call=call),
                partial(self._chat, call=call),
            )
        except ContextOverflowError:
            if not self.demonstrations:
                raise
            # Halved until they fit: without any, the request itself is too long.
            fewer = replace(self, demonstrations=self.demonstrations // 2)
            return fewer._run_concerned(batch, call)

    # The published form

    def _run_published(self, batch: Batch, call: Call) -> list[Any]:
        """The rows, those of one edit together: they share their context."""
        first = hits_of(batch.rows[0], self.name)[0]
        context = str(first.record.payloads[self.name].get("context", ""))

        def is_mine(row: Row) -> bool:
            return hits_of(row, self.name)[0].record.sequence == first.record.sequence

        shown = partial(self._run_in_context, context=context, call=call)
        # The rows of one edit now; the others come back here.
        return batch.route(is_mine, shown, partial(self._run_published, call=call))

    def _run_in_context(self, batch: Batch, context: str, call: Call) -> list[Any]:
        """Rows of one edit after its context, or half of it where all of it is too long."""
        whole = partial(self._state_new_fact, context=context)
        try:
            return batch.route(
                # The keys and values of a context are computed once, but for what is no text alone.
                lambda row: row.turn is None and row.target != "",
                lambda rows: call(
                    rows.with_prefix(context).map_prompts(self._state_new_fact).with_stop(END)
                ),
                lambda rows: call(rows.map_prompts(whole).with_stop(END)),
            )
        except ContextOverflowError:
            if (fewer := drop_half(context)) == context:
                raise
            return self._run_in_context(batch, fewer, call)

    def _state_new_fact(self, row: Row, context: str = "") -> str:
        hit = hits_of(row, self.name)[0]
        fact = str(hit.record.payloads[self.name]["fact"])
        lead = hit.record.edit.subject
        query = row.prompt if lead is None else strip_lead(row.prompt, lead)
        return context + pose(fact, query)

    # Completions

    def _complete(self, batch: Batch, call: Call) -> list[Any]:
        if any(row.turn is not None for row in batch.rows):  # the logits of a whole chat
            return call(batch.map_prompts(self._place_fact))
        shown = batch.with_prefix(self._completion_prefix()).map_prompts(self._place_fact)
        return call(shown.with_stop(END))

    def _place_fact(self, row: Row) -> str:
        hit = hits_of(row, self.name)[0]
        fact = str(hit.record.payloads[self.name]["fact"])
        return self._form(fact, *split_at_view(row, hit))

    def _form(self, fact: str, before: str, query: str) -> str:
        return before_query(state_fact(fact) * self.repeats, before, query)

    def _completion_prefix(self) -> str:
        shown = demonstrations(retain=self.retain)[: self.demonstrations]
        return "".join(
            f"{self._form(d.fact, d.context, d.query)} {d.answer}{END}{END}" for d in shown
        )

    # Chats

    def _chat(self, batch: Batch, call: Call) -> list[Any]:
        """Rows grouped by what precedes the first turn: each system prompt has its own prefix."""
        heads = {head(row) for row in batch.rows}
        if len(heads) > 1:
            first = head(batch.rows[0])
            again = partial(self._chat, call=call)
            return batch.route(lambda row: head(row) == first, again, again)
        prefix = heads.pop() + "".join(self._turns(batch.rows[0]))
        return call(batch.with_prefix(prefix).map_rows(self._reply).with_stop(END))

    def _turns(self, row: Row) -> list[str]:
        assert row.turn is not None
        chat = row.turn.chat
        return [
            f"{chat.user_open}{f'{d.context} {d.query}'.strip()}{chat.user_close}"
            f"{chat.reply_open}{open_reply(state_fact(d.fact))} {d.answer}{chat.reply_close}"
            for d in demonstrations(retain=self.retain)[: self.demonstrations]
        ]

    def _reply(self, row: Row) -> Row:
        """The fact opens the reply, or precedes the query where the caller opened the reply."""
        assert row.turn is not None
        fact = str(hits_of(row, self.name)[0].record.payloads[self.name]["fact"])
        turn = row.turn
        rest = turn.before[len(head(row)) :]
        if awaits_reply(turn):
            after = turn.after + open_reply(state_fact(fact))
            return replace(row, turn=replace(turn, before=rest, after=after), rewritten=True)
        prompt = self._place_fact(row)
        return replace(row, prompt=prompt, turn=replace(turn, before=rest), rewritten=True)


def demonstrations(*, retain: bool) -> tuple[Demonstration, ...]:
    """The demonstrations shipped with the package, in the order in which they are taken.

    Written for memedit: entities and facts are invented, none comes from a benchmark.
    """
    lines = files("memedit.editors").joinpath("demonstrations.jsonl").read_text("utf-8")
    all_ = tuple(Demonstration(**json.loads(line)) for line in lines.splitlines())
    return tuple(d for d in all_ if retain or d.kind != "retain")
