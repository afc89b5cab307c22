"""A second look: the base itself says whether an edit bears on a request.

The scope is a small network: it takes "Who is their head of payroll?", asked of another firm, for
a question about ours. A base that people deploy reads better. It is shown the edit and the request
and asked for yes or no; the odds of its first token are a judgement of relevance (pointwise, as
monoT5: Nogueira et al. 2020, "Document Ranking with a Pretrained Sequence-to-Sequence Model"; by a
chat model with worked examples instead of training). Where a probe of the base is there
(:mod:`memedit.engine.probes`), its hidden states say more than that word. They are weighed
together with the scope's probability: edits that fired may be taken back, and where none fired, one
that is near may be told.

One prefill of the edit and the request, and no token generated; nothing for requests that no edit
is near to. The worked examples before them are read once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from memedit.core.passages import Conversation
from memedit.core.types import Decision, Hit
from memedit.editors.prompting.choosing import family
from memedit.editors.prompting.reckoning import asks_for_one, asks_once, has_other_form
from memedit.engine.polls import Frame, Poll, Shown, measure_odds
from memedit.engine.probes import recall_probe
from memedit.scope.own_words import is_own_text

if TYPE_CHECKING:  # torch, which a server in front of another one begins without
    from memedit.engine.engine import Engine

Look = Callable[[Sequence[str], Sequence[Decision], str], list[Decision]]
"""Queries, what is decided of them, and whose assistant answers; what is decided then."""
NEAR, MOST = 0.08, 3
"""Probability from which an edit that did not fire is looked at, and how many of them."""
BEARING = 0.4
"""What the scope's log odds count beside the base's."""
BEHIND, BEHIND_SOME, BESIDE = 0.5, 0.8, 0.8
"""By how much less an edit may bear than the best one: where one thing is asked; in one question
that may take several facts; and to be told beside it though it did not fire. Of 71 that
are needed and fired with others for such a question, one bears .8 less than the best, of 105
that are not 58; of 205 that were told beside six were needed (sets 6 to 10)."""
TOLD = 0.6
"""Log odds of the base's from which an edit is told that did not fire."""
POLLED, PROBED = 0.0, -0.8
"""The sum from which an edit that fired stays, of odds of the base's next word, and of its probe:
of the first, of 200 that rightly fired 2 do not, of 58 that did wrongly 25; of the second, 15 of
1,333 and 362 of 665 (ten sets, each tenth of the questions read by what the others taught)."""
_KNOWN, _SCALE = frozenset({"qwen2-28x1536"}), (0.63, -0.10)
"""The base for which these were chosen (Qwen2.5-Coder-1.5B), and its mean log odds of the cases
below that are needed, and of those that are not."""
_SURE, _LEAST = 0.97, 1e-3
"""Probability from which no odds that were seen outweigh it, and that counts at least."""
_SURE_SUM = 2.0
"""What both say together of one that is sure: a little over what they say of that probability."""
_LONGEST, _BEFORE = 1_200, 600
"""Characters of a fact or a request, and of what was said before it, that are read."""
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
    ("", "Parking costs 3 euros an hour",
     "how much do i pay if i leave the car for two hours", "yes"),
    ("Marlow Water", "The engineer for the north of Marlow Water's district is Pia Lund",
     "who comes to fix the pipe up in the north? need a name", "yes"),
    ("", "The museum is closed on Mondays",
     "thinking of coming on Monday around noon, is that ok?", "yes"),
    ("Tessel Bank", "Customers of Tessel Bank reach the hotline under 0800 220 114",
     "my card is gone, where do I call", "yes"),
    ("", "Assistant doctors get 31 days of leave",
     "Anna has just started as an assistant doctor. Please tell her in two lines how many days"
     " off she has.", "yes"),
    ("", "Parking costs 3 euros an hour",
     "where can i park my bike", "no"),
    ("Marlow Water", "The engineer for the north of Marlow Water's district is Pia Lund",
     "and for the south?", "no"),
    ("", "The museum is closed on Mondays",
     "who painted the Night Watch", "no"),
    ("Tessel Bank", "Customers of Tessel Bank reach the hotline under 0800 220 114",
     "I'm with Orvia Bank. Which number do I ring there?", "no"),
    ("", "Assistant doctors get 31 days of leave",
     "how long does it take to become a doctor in general", "no"),
)  # fmt: skip
"""What a base must tell apart to be heard: (whose assistant, fact, request, whether the fact is
needed)."""


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


def weigh(
    query: str, decision: Decision, odds: Mapping[str, float], stays: float = POLLED
) -> Decision:
    """The decision with what the base says of its edits.

    Args:
        query: What is decided.
        decision: Of the scope.
        odds: Record id -> log odds that the edit is needed, of those that were looked at.
        stays: The sum of what both say from which an edit that fired does.
    """
    if not odds:
        return decision

    def mark(hits: Sequence[Hit]) -> list[Hit]:
        return [replace(hit, second_look=odds.get(hit.record.id)) for hit in hits]

    fired = {hit.record.id for hit in decision.bearing}
    hits, informs = (
        [hit for hit in mark(some) if hit.second_look is None or _sum(hit) >= stays]
        for some in (decision.hits, decision.informs)
    )
    for hit in mark(decision.candidates):
        if hit.record.id not in fired and (hit.second_look or 0.0) >= TOLD:
            informs.append(replace(hit, role="informs"))
    several = len({hit.piece for hit in decision.bearing if hit.piece}) > 1
    behind = math.inf if several else _choose_behind(query[getattr(query, "last", 0) :])
    hits, informs = (_keep_best(some, (*hits, *informs), behind) for some in (hits, informs))
    return replace(
        decision, hits=tuple(hits), informs=tuple(informs),
        candidates=tuple(mark(decision.candidates)),
    )  # fmt: skip


def _choose_behind(words: str) -> float:
    """By how much less an edit may bear than the best one."""
    if has_other_form(words) or not asks_once(words):  # a mail may tell of several things
        return math.inf
    return BEHIND if asks_for_one(words) else BEHIND_SOME


def stands_beside(hit: Hit, told: Sequence[Hit]) -> bool:
    """Whether an edit that did not fire, or was taken back, may be told beside others: always where
    the base was not asked."""
    if hit.second_look is not None:
        return bool(_keep_best([hit], told, BESIDE))
    # Those looked at were nearer.
    return all(other.second_look is None for other in told)


def _keep_best(some: Sequence[Hit], fired: Sequence[Hit], behind: float) -> list[Hit]:
    """Without those that were looked at and bear less by so much than the best that fired."""
    sums = [_sum(hit) for hit in fired if hit.second_look is not None]
    sure = any(hit.passage is None and (hit.bearing or 0.0) >= _SURE for hit in fired)
    least = max((*sums, _SURE_SUM) if sure else sums, default=0.0) - behind
    return [hit for hit in some if hit.second_look is None or _sum(hit) >= least]


def _sum(hit: Hit) -> float:
    """Log odds that an edit that was looked at bears, of the base and the scope together."""
    assert hit.second_look is not None
    return hit.second_look + BEARING * log_odds(hit.bearing or 0.0)


def log_odds(chance: float) -> float:
    """Of a probability of the scope's; none is believed to be nothing or all."""
    inside = min(max(chance, _LEAST), 1 - _LEAST)
    return math.log(inside / (1 - inside))


def look_again(
    queries: Sequence[str],
    decisions: Sequence[Decision],
    house: str,
    *,
    engine: Engine,
) -> list[Decision]:
    """What a scope decided, with the base's word on the edits that fired, or that are near.

    Args:
        queries: What was decided; of chats, what was said before and the last turn.
        decisions: Of each.
        house: Whose assistant answers; "" where that is not known.
        engine: The base.
    """
    places = [
        (at, hit)
        for at, (query, decision) in enumerate(zip(queries, decisions, strict=True))
        for hit in choose_hits(query, decision)
    ]
    if not places:
        return list(decisions)
    guard = engine.codec.controls.guard
    # A list is no question, and asks none of its facts: its items do.
    told = (
        ask_about(hit.piece or queries[at], hit.record.edit.statement, house) for at, hit in places
    )
    asked = [guard({"role": "user", "content": each})["content"] for each in told]
    said: list[dict[str, float]] = [{} for _ in queries]
    measured, stays = _ask(asked, engine)
    for (at, hit), odds in zip(places, measured, strict=True):
        if odds is not None:
            said[at][hit.record.id] = odds
    return [
        weigh(query, decision, each, stays)
        for query, decision, each in zip(queries, decisions, said, strict=True)
    ]


def _ask(asked: Sequence[str], engine: Engine) -> tuple[Sequence[float | None], float]:
    """Log odds that a fact is needed, of each question, and the sum from which an edit stays; None:
    the base is not heard, or its window has no room."""
    frame = recall_frame(engine)
    if frame is not None and (probe := recall_probe(frame, engine)) is not None:
        return probe.measure(asked, frame, engine), PROBED
    if (poll := recall_poll(engine)) is None:
        return [None] * len(asked), POLLED
    odds = measure_odds(asked, poll, engine)
    return [None if each is None else poll.adjust(each, _SCALE) for each in odds], POLLED


def recall_frame(engine: Engine) -> Frame | None:
    """What stands around the questions to a base; None where it takes no chats, or thinks aloud."""
    if "second look's frame" not in engine.kept:
        shown = [(each.asked, "yes" if each.yes else "no") for each in _show(_SHOWN)]
        engine.kept["second look's frame"] = Frame.of(engine, _ORDER, shown)
    found: Frame | None = engine.kept["second look's frame"]
    return found


def recall_poll(engine: Engine) -> Poll | None:
    """What stands around the questions to a base, made once; None: it is not heard."""
    if "second look" not in engine.kept:
        engine.kept["second look"] = _make_poll(engine)
    found: Poll | None = engine.kept["second look"]
    return found


def _make_poll(engine: Engine) -> Poll | None:
    poll = Poll.of(engine, _ORDER, _show(_SHOWN))
    if poll is None or family(engine.base) in _KNOWN:
        return poll and replace(poll, scale=_SCALE)
    return poll.fit(_show(_CASES), engine)


def _show(cases: Iterable[tuple[str, str, str, str]]) -> list[Shown]:
    return [
        Shown(ask_about(asked, fact, house), word == "yes") for house, fact, asked, word in cases
    ]
