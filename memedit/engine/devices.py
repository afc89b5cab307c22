"""Where a model computes: a device of torch's by name, or the best that is here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from memedit.core.errors import InvalidInputError

if TYPE_CHECKING:
    import torch

AUTO = "auto"
VARIABLE = "MEMEDIT_DEVICE"


def choose_device(device: str | torch.device | None = None) -> torch.device | None:
    """The device of that name, seen to be here before anything is loaded.

    Args:
        device: A name of torch's (``"cuda:1"``), or ``"auto"``: CUDA where there is a GPU for it,
            else Apple's (MPS), else the CPU. None: ``$MEMEDIT_DEVICE``, else None.

    Raises:
        InvalidInputError: torch has no device of that name, or it is not here.
    """
    import torch

    wanted = device if device is not None else os.environ.get(VARIABLE) or None
    if wanted is None:
        return None
    if wanted == AUTO:
        return torch.device(find_best())
    try:
        found = torch.device(wanted)
        torch.empty(0, device=found)
    # torch says it in many ways: a build without CUDA by an AssertionError.
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        raise InvalidInputError(
            f"There is no device {str(wanted)!r} here.",
            hint=f"'auto' takes the best there is, here {find_best()!r}; memedit doctor shows it.",
        ) from error
    return found


def find_best() -> str:
    """``cuda``, ``mps`` or ``cpu``: the first of them that this machine and its torch have."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
