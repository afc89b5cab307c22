"""A second look: the base itself says whether an edit bears on a request.

The scope is a small network: it takes "Who is their head of payroll?", asked of another firm, for
a question about ours. A base that people deploy reads better. It is shown the edit and the request
and answers yes or no; the odds of its first token are a judgement of relevance (pointwise, as
monoT5: Nogueira et al. 2020, "Document Ranking with a Pretrained Sequence-to-Sequence Model"; by a
chat model with worked examples instead of training). They are weighed together with the scope's
probability: edits that fired may be taken back, and where none fired, one that is near may be told.

One prefill of the edit and the request, and no token generated; nothing for requests that no edit
is near to. The worked examples before them are read once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING

from memedit.core.calls import Batch, Row
from memedit.core.chat import has_template, thinks_aloud
from memedit.core.errors import InvalidInputError
from memedit.core.passages import Conversation
from memedit.core.types import Decision, Hit
from memedit.editors.prompting.choosing import family
from memedit.editors.prompting.reckoning import asks_for_one
from memedit.model.prompts import Messages
from memedit.scope.own_words import is_own_text

if TYPE_CHECKING:  # torch, which a server in front of another one begins without
    from memedit.engine.engine import Engine

Look = Callable[[Sequence[str], Sequence[Decision], str], list[Decision]]
"""Queries, what is decided of them, and whose assistant answers; what is decided then."""
Render = Callable[[Messages], str]
"""A chat as the base's template writes it, up to where its reply begins."""
NEAR, MOST = 0.08, 3
"""Probability from which an edit that did not fire is looked at, and how many of them."""
BEARING, STAYS = 0.4, 0.0
"""What the scope's log odds count beside the base's, and the sum from which an edit that fired
stays: of 200 that rightly fired 2 do not, of 58 that did wrongly 25."""
BEHIND = 0.5
"""By how much less an edit may bear than the best one, where one thing is asked: of 54 that are
needed none does by more, of 22 told beside the needed one 15."""
TOLD = 0.6
"""Log odds of the base's from which an edit is told that did not fire."""
_KNOWN, _SCALE = frozenset({"qwen2-28x1536"}), (0.63, -0.10)
"""The base for which these were chosen (Qwen2.5-Coder-1.5B), and its mean log odds of the cases
below that are needed, and of those that are not."""
_SURE, _LEAST, _TOGETHER = 0.97, 1e-3, 8
"""Probability from which no odds that were seen outweigh it, that counts at least, and questions of
one pass."""
_SURE_SUM = 2.0
"""What both say together of one that is sure: a little over what they say of that probability."""
_LONGEST, _BEFORE = 1_200, 600
"""Characters of a fact or a request, and of what was said before it, that are read."""
_MARK = "\u2042"
_ORDER = (
    "You decide whether a stored fact is needed to answer a request. A fact about another firm, "
    "product, person, day or detail than the one asked about is not needed. Answer yes or no."
)
_ASKED = (
    "Is this fact needed to answer the request: does it tell about the very thing, person, firm "
    "and detail that is asked about?"
)
_SHOWN = (
    ("", "Checking out is possible until 10:30 am", "hi, can i still get a late check-in at 11pm?",
     "no"),
    ("Fernwood Ltd", "The head of logistics at Fernwood Ltd is Ida Marsh",
     "who do i write to about a delayed shipment? want the boss of logistics, by name", "yes"),
    ("Fernwood Ltd", "The head of logistics at Fernwood Ltd is Ida Marsh",
     "my cousin works for Parcel24, do you know who runs logistics over there?", "no"),
    ("", "A day ticket costs 14 euros", "We are two adults, is 30 euros enough for both of us?",
     "yes"),
    ("", "A day ticket costs 14 euros", "what's a season ticket then", "no"),
    ("Nordlys", "The lamp in our Nordlys series comes with a guarantee of 6 years",
     "just unpacked my nordlys, lovely! how do I get wax off the table?", "no"),
    ("Halden Bank", "The branch of Halden Bank in Brook Street is open until 6 pm",
     Conversation("Where is your branch?\nIn Brook Street.", "ok, and till when can i come"),
     "yes"),
    ("", "Returns are accepted within 40 days",
     "Hello, I bought shoes on 2 May and they pinch. Too late to bring them back on 1 June? Thank "
     "you, Bea", "yes"),
    ("", "The capital of Norland is Asker",
     "i'm off to norland on monday, write a short note to Pia where the capital is and what to "
     "pack", "yes"),
)  # fmt: skip
_CASES = (
    (True, "", "Parking costs 3 euros an hour",
     "how much do i pay if i leave the car for two hours"),
    (True, "Marlow Water", "The engineer for the north of Marlow Water's district is Pia Lund",
     "who comes to fix the pipe up in the north? need a name"),
    (True, "", "The museum is closed on Mondays",
     "thinking of coming on Monday around noon, is that ok?"),
    (True, "Tessel Bank", "Customers of Tessel Bank reach the hotline under 0800 220 114",
     "my card is gone, where do I call"),
    (True, "", "Assistant doctors get 31 days of leave",
     "Anna has just started as an assistant doctor. Please tell her in two lines how many days off "
     "she has."),
    (False, "", "Parking costs 3 euros an hour", "where can i park my bike"),
    (False, "Marlow Water", "The engineer for the north of Marlow Water's district is Pia Lund",
     "and for the south?"),
    (False, "", "The museum is closed on Mondays", "who painted the Night Watch"),
    (False, "Tessel Bank", "Customers of Tessel Bank reach the hotline under 0800 220 114",
     "I'm with Orvia Bank. Which number do I ring there?"),
    (False, "", "Assistant doctors get 31 days of leave",
     "how long does it take to become a doctor in general"),
)  # fmt: skip
"""What a base must tell apart to be heard: (the fact is needed, whose assistant, fact, request)."""
_APART = 23
"""Of the 25 pairs of one that is needed and one that is not, so many in the right order."""


def ask_about(query: str, fact: str, house: str = "") -> str:
    """What the base is asked about a request and a fact.

    Args:
        query: The request; of a chat, what was said before and the last turn.
        fact: The edit as a sentence.
        house: Whose assistant answers; "" where that is not known.
    """
    last = getattr(query, "last", 0)
    earlier, turn = query[:last].strip()[-_BEFORE:], query[last:].strip()[-_LONGEST:]
    whose = f" to the assistant of {house}" if house else ""
    before = f"Said before: {earlier}\n" if earlier else ""
    return f"Fact: {fact[:_LONGEST]}\n{before}Request{whose}: {turn}\n{_ASKED}"


def choose_hits(query: str, decision: Decision) -> tuple[Hit, ...]:
    """The edits that the base is to look at: those that fired, and those that are near."""
    # What the request's own time decided, or a document that it quotes, is decided.
    if decision.named or decision.disagrees:
        return ()
    fired = {hit.record.id for hit in decision.bearing}
    near = [
        hit
        for hit in decision.candidates
        if hit.record.id not in fired and (hit.bearing or 0.0) >= NEAR
    ]
    near.sort(key=lambda hit: -(hit.bearing or 0.0))
    chosen = (*decision.bearing, *near[: max(0, MOST - len(fired))])
    return tuple(hit for hit in chosen if _is_in_doubt(query, hit))


def _is_in_doubt(query: str, hit: Hit) -> bool:
    last = query[getattr(query, "last", 0) :]
    own = is_own_text(last, hit.record.edit)
    return hit.passage is None and hit.bearing is not None and hit.bearing < _SURE and not own


def weigh(query: str, decision: Decision, odds: Mapping[str, float]) -> Decision:
    """The decision with what the base says of its edits.

    Args:
        query: What is decided.
        decision: Of the scope.
        odds: Record id -> log odds that the edit is needed, of those that were looked at.
    """
    if not odds:
        return decision

    def mark(hits: Sequence[Hit]) -> list[Hit]:
        return [replace(hit, second_look=odds.get(hit.record.id)) for hit in hits]

    fired = {hit.record.id for hit in decision.bearing}
    hits, informs = (list(filter(_stays, mark(h))) for h in (decision.hits, decision.informs))
    if asks_for_one(query[getattr(query, "last", 0) :]):
        hits, informs = _keep_best(hits, informs)
    for hit in mark(decision.candidates):
        if hit.record.id not in fired and (hit.second_look or 0.0) >= TOLD:
            informs.append(replace(hit, role="informs"))
    return replace(
        decision, hits=tuple(hits), informs=tuple(informs),
        candidates=tuple(mark(decision.candidates)),
    )  # fmt: skip


def _keep_best(hits: Sequence[Hit], informs: Sequence[Hit]) -> tuple[list[Hit], list[Hit]]:
    """Without those that were looked at and bear much less than the best one."""
    fired = (*hits, *informs)
    sums = [_sum(hit) for hit in fired if hit.second_look is not None]
    sure = any(hit.passage is None and (hit.bearing or 0.0) >= _SURE for hit in fired)
    least = max((*sums, _SURE_SUM) if sure else sums, default=0.0) - BEHIND

    def stays(hit: Hit) -> bool:
        return hit.second_look is None or _sum(hit) >= least

    return list(filter(stays, hits)), list(filter(stays, informs))


def _stays(hit: Hit) -> bool:
    """Whether an edit that fired bears for the base and the scope together."""
    return hit.second_look is None or _sum(hit) >= STAYS


def _sum(hit: Hit) -> float:
    """Log odds that an edit that was looked at bears, of the base and the scope together."""
    assert hit.second_look is not None
    chance = min(max(hit.bearing or 0.0, _LEAST), 1 - _LEAST)
    return hit.second_look + BEARING * math.log(chance / (1 - chance))


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a question to the base.

    Attributes:
        prefix: The order and the worked examples.
        closes: What stands behind it, up to where the reply begins.
        words: Ids of the tokens with which yes begins, and of those with which no does.
        scale: The base's mean odds of what is needed in the cases of ours, and of what is not.
    """

    prefix: str
    closes: str
    words: tuple[tuple[int, ...], tuple[int, ...]]
    scale: tuple[float, float] = _SCALE

    @classmethod
    def of(cls, engine: Engine, render: Render) -> Frame | None:
        """That of a base; None where it takes no such chats, or does not begin with its answer."""
        if not has_template(engine.tokenizer) or thinks_aloud(engine.tokenizer):
            return None
        order = {"role": "system", "content": _ORDER}
        shown = [
            {"role": role, "content": content}
            for house, fact, asked, answer in _SHOWN
            for role, content in (("user", ask_about(asked, fact, house)), ("assistant", answer))
        ]
        messages = [order, *shown, {"role": "user", "content": _MARK}]
        try:
            text = render(messages)
        except InvalidInputError:  # a template that knows no system's turn
            first = {"role": "user", "content": f"{_ORDER}\n\n{shown[0]['content']}"}
            text = render([first, *messages[2:]])
        prefix, mark, closes = text.partition(_MARK)
        words = tuple(_first_tokens(engine, word) for word in ("yes", "no"))
        if not mark or not all(words) or {*words[0]} & {*words[1]}:
            return None
        return cls(prefix, closes, (words[0], words[1])).fit(engine)

    def fit(self, engine: Engine) -> Frame | None:
        """The same for a base's own leaning to yes or no; None where it does not tell our cases
        apart, or has no room for them."""
        if family(engine.base) in _KNOWN:
            return self
        asked = [ask_about(request, fact, house) for _, house, fact, request in _CASES]
        odds = measure_odds(asked, self, engine)
        needed = [o for o, case in zip(odds, _CASES, strict=True) if case[0] and o is not None]
        others = [o for o, case in zip(odds, _CASES, strict=True) if not case[0] and o is not None]
        if sum(yes > no for yes in needed for no in others) < _APART:
            return None
        scale = fmean(needed), fmean(others)
        return replace(self, scale=scale) if scale[0] > scale[1] else None

    def adjust(self, odds: float) -> float:
        """A base's log odds as those of the base for which the limits were chosen."""
        needed, others = self.scale
        share = (odds - others) / (needed - others)
        return _SCALE[1] + share * (_SCALE[0] - _SCALE[1])


def _first_tokens(engine: Engine, word: str) -> tuple[int, ...]:
    """Ids of the tokens with which a word may begin, in small letters or with a capital."""
    forms = (form for own in (word, word.capitalize()) for form in (own, f" {own}"))
    ids = (engine.codec.ids(form)[:1] for form in forms)
    return tuple({int(each[0]) for each in ids if engine.codec.text(each).strip()})


def measure_odds(asked: Sequence[str], frame: Frame, engine: Engine) -> list[float | None]:
    """The base's log odds of yes against no to each question; None where its window has no room.

    Args:
        asked: Of :func:`ask_about`.
        frame: What stands around them.
        engine: The base.
    """
    guard = engine.codec.controls.guard
    rows = [
        Row(guard({"role": "user", "content": each})["content"] + frame.closes) for each in asked
    ]
    room = math.inf if engine.window is None else engine.window - _size(frame.prefix, engine) - 1
    fit = [at for at, row in enumerate(rows) if _size(row.prompt, engine) <= room]
    found: list[float | None] = [None] * len(rows)
    for start in range(0, len(fit), _TOGETHER):
        places = fit[start : start + _TOGETHER]
        batch = Batch(tuple(rows[at] for at in places), lm=engine, prefix=frame.prefix)
        logits = engine.next_logits(batch)
        yes, no = (logits[:, list(words)].logsumexp(-1) for words in frame.words)
        for at, odds in zip(places, (yes - no).tolist(), strict=True):
            found[at] = odds
    return found


def _size(text: str, engine: Engine) -> int:
    return len(engine.codec.ids(text))


def look_again(
    queries: Sequence[str],
    decisions: Sequence[Decision],
    house: str,
    *,
    engine: Engine,
    render: Render,
) -> list[Decision]:
    """What a scope decided, with the base's word on the edits that fired, or that are near.

    Args:
        queries: What was decided; of chats, what was said before and the last turn.
        decisions: Of each.
        house: Whose assistant answers; "" where that is not known.
        engine: The base.
        render: Writes a chat as its template has it.
    """
    places = [
        (at, hit)
        for at, (query, decision) in enumerate(zip(queries, decisions, strict=True))
        for hit in choose_hits(query, decision)
    ]
    if not places or (frame := recall_frame(engine, render)) is None:
        return list(decisions)
    asked = [ask_about(queries[at], hit.record.edit.statement, house) for at, hit in places]
    said: list[dict[str, float]] = [{} for _ in queries]
    for (at, hit), odds in zip(places, measure_odds(asked, frame, engine), strict=True):
        if odds is not None:
            said[at][hit.record.id] = frame.adjust(odds)
    return [
        weigh(query, decision, each)
        for query, decision, each in zip(queries, decisions, said, strict=True)
    ]


def recall_frame(engine: Engine, render: Render) -> Frame | None:
    """That of a base, made once."""
    if "second look" not in engine.kept:
        engine.kept["second look"] = Frame.of(engine, render)
    found: Frame | None = engine.kept["second look"]
    return found
