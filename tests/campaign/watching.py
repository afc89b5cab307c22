"""What must be the same afterwards: a base's weights and hooks."""

from __future__ import annotations

import hashlib
from typing import Any


def hash_of(base: Any) -> str:
    """A hash of every weight, and of how many hooks there are (they leave none)."""
    total = hashlib.sha256()
    for name, tensor in sorted(base.state_dict().items()):
        total.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    left = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in base.modules())
    return f"{total.hexdigest()} {left} hooks"
