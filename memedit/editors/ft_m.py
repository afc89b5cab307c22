"""FT-M: fine-tuning of one layer by teacher forcing over the target's tokens (EasyEdit's FT-M)."""

from __future__ import annotations

from typing import ClassVar

from memedit.core.options import holds_settings
from memedit.editors.weights.finetuning import TARGET, FineTuning


@holds_settings
class FtM(FineTuning):
    """Fine-tuning without a bound on the likelihood of the whole target."""

    name: ClassVar[str] = "ft_m"
    objective: str = TARGET
