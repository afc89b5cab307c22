"""Longer texts that the model writes or reads: fluency, consistency, essence, a collapse's alarm.

Definitions: Meng et al. 2022 (arXiv 2202.05262), section 3.4: one sampled text per generation
prompt, top-k 5, prompt and text together at most 100 tokens. The authors' code takes no notice of
the token that ends a text (``gen_fluency_full``); a text as users get it ends there
(``gen_fluency``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch

from memedit.core.errors import InvalidInputError
from memedit.core.types import Edit
from memedit.data.cases import GENERATION, EvalCase
from memedit.evaluation.asking.asker import Asker
from memedit.evaluation.measures import text

if TYPE_CHECKING:
    from memedit.model.editable import EditableModel

TOKENS = 100
_TOP_K = 5
FIXED = (
    "My favourite thing about the summer is",
    "The history of the bicycle begins with",
    "To bake a loaf of bread, you first",
    "The old lighthouse keeper looked out and",
    "In mathematics, a prime number is",
    "The city council met on Tuesday to discuss",
    "When the rain finally stopped, the children",
    "A good teacher is someone who",
    "The main causes of the war were",
    "Researchers have recently found that",
)
"""Prompts that no edit is about: texts of low entropy after them tell that the model collapsed."""


def sample_texts(
    asker: Asker, prompts: Sequence[str], seed: int, *, full: bool = False
) -> list[str]:
    """One text per prompt, the prompt included; ``full``: none ends before 100 tokens."""
    # The 100 tokens are of prompt and text together, as ROME counts.
    length = max((len(asker.model.tokenizer(p).input_ids) for p in prompts), default=0)
    room = max(1, TOKENS - length)
    options = {"do_sample": True, "top_k": _TOP_K, "max_new_tokens": room}
    if full:
        options["min_new_tokens"] = room
    # What is measured must not change what the caller draws afterwards.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        answers = asker.answers(prompts, **options)
    return [f"{p} {a.text}" for p, a in zip(prompts, answers, strict=True)]


def measure_about(
    asker: Asker, case: EvalCase, weights: Any, seed: int
) -> Iterator[tuple[str, float, dict[str, str]]]:
    """(measure, value, what to show with it) of a case's texts.

    Args:
        asker: Asks the model.
        case: Its generation prompts, reference and essence texts.
        weights: TF-IDF's, of the references of all cases; None where no case has any.
        seed: Of the samples.
    """
    prompts = [probe.prompt for probe in case.probes if probe.kind == GENERATION]
    written = sample_texts(asker, prompts, seed) if prompts else []
    for each in written:
        yield "gen_fluency", text.fluency(each), {"kind": GENERATION, "text": each}
    for each in sample_texts(asker, prompts, seed, full=True) if prompts else []:
        yield "gen_fluency_full", text.fluency(each), {"kind": GENERATION, "text": each}
    if written and case.references:
        yield "gen_consistency", text.consistency(written, case.references, weights), {}
    if case.essence:
        yield "essence", perplexity(asker, " ".join(case.essence)), {}


def measure_fixed(asker: Asker, seed: int) -> list[float]:
    """Entropy in bits of a text after each of the fixed prompts."""
    return [text.fluency(each) for each in sample_texts(asker, FIXED, seed)]


def measure_alone(model: EditableModel, edit: Edit, seed: int = 0) -> tuple[float, float]:
    """Mean entropy in bits of the fixed prompts with this edit alone, and without it.

    Tells whether an edit that :func:`memedit.evaluation.measures.forgetting.find_disabling` names
    is one: a disabling edit destroys what the fresh model writes, and so the first is far below
    the second.

    Args:
        model: With its editor and scope, and an empty memory; the edit is taken back afterwards.
        edit: The edit.
        seed: Of the samples.

    Raises:
        InvalidInputError: the memory holds edits.
    """
    if len(model.memory):
        raise InvalidInputError("The model has edits.", hint="Give one with an empty memory.")
    asker = Asker(model)
    before = measure_fixed(asker, seed)
    receipt = model.edit_many([edit])[0]
    try:
        after = measure_fixed(asker, seed)
    finally:
        model.forget(receipt.id)
    return sum(after) / len(after), sum(before) / len(before)


def perplexity(asker: Asker, content: str) -> float:
    """exp of the mean -log p of the text's first 100 tokens, the first given."""
    ids = torch.tensor([asker.model.tokenizer(content).input_ids[:TOKENS]])
    with torch.no_grad():
        # The last position predicts a token that the text does not have.
        logits = asker.model(input_ids=ids.to(asker.model.device)).logits[0, :-1]
    chosen = logits.float().log_softmax(-1).cpu().gather(-1, ids[0, 1:, None])
    # Summed in float64, which loses none of the digits on the way.
    return math.exp(-float(chosen.double().mean()))
