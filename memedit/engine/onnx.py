"""A transformer run by ONNX Runtime: on a CPU, of one short text at a time, in less than half of
torch's time."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memedit.core.errors import InvalidInputError
from memedit.core.files import replacing

if TYPE_CHECKING:
    import torch

HINT = "pip install memedit[onnx], or leave the prefix onnx: out."
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def open_session(transformer: Any, inputs: Mapping[str, torch.Tensor], file: Path) -> Any:
    """A session of ONNX Runtime for a transformer of Hugging Face's: from these inputs (or others
    of their names) to "token_embeddings" float32 [texts, tokens, d]. It is converted into ``file``
    where that is not there.

    Raises:
        InvalidInputError: ONNX Runtime is missing, the model cannot be converted, the file cannot
            be written, or is not what was written.
    """
    try:
        import onnxruntime  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError as error:
        raise InvalidInputError("ONNX Runtime is not installed.", hint=HINT) from error
    import torch

    if not file.exists():
        names = [name for name in _INPUTS if name in inputs]
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with replacing(file) as new:
                _convert(_hidden_states(transformer, names), [inputs[n] for n in names], names, new)
        except OSError as error:
            raise InvalidInputError(
                f"The converted encoder cannot be written to {str(file)!r}: {error}.",
                hint="MEMEDIT_CACHE names another folder; or leave the prefix onnx: out.",
            ) from error
    options = onnxruntime.SessionOptions()
    # As many threads as torch was given: who sets one means both.
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise InvalidInputError(
            f"ONNX Runtime cannot read {str(file)!r}: {error}.", hint="Delete it: it is made anew."
        ) from error


def _convert(
    module: torch.nn.Module, inputs: Sequence[torch.Tensor], names: Sequence[str], file: Path
) -> None:
    import torch

    axes = {name: {0: "texts", 1: "tokens"} for name in (*names, "token_embeddings")}
    try:
        with warnings.catch_warnings():
            # The exporter before the newest: that one needs a third package.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module, tuple(inputs), str(file), input_names=list(names),
                output_names=["token_embeddings"], dynamic_axes=axes, opset_version=17,
                dynamo=False,
            )  # fmt: skip
    except Exception as error:
        raise InvalidInputError(
            f"The encoder cannot be converted to ONNX: {error}.", hint=HINT
        ) from error


def _hidden_states(transformer: Any, names: Sequence[str]) -> torch.nn.Module:
    import torch

    class Hidden(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = transformer

        def forward(self, *inputs: torch.Tensor) -> Any:
            return self.inner(**dict(zip(names, inputs, strict=True))).last_hidden_state

    return Hidden().eval()
