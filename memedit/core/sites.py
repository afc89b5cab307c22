"""Where an architecture keeps its parts: the only table of ``model_type`` in memedit.

To support another architecture, add one row to ``ARCHITECTURES``: the paths of its modules with
``{}`` for the number of the layer, as ``model.get_submodule`` takes them on the bare
``...ForCausalLM`` model. ``tests/core/test_sites.py`` checks every row against a tiny real model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from memedit.core.errors import InvalidInputError, UnsupportedArchitectureError

if TYPE_CHECKING:
    from torch import nn

_WRAPPERS = ("base_model", "_orig_mod", "module", "model")
"""Children under which PEFT, ``torch.compile`` and data parallelism keep the bare model."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """One row of the table.

    Attributes:
        block: A transformer layer.
        mlp: The feed-forward module; None where the layer holds its linear maps directly.
        mlp_in: The maps into the feed-forward layer's neurons (one, or gate and up).
        mlp_out: The map out of them, the edit site: its input is the key, its output the value.
        attention: The self-attention module.
        query_value: In it, the maps to queries and values; one, where the keys' is the same.
        attention_out: In it, the map out of the heads.
        embed: The token embedding.
        final_norm: The norm before the head.
        head: The output projection (often tied to ``embed``).
        conv1d: Last path components of modules whose weight is [in, out] (``Conv1D``).
    """

    block: str
    mlp: str | None
    mlp_in: tuple[str, ...]
    mlp_out: str
    attention: str
    embed: str
    final_norm: str
    query_value: tuple[str, ...] = ("q_proj", "v_proj")
    attention_out: str = "o_proj"
    head: str = "lm_head"
    conv1d: tuple[str, ...] = ()


_LLAMA = Architecture(
    block="model.layers.{}",
    mlp="model.layers.{}.mlp",
    mlp_in=("model.layers.{}.mlp.gate_proj", "model.layers.{}.mlp.up_proj"),
    mlp_out="model.layers.{}.mlp.down_proj",
    attention="model.layers.{}.self_attn",
    embed="model.embed_tokens",
    final_norm="model.norm",
)
_GPT2 = Architecture(
    block="transformer.h.{}",
    mlp="transformer.h.{}.mlp",
    mlp_in=("transformer.h.{}.mlp.c_fc",),
    mlp_out="transformer.h.{}.mlp.c_proj",
    attention="transformer.h.{}.attn",
    embed="transformer.wte",
    final_norm="transformer.ln_f",
    query_value=("c_attn",),
    attention_out="c_proj",
    conv1d=("c_attn", "c_fc", "c_proj"),
)
_GPT_NEOX = Architecture(
    block="gpt_neox.layers.{}",
    mlp="gpt_neox.layers.{}.mlp",
    mlp_in=("gpt_neox.layers.{}.mlp.dense_h_to_4h",),
    mlp_out="gpt_neox.layers.{}.mlp.dense_4h_to_h",
    attention="gpt_neox.layers.{}.attention",
    embed="gpt_neox.embed_in",
    final_norm="gpt_neox.final_layer_norm",
    query_value=("query_key_value",),
    attention_out="dense",
)
_OPT = Architecture(
    block="model.decoder.layers.{}",
    mlp=None,
    mlp_in=("model.decoder.layers.{}.fc1",),
    mlp_out="model.decoder.layers.{}.fc2",
    attention="model.decoder.layers.{}.self_attn",
    embed="model.decoder.embed_tokens",
    final_norm="model.decoder.final_layer_norm",
    attention_out="out_proj",
)

ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        "gemma": _LLAMA,
        "gemma2": _LLAMA,
        "gemma3_text": _LLAMA,
        "gpt2": _GPT2,
        "gpt_neox": _GPT_NEOX,
        "gptj": replace(
            _GPT2,
            mlp_in=("transformer.h.{}.mlp.fc_in",),
            mlp_out="transformer.h.{}.mlp.fc_out",
            query_value=("q_proj", "v_proj"),
            attention_out="out_proj",
            conv1d=(),
        ),
        "llama": _LLAMA,
        "mistral": _LLAMA,
        "olmo2": _LLAMA,
        "opt": _OPT,
        "phi": replace(
            _LLAMA,
            mlp_in=("model.layers.{}.mlp.fc1",),
            mlp_out="model.layers.{}.mlp.fc2",
            final_norm="model.final_layernorm",
            attention_out="dense",
        ),
        "phi3": replace(
            _LLAMA, mlp_in=("model.layers.{}.mlp.gate_up_proj",), query_value=("qkv_proj",)
        ),
        "qwen2": _LLAMA,
        "qwen3": _LLAMA,
        "starcoder2": replace(
            _LLAMA,
            mlp_in=("model.layers.{}.mlp.c_fc",),
            mlp_out="model.layers.{}.mlp.c_proj",
        ),
    }
)
"""``model_type`` of the config -> where its modules are."""


@dataclass(frozen=True, slots=True)
class Sites:
    """The module paths of one model, each valid for its ``get_submodule``.

    Layers count from 0; a negative one counts from the end, as in Python. Every method that takes
    a layer raises :class:`InvalidInputError` when the model has no such layer.

    Attributes:
        architecture: The row of the table.
        layers: Number of transformer layers.
        prefix: What a wrapper (PEFT, ``torch.compile``) puts before every path.
    """

    architecture: Architecture
    layers: int
    prefix: str = ""

    def block(self, layer: int) -> str:
        """The transformer layer; its output is the residual stream."""
        return self._path(self.architecture.block, layer)

    def mlp(self, layer: int) -> str | None:
        """The feed-forward module, or None where the architecture has no such module."""
        template = self.architecture.mlp
        return None if template is None else self._path(template, layer)

    def mlp_in(self, layer: int) -> tuple[str, ...]:
        """The maps into the neurons: one, or gate and up."""
        return tuple(self._path(template, layer) for template in self.architecture.mlp_in)

    def mlp_out(self, layer: int) -> str:
        """The map out of the neurons (``down_proj``), the edit site."""
        return self._path(self.architecture.mlp_out, layer)

    def attention(self, layer: int) -> str:
        """The self-attention module."""
        return self._path(self.architecture.attention, layer)

    def query_value(self, layer: int) -> tuple[str, ...]:
        """The maps to queries and values: two, or one that is also that to keys."""
        attention = self.attention(layer)
        return tuple(f"{attention}.{name}" for name in self.architecture.query_value)

    def attention_out(self, layer: int) -> str:
        """The map out of the heads."""
        return f"{self.attention(layer)}.{self.architecture.attention_out}"

    @property
    def embed(self) -> str:
        return self.prefix + self.architecture.embed

    @property
    def final_norm(self) -> str:
        return self.prefix + self.architecture.final_norm

    @property
    def head(self) -> str:
        return self.prefix + self.architecture.head

    def is_conv1d(self, site: str) -> bool:
        """Whether the weight of this module is [in, out] (GPT-2) and not [out, in]."""
        return site.rsplit(".", 1)[-1] in self.architecture.conv1d

    def _path(self, template: str, layer: int) -> str:
        if not -self.layers <= layer < self.layers:
            raise InvalidInputError(
                f"The model has no layer {layer}.",
                hint=f"Its layers are 0 to {self.layers - 1}.",
            )
        return self.prefix + template.format(layer % self.layers)  # -1: the last


def find(base: nn.Module) -> Sites:
    """The sites of a causal language model, also inside PEFT or ``torch.compile``.

    Raises:
        UnsupportedArchitectureError: the table has no row for the model's ``model_type``, or the
            row does not fit this model.
    """
    kind = model_type(base)
    if (architecture := ARCHITECTURES.get(kind)) is None:
        raise UnsupportedArchitectureError(
            f"memedit does not know where a {kind!r} model keeps its layers.",
            hint="Add a row to ARCHITECTURES in memedit/core/sites.py with the paths of its "
            f"modules (print the model to see them). Known: {', '.join(ARCHITECTURES)}.",
        )
    stack = architecture.block.removesuffix(".{}")
    for prefix, module in _unwrap(base):
        # The first that holds the layers: wrappers stand inside one another.
        if (layers := _child(module, stack)) is not None:
            return Sites(architecture, len(list(layers.children())), prefix)
    raise UnsupportedArchitectureError(
        f"This {kind!r} model has no module {stack!r}, where its layers should be.",
        hint="Pass the ...ForCausalLM model itself, not its inner model or a custom wrapper.",
    )


def model_type(base: nn.Module) -> str:
    """``model_type`` of the model's config; "" when it has none."""
    config: Any = getattr(base, "config", None)
    if isinstance(config, Mapping):
        return str(config.get("model_type", ""))
    return str(getattr(config, "model_type", ""))


def _unwrap(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The model, then what each wrapper holds, with the path to it."""
    yield prefix, module
    for name in _WRAPPERS:
        if (inner := _child(module, name)) is not None:
            yield from _unwrap(inner, f"{prefix}{name}.")


def _child(module: nn.Module, path: str) -> nn.Module | None:
    """The submodule at this path; unlike ``get_submodule``, blind to what a wrapper passes on."""
    for name in path.split("."):
        found = dict(module.named_children()).get(name)
        if found is None:
            return None
        module = found
    return module
