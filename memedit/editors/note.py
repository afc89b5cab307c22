"""NOTE: the base reads the facts that bear on a request, and answers in its own words.

Where an edit is not what a request asks but what its answer depends on (a mail, a list, a program,
yes or no, a hop), the object alone is no answer. The facts stand as a short note in the last user
turn, before its words,

    Current facts, which replace what you know and what was said before:
    - The capital of France is Lyon.

    Write a two-line poem about the capital of France.

and the base goes on as it always does: in its length, language and format, ending where it ends.
Nothing before the last user turn changes, so that the keys and values of a conversation stay good
from turn to turn. A text to be continued has the facts as sentences before the part that asks.

The form is that of retrieval-augmented prompting (Lewis et al. 2020, arXiv 2005.11401), gated by a
scope; wording and place were chosen by measurement (docs/editors.md).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

from memedit.core.calls import LM, Batch, Call, Row
from memedit.core.chat import thinks_aloud
from memedit.core.errors import InvalidInputError
from memedit.core.options import holds_settings
from memedit.core.types import Edit, Hit, Payload, Role
from memedit.editors.prompting.choices import find_options
from memedit.editors.prompting.choosing import is_able
from memedit.editors.prompting.elapsing import find_end, work_out_times
from memedit.editors.prompting.forms import END, awaits_reply, before_query, head, split_at_view
from memedit.editors.prompting.judging import choose, goes_by_day, judge
from memedit.editors.prompting.leaning import Leaning, asks_yes_or_no
from memedit.editors.prompting.negations import denies_premise
from memedit.editors.prompting.notes import (
    WORDINGS,
    Room,
    bearing_on,
    choose_told,
    state_whole,
    values_of,
    write_note,
)
from memedit.editors.prompting.polar import drop_order, find_sentences, is_formed
from memedit.editors.prompting.premises import (
    correct_row,
    deny_former,
    find_former_of,
    find_said,
    give_verdict,
    is_refuted,
)
from memedit.editors.prompting.reasoning import (
    MOMENTS,
    SUMS,
    Exercise,
    find_told,
    think_through,
    work_out,
    work_out_lines,
)
from memedit.editors.prompting.reckoning import (
    asks_once,
    has_rate,
    is_plain_sum,
    is_reckoned,
    may_be_summed,
)
from memedit.editors.prompting.supposing import judge_supposed
from memedit.editors.prompting.timesums import may_be_dated
from memedit.editors.prompting.verdicts import verdict_of

PLACES = ("before", "after", "reply")
_MOST_RATES = 3
_OWN_LANGUAGE = "\n(Answer in the language of the question.)"
"""Behind facts in English, where a request is in another language."""


@holds_settings
class Note:
    """Facts that bear on a request, as a note to the base.

    Attributes:
        facts: How many at most.
        tokens: How many tokens they may have together; the most probable one is always told.
        document_tokens: How many passages of documents may have, which are shown with their
            neighbours (:mod:`memedit.model.passages`).
        verbatim: A text to be continued that asks an edit is answered with the edit's object, word
            for word; else the base goes on as it likes.
        sentences: A chat that asks an edit is answered in the base's own words; else with the
            object, where the edit has one.
        lean: How much likelier (natural log) the tokens of an object get in a chat until it is
            said, where the edit is asked: a base says what it has known for long against a note. Of
            a statement those of its one value that was not said before.
            A base that begins a sentence with the words of the request or of the fact is let.
            Where the answer only depends on an edit, its object need not be said at all, and an
            edit that does not bear must do no harm. So are yes and no, as its beginning, where it
            is asked for one of them; that one twice as much which the fact's own words give, and
            the letter of an option that they are. Nor does a reply begin by denying that the base
            knows. 0: it is left to it.
        reasons: A question to be answered by yes or no that the facts' own words do not decide is
            thought through before it is answered, in a sentence or two that nobody sees: what the
            facts say, what is asked, how both compare. Asked for a yes or no at once, a base says
            that 900 requests are within a limit of 600. So is what asks for a sum or a difference;
            its note then says what came out. None: where the base answers chats and has at least a
            billion parameters. Never of a base that thinks aloud, as its chat template tells (its
            reply begins with its own thought; nothing is leaned to either), nor where ``lean`` is
            0.
        wording: What introduces the facts in a chat: one of ``WORDINGS`` by name, or a text.
        place: Where the note stands in a chat: ``"before"`` or ``"after"`` the words of its last
            turn, or as the hidden beginning of the ``"reply"``.

    Raises:
        InvalidInputError: a number out of range, or no such place.
    """

    name: ClassVar[str] = "note"
    needs: ClassVar[frozenset[str]] = frozenset()
    roles: ClassVar[frozenset[Role]] = frozenset({"asks", "informs"})
    facts: int = 5
    tokens: int = 200
    document_tokens: int = 700
    verbatim: bool = True
    sentences: bool = True
    lean: float = 4.0
    reasons: bool | None = None
    wording: str = "current"
    place: str = "before"

    def __post_init__(self) -> None:
        if min(self.facts, self.tokens, self.document_tokens) < 1:
            raise InvalidInputError("facts, tokens and document_tokens must be at least 1.")
        if self.place not in PLACES:
            raise InvalidInputError(
                f"place must be one of {', '.join(PLACES)}, not {self.place!r}."
            )

    @property
    def _leaning(self) -> Leaning:
        return Leaning(self.lean, self._introduction)

    @property
    def _introduction(self) -> str:
        """What introduces the facts in a chat."""
        return WORDINGS.get(self.wording, self.wording)

    @property
    def _room(self) -> Room:
        return Room(self.facts, self.tokens, self.document_tokens)

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        """One payload per edit: ``fact``, its sentence; the lines of its target are kept."""
        return [{"fact": state_whole(edit, lm.tokenizer)} for edit in edits]

    def run(self, batch: Batch, call: Call) -> list[Any]:
        """Rows on which an edit bears with their note; the others pass unchanged."""
        return batch.route(
            lambda row: bool(self._choose(row, batch.lm)),
            lambda mine: call(self._tell_all(mine)),
            call,
        )

    def _choose(self, row: Row, lm: LM | None) -> Sequence[tuple[Hit, str]]:
        """What is told of a row's hits, the best first; none: it is told already, or nothing."""
        if row.turn is not None and is_plain_sum(row.words):
            return ()
        return choose_told(bearing_on(row, self.name), self.name, self._room, lm, row.words)

    def _choose_beside(
        self, row: Row, lm: LM | None, hits: Sequence[Hit]
    ) -> Sequence[tuple[Hit, str]]:
        """Which companions are told before the facts that bear, as there is room beside them."""
        beside = [hit for hit in row.decision.companions if self.name in hit.record.payloads]
        if not beside:
            return ()
        return choose_told([*hits, *beside], self.name, self._room, lm, row.words)[len(hits) :]

    def _tell_all(self, batch: Batch) -> Batch:
        rows = [self._tell(row, batch.lm) for row in batch.rows]
        if batch.lm is not None and self._does_reason(batch.lm):
            self._conclude(rows, batch)
            self._choose_letters(rows, batch)
            self._reckon(rows, batch)
        return replace(batch, rows=tuple(rows))

    def _does_reason(self, lm: LM) -> bool:
        """Whether rows are thought through for a base: not for one that does so itself."""
        return not thinks_aloud(lm.tokenizer) and (
            is_able(lm) if self.reasons is None else self.reasons
        )

    def _conclude(self, told: list[Row], batch: Batch) -> None:
        """Have rows that ask for a yes or no judged, or thought through: they begin with what comes
        out."""
        rows, lm = batch.rows, batch.lm
        assert lm is not None
        open_ones = [n for n, row in enumerate(rows) if self._is_open(row)]
        asked = [replace(rows[n], prompt=drop_order(rows[n].prompt)) for n in open_ones]
        verdicts = judge(
            [row.words for row in asked], [self._list_facts(row, lm) for row in asked],
            [find_said(row) for row in asked], lm,
        )  # fmt: skip
        left = [at for at, verdict in enumerate(verdicts) if verdict is None]
        thoughts = think_through([self._tell(asked[at], lm) for at in left], batch)
        for at, verdict in zip(left, thoughts, strict=True):
            verdicts[at] = verdict
        for n, verdict in zip(open_ones, verdicts, strict=True):
            told[n] = replace(told[n], opens=self._leaning.weigh(rows[n], verdict))
            if verdict == "No" and (denied := self._deny(rows[n], lm)):
                told[n] = replace(told[n], answers=denied)

    def _choose_letters(self, told: list[Row], batch: Batch) -> None:
        """Have multiple choice that the facts' words do not decide judged."""
        rows, lm = batch.rows, batch.lm
        assert lm is not None
        for n, row in enumerate(rows):
            if not self._is_judged(row) or told[n].opens or not find_options(row.words):
                continue
            facts = self._list_facts(row, lm)
            if letter := choose(row.words, facts, find_said(row), lm):
                told[n] = replace(told[n], opens=self._leaning.choose(letter))

    def _list_facts(self, row: Row, lm: LM) -> list[str]:
        """What a question is judged by, the best last; nothing where it may go by the day that a
        system prompt names."""
        if goes_by_day(row.words, head(row)):
            return []
        chosen = self._choose(row, lm)
        return [deny_former(row, hit, fact) for hit, fact in reversed(chosen)]

    def _reckon(self, told: list[Row], batch: Batch) -> None:
        """Have rows that ask for a sum or a difference worked out: their notes say it."""
        rows, lm = batch.rows, batch.lm
        times = {n: line for n, row in enumerate(rows) if (line := self._work_out_times(row, lm))}
        dated = [n for n, row in enumerate(rows) if n not in times and self._is_dated(row, lm)]
        found = times | self._work_out(MOMENTS, dated, batch)
        left = (n for n in range(len(rows)) if n not in found)
        sums = {n: kind for n in left if (kind := self._find_sum(rows[n], lm))}
        sure = {n for n, kind in sums.items() if kind == "sure"}
        written = self._work_out(SUMS, list(sums), batch)
        found |= {n: line for n, line in written.items() if n in sure or self._fits(rows[n], line)}
        open_ones = [n for n in sums if n in sure and n not in found]
        firsts = [self._choose_first(rows[n], lm) for n in open_ones]
        thoughts = work_out([told[n] for n in open_ones], firsts, batch)
        for n, line in (found | dict(zip(open_ones, thoughts, strict=True))).items():
            told[n] = self._tell(rows[n], lm, line) if line else told[n]

    def _work_out(self, exercise: Exercise, places: Sequence[int], batch: Batch) -> dict[int, str]:
        """What the lines come to that the base writes for some rows, for those of them for which it
        writes one."""
        rows, lm = [batch.rows[n] for n in places], batch.lm
        told = [[fact for _, fact in reversed(self._choose(row, lm))] for row in rows]
        lines = work_out_lines(exercise, rows, told, [find_said(row) for row in rows], batch)
        return {n: line for n, line in zip(places, lines, strict=True) if line}

    def _choose_first(self, row: Row, lm: LM | None) -> str:
        """The facts that a sum begins with: that which tells the amount for what the words count,
        and one beside it that tells one for the same, as a dog's price is for a night, too."""
        facts = [fact for _, fact in self._choose(row, lm)]
        rated = [fact for fact in facts if has_rate(fact, row.words)]
        return " ".join(rated[:_MOST_RATES] or facts[:1])

    def _is_open(self, row: Row) -> bool:
        """Whether a row asks for a yes or no that its facts' own words do not give."""
        hits = bearing_on(row, self.name)
        return self._is_judged(row) and asks_yes_or_no(row) and not give_verdict(row, hits)

    def _is_judged(self, row: Row) -> bool:
        """Whether a reply is to come that the caller leaves free."""
        chats = row.turn is not None and row.target is None and awaits_reply(row.turn)
        return chats and bool(self.lean) and not row.formed

    def _is_reply(self, row: Row) -> bool:
        """Whether a row asks, in English, for more than a yes or a no."""
        return self._is_judged(row) and not row.decision.read_as and not asks_yes_or_no(row)

    def _work_out_times(self, row: Row, lm: LM | None) -> str:
        """What comes out of the days and times in a row and in its facts; "": nothing."""
        chosen = self._choose(row, lm) if self._is_reply(row) else []
        told, asks = [fact for _, fact in chosen], [hit.role == "asks" for hit, _ in chosen]
        line = work_out_times(row.words, told) if told else ""
        # One fact is asked, and what is told beside it says more than can be read.
        alone = not line and len(told) > 1 and asks[0] and not any(asks[1:])
        return work_out_times(row.words, told[:1]) if alone else line

    def _is_dated(self, row: Row, lm: LM | None) -> bool:
        """Whether a row may ask for a day or a time so long before or after another one."""
        facts = [fact for _, fact in self._choose(row, lm)] if self._is_reply(row) else []
        return bool(facts) and may_be_dated(row.words, facts)

    def _find_sum(self, row: Row, lm: LM | None) -> Literal["sure", "maybe"] | None:
        """Whether a row's answer is, or may be, to be reckoned from what its facts say."""
        if not self._is_reply(row):
            return None
        hits, chosen = bearing_on(row, self.name), self._choose(row, lm)
        # "Only 30 days, I know. How many are it really?" asks for no difference.
        if any(deny_former(row, hit, fact) != fact for hit, fact in chosen[:1]):
            return None
        facts, asked = " ".join(fact for _, fact in chosen), any(h.role == "asks" for h in hits)
        if is_reckoned(row.words, facts, asked=asked):
            return "sure"
        return "maybe" if may_be_summed(row.words, facts) else None

    def _fits(self, row: Row, line: str) -> bool:
        """Whether a sum that only may be asked for is told: where a fact is what is asked, one that
        multiplies; "it was 60, what is it now?" asks for no difference."""
        asked = any(hit.role == "asks" for hit in bearing_on(row, self.name))
        return not asked or re.search(r"[*/]", line.split("=")[0]) is not None

    def _tell(self, row: Row, lm: LM | None, worked: str = "") -> Row:
        chosen = self._choose(row, lm)
        hits = [hit for hit, _ in chosen]
        lines = [deny_former(row, hit, fact) for hit, fact in reversed(chosen)]
        answers = (
            self._objects(row)
            or self._refute(row, hits, chosen[0][1])
            or self._deny_premise(row, chosen)
        )
        sure = replace(row, keeps=values_of(hits), answers=answers, rewritten=True)
        if row.turn is None:
            before, query = split_at_view(row, hits[0])
            return replace(
                sure,
                prompt=before_query(f"{' '.join(' '.join(lines).split())}{END}", before, query),
            )
        # A reply that begins with a thought must begin as the base begins it.
        if row.target is None and not (lm is not None and thinks_aloud(lm.tokenizer)):
            sure = self._leaning.lean(sure, hits, lines)
        if beside := self._choose_beside(row, lm, hits):
            sure = replace(sure, keeps=values_of([*hits, *(hit for hit, _ in beside)]))
            lines = [*(fact for _, fact in reversed(beside)), *lines]
        note = write_note(lines, self._introduction)
        if worked:
            # What came out is said, not the fact's own value.
            plain = asks_once(row.words) and not is_formed(find_sentences(row.words))
            told = (find_told(worked) or find_end(worked, row.words, lines)) if plain else ""
            sure = replace(sure, answers=(told,) if told else (), leans=(), swaps=())
            note += f"\n- Worked out: {worked}"
        if row.decision.read_as:
            note += _OWN_LANGUAGE
        if self.place == "reply" and row.target is None and awaits_reply(row.turn):
            turn = replace(row.turn, after=f"{row.turn.after}{note}\n\n")
            return replace(sure, turn=turn)
        asked = correct_row(row, hits)
        behind = self.place == "after"
        return replace(sure, prompt=f"{asked}\n\n{note}" if behind else f"{note}\n\n{asked}")

    def _refute(self, row: Row, hits: Sequence[Hit], fact: str) -> tuple[str, ...]:
        """The answer to who only wants a former value or another amount confirmed: no, and the
        fact. Left to itself a small base says no, and the value that it is asked about."""
        if not self._may_say_fact(row, fact):
            return ()
        supposed = judge_supposed(row.words, fact) == "No" == verdict_of(row.words, hits)
        return (f"No. {fact}",) if supposed or is_refuted(row, hits[0]) else ()

    def _deny(self, row: Row, lm: LM | None) -> tuple[str, ...]:
        """The same, where the base judges that it is no and the row goes by a former value."""
        hit, fact = self._choose(row, lm)[0]
        denied = self._may_say_fact(row, fact) and find_former_of(row, hit)
        return (f"No. {fact}",) if denied else ()

    def _deny_premise(self, row: Row, told: Sequence[tuple[Hit, str]]) -> tuple[str, ...]:
        """The fact that denies what a row takes for granted. A small base answers what is asked of
        what is no more."""
        free = self._is_judged(row) and not row.decision.read_as and not find_options(row.words)
        if not free or is_formed(find_sentences(row.words)):
            return ()
        return tuple(fact for _, fact in told if denies_premise(row.words, fact))[:1]

    def _may_say_fact(self, row: Row, fact: str) -> bool:
        """Whether a yes or a no with a fact behind it answers a row: not "yes or no only"."""
        plain = self._is_judged(row) and asks_yes_or_no(row) and "\n" not in fact
        return plain and drop_order(row.words).split() == row.words.split()

    def _objects(self, row: Row) -> tuple[str, ...]:
        """The objects of the edits that a row asks, one of which is its answer; none: it is free.

        A chat whose reply the caller has begun is free too: what begins is the caller's sentence.
        """
        alone = self.verbatim if row.turn is None else not self.sentences and awaits_reply(row.turn)
        asked = [hit for hit in row.decision.hits if self.name in hit.record.payloads][: self.facts]
        if asked and asked[0].record.edit.multiple:
            asked = asked[:1]  # it says all of its slot's values
        objects = [hit.record.edit.target_new for hit in asked]
        judges = row.turn is not None and asks_yes_or_no(row)
        if not alone or judges or row.target is not None or None in objects:
            return ()
        return tuple(dict.fromkeys(object.strip() for object in objects if object is not None))
