"""SERAC: semi-parametric editing with a counterfactual model (Mitchell et al. 2022, arXiv
2206.06520).

An edit is kept as text. The scope says which queries it concerns; those are answered by a
*counterfactual model* that reads the edit before the query, the others by the untouched base.
Three forms of that model:

- an **adapter** trained to use a fact in its prompt, beside the frozen base (``memedit train
  counterfactual``; one for the packaged default model is shipped). It is installed for the call
  and gone after it. It also knows when to decline: its first token ends the answer where none of
  the facts answers the query. The base then answers, untouched, as if no edit had fired;
- the **frozen base** itself, reading the edit;
- **another model** with its own tokenizer, for bases that have no adapter.

Showing several facts, declining, and keeping the answer to an object are ours, not the paper's:
``published=True`` has none of them (with the scope ``embed``, the paper's).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import torch

from memedit.core.calls import LM, Batch, Call, Completion, Row
from memedit.core.errors import InvalidInputError
from memedit.core.options import holds_settings
from memedit.core.text import normalise
from memedit.core.types import Edit, Hit, Payload
from memedit.editors.prompting.adapter import Adapter, adapter_for, load_adapter, open_other_model
from memedit.editors.prompting.forms import END, hits_of, plain, state_fact, with_facts

_FROZEN, _OTHER = "base", "model:"
_SUREST = 4
_VERDICT = {"max_new_tokens": 1, "do_sample": False, "num_beams": 1}


@holds_settings
class Serac:
    """A counterfactual model for queries in scope.

    Attributes:
        published: The paper's form: one fact, and the counterfactual model says what it likes, and
            always. ``facts``, ``decline`` and ``verbatim`` are then 1, False and False.
        counterfactual: ``"auto"``: the adapter shipped for this base, or the frozen base with a
            warning; ``"base"``: the frozen base; ``"model:NAME"``: another language model (hub id,
            folder, GGUF file), with its shipped adapter if it has one; else the folder of an
            adapter.
        facts: Most edits put into the prompt, best first; the adapter picks the one that answers.
        decline: Let the adapter send a query back to the base.
        verbatim: Keep the adapter's answer to the target of one of the edits it is shown, word for
            word; where one of them is a statement, it may say anything.

    Raises:
        InvalidInputError: a number out of range, or no adapter in the folder.
    """

    name: ClassVar[str] = "serac"
    needs: ClassVar[frozenset[str]] = frozenset()
    places: ClassVar[Mapping[str, tuple[str, ...]]] = {"counterfactual": ("auto", _FROZEN)}
    published: bool = False
    counterfactual: str = "auto"
    facts: int = 3
    decline: bool = True
    verbatim: bool = True

    def __post_init__(self) -> None:
        if self.published:
            for name, value in (("facts", 1), ("decline", False), ("verbatim", False)):
                object.__setattr__(self, name, value)
        if self.facts < 1:
            raise InvalidInputError("facts must be at least 1.")

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        """One payload per edit: ``fact``, its text on one line."""
        return [{"fact": plain(edit.statement, lm.tokenizer)} for edit in edits]

    def run(self, batch: Batch, call: Call) -> list[Any]:
        """Rows in scope to the counterfactual model, the others to ``call``."""
        if self.counterfactual.startswith(_OTHER):
            inside = partial(self._answer_elsewhere, call=call)
        else:
            inside = partial(self._answer_beside, call=call)
        return batch.route(lambda row: bool(hits_of(row, self.name)), inside, call)

    # The base, frozen or with its adapter

    def _answer_beside(self, batch: Batch, call: Call) -> list[Any]:
        adapter = self._adapter(batch.lm)
        if adapter is None:
            return _answer_by_lines(self._show(batch), call)
        accepted = self._find_accepted(batch, adapter, batch.lm)

        def answer(rows: Batch) -> list[Any]:
            shown = self._show(rows).intervene(*adapter.modules).map_rows(self._keep_to_targets)
            return _answer_by_lines(replace(shown, options=_require_beginning(shown.options)), call)

        return batch.route(lambda row: id(row) in accepted, answer, call)

    def _adapter(self, lm: LM | None) -> Adapter | None:
        if self.counterfactual == _FROZEN:
            return None
        if self.counterfactual != "auto":
            return load_adapter(self.counterfactual)
        if lm is None:
            return None
        if (found := adapter_for(lm.fingerprint)) is None:
            warnings.warn(
                "No counterfactual adapter was trained for this base model: SERAC answers with the "
                "frozen base. Train one: memedit train counterfactual --model MODEL --out DIR, "
                "then Serac(counterfactual=DIR).",
                stacklevel=2,
            )
        return found

    def _find_accepted(self, batch: Batch, adapter: Adapter, lm: LM | None) -> set[int]:
        """Rows (by identity) whose answer the adapter does not end before it has begun.

        Adapter and scope judge the same question from different sides, so their odds multiply: the
        surer the scope, the surer the adapter must be to decline.
        """
        if lm is None or not self.decline:
            return {id(row) for row in batch.rows}
        ends, accepted = lm.ends(), set[int]()
        asked = self._show(batch).intervene(*adapter.modules)
        # The verdict is generated, also for rows that are to be scored.
        asked = asked.map_rows(lambda row: replace(row, target=None))
        pairs = list(zip(batch.rows, asked.rows, strict=True))
        # A bias is an option of the whole call: rows of one bias are asked together.
        for odds in sorted({_odds(row) for row in batch.rows}):
            same = [(row, shown) for row, shown in pairs if _odds(row) == odds]
            options = {**_VERDICT, "sequence_bias": {(end,): -float(odds) for end in ends}}
            part = replace(asked, rows=tuple(shown for _, shown in same), options=options)
            first = lm.generate(part)
            accepted |= {
                id(row)
                for (row, _), said in zip(same, first, strict=True)
                if int(said.ids[0, 0]) not in ends
            }
        return accepted

    def _show(self, batch: Batch) -> Batch:
        return batch.map_rows(self._place_facts)

    def _keep_to_targets(self, row: Row) -> Row:
        """The row kept to the targets of the edits it shows, if each of them has one."""
        targets, hits = [], self._choose(row)
        # One of several values says all of them.
        for hit in hits[:1] if hits[0].record.edit.multiple else hits:
            target = (hit.record.edit.target_new or "").strip()
            flat, fact = " ".join(target.split()), str(hit.record.payloads[self.name]["fact"])
            if not flat or not fact.endswith(flat):
                return row
            targets.append(target if END in target else flat)
        return replace(row, answers=tuple(dict.fromkeys(targets))) if self.verbatim else row

    def _choose(self, row: Row) -> Sequence[Hit]:
        """The hits that are shown: of several values the one that says all, not each again."""
        hits = hits_of(row, self.name)
        joint = {normalise(h.record.edit.prompt) for h in hits if h.record.sequence < 0}
        shown = [
            hit for hit in hits
            if hit.record.sequence < 0
            or not hit.record.edit.multiple
            or normalise(hit.record.edit.prompt) not in joint
        ]  # fmt: skip
        return shown[: self.facts]

    def _place_facts(self, row: Row) -> Row:
        hits = self._choose(row)
        facts = [str(hit.record.payloads[self.name]["fact"]) for hit in hits]
        return with_facts(row, hits[0], "".join(state_fact(fact) for fact in reversed(facts)))

    # Another model

    def _answer_elsewhere(self, batch: Batch, call: Call) -> list[Any]:
        """Generation and scores by the other model; the logits of the caller's own tokens, which
        it cannot give, by the frozen base."""
        frozen = replace(self, counterfactual=_FROZEN)
        if batch.lm is None or any(row.target == "" for row in batch.rows):
            return frozen._answer_beside(batch, call)
        other = open_other_model(self.counterfactual.removeprefix(_OTHER))
        adapter = adapter_for(other.fingerprint)
        own = {id(row): replace(row, ids=None, turn=None) for row in batch.rows}
        theirs = Batch(tuple(own.values()), options=_drop_own_options(batch.options), lm=other)
        accepted = set(map(id, theirs.rows))
        if adapter is not None:
            accepted = self._find_accepted(theirs, adapter, other)

        def answer(rows: Batch) -> list[Any]:
            chosen = replace(theirs, rows=tuple(own[id(row)] for row in rows.rows))
            shown = self._show(chosen).intervene(*(adapter.modules if adapter else ()))
            shown = shown.map_rows(self._keep_to_targets) if adapter else shown
            if shown.rows[0].target is not None:
                return list(other.score(shown))
            shown = replace(shown, options=_require_beginning(shown.options))
            return [_translate(c, other, batch.lm) for c in _answer_by_lines(shown, other.generate)]

        return batch.route(lambda row: id(own[id(row)]) in accepted, answer, call)


def _answer_by_lines(batch: Batch, call: Call) -> list[Any]:
    """An answer is one line, unless it is the object of an edit that has several."""
    return batch.route(
        lambda row: any(END in answer for answer in row.answers),
        call,
        lambda rows: call(rows.with_stop(END)),
    )


def _odds(row: Row) -> int:
    """The scope's log odds that the best edit answers, in whole steps from 0 to 4; 0 where it
    gives no probability."""
    score = hits_of(row, Serac.name)[0].score
    if score is None or not 0 < score < 1:
        return 0 if score is None or score <= 0 else _SUREST
    return min(_SUREST, max(0, round(math.log(score / (1 - score)))))


def _require_beginning(options: Mapping[str, Any]) -> dict[str, Any]:
    """The caller's options, with an answer that does not end before it has begun."""
    least = max(1, int(options.get("min_new_tokens") or 0))
    return {**options, "min_new_tokens": least}


_OURS = ("logits_processor", "stopping_criteria", "streamer", "eos_token_id", "pad_token_id",
         "bos_token_id", "suppress_tokens", "generation_config", "stop_strings",
         "bad_words_ids", "forced_eos_token_id", "tokenizer")  # fmt: skip
"""Options that speak of the base's own tokens."""


def _drop_own_options(options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in _OURS}


def _translate(answer: Completion, theirs: Any, lm: Any) -> Completion:
    """An answer in the base's tokens, each ended by its end-of-sequence token."""
    assert answer.ids is not None
    end = [] if lm.tokenizer.eos_token_id is None else [lm.tokenizer.eos_token_id]
    pad = lm.codec.pad
    rows = [
        torch.tensor([*lm.codec.ids(theirs.codec.text(ids)).tolist(), *end], dtype=torch.long)
        for ids in answer.ids
    ]
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad)
    return replace(answer, ids=ids.to(answer.ids.device))
