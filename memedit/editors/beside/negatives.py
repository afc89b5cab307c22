"""What a new neuron shall not answer to: texts of the unedited model, and strangers to the edit."""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from memedit.core.calls import LM, Batch, Row
from memedit.core.errors import InvalidInputError
from memedit.core.files import open_text
from memedit.core.types import Edit
from memedit.editors._sequences import sequence_edit, sequence_prompt
from memedit.engine.passes import Pass

_OPENINGS = (
    "The", "In", "It", "She", "He", "They", "I", "You", "We", "A", "This", "When", "After", "What",
    "Who", "Where", "How", "On", "At", "For", "One", "There", "If", "As", "My", "By", "From",
    "With", "Some", "Many", "However", "Today",
)  # fmt: skip
_LENGTH = 48
_ROWS = 24
_SAMPLING = {"do_sample": True, "top_k": 50, "top_p": 1.0, "temperature": 1.0}
STRANGERS = (
    "Marie Curie", "Toyota", "Norway", "Jazz", "the Danube", "Microsoft", "Lima", "Leo Tolstoy",
    "Mount Fuji", "BBC", "Bruce Lee", "Kenya", "Python", "Anna Berg", "Real Madrid", "Saturn",
    "Johann Sebastian Bach", "Texas", "IBM", "The Hobbit", "Ferrari", "Amsterdam",
    "Serena Williams", "Windows 95",
)  # fmt: skip
"""Subjects of many kinds, to stand where an edit's subject stands."""


def sample_texts(lm: LM, number: int, seed: int) -> list[Tensor]:
    """Texts [T] that the unedited model writes by itself, of about so many tokens together.

    The same for one model, number and seed; the global random state is left alone.
    """
    key = ("sampled", lm.fingerprint, number, seed)
    if key not in lm.kept:
        lm.kept[key] = _sample_texts(lm.original, number, seed)
    found: list[Tensor] = lm.kept[key]
    return found


def _sample_texts(lm: LM, number: int, seed: int) -> list[Tensor]:
    count = -(-number // _LENGTH)
    rows = tuple(Row(_OPENINGS[i % len(_OPENINGS)]) for i in range(count))
    device = lm.base.device
    with torch.random.fork_rng(devices=[] if device.type == "cpu" else [device]):
        torch.manual_seed(seed)
        options = {**_SAMPLING, "max_new_tokens": _LENGTH}
        said = lm.generate(Batch(rows, options=options))
    return [
        lm.codec.ids(f"{row.prompt}{one.text}", special=True)
        for row, one in zip(rows, said, strict=True)
    ]


def states(lm: LM, site: str, layer: int, number: int, seed: int) -> Tensor:
    """[m, d_in] what a module of a layer reads in such texts, their first tokens left out;
    m <= number, evenly from all of them."""
    key = ("states", lm.fingerprint, site, number, seed)
    if key not in lm.kept:
        texts = [ids for ids in sample_texts(lm, number, seed) if len(ids) > 1]
        seen = inputs(lm.original, site, layer, texts, [range(1, len(ids)) for ids in texts])
        lm.kept[key] = seen[:: max(1, len(seen) // max(1, number))][:number]
    found: Tensor = lm.kept[key]
    return found


def draw_prompts(path: str, key: str, number: int) -> list[str]:
    """So many lines of a file of prompts, the same for one key.

    Raises:
        InvalidInputError: it cannot be read, or has fewer.
    """
    try:
        with open_text(Path(path).expanduser()) as lines:
            found = [line.strip() for line in lines if line.strip()]
    except (OSError, UnicodeDecodeError, EOFError, zlib.error) as error:
        raise InvalidInputError(f"{path} cannot be read as prompts ({error}).") from None
    if len(found) < number:
        raise InvalidInputError(f"{path} has {len(found)} prompts; {number} are needed.")
    return random.Random(key).sample(found, number)


def strangers(
    lm: LM, site: str, layer: int, edit: Edit, number: int, *, end: bool = False
) -> list[Tensor]:
    """For each token of the target, [s, d_in] what the module reads before it where the edit's
    own words are about others; s is 0 where the edit has no subject.

    Args:
        lm: The model.
        site: Path of the module.
        layer: Its layer.
        edit: With a target.
        number: How many others.
        end: The end of the answer is part of the target.
    """
    own = sequence_edit(lm, edit, end=end)
    template = edit.template
    names = [n for n in STRANGERS if template is not None and n != edit.subject][:number]
    prompts = [str(template).replace("{}", name) for name in names]
    rows = [sequence_prompt(lm, prompt, edit.target_new, None, end=end) for prompt in prompts]
    # Tokens may merge with the prompt's: only as many targets can be told apart place by place.
    rows = [row for row in rows if len(row.target) == len(own.target)]
    if not rows:
        return [torch.empty(0)] * len(own.target)
    seen = inputs(lm, site, layer, [row.ids for row in rows], [row.places for row in rows])
    return list(seen.reshape(len(rows), len(own.target), -1).transpose(0, 1))


def inputs(
    lm: LM, site: str, layer: int, rows: Sequence[Tensor], columns: Sequence[Sequence[int]]
) -> Tensor:
    """[n, d_in] float32 what a module of a layer reads at these positions of each text."""
    found: list[Tensor] = []
    for start in range(0, len(rows), _ROWS):
        part = slice(start, start + _ROWS)

        def read(x: Tensor, y: Tensor, part: slice = part) -> None:
            for row, at in zip(x, columns[part], strict=True):
                found.append(row[list(at)].detach().float().cpu())

        with torch.no_grad():
            Pass(lm, rows[part], first=layer).run(after={site: read}, last=layer)
    return torch.cat(found)
