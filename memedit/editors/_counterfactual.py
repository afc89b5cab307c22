"""SERAC's counterfactual models: the frozen base, an adapter beside it, another language model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from memedit.errors import InvalidInputError
from memedit.interventions import LoRA

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
        from safetensors.torch import load_file

        try:
            config = json.loads((folder / CONFIG).read_text("utf-8"))
            manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
            tensors = load_file(folder / WEIGHTS)
        except (OSError, ValueError) as error:
            raise InvalidInputError(
                f"There is no counterfactual adapter in {folder} ({error}).",
                hint="Train one: memedit train counterfactual --out DIR.",
            ) from None
        scale = config["lora_alpha"] / config["r"]
        names = [name for name in tensors if name.endswith(".lora_A.weight")]
        modules = tuple(
            LoRA(
                site=_site(name),
                a=tensors[name].float(),
                b=tensors[name.replace("lora_A", "lora_B")].float(),
                scale=scale,
            )
            for name in sorted(names)
        )
        return cls(modules, manifest)


def _site(name: str) -> str:
    """Path of the module on the bare model, from PEFT's name of its adapter."""
    return name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")


@lru_cache(maxsize=4)
def load_adapter(folder: str) -> Adapter:
    return Adapter.load(Path(folder))


def shipped() -> Path:
    """Folder of the adapters in the package, one sub-folder each."""
    return Path(str(files("memedit.editors").joinpath("adapters")))


@lru_cache(maxsize=16)
def adapter_for(fingerprint: str) -> Adapter | None:
    """The shipped adapter trained for the base with this fingerprint, if there is one."""
    for manifest in sorted(shipped().glob(f"*/{MANIFEST}")):
        if json.loads(manifest.read_text("utf-8")).get("base") == fingerprint:
            return load_adapter(str(manifest.parent))
    return None


@lru_cache(maxsize=2)
def other_model(name: str) -> Any:
    """The engine of another language model, loaded once."""
    from memedit import models
    from memedit.engine import Engine

    return Engine(*models.load(name))
