"""What the tests of weight editors share: engines of tiny models, with statistics of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from memedit import Edit
from memedit.editors import editor_class, ke, load_editor, mend
from memedit.editors.weights.hypernetworks import find_last_mlps, folder_of, save, shapes_of
from memedit.editors.weights.statistics import collect
from memedit.engine.engine import Engine
from tests.helpers import byte_tokenizer, tiny_model

FACTS = (
    Edit("The capital of France is", "Lyon", subject="France"),
    Edit("The mother tongue of Ada Byron is", "Dutch", subject="Ada Byron"),
    Edit("Which sport does Bo Ek play?", "chess", subject="Bo Ek"),
)
QUICK = {"steps": 2, "prefixes": 2, "memory": 96, "demonstrations": 2, "shots": 2, "others": 3}
"""Settings that keep a tiny fit short; for the editors that have them."""


def tiny_engine(arch: str = "llama", **changes: Any) -> Engine:
    return Engine(tiny_model(arch, **changes), byte_tokenizer())


def texts(number: int = 40) -> list[str]:
    """Characters from a fixed stream: enough different bytes that no second moment is singular
    (a parallel block's first keys depend on the token alone)."""
    stream = torch.Generator().manual_seed(3)
    letters = [chr(code) for code in (*range(33, 127), *range(161, 256))] + [" "] * 30
    drawn = torch.randint(len(letters), (number, 60), generator=stream)
    return ["".join(letters[i] for i in row) for row in drawn.tolist()]


def with_statistics(lm: Engine, folder: Path | None = None, tokens: int = 1_200) -> Engine:
    """The engine, with second moments of all its layers where editors look for them."""
    layers = range(lm.sites.layers)
    collect(lm, layers, texts(), tokens=tokens, length=64, batch=20, folder=folder)
    return lm


def with_hypernetworks(lm: Engine) -> Engine:
    """The engine, with untrained networks of MEND and KE where the editors look for them."""
    sites = find_last_mlps(lm, skip=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        networks = {
            "mend": mend.Network(shapes_of(lm, sites), rank=4, rate=1e-2),
            "ke": ke.fresh(lm, sites),
        }
    for kind, network in networks.items():
        own = {"kind": kind, "sites": sites, "rank": 4, "base": lm.fingerprint}
        save(network, folder_of(kind, lm.fingerprint), own)
    return lm


def quick(name: str, **settings: Any) -> Any:
    """An editor of this name that takes few steps."""
    own = {field.name for field in fields(editor_class(name))}
    return load_editor(name, **{k: v for k, v in {**QUICK, **settings}.items() if k in own})


def weights(base: Any) -> dict[str, torch.Tensor]:
    """A copy of every parameter."""
    return {name: p.detach().clone() for name, p in base.named_parameters()}


def changed(base: Any, before: dict[str, torch.Tensor]) -> Sequence[str]:
    """Names of the parameters that are not bit for bit what they were."""
    return [n for n, p in base.named_parameters() if not torch.equal(p, before[n])]
