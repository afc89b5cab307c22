"""SERAC's counterfactual models: the frozen base, an adapter beside it, another language model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memedit.core.errors import InvalidInputError
from memedit.core.untrusted import load_tensors, read_json
from memedit.engine.interventions import LoRA

if TYPE_CHECKING:
    from torch import Tensor

    from memedit.engine.engine import Engine

WEIGHTS, CONFIG, MANIFEST = "adapter_model.safetensors", "adapter_config.json", "manifest.json"


@dataclass(frozen=True, slots=True)
class Adapter:
    """A trained LoRA adapter, in PEFT's file format, installed for single calls only.

    Attributes:
        modules: One intervention per adapted module.
        manifest: What it was trained for (``base``: a fingerprint) and on.
    """

    modules: tuple[LoRA, ...]
    manifest: dict[str, Any]

    @classmethod
    def load(cls, folder: Path) -> Adapter:
        """Read ``adapter_model.safetensors``, ``adapter_config.json`` and ``manifest.json``.

        Raises:
            InvalidInputError: the folder holds no adapter of this kind.
        """
        try:
            config, manifest = read_json(folder / CONFIG), read_json(folder / MANIFEST)
            modules = _modules(load_tensors(folder / WEIGHTS), config)
        except (OSError, ValueError, KeyError, TypeError, ArithmeticError) as error:
            raise InvalidInputError(
                f"There is no counterfactual adapter in {folder} ({error}).",
                hint="Train one: memedit train counterfactual --out DIR.",
            ) from None
        return cls(modules, manifest)


def _modules(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> tuple[LoRA, ...]:
    """One intervention per adapted module.

    Raises:
        ValueError: matrices that do not fit together; KeyError, TypeError: something is lacking.
    """
    scale, found = config["lora_alpha"] / config["r"], list[LoRA]()
    for name in sorted(name for name in tensors if name.endswith(".lora_A.weight")):
        a, b = tensors[name].float(), tensors[name.replace("lora_A", "lora_B")].float()
        if a.dim() != 2 or b.dim() != 2 or a.shape[0] != b.shape[1]:
            raise ValueError(f"{name} of shape {tuple(a.shape)} beside {tuple(b.shape)}")
        found.append(LoRA(site=_site(name), a=a, b=b, scale=scale))
    return tuple(found)


def _site(name: str) -> str:
    """Path of the module on the bare model, from PEFT's name of its adapter."""
    return name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")


@lru_cache(maxsize=4)
def load_adapter(folder: str) -> Adapter:
    return Adapter.load(Path(folder))


def find_shipped() -> Path:
    """Folder of the adapters in the package, one sub-folder each."""
    return Path(str(files("memedit.editors").joinpath("adapters")))


@lru_cache(maxsize=16)
def adapter_for(fingerprint: str) -> Adapter | None:
    """The shipped adapter trained for the base with this fingerprint, if there is one."""
    for manifest in sorted(find_shipped().glob(f"*/{MANIFEST}")):
        if json.loads(manifest.read_text("utf-8")).get("base") == fingerprint:
            return load_adapter(str(manifest.parent))
    return None


@lru_cache(maxsize=2)
def open_other_model(name: str) -> Engine:
    """The engine of another language model, loaded once."""
    # Only here: reading a note or an adapter needs no engine.
    from memedit.engine import loading
    from memedit.engine.engine import Engine

    return Engine(*loading.load(name))
