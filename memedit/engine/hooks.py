"""Functions called at modules of the base model: the only place that touches hooks.

A hook lives from just before a call to its end, also when the call fails, and acts only in the
thread that installed it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from memedit.core.calls import Apply, Intervention, Row, Step
from memedit.core.errors import InvalidInputError

Before = Callable[[Any, Any], "Tensor | None"]
"""(positional arguments, keyword arguments) -> the first argument's new value, or None."""
After = Callable[[Tensor, Tensor], "Tensor | None"]
"""(input, output) -> the new output, or None to leave it."""


@contextmanager
def watch(
    base: Any, before: Mapping[str, Before] | None = None, after: Mapping[str, After] | None = None
) -> Iterator[None]:
    """Functions called at modules of ``base``, in this thread, for the length of the block.

    Args:
        base: A Hugging Face model.
        before: Path of a module -> what sees (and may replace) its first input.
        after: Path of a module -> what sees (and may replace) its output.
    """
    hooked = _Hooked()
    try:
        for site, see in (before or {}).items():
            hooked.before(base.get_submodule(site), _make_before(see))
        for site, change in (after or {}).items():
            hooked.after(base.get_submodule(site), _make_after(change))
        yield
    finally:
        hooked.remove()


@contextmanager
def install(
    base: Any,
    interventions: Sequence[Intervention],
    rows: Sequence[Row],
    mask: Tensor,
    last: Tensor | None = None,
) -> Iterator[None]:
    """Interventions, hooked in for the length of the block, which calls ``base`` once.

    Args:
        base: A Hugging Face model.
        interventions: In the order in which they act.
        rows: One per row of the call's tensors.
        mask: [B, T] int64, 1 at real tokens of the pass over the prompt.
        last: [B] column of each row's last prompt token; by default its last real token.

    Raises:
        InvalidInputError: the model has no module of an intervention's name.
    """
    hooked = _Hooked()
    try:
        for intervention in interventions:
            try:
                module = base.get_submodule(intervention.site)
            except AttributeError:
                raise InvalidInputError(
                    f"The base model has no module {intervention.site!r}.",
                    hint="Take paths from engine.sites.",
                ) from None
            hooked.after(module, _hook(intervention.bind(rows), mask, last))
        yield
    finally:
        hooked.remove()


class _Hooked:
    """Hooks that go with this object, if not before: wherever Ctrl-C falls, between torch's taking
    a hook and our being told its handle too, none stays behind to change later answers."""

    def __init__(self) -> None:
        self._all: list[tuple[nn.Module, Callable[..., Any]]] = []

    def before(self, module: nn.Module, hook: Callable[..., Any]) -> None:
        self._all.append((module, hook))
        module.register_forward_pre_hook(hook, with_kwargs=True)

    def after(self, module: nn.Module, hook: Callable[..., Any]) -> None:
        self._all.append((module, hook))
        module.register_forward_hook(hook, with_kwargs=True)

    def remove(self) -> None:
        while self._all:
            module, hook = self._all[-1]
            for hooks, ways in (
                (module._forward_hooks, module._forward_hooks_with_kwargs),
                (module._forward_pre_hooks, module._forward_pre_hooks_with_kwargs),
            ):
                # Copied in one step: other threads put theirs in and take them out meanwhile.
                for id in [id for id, each in list(hooks.items()) if each is hook]:
                    hooks.pop(id, None)
                    ways.pop(id, None)
            self._all.pop()

    __del__ = remove


@contextmanager
def pass_over(base: Any, blocks: Sequence[str], *, tuples: bool) -> Iterator[None]:
    """Blocks of ``base`` that hand on what they are given, for the length of the block.

    Not while other threads use the model.

    Args:
        base: A Hugging Face model.
        blocks: Paths of its blocks.
        tuples: They give their output in a tuple (:func:`gives_tuples`).
    """
    modules = [base.get_submodule(path) for path in blocks]

    def hand_on(*args: Any, **kwargs: Any) -> Tensor | tuple[Tensor]:
        hidden = find_first_input(args, kwargs)
        return (hidden,) if tuples else hidden

    try:
        for module in modules:
            # The instance's own attribute hides its class's method, until it is removed again.
            module.forward = hand_on
        yield
    finally:
        for module in modules:
            vars(module).pop("forward", None)


def gives_tuples(base: Any, block: str) -> bool:
    """Whether a block of ``base`` gives its output in a tuple: some architectures' do."""
    found: list[bool] = []
    hooked = _Hooked()
    try:
        hooked.after(
            base.get_submodule(block),
            lambda module, args, kwargs, out: found.append(isinstance(out, tuple)),
        )
        with torch.no_grad():
            base(input_ids=torch.tensor([[4, 5, 6]], device=base.device))
    finally:
        hooked.remove()
    return found[0]


def find_first_input(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    """What a module was called with: its first argument, however it was passed."""
    # Called by names alone, a block of transformers' still gets its hidden states first.
    value = args[0] if args else next(iter(kwargs.values()))
    assert isinstance(value, Tensor)
    return value


def _hook(apply: Apply, mask: Tensor, last: Tensor | None = None) -> Callable[..., Any]:
    """A forward hook for one call; the first pass it sees is the prompt's.

    ``last`` [B] is the column of each row's last prompt token; by default its last token.
    """
    prompt = [True]
    real = mask.bool()
    if last is None:
        # argmax finds the first maximum: in the mask turned round, that is the last real token.
        last = real.shape[1] - 1 - real.flip(1).long().argmax(1)

    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> Any:
        y = out[0] if isinstance(out, tuple) else out
        x = find_first_input(args, kwargs)
        prefill = prompt[0]
        prompt[0] = False
        # While decoding, every row's one new token is real.
        here = real if prefill else torch.ones(y.shape[:2], dtype=torch.bool, device=y.device)
        changed = apply(x, y, Step(prefill, last if prefill else None, here.to(y.device)))
        return (changed, *out[1:]) if isinstance(out, tuple) else changed

    return bind_to_thread(hook)


def bind_to_thread(hook: Callable[..., Any]) -> Callable[..., Any]:
    """A hook that acts in this thread only.

    Torch lists a module's hooks first, and asks of each how it wants to be called only then: one
    that its thread removes in between is called by another thread in another way.
    """
    thread = threading.get_ident()

    def call_in_thread(module: nn.Module, *given: Any) -> Any:
        return hook(module, *given) if threading.get_ident() == thread else None

    return call_in_thread


def _make_before(see: Before) -> Callable[..., Any]:
    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if (new := see(args, kwargs)) is None:
            return None
        if args:
            return (new, *args[1:]), kwargs
        name = next(iter(kwargs))
        return args, {**kwargs, name: new}

    return bind_to_thread(hook)


def _make_after(change: After) -> Callable[..., Any]:
    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> Any:
        y = out[0] if isinstance(out, tuple) else out
        if (new := change(find_first_input(args, kwargs), y)) is None:
            return None
        return (new, *out[1:]) if isinstance(out, tuple) else new

    return bind_to_thread(hook)
