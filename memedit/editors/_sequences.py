"""Facts as token sequences with the positions that the locate-and-edit methods need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from memedit.core.calls import LM, Batch, Row
from memedit.core.errors import InvalidEditError, InvalidInputError
from memedit.core.text import find_subject
from memedit.core.types import Edit

PLAIN = "{}"
_SEEDS = ("The", "Therefore", "Because", "I", "You")
_LENGTHS = (10, 5)
_SAMPLING = {"do_sample": True, "top_k": 5, "top_p": 1.0, "temperature": 1.0}
_APART = "\n"
"""Put before a text whose key would otherwise be its very first token: an attention sink."""


@dataclass(frozen=True, slots=True)
class Sequenced:
    """A text as tokens, with a target at its end.

    Attributes:
        ids: [T] prompt and target, less the target's last token.
        target: [n] the target's tokens; empty for a text without.
        column: Position of the subject's last token; -1 where the edit has none.
    """

    ids: Tensor
    target: Tensor
    column: int

    @property
    def start(self) -> int:
        """Position from which the first token of the target is predicted."""
        return len(self.ids) - max(1, len(self.target))

    @property
    def places(self) -> list[int]:
        """The positions in ``ids`` from which each of the target's tokens is predicted."""
        return [self.start + t for t in range(len(self.target))]


def places_of(rows: Sequence[Sequenced]) -> Tensor:
    """[3, N] of each target token: its row, the position from which it is predicted, its id."""
    found = [
        (n, place, int(token))
        for n, row in enumerate(rows)
        for place, token in zip(row.places, row.target, strict=True)
    ]
    return torch.tensor(found, dtype=torch.long).reshape(-1, 3).T


@dataclass(frozen=True, slots=True)
class Fact:
    """One edit in several contexts.

    Attributes:
        rows: The prompt in each context, the plain one first.
        weights: [rows] how much each counts in the key; they sum to 1.
        emphasis: [rows] how much each counts in the loss of the value; they sum to 1.
        essence: "{subject} is a", whose next token shall not change.
    """

    edit: Edit
    rows: tuple[Sequenced, ...]
    weights: Tensor
    emphasis: Tensor
    essence: Sequenced


def sample_contexts(lm: LM, number: int, seed: int) -> tuple[str, ...]:
    """``"{}"``, then texts that the unedited model begins by itself, each followed by ``". {}"``.

    Sampled from its five most likely tokens after common first words, in turn ten and five tokens
    long; the same for one model, number and seed, and drawn without touching the global random
    state.
    """
    key = ("contexts", lm.fingerprint, number, seed)
    if key not in lm.kept:
        lm.kept[key] = (PLAIN, *_sample_texts(lm.original, number, seed))
    found: tuple[str, ...] = lm.kept[key]
    return found


def _sample_texts(lm: LM, number: int, seed: int) -> list[str]:
    found: list[str] = []
    device = lm.base.device
    with torch.random.fork_rng(devices=[] if device.type == "cpu" else [device]):
        torch.manual_seed(seed)
        for turn in range(-(-number // len(_SEEDS))):
            options = {**_SAMPLING, "max_new_tokens": _LENGTHS[turn % len(_LENGTHS)]}
            batch = Batch(tuple(Row(word) for word in _SEEDS), options=options)
            found += [
                f"{word}{said.text}" for word, said in zip(_SEEDS, lm.generate(batch), strict=True)
            ]
    # Without braces: the texts become templates, which braces would open anew.
    clean = (" ".join(text.replace("{", " ").replace("}", " ").split()) for text in found[:number])
    return [f"{text.rstrip('.')}. {PLAIN}" for text in clean]


def weights(number: int, plain: float | None) -> Tensor:
    """[number] weight of each context: the plain one ``plain`` (None: as the others), sum 1."""
    if plain is None or number == 1:
        return torch.full((number,), 1 / number)
    return torch.tensor([plain] + [(1 - plain) / (number - 1)] * (number - 1))


def sequence_fact(
    lm: LM,
    edit: Edit,
    templates: Sequence[str],
    plain: float | None,
    emphasis: float | None = None,
) -> Fact:
    """An edit as sequences in these contexts.

    Args:
        lm: The model.
        edit: With subject and target.
        templates: The contexts, the plain one first.
        plain: Weight of the plain prompt in the key; None: as the others.
        emphasis: Its weight in the loss of the value; None: as the others.

    Raises:
        InvalidEditError: it has no subject or no target.
    """
    subject = require_subject(edit)
    asked = (edit.prompt, edit.target_new, subject)
    rows = tuple(sequence_prompt(lm, *asked, template) for template in templates)
    essence = sequence_prompt(lm, f"{subject} is a", None, subject)
    # The divergence is measured at the subject's last token.
    essence = replace(essence, ids=essence.ids[: essence.column + 1])  # what follows is not asked
    count = len(rows)
    return Fact(edit, rows, weights(count, plain), weights(count, emphasis), essence)


def require_subject(edit: Edit) -> str:
    """The subject of an edit that has subject and target.

    Raises:
        InvalidEditError: it lacks one of them.
    """
    if edit.subject is None or edit.target_new is None:
        lacking = "subject" if edit.subject is None else "target"
        raise InvalidEditError(
            f"The edit {edit.prompt!r} has no {lacking}, which tells where to write.",
            hint="Pass subject= and target_new=, or use an editor that takes statements (ike).",
        )
    return edit.subject


def sequence_edit(lm: LM, edit: Edit, *, end: bool = False) -> Sequenced:
    """An edit's prompt and target, for methods that need no subject.

    Args:
        lm: The model.
        edit: With a target.
        end: The end of the answer is part of the target (:func:`end_of`).

    Raises:
        InvalidEditError: it has no target.
        InvalidInputError: the tokenizer has no end to train.
    """
    return sequence_prompt(lm, edit.prompt, require_target(edit), None, end=end)


def require_targets(edits: Iterable[Edit]) -> None:
    """See, before anything is loaded, that every edit has a target.

    Raises:
        InvalidEditError: the first that has none.
    """
    for edit in edits:
        require_target(edit)


def require_target(edit: Edit) -> str:
    """The target of an edit that is trained on it.

    Raises:
        InvalidEditError: it has none.
    """
    if edit.target_new is None:
        raise InvalidEditError(
            f"{edit.prompt!r} has no target to train on.",
            hint="Pass target_new=, or use an editor that takes statements (ike).",
        )
    return edit.target_new


def end_of(lm: LM) -> int:
    """The token that ends an answer.

    The sequence-to-sequence originals (KE, MEND, T-Patcher, GRACE on T5) have it in every target; a
    causal port that leaves it out cannot learn to say the target and nothing else.

    Raises:
        InvalidInputError: the tokenizer has none.
    """
    token = lm.tokenizer.eos_token_id
    if token is None:
        raise InvalidInputError(
            "This tokenizer has no token that ends an answer.", hint="Set end=false."
        )
    return int(token)


def sequence_prompt(
    lm: LM,
    prompt: str,
    target: str | None,
    subject: str | None,
    template: str = PLAIN,
    *,
    end: bool = False,
) -> Sequenced:
    """A prompt in a context, with its target and the position of its subject.

    With ``end`` the target ends with :func:`end_of`.

    Where the subject's last token would be the very first of the text, a line break goes before
    it: many models make of position 0 an attention sink, whose key belongs to every text.
    """
    found = _build_sequence(lm, prompt, target, subject, template, end)
    if found.column == 0:
        template = template.replace(PLAIN, _APART + PLAIN)
        return _build_sequence(lm, prompt, target, subject, template, end)
    return found


def _build_sequence(
    lm: LM, prompt: str, target: str | None, subject: str | None, template: str, end: bool
) -> Sequenced:
    before, _, after = template.partition(PLAIN)
    text = before + prompt + after
    row = Row(text, target=target)
    if target is None:
        ids, wanted = lm.codec.prompt(row, prefixed=False), torch.tensor([], dtype=torch.long)
    else:
        ids, wanted = lm.codec.with_target(row, prefixed=False)
        if end:
            wanted = torch.cat([wanted, wanted.new_tensor([end_of(lm)])])
    column = -1
    if subject is not None:
        first, last = (len(before) + at for at in find_subject(prompt, subject))
        column = _find_last_token(lm, text, first, last)
    # Without the last token of the target, which is predicted and never read.
    return Sequenced(torch.cat([ids, wanted[:-1]]), wanted, column)


def _find_last_token(lm: LM, text: str, start: int, end: int) -> int:
    """The last token whose characters meet [start, end).

    Raises:
        InvalidInputError: the tokenizer does not say which characters its tokens stand for.
    """
    try:
        encoded = lm.tokenizer(text, return_offsets_mapping=True, add_special_tokens=True)
    except NotImplementedError:
        raise InvalidInputError(
            "This tokenizer does not tell where its tokens are in the text.",
            hint="Load a fast tokenizer (use_fast=True).",
        ) from None
    spans = list(enumerate(encoded["offset_mapping"]))
    # Special tokens stand for no characters: (0, 0).
    found = [i for i, (a, b) in spans if a < end and b > start and b > a]
    if not found:
        raise InvalidEditError(f"No token of {text!r} belongs to its subject.")
    return found[-1]
