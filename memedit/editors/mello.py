"""MeLLo: questions over several facts, some of them edited (Zhong et al. 2023, arXiv 2305.14795).

A question such as "Who is the head of state of the country where X holds citizenship?" is split
into questions over one fact each. Where an edit in memory answers one of them, its object goes on
to the next; where none does, the model's own answer does. The last one is asked as any other is.

Beyond the paper: the scope, not the model, says whether an edit answers a hop, and an edit with a
known subject answers only for the very entity the chain has arrived at; its object is taken from
memory, not from what the model reads. So a chain over edits does not get worse the more edits there
are. ``published=True`` is the paper's form: the model writes the sub-questions, is shown the fact
nearest to each, judges, and says the final answer, in four generations in all.

A row that nothing in memory concerns is the base's, whole and untouched: a chain of which no hop is
edited is not answered hop by hop.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

from memedit.core.calls import LM, Batch, Call, Completion, Row
from memedit.core.errors import InvalidInputError
from memedit.core.options import holds_settings
from memedit.core.types import Decision, Edit, Hit, Payload
from memedit.editors.prompting.adapter import load_adapter
from memedit.editors.prompting.decomposing import (
    MOST_HOPS,
    Ask,
    Decomposer,
    Dialogue,
    Done,
    Loop,
    Planner,
    Told,
    planner_for,
)
from memedit.editors.prompting.forms import END, hits_of, plain
from memedit.editors.prompting.shots import Shot, Stated, ask_in_form

LABEL = "Fact"
SHOTS = (
    Shot("The author of The Copper Tide is Ines Lund", "Who wrote The Copper Tide?", "Ines Lund"),
    Shot("Which city was Tarek Ilvane born in? Lisbon", "Where was Tarek Ilvane born?", "Lisbon"),
    Shot("Jorun Skaleby is a citizen of", "What is the capital of Spain?", "Madrid"),
    Shot("Helvo was founded by Velmora Tandis", "Who is the founder of Helvo?", "Velmora Tandis"),
    Shot("The official language of Norvessa is Tamil",
         "The official language of Norvessa is", "Tamil"),
    Shot("Odalys Verrin plays the position of goalkeeper", "Odalys Verrin plays the position of",
         "goalkeeper"),
)  # fmt: skip
KNOWN = (
    Shot("", "Which continent is Peru located in?", "South America"),
    Shot("", "Who is the author of Moby-Dick?", "Herman Melville"),
    Shot("", "What is the capital of Norway?", "Oslo"),
    Shot("", "Which sport is Serena Williams associated with?", "tennis"),
    Shot("", "What is the country of citizenship of Akira Kurosawa?", "Japan"),
    Shot("", "What is the official language of Portugal?", "Portuguese"),
    Shot("", "Who founded Ford Motor Company?", "Henry Ford"),
    Shot("", "Which city was Wolfgang Amadeus Mozart born in?", "Salzburg"),
)
"""Put before a hop that no edit answers: what kind of answer is wanted."""

_HOP = {"max_new_tokens": 16, "do_sample": False, "num_beams": 1}
_PUBLISHED_HOPS = 3
"""Of the paper's four generations one says the final answer."""
_OWN = 0.995
"""A query this like an edit is that edit's own words."""
_HEAD = re.compile(r"(?:Q|Question|User)\s*:\s*")
_TAILS = ("Assistant", "Answer", "A")
_WORDS = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Hop:
    """A sub-question and what became of it.

    Attributes:
        ask: The sub-question.
        decision: What the scope said of it.
        hit: The edit that answers it; None: no edit does.
        answer: None where it is left to the last call.
    """

    ask: Ask
    decision: Decision
    hit: Hit | None
    answer: str | None


@dataclass(slots=True)
class Course:
    """The hops of one row so far, and the answer once the end is reached."""

    row: Row
    hops: list[Hop] = field(default_factory=list)
    ended: bool = False
    answer: str | None = None

    @property
    def edited(self) -> list[Hop]:
        return [hop for hop in self.hops if hop.hit is not None]

    @property
    def decision(self) -> Decision:
        """Which edits the answer rests on, for the receipt; nobody reads them again."""
        hits = [hop.hit for hop in self.edited if hop.hit is not None]
        own = tuple(replace(h, record=replace(h.record, payloads=_take_payloads(h))) for h in hits)
        scores = [hop.decision.score for hop in self.edited]
        return Decision(own, min(scores, default=0.0), self.hops[0].decision.threshold, own)


def _take_payloads(hit: Hit) -> Mapping[str, Payload]:
    return {name: p for name, p in hit.record.payloads.items() if name == Mello.name}


@holds_settings
class Mello:
    """Questions over several facts, hop by hop; questions over one, with the fact before them.

    Attributes:
        published: The paper's form: ``decomposer="loop"``, ``check="model"``, at most three
            sub-questions and the final answer (four generations), which is said as it was written.
        decomposer: ``"auto"``: the adapter shipped for this base, else ``"shots"``, with a warning;
            ``"shots"``: the base names the chain after worked examples; ``"loop"``: the published
            loop; a folder of ``memedit train decomposer``; or any :class:`Decomposer`.
        check: Who says whether a fact answers a hop: ``"scope"``, or ``"model"`` (only the loop).
        reach: Which rows are tried besides those in scope: ``"question"``: every question, and
            what names an edited subject; ``"mention"``: only the latter, so that a question about
            anything else costs no more than the lookup.
        rounds: Most sub-questions of one question.
        verbatim: An answer that is an edit's object is said as it stands in memory, word for word.
            A small model that reads it may say what it has always said.

    Raises:
        InvalidInputError: a setting out of range, or no adapter in the folder.
    """

    name: ClassVar[str] = "mello"
    needs: ClassVar[frozenset[str]] = frozenset()
    places: ClassVar[Mapping[str, tuple[str, ...]]] = {"decomposer": ("auto", "shots", "loop")}
    published: bool = False
    decomposer: str | Decomposer = "auto"
    check: str = "scope"
    reach: str = "question"
    rounds: int = MOST_HOPS
    verbatim: bool = True

    def __post_init__(self) -> None:
        if self.published:
            settings = {"decomposer": "loop", "check": "model", "rounds": _PUBLISHED_HOPS}
            for name, value in (settings | {"verbatim": False}).items():
                object.__setattr__(self, name, value)
        if self.check not in ("scope", "model") or self.reach not in ("question", "mention"):
            raise InvalidInputError(
                "check is 'scope' or 'model', reach is 'question' or 'mention', "
                f"not {self.check!r} and {self.reach!r}."
            )
        if not 1 <= self.rounds <= 16:
            raise InvalidInputError("rounds must be 1 to 16.")
        if isinstance(self.decomposer, str):
            if self.decomposer not in ("auto", "shots", "loop"):
                load_adapter(self.decomposer)
        elif not isinstance(self.decomposer, Decomposer):
            raise InvalidInputError("A decomposer has open(questions, lm).")

    def fit(self, edits: Sequence[Edit], lm: LM) -> list[Payload]:
        """One payload per edit: ``fact``, its text on one line."""
        return [{"fact": plain(edit.statement, lm.tokenizer)} for edit in edits]

    def considers(self, row: Row) -> bool:
        """Whether a row may be a chain with an edited hop. An edit's own words are none."""
        if row.decision.hits:
            return row.decision.hits[0].similarity < _OWN
        named = any(hit.mention is not None for hit in row.decision.candidates)
        return named or (self.reach == "question" and question_of(row).endswith("?"))

    def run(self, batch: Batch, call: Call) -> list[Any]:
        """Chains hop by hop, rows in scope with their fact; the others pass unchanged."""
        courses = {id(course.row): course for course in self._work_out(batch)}
        single = partial(self._answer_single, call=call)
        return batch.route(
            lambda row: id(row) in courses,
            partial(self._conclude, courses=courses, call=call),
            lambda part: part.route(lambda row: bool(hits_of(row, self.name)), single, call),
        )

    # Walking

    def _work_out(self, batch: Batch) -> list[Course]:
        """The rows that are chains with an edited hop, all their hops but the last answered."""
        # By identity: a row that stands in the batch twice is worked out once.
        rows = list({id(row): row for row in batch.rows if self.considers(row)}.values())
        if batch.lm is None or not rows:
            return []
        decomposer = self._decomposer(batch.lm)
        dialogue = decomposer.open([question_of(row) for row in rows], batch.lm)
        courses = [Course(row) for row in rows]
        self._walk(dialogue, courses, batch)
        return [course for course in courses if course.ended and course.edited]

    def _decomposer(self, lm: LM) -> Decomposer:
        if not isinstance(self.decomposer, str):
            return self.decomposer
        if self.decomposer == "loop":
            return Loop()
        if self.decomposer == "shots":
            return Planner()
        if self.decomposer != "auto":
            return Planner(load_adapter(self.decomposer))
        if (found := planner_for(lm.fingerprint)) is None:
            warnings.warn(
                "No decomposer was trained for this base model: it names the hops after examples. "
                "Train one: memedit train decomposer --model MODEL --out DIR, then "
                "Mello(decomposer=DIR).",
                stacklevel=2,
            )
        return found or Planner()

    def _walk(self, dialogue: Dialogue, courses: Sequence[Course], batch: Batch) -> None:
        told: dict[int, Told | None] = dict.fromkeys(range(len(courses)))
        # One more than hops: the loop says its final answer in a round of its own.
        for _ in range(self.rounds + 1):
            turns = dialogue.next(told)
            for i, turn in turns.items():
                if isinstance(turn, Done):
                    courses[i].answer, courses[i].ended = turn.answer, True
            asks = {i: turn for i, turn in turns.items() if isinstance(turn, Ask)}
            asks = {i: ask for i, ask in asks.items() if len(courses[i].hops) < self.rounds}
            hops = self._hops(asks, batch)
            for i, hop in hops.items():
                courses[i].hops.append(hop)
                courses[i].ended, courses[i].answer = hop.ask.last, hop.answer
            # Whoever is left out of what is told is done.
            told = {i: self._tell(hop) for i, hop in hops.items() if not hop.ask.last}
            if not told:
                return

    def _hops(self, asks: Mapping[int, Ask], batch: Batch) -> dict[int, Hop]:
        """The sub-questions of one round: looked up together, and asked together."""
        if not asks:
            return {}
        decisions = batch.recall([ask.question for ask in asks.values()])
        hits = {
            i: self._hit(ask, decision)
            for (i, ask), decision in zip(asks.items(), decisions, strict=True)
        }
        open_ = {i: ask for i, ask in asks.items() if self._must_ask(ask, hits[i])}
        answers = self._answers(open_, hits, batch)
        return {
            i: Hop(ask, decision, hits[i], answers.get(i, _object(ask, hits[i])))
            for (i, ask), decision in zip(asks.items(), decisions, strict=True)
        }

    def _hit(self, ask: Ask, decision: Decision) -> Hit | None:
        """The edit that answers a sub-question: in scope, and about the entity it asks of."""
        if self.check == "model":
            near = decision.candidates or decision.hits
            return max(near, key=lambda hit: hit.similarity) if near else None
        return answering(ask, hits_of(Row("", decision=decision), self.name))

    def _must_ask(self, ask: Ask, hit: Hit | None) -> bool:
        """Whether the model must answer: a statement is read, what no edit answers is known."""
        if self.check == "model" or ask.draft:
            return False
        if hit is not None:
            return hit.record.edit.target_new is None
        return not ask.last

    def _answers(
        self, asks: Mapping[int, Ask], hits: Mapping[int, Hit | None], batch: Batch
    ) -> dict[int, str]:
        """What the model says to sub-questions, in at most two calls."""
        assert batch.lm is not None
        found: dict[int, str] = {}
        empty = Batch((), lm=batch.lm, recall=batch.recall, options=_HOP)
        # Hops with an edit, which are read, apart from those the model must know by itself.
        for shots, read in ((SHOTS, True), (KNOWN, False)):
            chosen = [i for i in asks if (hits[i] is not None) is read]
            if not chosen:
                continue
            rows = [Row(asks[i].question, decision=_decide_only(hits[i])) for i in chosen]
            # Inside a chain of editors, whatever they do with a single fact is done here, too.
            if read and batch.ask is not None:
                said: list[Completion] = batch.ask(replace(empty, rows=tuple(rows)))
            else:
                items = [Stated(r, _fact(hits[i])) for r, i in zip(rows, chosen, strict=True)]
                said = ask_in_form(empty, items, batch.lm.generate, LABEL, shots)
            found |= {i: clean(c.text) for i, c in zip(chosen, said, strict=True)}
        return found

    def _tell(self, hop: Hop) -> Told:
        fact = _fact(hop.hit)
        if self.check == "model":
            return Told(fact, None)
        if hop.hit is None and hop.ask.draft:  # the grammar wants a fact, whatever it says
            near = max(hop.decision.candidates, key=lambda h: h.similarity, default=None)
            fact = "" if near is None else near.record.edit.statement
        return Told(fact, hop.answer or hop.ask.draft, hop.hit is not None)

    # The last call

    def _answer_single(self, batch: Batch, call: Call) -> list[Any]:
        """Rows in scope with their fact; an editor inside this one has its own way."""

        def is_left(row: Row) -> bool:
            return batch.ask is not None and _has_other_payloads(hits_of(row, self.name)[0])

        def read(part: Batch) -> list[Any]:
            hits = [hits_of(row, self.name)[0] for row in part.rows]
            pairs = zip(part.rows, hits, strict=True)
            items = [Stated(self._keep_to(r, _object_of(h)), _fact(h), h) for r, h in pairs]
            return ask_in_form(part, items, call, LABEL, SHOTS, repeats=2)

        return batch.route(is_left, call, read)

    def _conclude(self, batch: Batch, courses: Mapping[int, Course], call: Call) -> list[Any]:
        """The last question of each chain, put to the model, or to the editors inside."""

        def is_left(row: Row) -> bool:
            hit = courses[id(row)].hops[-1].hit
            ends = courses[id(row)].hops[-1].ask.last and row.target != ""
            return ends and batch.ask is not None and hit is not None and _has_other_payloads(hit)

        def pass_on(part: Batch) -> list[Any]:
            return call(part.map_rows(lambda row: _hand_on(courses[id(row)])))

        def read(part: Batch, shots: Sequence[Shot]) -> list[Any]:
            items = [self._state_last(courses[id(row)]) for row in part.rows]
            return ask_in_form(part, items, call, LABEL, shots, repeats=2)

        def own(part: Batch) -> list[Any]:
            return part.route(
                lambda row: courses[id(row)].answer is not None or row.target == "",
                partial(read, shots=SHOTS),
                partial(read, shots=KNOWN),
            )

        return batch.route(is_left, pass_on, own)

    def _state_last(self, course: Course) -> Stated:
        """The row with the chain's last question, and its answer as the fact; where the row's own
        tokens are scored, the facts of the chain before it."""
        row = replace(course.row, decision=course.decision)
        last = course.hops[-1]
        question = last.ask.question if last.ask.last else question_of(row)
        if row.target == "":
            facts = [_fact(hop.hit) for hop in course.edited]
            if course.answer is not None and (last.hit is None or not last.ask.last):
                facts.append(f"{question} {course.answer}")
            return Stated(row, f"{END}{LABEL}: ".join(dict.fromkeys(facts)))
        fact = "" if course.answer is None else f"{question} {course.answer}"
        known = _object_of(last.hit) if last.ask.last and last.hit is not None else None
        if self.published and row.target is None and course.answer:
            row = replace(row, answers=(course.answer,))
        return Stated(self._keep_to(replace(row, prompt=question, rewritten=True), known), fact)

    def _keep_to(self, row: Row, answer: str | None) -> Row:
        """The row kept to an answer; nothing is known of a statement's."""
        words = " ".join((answer or "").split())
        kept = self.verbatim and row.target is None and words
        return replace(row, answers=(words,)) if kept else row


def answering(ask: Ask, hits: Sequence[Hit]) -> Hit | None:
    """The first edit that is about the entity a sub-question asks of, as far as either is known."""
    for hit in hits:
        subject = hit.record.edit.subject
        if ask.entity is None or subject is None or are_same(subject, ask.entity):
            return hit
    return None


def _decide_only(hit: Hit | None) -> Decision:
    return Decision() if hit is None else Decision((hit,), hit.score or 0.0, candidates=(hit,))


def _has_other_payloads(hit: Hit) -> bool:
    """Whether another editor holds a payload of this edit."""
    return bool(set(hit.record.payloads) - {Mello.name})


def _hand_on(course: Course) -> Row:
    """The chain's last question with the edit that answers it, as if it had been asked alone."""
    last, whole = course.hops[-1], course.decision
    assert last.hit is not None
    own = _decide_only(last.hit).hits
    hits = own + tuple(h for h in whole.hits if h.record.id != last.hit.record.id)
    decision = replace(whole, hits=hits, candidates=hits)
    return replace(course.row, prompt=last.ask.question, decision=decision, rewritten=True)


def _object_of(hit: Hit) -> str | None:
    """What an edit says, if its fact, as it is put into the prompt, ends with it."""
    target = " ".join((hit.record.edit.target_new or "").split())
    return target if target and _fact(hit).endswith(target) else None


def _object(ask: Ask, hit: Hit | None) -> str | None:
    """The edit's object; the model's draft where no edit answers; None: not known yet."""
    if hit is not None:
        return hit.record.edit.target_new
    return ask.draft or None


def _fact(hit: Hit | None) -> str:
    if hit is None:
        return ""
    return str(hit.record.payloads.get(Mello.name, {}).get("fact", hit.record.edit.statement))


def question_of(row: Row) -> str:
    """What a row asks: its last line that says something, out of its frame."""
    text = _unframe(row.prompt.strip())
    lines = [line for line in text.split(END) if line.strip()]
    return _unframe(lines[-1].strip()).strip() if lines else ""


def _unframe(text: str) -> str:
    """A text without ``Q:`` before it and ``A:`` after it; in steps linear in its length."""
    if head := _HEAD.match(text):
        text = text[head.end() :]
    # By hand: a pattern that searches white space before a colon is quadratic in long texts.
    rest = text.rstrip()
    if rest.endswith(":"):
        name = rest[:-1].rstrip()
        for tail in _TAILS:
            if name.endswith(tail):
                return name.removesuffix(tail).rstrip()
    return text


def clean(text: str) -> str:
    """An answer as an entity: its first line, without the closing full stop."""
    line = text.strip().split(END)[0].strip()
    return line[:-1] if line.endswith(".") and not line.endswith(("Jr.", "Sr.", "Inc.")) else line


def are_same(a: str, b: str) -> bool:
    """Whether two names are one: the same words, whatever case, punctuation and article."""

    def words(text: str) -> list[str]:
        found = _WORDS.findall(text.casefold())
        return found[1:] if len(found) > 1 and found[0] == "the" else found

    return words(a) == words(b)
