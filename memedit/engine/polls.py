"""A base asked for a yes or a no behind worked examples: how likely each is as its first word.

One pass over the question and no token generated; the examples before it are read once. The odds
are a judgement as monoT5's are (Nogueira et al. 2020, "Document Ranking with a Pretrained
Sequence-to-Sequence Model"), by a chat model with examples in the place of training. Torch is not
loaded here: a server in front of another one begins without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from jinja2 import TemplateError

from memedit.core.calls import LM, Batch, Row
from memedit.core.chat import has_template, thinks_aloud

_MARK = "\u2042"
_TOGETHER = 8
"""Questions of one pass."""
_IN_ORDER = 0.92
"""Share of the pairs of a case of yes and one of no of which a base must give yes the higher
odds."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A question as it is put to the base, and whether the answer is yes."""

    asked: str
    yes: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a question to the base.

    Attributes:
        prefix: The order and the worked examples.
        closes: What stands behind it, up to where the reply begins.
    """

    prefix: str
    closes: str

    @classmethod
    def of(cls, lm: LM, order: str, shown: Sequence[tuple[str, str]]) -> Frame | None:
        """That of a base; None where it takes no chats, or does not begin with its answer.

        Args:
            lm: The base.
            order: What it is to do.
            shown: Worked examples: what is asked, and the answer.
        """
        if not has_template(lm.tokenizer) or thinks_aloud(lm.tokenizer):
            return None
        turns = [
            {"role": role, "content": content}
            for asked, answer in shown
            for role, content in (("user", asked), ("assistant", answer))
        ]
        text = _render(lm.tokenizer, order, [*turns, {"role": "user", "content": _MARK}])
        prefix, mark, closes = text.partition(_MARK)
        return cls(prefix, closes) if mark else None

    def has_room(self, asked: str, lm: LM, tokens: int) -> bool:
        """Whether a base's window holds a question and so many tokens behind it."""
        sizes = (len(lm.codec.ids(text)) for text in (self.prefix, asked + self.closes))
        return lm.window is None or sum(sizes) + tokens <= lm.window


@dataclass(frozen=True, slots=True)
class Poll:
    """A yes or a no that a base is asked for.

    Attributes:
        frame: What stands around the question.
        words: Ids of the tokens with which yes begins, and of those with which no does.
        scale: The base's mean log odds of cases of yes, and of cases of no.
    """

    frame: Frame
    words: tuple[tuple[int, ...], tuple[int, ...]]
    scale: tuple[float, float] = (1.0, -1.0)

    @classmethod
    def of(cls, lm: LM, order: str, shown: Sequence[Shown]) -> Poll | None:
        """That of a base; None where it takes no such chats, or knows no words for both.

        Args:
            lm: The base.
            order: What it is to do.
            shown: Worked examples.
        """
        frame = Frame.of(lm, order, [(each.asked, "yes" if each.yes else "no") for each in shown])
        yes, no = (_find_first_tokens(lm, word) for word in ("yes", "no"))
        if frame is None or not (yes and no) or {*yes} & {*no}:
            return None
        return cls(frame, (yes, no))

    def fit(self, cases: Sequence[Shown], lm: LM) -> Poll | None:
        """The same on a base's own scale; None where it does not tell the cases apart, or has no
        room for them.

        Args:
            cases: Questions whose answers are known, none of them among the examples.
            lm: The base.
        """
        odds = measure_odds([case.asked for case in cases], self, lm)
        answered = [(o, case.yes) for o, case in zip(odds, cases, strict=True) if o is not None]
        yes, no = ([o for o, is_yes in answered if is_yes is which] for which in (True, False))
        count = sum(case.yes for case in cases)
        if sum(a > b for a in yes for b in no) < _IN_ORDER * count * (len(cases) - count):
            return None
        scale = fmean(yes), fmean(no)
        return replace(self, scale=scale) if scale[0] > scale[1] else None

    def adjust(self, odds: float, scale: tuple[float, float]) -> float:
        """Log odds on this scale as they would be on another."""
        yes, no = self.scale
        return scale[1] + (odds - no) / (yes - no) * (scale[0] - scale[1])


def measure_odds(asked: Sequence[str], poll: Poll, lm: LM) -> list[float | None]:
    """A base's log odds of yes against no to each question; None where its window has no room.

    Args:
        asked: Questions, without markers of a chat.
        poll: What stands around them.
        lm: The base.
    """
    frame, found = poll.frame, dict[int, float]()
    fit = [at for at, each in enumerate(asked) if frame.has_room(each, lm, 1)]
    for start in range(0, len(fit), _TOGETHER):
        places = fit[start : start + _TOGETHER]
        rows = tuple(Row(asked[at] + frame.closes) for at in places)
        logits = lm.next_logits(Batch(rows, prefix=frame.prefix))
        yes, no = (logits[:, list(words)].logsumexp(-1) for words in poll.words)
        found |= dict(zip(places, (yes - no).tolist(), strict=True))
    return [found.get(at) for at in range(len(asked))]


def _render(tokenizer: Any, order: str, turns: Sequence[dict[str, str]]) -> str:
    """A chat as a template writes it, up to where its reply begins; the order stands in the user's
    first turn where the template knows none of the system's."""

    def render(messages: Sequence[dict[str, str]]) -> str:
        return str(
            tokenizer.apply_chat_template(
                list(messages), tokenize=False, add_generation_prompt=True
            )
        )

    try:
        return render([{"role": "system", "content": order}, *turns])
    except TemplateError:
        first = {"role": "user", "content": f"{order}\n\n{turns[0]['content']}"}
        return render([first, *turns[1:]])


def _find_first_tokens(lm: LM, word: str) -> tuple[int, ...]:
    """Ids of the tokens with which a word may begin, in small letters or with a capital."""
    forms = (form for own in (word, word.capitalize()) for form in (own, f" {own}"))
    ids = (lm.codec.ids(form)[:1] for form in forms)
    return tuple({int(each[0]) for each in ids if lm.codec.text(each).strip()})
