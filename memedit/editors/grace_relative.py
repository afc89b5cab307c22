"""GRACE with radii that fit the model: a variant of ours of :mod:`memedit.editors.grace`.

The published radius 1.0 means something else in every model and layer. Here the key is what enters
a block, divided by its root mean square, so that every key has the same norm; the radius is a share
of it, and no ball reaches into one of another label. The value is what the block says, and is
trained from there, in steps relative to its size.
"""

from __future__ import annotations

from typing import ClassVar

from memedit.core.calls import LM
from memedit.core.options import holds_settings
from memedit.editors.beside.codebook import WARM, CodebookEditor
from memedit.engine.codebook import Rule


@holds_settings
class GraceRelative(CodebookEditor):
    """Keys and values at a block, radius relative to the keys' norm, warm values.

    Attributes:
        radius: As a share of the key's norm.
        rate: Of Adam, relative to the root mean square of what the block says.
    """

    name: ClassVar[str] = "grace_relative"
    scaled: ClassVar[bool] = True
    radius: float = 0.2
    rate: float = 0.3
    initial: str = WARM

    @property
    def rule(self) -> Rule:
        return Rule(self.radius, relative=True, normalise=True, disjoint=True)

    def site(self, lm: LM, layer: int) -> str:
        return lm.sites.block(layer)
