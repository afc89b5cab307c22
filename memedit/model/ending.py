"""One of several values that holds no longer: "Tarn Cycles no longer sells tyres."

That value goes, and the others stay. Only where the statement denies it in its own words: of the
same subject, with the same verb, and no word more ("no longer sells tyres online"). Where it only
names the value, both stay and it is told. Who gives the value again takes such a statement back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from memedit.core.moments import UTC
from memedit.core.text import find_sentence_starts, find_subject, mask, words_of
from memedit.core.types import Edit, Record
from memedit.memory import EditMemory

_DENIES = re.compile(
    r"^(?P<who>.+?) (?:no longer|(?:(?:has|have) )?(?:stopped|quit|ceased(?: to)?)) (?P<what>.+)$|"
    r"^(?P<whose>.+?) (?P<verb>does|do|is|are|has|have)(?: not|n['’]t) (?P<more>.+?)"
    r"(?P<any> any ?(?:more|longer)\b(?P<rest>.*))?$",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"^(?:(?:sadly|unfortunately|(?:please )?note(?: that)?|update|news|now|from now on|as of now|"
    r"from today(?: on)?|as of today)[,:]? )+",
    re.IGNORECASE,
)
_GOES_ON = re.compile(
    r"(?:^|,|\s[–—-])\s?(?:but|instead|only|because|since|although|though|which|so|and (?:now|it|"
    r"they|he|she|we|instead|only|so))\b.*$|"
    r"\s(?:since|instead(?! of\b)|but(?! (?:only|for|in|on|at|when|if|not|also)\b)|"
    r"and (?:now|it|they|he|she|we|instead|only|so))\b.*$",
    re.IGNORECASE,
)
"""Where a sentence goes on to what is, or why."""
_UNSURE = re.compile(r"\b(?:if|unless|until|till|when|whether|once|while|in case|who)\b", re.I)
_LISTED = re.compile(r",\s*(?:and|or)\b|,|\b(?:and|or)\b|&")
_ARTICLES = frozenset("a an the any its their his her our".split())
_AUXILIARIES = frozenset("is are has have does do".split())
_BESIDE = _AUXILIARIES | frozenset("now also currently therefore sadly unfortunately".split())
_PREPOSITIONS = frozenset("in on at by to for from with as about into".split())
_SMALL = _PREPOSITIONS | _AUXILIARIES | frozenset("of be been being was were it".split())
_GENERIC = frozenset("product languag thing item good servic includ among them these".split())
"""Roots of words that name any list."""
_ENDING = re.compile(r"(?:ing|ed|es|s|e)$")
_LONGEST = 400
"""Characters of a statement that is read."""


def find_ended(
    memory: EditMemory, edit: Edit, namespace: str, moment: datetime | None
) -> tuple[list[Record], list[Record]]:
    """(the values of several that a statement ends, those that it may end), of what holds at a
    moment (None: now)."""
    if not edit.is_statement or len(edit.prompt) > _LONGEST:
        return [], []
    denials = [*_read_denials(edit.prompt)]
    if not denials:
        return [], []
    (hits,) = memory.search([edit.prompt], namespace=namespace, as_of=moment)
    records = [hit.record for hit in hits if hit.passage is None]
    values = _find_values(memory, records, moment)
    ended = [r for r in values if any(d.denies(r.edit, values) for d in denials)]
    perhaps = [r for r in values if r not in ended and any(d.names(r.edit) for d in denials)]
    perhaps += [r for r in records if any(d.is_said_in(r.edit) for d in denials)]
    return ended, perhaps


def find_taken_back(
    memory: EditMemory, edit: Edit, namespace: str, moment: datetime | None
) -> list[Record]:
    """The statements that said of one of several values, and no more, that it holds no longer."""
    if edit.target_new is None or not edit.multiple:
        return []
    (hits,) = memory.search([edit.prompt], namespace=namespace, as_of=moment)
    return [hit.record for hit in hits if hit.passage is None and _only_denies(hit.record, edit)]


def _only_denies(record: Record, edit: Edit) -> bool:
    text = record.edit.prompt
    if not record.edit.is_statement or len(text) > _LONGEST or len(find_sentence_starts(text)) > 1:
        return False
    # Alone: of a list of values one that is given again leaves the others ended.
    return any(each.whole and each.denies(edit, ()) for each in _read_denials(text))


def _find_values(
    memory: EditMemory, records: Iterable[Record], moment: datetime | None
) -> list[Record]:
    """The values of all slots with several that some records are of."""
    now = moment or datetime.now(UTC)
    several = [record for record in records if record.edit.multiple]
    found = {record.sequence: record for record in several}
    for record in several:
        found |= {other.sequence: other for other in memory.siblings(record, now)}
    return [found[sequence] for sequence in sorted(found)]


@dataclass(frozen=True, slots=True)
class _Denial:
    """A sentence that says of something that it holds no longer.

    Attributes:
        who: What stands before, without what leads to it.
        what: What is denied, up to where the sentence goes on.
        whole: Whether it does not go on.
        text: All that stands behind the denial.
        sure: Whether it is said plainly.
    """

    who: str
    what: str
    whole: bool
    text: str
    sure: bool

    def denies(self, edit: Edit, others: Iterable[Record]) -> bool:
        """Whether it denies the value of an edit in its own words.

        Args:
            others: What else may be listed beside it.
        """
        relation = self._find_relation(edit) if self.sure else None
        if relation is None:
            return False
        first, *more = (part.strip() for part in _LISTED.split(self.what))
        if self._says(self.what, edit, relation):
            return True
        if not more:
            return False
        slot = [each.edit for each in others if each.edit.prompt == edit.prompt]
        known, listed = ({*map(_key, texts)} for texts in (
            [each.target_new or "" for each in slot], more
        ))  # fmt: skip
        begins = any(self._says(first, each, relation) for each in slot)
        if not begins or not known.issuperset(listed):
            return False
        return _key(edit.target_new or "") in listed or self._says(first, edit, relation)

    def names(self, edit: Edit) -> bool:
        """Whether it names an edit's subject and, behind the denial, its value; or the value, and
        the subject behind: "Ada is no longer a member of the board."."""
        named = [_key(edit.subject or ""), _key(edit.target_new or "")]
        if not all(named):
            return False
        before, behind = (f" {' '.join(_key(text))} " for text in (self.who, self.text))
        one, other = (f" {' '.join(words)} " for words in named)
        return (one in before and other in behind) or (other in before and one in behind)

    def is_said_in(self, edit: Edit) -> bool:
        """Whether a statement says, with more, what is denied: "We accept Visa and PayPal."."""
        if not edit.is_statement or _DENIES.match(edit.prompt.rstrip(" .!")):
            return False
        asked = _find_roots(words_of(f"{self.who} {self.what}"))
        return len(asked) > 1 and asked <= _find_roots(words_of(edit.prompt))

    def _find_relation(self, edit: Edit) -> list[str] | None:
        """The words of a prompt that say what is said of the subject; None: of another one."""
        who = words_of(self.who)
        while who and who[-1] in _BESIDE:
            who.pop()
        if who[:1] in (["the"], ["our"]) and len(who) > 1:
            del who[0]
        if edit.subject is None:
            prompt = words_of(edit.prompt)
            return prompt[len(who) :] if who and prompt[: len(who)] == who else None
        subject = words_of(edit.subject)
        subject = subject[1:] if subject[:1] == ["the"] and len(subject) > 1 else subject
        if who != subject:
            return None
        return words_of(mask(edit.prompt, *find_subject(edit.prompt, edit.subject)))

    def _says(self, text: str, edit: Edit, relation: Sequence[str]) -> bool:
        """Whether words are a relation with an edit's value at their end."""
        value, said = _split(edit.target_new or ""), _split(text)
        before = said[: len(said) - len(value)]
        if not value or _fold(said[len(before) :]) != _fold(value):
            return False
        asked, known = (_find_roots(words) - _GENERIC for words in (before, relation))
        if not known:  # "is in", "has"
            beside = words_of(self.who)[-1:]
            own = {_unite(word) for word in (*before, *beside) if word in _SMALL} - {"do"}
            return not asked and own == {_unite(w) for w in relation if w in _SMALL - {"it"}}
        prepositions = [_PREPOSITIONS & {*words} for words in (before, relation)]
        return asked == known and prepositions[0] == prepositions[1]


def _read_denials(text: str) -> Iterator[_Denial]:
    starts = find_sentence_starts(text)
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        sentence = " ".join(text[start:end].split())
        found = _DENIES.match(_LEAD.sub("", sentence.rstrip(" .!")))
        if found is None or "?" in sentence:
            continue
        behind = found["what"] or f"{found['more']}{found['rest'] or ''}"
        what = _GOES_ON.sub("", found["what"] or found["more"])
        rest = _GOES_ON.sub("", found["rest"] or "").strip(" ,;")
        who = found["who"] or f"{found['whose']} {found['verb']}"
        plain = found["what"] or found["any"]  # else nobody says that it was so before
        sure = plain and not rest and not re.search(r"[;:]", what) and not _UNSURE.search(sentence)
        whole = what.strip(" ,") == behind.strip(" ,")
        yield _Denial(who, what.strip(" ,"), whole, behind, bool(sure))


def _split(text: str) -> list[str]:
    """The words of a text without articles."""
    return [word for word in words_of(text) if word not in _ARTICLES]


def _fold(words: Iterable[str]) -> list[str]:
    """Words, a plural as its singular."""
    return [word.rstrip("s") or word for word in words]


def _key(text: str) -> tuple[str, ...]:
    """What two texts of one value have in common."""
    return tuple(_fold(_split(text)))


def _find_roots(words: Iterable[str]) -> set[str]:
    """The roots of words that tell something: "selling" and "sells" are one."""
    return {
        _ENDING.sub("", word) if len(word) > 3 else word
        for word in words
        if word not in _SMALL | _ARTICLES
    }


def _unite(word: str) -> str:
    return {"are": "is", "have": "has", "does": "do"}.get(word, word)
