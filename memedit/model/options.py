"""Options of ``generate``, as callers of ``ask`` give them: refused where nothing can be made of
them, before the model runs or by transformers itself."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any

from memedit.core.errors import InvalidInputError, MemeditError
from memedit.core.options import unknown_option
from memedit.engine.generation import GenerationSettings

_LEAST = {
    "max_new_tokens": 1, "max_length": 1, "min_new_tokens": 0, "min_length": 0, "num_beams": 1,
    "num_return_sequences": 1, "top_k": 0, "no_repeat_ngram_size": 0,
}  # fmt: skip
"""Whole numbers, and the smallest that each may be."""
_NUMBERS = ("temperature", "top_p", "repetition_penalty", "length_penalty", "max_time")
_COUNTED = ("max_new_tokens", "min_new_tokens", "num_beams", "num_return_sequences",
            "no_repeat_ngram_size")  # fmt: skip
"""What is counted with while a call is prepared."""
_WIDEST = 2**63
_THEIRS = f"{os.sep}transformers{os.sep}generation{os.sep}"


def check_lengths(options: Mapping[str, Any], size: int) -> None:
    """See that numbers are numbers.

    Args:
        options: Of one call.
        size: Of the vocabulary, which the ids of ends belong to.

    Raises:
        InvalidInputError: one is none, or below what it can be.
    """
    for name, least in _LEAST.items():
        value = options.get(name)
        if value is not None and not (_is(value, Integral) and value >= least):
            raise InvalidInputError(
                f"{name} must be a whole number of at least {least}, not {value!r:.40}."
            )
    for name in _NUMBERS:
        value = options.get(name)
        if value is not None and not _is(value, Real):
            raise InvalidInputError(f"{name} must be a number, not {value!r:.40}.")
    for end in GenerationSettings(options, None).eos:
        if not (_is(end, Integral) and 0 <= end < size):
            raise InvalidInputError(f"eos_token_id {end!r:.40} is no token of the model's {size}.")
    check_kinds(options)


def check_kinds(options: Mapping[str, Any], default: Any = None) -> None:
    """See that the options are of their kinds which an edited row's answer is worked out with: what
    else they may be is transformers' to say, which is asked afterwards.

    Args:
        options: Of one call of ``generate``.
        default: The base's own generation config.

    Raises:
        InvalidInputError: one is of another kind.
    """
    setting = GenerationSettings(options, default)
    for name in _COUNTED:
        _require(name, setting(name, 1), Integral, "a whole number")
    _require("repetition_penalty", setting("repetition_penalty", 1.0), Real, "a number")
    for end in setting.eos:
        _require("eos_token_id", end, Integral, "a token's id, or a list of ids")
    if (pad := setting.pad) is not None:
        _require("pad_token_id", pad, Integral, "a token's id")
        if not -_WIDEST <= pad < _WIDEST:
            raise InvalidInputError(f"pad_token_id must be a number of 64 bits, not {pad!r:.40}.")
    for name in ("logits_processor", "stopping_criteria"):
        value = setting(name, ())
        if not isinstance(value, Iterable) or not all(map(callable, value)):
            raise InvalidInputError(
                f"{name} must be a list of what can be called with ids and scores, "
                f"not {value!r:.40}.",
                hint=f"{name}=[...] of transformers' own, or functions (input_ids, scores).",
            )


def _require(name: str, value: object, kind: type, told: str) -> None:
    if not isinstance(value, kind):
        raise InvalidInputError(f"{name} must be {told}, not {value!r:.40}.")


def _is(value: object, kind: type) -> bool:
    # To Python True is a whole number; to a caller of generate it is a slip.
    return isinstance(value, kind) and not isinstance(value, bool)


@contextmanager
def refuse_unknown_options(base: Any) -> Iterator[None]:
    """Around a call with the caller's options of ``generate``.

    Raises:
        InvalidInputError: one that it does not have, with the nearest that it has; one of which
            transformers says that it cannot be.
    """
    try:
        yield
    except (ValueError, TypeError) as error:
        if isinstance(error, MemeditError):
            raise
        # transformers has no error class for it: the sentence is all there is to know it by.
        found = re.search(r"`model_kwargs` are not used by the model: \[(.*?)\]", str(error))
        if found is not None:
            names = [name.strip(" '\"") for name in found[1].split(",")]
            raise unknown_option("generate", names[0], base.generation_config.to_dict()) from error
        # What generate itself refuses is the caller's to mend; any other error is a bug, and stays
        # one.
        if _THEIRS in traceback.extract_tb(error.__traceback__)[-1].filename:
            told = " ".join(str(error).split())[:300]
            raise InvalidInputError(f"generate cannot take these options: {told}") from error
        raise
