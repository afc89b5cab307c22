"""The methods that both sides run, with the settings of each said twice: ours, and EasyEdit's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from memedit.core.calls import LM
from memedit.editors.weights.locating import LOCATED
from memedit.editors.weights.spreading import default_layers

_STEPS, _WEIGHT = 50, 1.4
Settings = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Method:
    """A method on both sides.

    Attributes:
        peer: EasyEdit's name of it.
        ours: As ``memedit compare --editors`` takes it.
        settings: EasyEdit's own settings beside those all share, for a model.
        layers: Whose second moments it needs.
        padding: The side on which its editor pads.
    """

    peer: str
    ours: str
    settings: Callable[[LM], Settings]
    layers: Callable[[LM], Sequence[int]] = lambda lm: ()
    padding: str = "right"


def _modules(lm: LM) -> Settings:
    """Its templates: the paths of the model's modules, with ``{}`` for the layer."""
    sites = lm.sites
    paths = {
        "rewrite_module_tmp": sites.mlp_out(0), "layer_module_tmp": sites.block(0),
        "mlp_module_tmp": sites.mlp_out(0).rpartition(".")[0],
        "attn_module_tmp": sites.attention(0),
    }  # fmt: skip
    block = sites.block(0).removesuffix("0")
    made: Settings = {k: f"{block}{{}}{v.removeprefix(f'{block}0')}" for k, v in paths.items()}
    # It looks the head up among the named parameters, where a tied one is the embedding's.
    tied = bool(getattr(lm.base.config, "tie_word_embeddings", False))
    return made | {
        "ln_f_module": sites.final_norm, "lm_head_module": sites.embed if tied else sites.head,
    }  # fmt: skip


def _located(lm: LM) -> Settings:
    return _modules(lm) | {
        "fact_token": "subject_last", "v_num_grad_steps": 20, "v_lr": 0.5,
        "v_loss_layer": lm.sites.layers - 1, "v_weight_decay": 0.5, "kl_factor": 0.0625,
        "mom2_adjustment": True, "mom2_dataset": "wikipedia", "mom2_n_samples": 100_000,
        "mom2_dtype": "float32",
    }  # fmt: skip


def _rome(lm: LM) -> Settings:
    return _located(lm) | {
        "layers": [lm.sites.layers // LOCATED], "clamp_norm_factor": 4.0,
        "context_template_length_params": [[5, 10], [10, 10]],
    }  # fmt: skip


def _memit(lm: LM) -> Settings:
    weight = lm.base.get_submodule(lm.sites.mlp_out(0)).weight
    width = weight.shape[0 if lm.sites.is_conv1d(lm.sites.mlp_out(0)) else 1]
    return _located(lm) | {
        "layers": list(default_layers(lm.sites.layers)), "layer_selection": "all",
        "clamp_norm_factor": 0.75, "mom2_update_weight": _WEIGHT * width,
    }  # fmt: skip


def _ft(lm: LM) -> Settings:
    return _modules(lm) | {
        "layers": [0], "num_steps": 25, "lr": 5e-4, "weight_decay": 0.0, "kl_factor": 0.0,
        "norm_constraint": 2e-3, "objective_optimization": "prompt_last", "batch_size": 1,
    }  # fmt: skip


def _grace(lm: LM) -> Settings:
    site = lm.sites.mlp_out(int(lm.sites.layers * 27 / 32))
    site = re.sub(r"\.(\d+)\.", r"[\1].", site)  # it evaluates the path as an expression
    return {
        "edit_lr": 1.0, "n_iter": _STEPS, "eps": 1.0, "dist_fn": "euc", "val_init": "cold",
        "val_train": "sgd", "val_reg": "None", "reg": "early_stop", "replacement": "replace_last",
        "eps_expand": "coverage", "num_pert": 8, "dropout": 0.0, "inner_params": [f"{site}.weight"],
    }  # fmt: skip


METHODS: Mapping[str, Method] = {
    "ROME": Method(
        "ROME", "rome(variant=original,plain=none,emphasis=none,prefixes=20)-ungated", _rome,
        lambda lm: [lm.sites.layers // LOCATED],
    ),
    "MEMIT": Method(
        "MEMIT", f"memit(shrinkage={_WEIGHT})-ungated", _memit,
        lambda lm: default_layers(lm.sites.layers),
    ),
    "FT-L": Method("FT", "ft_l-ungated", _ft, padding="left"),
    "GRACE": Method("GRACE", f"grace(steps={_STEPS})-ungated", _grace, padding="left"),
}  # fmt: skip
"""By name: EasyEdit's yaml for these methods, with layers and bound as ours are for this model."""
