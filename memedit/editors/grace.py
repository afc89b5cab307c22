"""GRACE: a codebook at one layer (Hartvigsen et al. 2023, arXiv 2211.11031).

Where the prompt ends, the layer's input is compared with the keys of all edits; within a key's
radius the layer's output is replaced by the edit's value. Everywhere else the model is the base,
bit for bit. Settings and site are those published for Llama-2 7B: an editor of exact prompts.
"""

from __future__ import annotations

from typing import ClassVar

from memedit.core.options import holds_settings
from memedit.editors.beside.codebook import CodebookEditor


@holds_settings
class Grace(CodebookEditor):
    """The published form: keys and values at ``mlp_out``, radius 1, Adam at rate 1, cold values."""

    name: ClassVar[str] = "grace"
