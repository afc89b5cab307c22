"""Options that a call does not take: refused with the nearest that it does."""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec, TypeVar

from memedit.core.errors import UnknownOptionError

if sys.version_info >= (3, 11):
    from typing import dataclass_transform
else:
    from typing_extensions import dataclass_transform

P = ParamSpec("P")
R = TypeVar("R")
_BOUND = frozenset({"self", "cls"})
_LISTED = 24
"""Options that are listed where the nearest are known; ``generate`` has a hundred."""


def unknown_option(
    call: str, name: str, known: Iterable[str], *, kind: str = "option"
) -> UnknownOptionError:
    """The error for an option that ``call`` does not take, with the nearest of those it does."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    told = [f"Did you mean: {', '.join(near)}?"] if near else []
    if not near or len(names) <= _LISTED:
        told.append(f"It has: {', '.join(names) or 'none'}.")
    return UnknownOptionError(f"{call} has no {kind} {name!r}.", hint=" ".join(told))


def check_options(call: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse options that ``call`` does not take.

    Raises:
        UnknownOptionError: naming the first, and the nearest that there is.
    """
    taken = set(known)
    for name in given:
        if name not in taken:
            raise unknown_option(call, name, taken)


def known_options(call: Callable[P, R]) -> Callable[P, R]:
    """A function or method that tells misspelt options with :class:`UnknownOptionError`: Python's
    own error, before 3.13, does not say what there is. To type checkers and ``inspect`` it is as
    before."""
    known = frozenset(inspect.signature(call).parameters) - _BOUND
    named = call.__qualname__.removesuffix(".__init__")

    @wraps(call)
    def checked(*args: P.args, **options: P.kwargs) -> R:
        if not known.issuperset(options):
            check_options(named, options, known)
        return call(*args, **options)

    return checked


def known_fields(cls: type[R]) -> type[R]:
    """:func:`known_options` for a dataclass."""
    cls.__init__ = known_options(cls.__init__)  # type: ignore[method-assign]
    return cls


@dataclass_transform(kw_only_default=True, frozen_default=True)
def holds_settings(cls: type[R]) -> type[R]:
    """A frozen dataclass whose fields are settings, each given by its name: of editors and scopes.
    Misspelt ones are told as by :func:`known_options`."""
    return known_fields(dataclass(frozen=True, kw_only=True)(cls))
