"""FT: unconstrained fine-tuning of one layer, the baseline of ROME's paper (Meng et al. 2022)."""

from __future__ import annotations

from typing import ClassVar

from memedit.core.options import holds_settings
from memedit.editors.weights.finetuning import PROMPT_LAST, FineTuning


@holds_settings
class Ft(FineTuning):
    """Fine-tuning without a bound, on the published code's objective (``prompt_last``)."""

    name: ClassVar[str] = "ft"
    objective: str = PROMPT_LAST
