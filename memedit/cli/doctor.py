"""``memedit doctor``: what is installed, which models are here, what is missing, what cures it.

Nothing is loaded and nothing is fetched but what says whether a GPU can be used.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from shlex import quote
from typing import Any, Literal

from packaging.requirements import Requirement

import memedit
from memedit.cli.wording import counted
from memedit.core.errors import MemeditError
from memedit.core.files import cache_folder
from memedit.engine.devices import VARIABLE, choose_device, find_best
from memedit.engine.encoders import find_packaged_encoder
from memedit.engine.gguf import DEFAULT_MODEL, PACKAGED

State = Literal["ok", "missing", "optional", "note"]
_SPACE = 2 << 30
"""Bytes free that the first question needs: the default model as safetensors, and some room."""
_NO_EXTRA = ("dev", "docs")  # what developers install


@dataclass(frozen=True, slots=True)
class Finding:
    """One line.

    Attributes:
        state: ``missing``: the first question needs it; ``optional``: a part of memedit needs it.
        name: What was looked at.
        said: What was found.
        cure: The command that cures it; "" where there is nothing to cure.
    """

    state: State
    name: str
    said: str
    cure: str = ""


def examine(memory: str) -> list[Finding]:
    """All that can be said without loading a model.

    Args:
        memory: Directory or URL of the memory that commands here would use.
    """
    return [
        *_python(),
        *_packages(),
        _device(),
        *_models(),
        _encoder(),
        *_find_cached(),
        _space(),
        _memory(memory),
    ]


def _python() -> Iterator[Finding]:
    system = f"{platform.system()} {platform.machine()}"
    yield Finding("ok", "memedit", f"{memedit.__version__} in {Path(memedit.__file__).parent}")
    yield Finding("ok", "Python", f"{platform.python_version()} on {system}, {sys.executable}")


def _packages() -> Iterator[Finding]:
    """A line for what memedit always needs, and one for each extra, by memedit's own metadata."""
    needed: dict[str, list[Requirement]] = {"": []}
    if _version("memedit") is None:  # its sources on the path, or what one may not read
        said = "what memedit needs is not known: it is not installed, or its metadata not readable"
        source = Path(memedit.__file__).parents[1]
        there = os.path.isfile(source / "pyproject.toml")  # False where one may not look
        yield Finding("optional", "packages", said, f"pip install {quote(str(source))}" * there)
        return
    for text in metadata.requires("memedit") or ():
        requirement = Requirement(text)
        for extra in ("", *(metadata.metadata("memedit").get_all("Provides-Extra") or ())):
            if extra in _NO_EXTRA or requirement.name == "memedit":
                continue
            own = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
            if own and (extra == "" or "extra" in str(requirement.marker)):
                needed.setdefault(extra, []).append(requirement)
    for extra, wanted in needed.items():
        yield _check_extra(extra, wanted)


def _check_extra(extra: str, wanted: list[Requirement]) -> Finding:
    found, lacking = [], []
    for requirement in wanted:
        version = _version(requirement.name)
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            lacking.append(f"{requirement.name}{requirement.specifier}")
        else:
            found.append(f"{requirement.name} {version}")
    name = f"memedit[{extra}]" if extra else "packages"
    if not lacking:
        return Finding("ok", name, ", ".join(found))
    said = f"missing or too old: {', '.join(lacking)}"
    # By their own names: memedit itself may be of no index, or another's there.
    cure = f"pip install '{name}'" if extra else f"pip install {' '.join(map(quote, lacking))}"
    return Finding("optional" if extra else "missing", name, said, cure)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _device() -> Finding:
    try:
        import torch
    except Exception as error:  # a wheel for another machine fails in many ways
        cure = "pip install --force-reinstall torch"
        return Finding("missing", "device", f"torch cannot be imported: {error}", cure)
    try:
        chosen = choose_device()
    except MemeditError as error:
        return Finding("missing", "device", f"{VARIABLE}: {error}", f"export {VARIABLE}=auto")
    used = f"used: {chosen or 'cpu'}; another by {VARIABLE} or device=, such as 'auto'"
    best = find_best()
    if best == "cuda":
        return Finding("ok", "device", f"CUDA: {torch.cuda.get_device_name(0)} ({used})")
    if best == "mps":
        return Finding("ok", "device", f"Apple GPU, 'mps' ({used})")
    return Finding("ok", "device", f"CPU, {os.cpu_count()} cores, {torch.get_num_threads()} used")


def _models() -> Iterator[Finding]:
    """The models that packages carry; without the default one, a model must be named."""
    chosen = os.environ.get("MEMEDIT_MODEL", "")
    if chosen:
        yield Finding("note", "model", f"MEMEDIT_MODEL is {chosen!r}: used unless --model is given")
    for name, package in PACKAGED.items():
        if all(_folder(module) for module in package.modules):
            yield Finding(
                "ok", f"model {name}", "installed" + " (default)" * (name == DEFAULT_MODEL)
            )
        elif name == DEFAULT_MODEL and not chosen:
            said = "not installed: name another model with --model, or install it"
            yield Finding("missing", f"model {name}", said, f"pip install {package.pip}")
        else:
            said = "not installed"
            yield Finding("optional", f"model {name}", said, f"pip install {package.pip}")


def _folder(module: str) -> Path | None:
    from memedit.engine.hub import find_package_folder

    return find_package_folder(module)


def _encoder() -> Finding:
    name, pip, folder = find_packaged_encoder()
    chosen = os.environ.get("MEMEDIT_ENCODER", "")
    if folder is not None:
        said = "installed (default)" + (f"; MEMEDIT_ENCODER is {chosen!r}" if chosen else "")
        return Finding("ok", f"encoder {name}", said)
    state: State = "optional" if chosen else "missing"
    return Finding(state, f"encoder {name}", "not installed", f"pip install {pip}")


def _find_cached() -> Iterator[Finding]:
    """Models that were converted, or fetched from the hub, and lie ready."""
    converted = cache_folder() / "models"
    there = _list_names(converted, "[!.]*")
    names = "cannot be read" if there is None else ", ".join(there) or "none yet"
    yield Finding("note", "converted", f"{names} ({converted})")
    hub = _hub_cache()
    if hub is None:
        return
    found = _list_names(hub, "models--*")
    told = [name.removeprefix("models--").replace("--", "/", 1) for name in found or ()]
    said = "cannot be read" if found is None else ", ".join(told) or "none"
    cure = "export HF_HOME=/a/folder/you/may/read" if found is None else ""
    yield Finding("note", "from the hub", f"{said} ({hub})", cure)
    if os.environ.get("HF_HUB_OFFLINE"):
        yield Finding("note", "hub", "switched off (HF_HUB_OFFLINE): only what is cached is used")


def _list_names(folder: Path, pattern: str) -> list[str] | None:
    """The folders in one; None: whoever runs this may not look, as in another user's home."""
    try:
        return sorted(p.name for p in folder.glob(pattern) if p.is_dir())
    except OSError:
        return None


def _hub_cache() -> Path | None:
    try:
        from huggingface_hub import constants
    except ImportError:
        return None
    return Path(constants.HF_HUB_CACHE)


def _space() -> Finding:
    folder = cache_folder()
    # The cache need not be there yet: then its disk is that of the nearest folder above.
    there = next(p for p in (folder, *folder.parents) if os.path.isdir(p))  # False where closed
    free = shutil.disk_usage(there).free
    said = f"{free / (1 << 30):.1f} GiB free at {folder}"
    if not os.access(there, os.W_OK):
        cure = "export MEMEDIT_CACHE=/a/folder/you/may/write"
        return Finding("missing", "cache", f"{there} cannot be written", cure)
    if free < _SPACE:
        return Finding("missing", "cache", said, "export MEMEDIT_CACHE=/a/folder/with/2GiB")
    return Finding("ok", "cache", said)


def _memory(address: str) -> Finding:
    from memedit.memory import EditMemory
    from memedit.memory.address import hide_password, is_url

    try:
        if not is_url(address) and not Path(address).exists():
            cure, said = 'memedit edit add "Our refund window is 60 days."', f"none at {address!r}"
            return Finding("note", "memory", f"{said} yet; the first edit makes it", cure)
        with EditMemory(address, read_only=True) as store:
            holds = f"{counted(len(store), 'edit')}, version {store.version}"
            said = f"{hide_password(address)}: {holds}"
    except (MemeditError, OSError) as error:
        return Finding(
            "missing",
            "memory",
            f"{hide_password(address)}: {error}",
            f"memedit verify --memory {hide_password(address)}",
        )
    return Finding("ok", "memory", said)


def plain(found: list[Finding]) -> list[dict[str, Any]]:
    """As JSON data."""
    return [{"state": f.state, "name": f.name, "said": f.said, "cure": f.cure} for f in found]
