"""What a learned scope looks at: one query view and one edit, as numbers.

Two parts. The *scalars* say how the two texts relate: cosines, with and without the subject, what
names the subject and what stands around it, which words are shared, and the signs that a question
is turned round (negated, supposed, dated, asked about the target). The *vectors* are the sentence
embeddings of both, with the subject masked where it is named, so that the model can learn which
questions are the same question.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from memedit.core.text import words_of
from memedit.core.types import Hit

Floats = npt.NDArray[np.float32]
Asking = tuple[str, str] | None

SCALARS = (
    "similarity", "relation", "mentioned", "has_subject", "spelt", "mention_share", "mentions",
    "view_words", "edit_words", "shared_of_view", "shared_of_edit", "begins_inside",
    "goes_on_capitalised", "preceded_capitalised", "at_start", "at_end", "is_question",
    "edit_is_question", "same_asking_word", "negated", "supposed", "dated", "past", "names_target",
    "target_first", "best_similarity_gap", "best_relation_gap", "names_in_edit", "names_shared",
    "statement", "negated_before", "supposed_before", "dated_before", "words_before",
)  # fmt: skip
"""The scalar features, in order."""

_WORD = re.compile(r"[^\W_]+(?:['’][a-z]+)?")
_NEGATION = re.compile(
    r"\b(?:not|never|no longer|isn't|wasn't|aren't|weren't|don't|doesn't|didn't|hasn't|cannot|"
    r"can't|won't|false|untrue|anything but|except|other than|apart from|nobody|wrong|incorrect|"
    r"neither|isnt|doesnt|besides|instead of|rather than)\b",
    re.IGNORECASE,
)
_SUPPOSED = re.compile(
    r"\b(?:if|suppose|imagine|assuming|would|hypothetically|had .{1,60} been|pretend|in a world|"
    r"what if|were to|might have|could have|unless|fictional|alternate)\b",
    re.IGNORECASE,
)
_DATED = re.compile(
    r"\b(?:(?:before|in|until|since|after|by|during|around|back in|prior to|of|as of)\s+"
    r"(?:the\s+(?:year\s+)?)?(?:1\d{3}|20\d{2})s?|formerly|previously|originally|used to|ago|"
    r"\d{1,2}(?:st|nd|rd|th) century|last (?:year|century)|at first|in the past|once)\b",
    re.IGNORECASE,
)
_PAST = re.compile(r"\b(?:was|were|did|had|used)\b", re.IGNORECASE)
_ASKING = re.compile(
    r"\b(who|whom|whose|where|when|what|which|how|why)\b(?:\s+(\w+))?", re.IGNORECASE
)
_CODE = re.compile(r"\b(?=[A-Z\d]*[A-Z])[A-Z\d]{3,5}\b")
"""A short name in capitals: CEO, 2FA."""
_OURS = re.compile(r"\b(?:our|ours|we|us)\b", re.IGNORECASE)
_OWNER = re.compile(r"\b([A-Z]\w{0,39})['’]s\b")
"""The last word of a name whose something is asked; short, so that long runs cost their length."""
_NOBODY = frozenset(
    "what who where when why how that it let here there he she this everyone everybody anyone "
    "someone today tomorrow yesterday monday tuesday wednesday thursday friday saturday sunday "
    "january february march april may june july august september october november december".split()
)
"""Words before "'s" that own nothing: "What's your refund window?"."""
_CONTEXT = 160
"""Characters before the clause that are looked at."""
_COMMON = frozenset(
    "the a an of is was are were be been in on at to for from with and or by as it its that this "
    "who whom whose which what where when how do does did has have had s 's there their his her he "
    "she they you me tell please can could name".split()
)


def scalars(hits: Sequence[Hit], query: str) -> Floats:
    """[n, len(SCALARS)] of the candidates of one query; ``query`` is its whole text."""
    if not hits:
        return np.empty((0, len(SCALARS)), np.float32)
    best = max(hit.similarity for hit in hits)
    related = max((hit.relation for hit in hits if hit.relation is not None), default=0.0)
    return np.array([_measure(hit, query, best, related) for hit in hits], np.float32)


def vectors(hits: Sequence[Hit]) -> Floats:
    """[n, 4 d]: |u - v| and u * v, first of the masked texts (else of the whole), then the whole.

    Raises:
        ValueError: a hit has no vectors, since it was built by hand.
    """
    rows = []
    for hit in hits:
        pair = hit.vectors
        if pair is None:
            raise ValueError("The candidates carry no vectors: take them from memory.search().")
        u, v = pair.masked_view, pair.masked_key
        if u is None or v is None:
            u, v = pair.view, pair.key
        whole = (np.abs(pair.view - pair.key), pair.view * pair.key)
        rows.append(np.concatenate((np.abs(u - v), u * v, *whole)))
    return np.stack(rows).astype(np.float32)


def _measure(hit: Hit, query: str, best: float, related: float) -> list[float]:
    edit = hit.record.edit
    about = _edit(edit.prompt, edit.subject, edit.target_new)
    clause = hit.clause or hit.view
    view = _view(clause, hit.mention)
    before = _measure_before(query, clause)
    shared = len(view.words & about.words)
    relation = 0.0 if hit.relation is None else hit.relation
    same = _compare_asking(view.asking, about.asking)
    target = _find_named(about.target, view.folded)
    return [
        hit.similarity,
        relation,
        float(hit.mention is not None),
        float(edit.subject is not None),
        1.0 if hit.mention is not None else _rate_spelling(about.subject, view.folded),
        view.mention_share,
        float(len(view.names)),
        np.log1p(view.length),
        np.log1p(about.length),
        shared / max(1, len(view.words)),
        shared / max(1, len(about.words)),
        float(view.begins_inside),
        float(view.goes_on),
        float(view.preceded),
        float(view.at_start),
        float(view.at_end),
        float(view.question),
        float(about.question),
        same,
        # Differences: an edit that is itself negated is asked by a negated question.
        float(view.negated) - float(about.negated),
        float(view.supposed) - float(about.supposed),
        float(view.dated) - float(about.dated),
        float(view.past) - float(about.past),
        float(target >= 0),
        float(target == 0),
        best - hit.similarity,
        related - relation,
        float(len(about.names)),
        len(about.names & view.names) / max(1, len(about.names)),
        float(edit.is_statement),
        *before,
    ]


def rate_naming(hit: Hit) -> float:
    """Share of the letter triples of the edit's subject that the view has: near 1 if misspelt."""
    return _rate_spelling((hit.record.edit.subject or "").casefold(), hit.view.casefold())


def is_turned(hit: Hit, query: str) -> bool:
    """Whether the query negates, supposes or dates what the edit states plainly."""
    row = dict(zip(SCALARS, _measure(hit, query, hit.similarity, 0.0), strict=True))
    signs = ("negated", "supposed", "dated", "negated_before", "supposed_before", "dated_before")
    return any(row[sign] > 0 for sign in signs)


def match_words(hit: Hit) -> tuple[str, ...]:
    """Words of the query view that the edit's prompt has too, beside the subject, in order."""
    edit = hit.record.edit
    own = _edit(edit.prompt, edit.subject, edit.target_new).words
    clause = hit.clause or hit.view
    rest = clause.replace(hit.mention, " ") if hit.mention else clause
    words = (word for word in _WORD.findall(rest) if _stem_word(word) & own)
    return tuple(dict.fromkeys(word.casefold() for word in words))


def names_another_code(hit: Hit, query: str) -> bool:
    """Whether the query view (of a chat, its last turn) has, for a short code of the edit's prompt,
    one that is a letter off: the CTO is not the CEO."""
    edit = hit.record.edit
    codes = _find_codes(_remove_part(edit.prompt, edit.subject or ""))
    if not codes:
        return False
    turn = getattr(query, "last", 0)
    said = query[turn:] if turn else hit.clause or hit.view
    words = {word.casefold() for word in _WORD.findall(said)}
    others = _find_codes(said)
    return any(
        code not in words
        and any(_is_one_letter_off(code, w, inside=w not in others) for w in words - _COMMON)
        for code in codes
    )


def names_another_owner(hit: Hit, query: str) -> bool:
    """Whether a query asks what is somebody's, by name, of an edit that tells what is "ours"."""
    edit = hit.record.edit
    if edit.subject is not None or not _OURS.search(edit.statement):
        return False
    known = _NOBODY.union(words_of(edit.statement))
    return any(match[1].casefold() not in known for match in _OWNER.finditer(query))


def _remove_part(text: str, part: str) -> str:
    at = text.casefold().rfind(part.casefold()) if part else -1
    return text if at < 0 else f"{text[:at]} {text[at + len(part) :]}"


def _find_codes(text: str) -> frozenset[str]:
    """Short names in capitals; none where everything is in capitals."""
    return frozenset() if text.isupper() else frozenset(map(str.casefold, _CODE.findall(text)))


def _is_one_letter_off(a: str, b: str, *, inside: bool) -> bool:
    """Whether a letter differs; ``inside``: one between the first and the last, since what is not
    in capitals may be any word: "cto" for CEO, but "mrs" is no MRI."""
    if len(a) != len(b) or sum(x != y for x, y in zip(a, b, strict=True)) != 1:
        return False
    return not inside or (a[0], a[-1]) == (b[0], b[-1])


def lacks_words(hit: Hit) -> bool:
    """Whether the edit's prompt has words, beside the subject, that the query view has not."""
    edit = hit.record.edit
    own = _edit(edit.prompt, edit.subject, edit.target_new).words
    return bool(own - _view(hit.clause or hit.view, hit.mention).words)


def _stem_word(word: str) -> frozenset[str]:
    """A word's stem, unless every text has it."""
    folded = word.casefold()
    return frozenset() if folded in _COMMON else frozenset({folded[:6]})


class _Text:
    """What is looked up in a text, its subject taken out."""

    __slots__ = (
        "asking", "at_end", "at_start", "begins_inside", "dated", "folded", "goes_on", "length",
        "mention_share", "names", "negated", "past", "preceded", "question", "subject", "supposed",
        "target", "words",
    )  # fmt: skip

    def __init__(self, text: str, subject: str | None, target: str | None = None) -> None:
        # The last mention: the question comes last.
        at = text.casefold().rfind(subject.casefold()) if subject else -1
        end = at + len(subject) if subject and at >= 0 else -1
        rest = f"{text[:at]} {text[end:]}" if at >= 0 else text
        before, after = (text[:at].rstrip(), text[end:]) if at >= 0 else ("", "")
        self.folded = text.casefold()
        self.subject = (subject or "").casefold()
        self.target = (target or "").casefold()
        words = _WORD.findall(rest)
        self.length = len(words)
        self.words = frozenset().union(*map(_stem_word, words))
        self.names = frozenset(
            # Not the first word, which is capitalised anyway.
            w.casefold()
            for w in _WORD.findall(text)[1:]
            if w[0].isupper() or w[0].isdigit()
        )
        self.mention_share = len(subject or "") / max(1, len(text)) if at >= 0 else 0.0
        self.begins_inside = bool(re.match(r"[-–&/]\w", after))
        following = _WORD.match(after[1:]) if after[:1] == " " else None
        self.goes_on = following is not None and following.group()[0].isupper()
        last = before.split(" ")[-1] if before else ""
        self.preceded = bool(last) and last[0].isupper() and " " in before and last[-1].isalnum()
        self.at_start, self.at_end = at == 0, at >= 0 and not after.strip(" ?.!")
        self.question = text.rstrip().endswith("?")
        found = _ASKING.search(rest)
        self.asking: Asking = (
            (found.group(1).casefold(), (found.group(2) or "").casefold()) if found else None
        )
        self.negated = _NEGATION.search(rest) is not None
        self.supposed = _SUPPOSED.search(rest) is not None
        self.dated = _DATED.search(rest) is not None
        self.past = _PAST.search(rest) is not None


@lru_cache(maxsize=4_096)
def _measure_before(query: str, clause: str) -> tuple[float, float, float, float]:
    """Whether what stands before the clause negates, supposes or dates it; how long it is."""
    at = query.rfind(clause)
    text = query[max(0, at - _CONTEXT) : at] if at > 0 else ""
    return (
        float(_NEGATION.search(text) is not None),
        float(_SUPPOSED.search(text) is not None),
        float(_DATED.search(text) is not None),
        float(np.log1p(len(_WORD.findall(text)))),
    )


@lru_cache(maxsize=16_384)
def _edit(prompt: str, subject: str | None, target: str | None) -> _Text:
    return _Text(prompt, subject, target)


@lru_cache(maxsize=4_096)
def _view(text: str, mention: str | None) -> _Text:
    return _Text(text, mention)


def forget_texts() -> None:
    """Let go of the texts whose features are kept: one of them was purged."""
    for kept in (_measure_before, _edit, _view, _triples):
        kept.cache_clear()


def _compare_asking(a: Asking, b: Asking) -> float:
    """1 for the same question word and the word after it, -1 for different ones, else 0."""
    if a is None or b is None:
        return 0.0
    return 1.0 if a == b else -float(a[0] != b[0])


def _find_named(target: str, text: str) -> int:
    """Where ``target`` stands in ``text`` as words; -1 where it does not."""
    if not target or target not in text:
        return -1
    match = re.search(rf"(?<!\w){re.escape(target)}(?!\w)", text)
    return match.start() if match else -1


def _rate_spelling(subject: str, text: str) -> float:
    """Share of the subject's letter triples that the text has: near 1 for a misspelt mention."""
    if not subject:
        return 0.0
    wanted = _triples(subject)
    return len(wanted & _triples(text)) / len(wanted)


@lru_cache(maxsize=16_384)
def _triples(text: str) -> frozenset[str]:
    padded = f" {text} "
    return frozenset(padded[i : i + 3] for i in range(len(padded) - 2))
