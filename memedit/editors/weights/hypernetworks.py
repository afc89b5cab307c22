"""Trained hypernetworks on disk: what MEND and KE need before they can edit."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from memedit.core.calls import LM
from memedit.core.errors import InvalidInputError, UntrustedFileError
from memedit.core.files import cache_folder, replacing, write_atomically
from memedit.core.untrusted import load_tensors, read_json
from memedit.editors._sequences import Sequenced
from memedit.editors.weights.base import WeightEditor, weight_of
from memedit.engine.passes import After, Pass

AUTO = "auto"
Network = TypeVar("Network", bound=nn.Module)
WEIGHTS, MANIFEST = "hypernetwork.safetensors", "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class HypernetworkEditor(WeightEditor):
    """An editor of weights that asks a network, trained for the base, what to change.

    Attributes:
        hypernetwork: The folder of the network (``memedit train NAME --out DIR``), or ``"auto"``:
            the one trained for this base, in the cache.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"target"})
    places: ClassVar[Mapping[str, tuple[str, ...]]] = {"hypernetwork": (AUTO,)}
    hypernetwork: str = AUTO


def folder_of(kind: str, fingerprint: str) -> Path:
    """Where the hypernetwork of a method for a model is kept by default."""
    return cache_folder() / "hypernetworks" / kind / fingerprint


def find_shipped(kind: str, fingerprint: str) -> Path | None:
    """The folder in the package with the hypernetwork of a method for a model, if there is one."""
    root = Path(str(files("memedit.editors").joinpath("hypernetworks")))
    for manifest in sorted(root.glob(f"*/{MANIFEST}")):
        what = json.loads(manifest.read_text("utf-8"))
        if (what.get("kind"), what.get("base")) == (kind, fingerprint):
            return manifest.parent
    return None


def _place(kind: str, where: str, fingerprint: str) -> Path:
    """A named folder; else the cache's, where something was trained; else the package's."""
    if where != AUTO:
        return Path(where)
    own = folder_of(kind, fingerprint)
    return own if (own / MANIFEST).is_file() else find_shipped(kind, fingerprint) or own


def save(network: nn.Module, folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the weights (matrices in half precision) and the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        # Scales, shifts and rates stay exact: they are few, and small differences of them matter.
        name: (t.half() if t.dim() > 1 else t).detach().cpu().contiguous().clone()
        for name, t in network.state_dict().items()
    }
    with replacing(folder / WEIGHTS) as new:
        save_file(tensors, new)
    # Last: a folder without a manifest is not taken for a network.
    write_atomically(folder / MANIFEST, json.dumps(dict(manifest), indent=1) + "\n")


def read(kind: str, where: str, lm: LM) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(weights in float32, manifest) of the hypernetwork trained for this model.

    Args:
        kind: ``"mend"`` or ``"ke"``.
        where: A folder, or ``"auto"`` for the one in the cache, else the package's.
        lm: The model.

    Raises:
        InvalidInputError: there is none, or it was trained for another model or method.
    """
    folder = _place(kind, where, lm.fingerprint)
    hint = f"Train one: memedit train {kind} --data FILE --texts FILE."
    try:
        manifest = read_json(folder / MANIFEST)
        tensors = load_tensors(folder / WEIGHTS)
    except (OSError, UntrustedFileError):
        raise InvalidInputError(
            f"There is no {kind.upper()} hypernetwork for this model in {folder}.", hint=hint
        ) from None
    if manifest.get("kind") != kind or manifest.get("base") != lm.fingerprint:
        raise InvalidInputError(
            f"The hypernetwork in {folder} was trained for another model or method.", hint=hint
        )
    return {name: tensor.float() for name, tensor in tensors.items()}, manifest


def load_trained(
    kind: str, where: str, lm: LM, empty: Callable[[dict[str, Any]], Network]
) -> Network:
    """The network trained for this model, loaded once.

    Args:
        kind, where: As for :func:`read`.
        lm: The model.
        empty: Makes the network that a manifest describes.

    Raises:
        InvalidInputError: there is none, or it was trained for another model or method.
    """
    key = (kind, lm.fingerprint, where)
    if key not in lm.kept:
        tensors, manifest = read(kind, where, lm)
        try:
            network = empty(manifest)
            network.load_state_dict(tensors)
        except (RuntimeError, KeyError, TypeError, ValueError) as error:
            raise InvalidInputError(
                f"The {kind.upper()} hypernetwork in {where} is damaged: {error}.",
                hint=f"Train one: memedit train {kind} --data FILE --texts FILE.",
            ) from None
        lm.kept[key] = network.eval()
        lm.kept[(*key, "end")] = manifest.get("end") is True
    found: Network = lm.kept[key]
    return found


def ends(kind: str, where: str, lm: LM) -> bool:
    """Whether the network that :func:`load_trained` gave learnt from answers with their end."""
    return bool(lm.kept.get((kind, lm.fingerprint, where, "end"), False))


def shapes_of(lm: LM, sites: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Site -> (d_in, d_out) of its weight."""
    shapes = {site: weight_of(lm, site).shape for site in sites}
    return {site: (d_in, d_out) for site, (d_out, d_in) in shapes.items()}


def find_last_mlps(lm: LM, *, skip: int) -> list[str]:
    """Paths of the maps into and out of the neurons of three late blocks.

    Args:
        lm: The model.
        skip: Blocks left out at the end.
    """
    end = max(1, lm.sites.layers - skip)
    found: list[str] = []
    for layer in range(max(0, end - 3), end):
        found += [*lm.sites.mlp_in(layer), lm.sites.mlp_out(layer)]
    return found


def block_of(lm: LM, sites: Sequence[str]) -> int:
    """The lowest block that holds one of the modules."""
    for layer in range(lm.sites.layers):
        if any(site.startswith(lm.sites.block(layer) + ".") for site in sites):
            return layer
    return 0


def pass_over_rows(lm: LM, rows: Sequence[Sequenced], sites: Sequence[str]) -> Pass:
    """A pass over the rows from the lowest block that holds one of the modules."""
    return Pass(lm, [row.ids for row in rows], first=block_of(lm, sites))


def make_hooks(terms: Mapping[str, tuple[Tensor, Tensor]]) -> dict[str, After]:
    """Site -> ``y + (x U^T) V`` with terms (U [m, d_in], V [m, d_out]), for ``Pass.run``."""

    def make_hook(u: Tensor, v: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda x, y: y + ((x.to(u.dtype) @ u.T) @ v).to(y.dtype)

    return {site: make_hook(u, v) for site, (u, v) in terms.items()}


def divergence(before: Tensor, after: Tensor) -> Tensor:
    """Mean over rows of KL(before || after) of log-probabilities [n, V]."""
    return torch.nn.functional.kl_div(after, before, log_target=True, reduction="batchmean")
