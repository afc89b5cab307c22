"""Second moments of what a module reads over ordinary text: C = mean of k k^T (Meng et al. 2022).

A file holds one layer's C and, in its header, everything that C depends on; its name is a hash of
that, so no setting can ever be served with another's statistics. Collecting is one pass over the
text for all layers, stops below the head, accumulates in float64, and goes on where it was
interrupted.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from memedit.core.calls import LM
from memedit.core.errors import InvalidInputError, StatisticsError, UntrustedFileError
from memedit.core.files import cache_folder, replacing
from memedit.core.untrusted import load_tensors, open_tensors, parse_json
from memedit.editors.weights.closed_forms import Moment
from memedit.editors.weights.packing import MOMENT, known_shapes, unpack
from memedit.engine.passes import Enough
from memedit.engine.tokens import pad_right

AUTO, IDENTITY = "auto", "identity"
SINK = 10.0
"""Position 0 reads this many times the norm of the others: an attention sink; do not edit here."""
_SHIPPED = Path(__file__).parents[1] / "statistics"
"""Those of the layers that ROME, MEMIT and AlphaEdit edit in the default model come with the
package: ROME's as measured, the others rounded (:mod:`memedit.editors.weights.packing`)."""
_FORMAT = 1
_PUBLISHED_TOKENS, _SPEED = 100_000, 3e10
"""Operations a second of one core; measured: 5 minutes for layers 3 to 7 of the default model."""
_SAVE_EVERY = 16
"""Batches: what an interruption loses at most."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """All that a second moment depends on.

    Attributes:
        model: Fingerprint of the base.
        site: The module whose input is measured.
        tokens: Number of tokens.
        ids: Hash of the token ids and of how they are cut into sequences.
        length: Longest sequence, in tokens.
        dtype: Of the model's weights.
        text: What the text was: names and hashes of the files.
    """

    model: str
    site: str
    tokens: int
    ids: str
    length: int
    dtype: str
    text: str = ""
    format: int = _FORMAT

    @property
    def digest(self) -> str:
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(slots=True)
class Sums:
    """Running sums of one site. ``ratio`` compares the norm of position 0 with the others'."""

    total: Tensor
    first: float = 0.0
    firsts: int = 0
    count: int = 0
    energy: float = field(default=0.0)

    def add(self, x: Tensor, mask: Tensor) -> None:
        """Take in inputs [B, T, f] at the real tokens of mask [B, T]."""
        # Float32 would lose the small directions over a million tokens: AlphaEdit needs them.
        keys = x[mask].double().cpu()
        self.total += keys.T @ keys
        self.count += len(keys)
        self.energy += float(keys.square().sum())
        # The first token draws all attention in some layers, and its keys drown the others.
        begin = x[:, 0][mask[:, 0]].double()
        self.first += float(begin.square().sum())
        self.firsts += len(begin)

    @property
    def ratio(self) -> float:
        """Root mean square norm at position 0 over that at the others."""
        rest = (self.energy - self.first) / max(1, self.count - self.firsts)
        return float(((self.first / max(1, self.firsts)) / max(rest, 1e-30)) ** 0.5)

    def numbers(self) -> dict[str, float]:
        return {k: getattr(self, k) for k in ("first", "firsts", "count", "energy")}


@dataclass(frozen=True, slots=True)
class Collected:
    """One layer's result: where it is, and what to know of it."""

    layer: int
    path: Path
    tokens: int
    trace: float
    trace_without_first: float
    ratio: float

    @property
    def is_sink(self) -> bool:
        return self.ratio > SINK


def folder_of(fingerprint: str) -> Path:
    """Where the statistics of a model are kept by default."""
    return cache_folder() / "statistics" / fingerprint


def windows(tokenizer: Any, texts: Iterable[str], tokens: int, length: int) -> Iterator[Tensor]:
    """The first ``tokens`` tokens of the texts, each text cut into sequences of ``length``."""
    left = tokens
    for text in texts:
        ids = torch.tensor(tokenizer(text, verbose=False).input_ids, dtype=torch.long)
        for start in range(0, len(ids), length):
            part = ids[start : start + length][:left]
            left -= len(part)
            if len(part):
                yield part
            if not left:
                return


def collect(
    lm: LM,
    layers: Sequence[int],
    texts: Iterable[str],
    *,
    tokens: int,
    text: str = "",
    length: int = 128,
    batch: int = 8,
    folder: Path | None = None,
    progress: Progress = lambda done, total: None,
) -> list[Collected]:
    """Measure the keys of several layers' ``mlp_out`` over text, and keep the results.

    What is there already is not measured again. Interrupted, it goes on from the last save when
    called again with the same inputs.

    Args:
        lm: The model.
        layers: Which; negative ones count from the end.
        texts: The text, in order.
        tokens: How many tokens of it.
        text: Names the text in the header.
        length: Tokens in a sequence; attention does not reach beyond it.
        batch: Sequences in one pass.
        folder: Where the files go; default the cache.
        progress: Told how many of how many tokens have been read.

    Raises:
        InvalidInputError: no layers, no such layer, no tokens, or too little text.
    """
    if tokens < 1 or length < 2 or not layers:
        raise InvalidInputError("There is nothing to measure.", hint="Name layers and tokens.")
    rows = list(windows(lm.tokenizer, texts, tokens, min(length, tokens)))
    if (found := sum(len(row) for row in rows)) < tokens:
        raise InvalidInputError(
            f"The text has {found:,} tokens, not {tokens:,}.", hint="Ask for fewer, or give more."
        )
    # Of the cut tokens, not of the file: the same text through another tokenizer is other text.
    digest = hashlib.sha256(json.dumps([row.tolist() for row in rows]).encode()).hexdigest()[:16]
    # ``mlp_out`` refuses a layer that is not there, before anything is measured.
    layers = [layer % lm.sites.layers for layer in layers if lm.sites.mlp_out(layer)]
    inputs = {
        layer: Inputs(
            model=lm.fingerprint, site=lm.sites.mlp_out(layer), tokens=tokens, ids=digest,
            length=length, dtype=str(lm.base.dtype).removeprefix("torch."), text=text,
        )
        for layer in dict.fromkeys(layers)
    }  # fmt: skip
    folder = folder or folder_of(lm.fingerprint)
    folder.mkdir(parents=True, exist_ok=True)
    missing = {n: one for n, one in inputs.items() if not (folder / _name(one)).is_file()}
    if missing:
        _measure(lm, missing, rows, batch, folder, progress)
    return [_describe(layer, folder / _name(one)) for layer, one in inputs.items()]


def _name(inputs: Inputs) -> str:
    return f"{inputs.digest}.safetensors"


def _measure(
    lm: LM,
    inputs: Mapping[int, Inputs],
    rows: Sequence[Tensor],
    batch: int,
    folder: Path,
    progress: Progress,
) -> None:
    part = folder / f"{_joint(inputs, batch)}.part"
    size = {one.site: _width(lm, one.site) for one in inputs.values()}
    sums = {s: Sums(torch.zeros(n, n, dtype=torch.float64)) for s, n in size.items()}
    groups = [rows[i : i + batch] for i in range(0, len(rows), batch)]
    done, total = _resume(part, sums), sum(len(row) for row in rows)
    while done < len(groups):
        _pass(lm, groups[done], sums)
        done += 1
        if done % _SAVE_EVERY == 0:  # between batches: never a state with half of one
            _save_part(part, sums, done)
        progress(sum(len(r) for g in groups[:done] for r in g), total)
    for one in inputs.values():
        _save(folder / _name(one), one, sums[one.site])
    part.unlink(missing_ok=True)


def _joint(inputs: Mapping[int, Inputs], batch: int) -> str:
    # With the batch: the save counts batches, which another size would count otherwise.
    text = ",".join([*sorted(one.digest for one in inputs.values()), str(batch)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _width(lm: LM, site: str) -> int:
    weight: Tensor = lm.base.get_submodule(site).weight
    return weight.shape[0 if lm.sites.is_conv1d(site) else 1]


def _pass(lm: LM, rows: Sequence[Tensor], sums: Mapping[str, Sums]) -> None:
    """One batch through the model up to the last of the sites; all are taken in, or none."""
    ids, mask = (t.to(lm.base.device) for t in pad_right(rows, lm.codec.pad))
    seen: dict[str, Tensor] = {}

    def reader(site: str) -> Callable[[Any, Any], None]:
        def read(args: Any, kwargs: Any) -> None:
            seen[site] = args[0] if args else next(iter(kwargs.values()))
            # What follows the last site, the head among it, need not be computed.
            if len(seen) == len(sums):
                raise Enough

        return read

    try:
        with torch.no_grad(), lm.watch(before={site: reader(site) for site in sums}):
            lm.base(input_ids=ids, attention_mask=mask, use_cache=False)
    except Enough:
        pass
    for site, each in sums.items():
        each.add(seen[site], mask.bool())


def _save_part(path: Path, sums: Mapping[str, Sums], done: int) -> None:
    numbers = {site: each.numbers() for site, each in sums.items()}
    _write(
        path,
        {site: each.total for site, each in sums.items()},
        {"done": str(done), "numbers": json.dumps(numbers)},
    )


def _resume(path: Path, sums: Mapping[str, Sums]) -> int:
    """Batches that a run which was interrupted had taken in.

    Raises:
        StatisticsError: what it left is damaged.
    """
    if not path.is_file():
        return 0
    try:
        with open_tensors(path, "pt") as opened:
            metadata = opened.metadata() or {}
        tensors, numbers = load_tensors(path), parse_json(metadata["numbers"], str(path))
        for site, each in sums.items():
            if tensors[site].shape != each.total.shape or tensors[site].dtype != each.total.dtype:
                raise ValueError(f"sums of {tuple(tensors[site].shape)}")
            each.total = tensors[site]
            for name in each.numbers():
                setattr(each, name, type(getattr(each, name))(numbers[site][name]))
        return int(metadata["done"])
    except (UntrustedFileError, KeyError, TypeError, ValueError) as error:
        raise StatisticsError(
            f"{path}, which an interrupted run left, is damaged ({error!s:.100}).",
            hint="Remove it: the same command begins anew.",
        ) from None


def _save(path: Path, inputs: Inputs, sums: Sums) -> None:
    numbers = sums.numbers() | {"ratio": sums.ratio}
    metadata = {"inputs": json.dumps(asdict(inputs)), "numbers": json.dumps(numbers)}
    # Summed in float64; the mean itself loses nothing that matters in float32.
    _write(path, {MOMENT: (sums.total / sums.count).float()}, metadata)


def _write(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    with replacing(path) as new:
        save_file(dict(tensors), new, metadata)


def _describe(layer: int, path: Path) -> Collected:
    inputs, numbers = _header(path)
    count = numbers["count"]
    return Collected(
        layer=layer,
        path=path,
        tokens=inputs.tokens,
        trace=numbers["energy"] / count,
        trace_without_first=(numbers["energy"] - numbers["first"])
        / max(1, count - numbers["firsts"]),
        ratio=numbers["ratio"],
    )


def _header(path: Path) -> tuple[Inputs, dict[str, float]]:
    """What a file was made of, and its numbers.

    Raises:
        StatisticsError: it is not a file of statistics.
    """
    try:
        with open_tensors(path, "pt") as opened:
            metadata = opened.metadata() or {}
        inputs, numbers = (parse_json(metadata[name]) for name in ("inputs", "numbers"))
        found = {name: float(value) for name, value in numbers.items()}
        return Inputs(**inputs), found | {"ratio": found["ratio"]}  # which whoever uses it needs
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise StatisticsError(
            f"{path} holds no statistics ({error}).", hint="Collect them: memedit statistics."
        ) from None


def moments_of(lm: LM, layers: Sequence[int], statistics: str) -> dict[int, Moment]:
    """:func:`moment_of` each layer; what is missing is said of all of them at once."""
    if statistics != IDENTITY:
        lacking = [n for n in layers if _find(lm, lm.sites.mlp_out(n), statistics) is None]
        if lacking:
            raise _none(lm, lacking, statistics)
    return {layer: moment_of(lm, layer, statistics) for layer in layers}


def _none(lm: LM, layers: Sequence[int], statistics: str) -> StatisticsError:
    named = ",".join(str(layer % lm.sites.layers) for layer in layers)
    return StatisticsError(
        f"There are no statistics of layer {named} of this model"
        f"{'' if statistics == AUTO else f' in {statistics}'}.",
        hint=f"Collect them over ordinary text, some {_minutes(lm, layers)} minutes of one core: "
        f"memedit statistics --layers {named} --text FILE --tokens 100000. Or set "
        "statistics='identity' (then it is not the method as published).",
    )


def _minutes(lm: LM, layers: Sequence[int]) -> int:
    """How long 100,000 tokens take, up to the highest of the layers."""
    size: int = sum(parameter.numel() for parameter in lm.base.parameters())
    share = (max(layer % lm.sites.layers for layer in layers) + 1) / lm.sites.layers
    seconds: float = 2 * size * share * _PUBLISHED_TOKENS / _SPEED
    return max(1, round(seconds / 60))


def moment_of(lm: LM, layer: int, statistics: str) -> Moment:
    """The second moment an editor shall use at a layer's ``mlp_out``.

    Args:
        lm: The model.
        layer: The layer.
        statistics: ``"auto"``: of those kept for this model (or shipped), the ones over the most
            tokens;
            ``"identity"``: C = I; else a file, or a folder of files.

    Raises:
        StatisticsError: there are none for this model and layer.
    """
    site = lm.sites.mlp_out(layer)
    if statistics == IDENTITY:
        return Moment.identity(_width(lm, site))
    path = _find(lm, site, statistics)
    if path is None:
        raise _none(lm, [layer], statistics)
    # Collected anew in the meantime, a file is another one.
    key = ("moment", str(path), path.stat().st_mtime_ns)
    if key not in lm.kept:
        inputs, numbers = _header(path)
        if numbers["ratio"] > SINK:
            warnings.warn(
                f"Layer {layer} is an attention sink: the keys of a text's first token are "
                f"{numbers['ratio']:.0f} times as large as the others. A change there acts on "
                "every text; edit another layer.",
                stacklevel=2,
            )
        lm.kept[key] = Moment(_read_matrix(path, _width(lm, site)), inputs.tokens, inputs.digest)
    moment: Moment = lm.kept[key]
    return moment


def _read_matrix(path: Path, width: int) -> Tensor:
    """The matrix [width, width] in a file.

    Raises:
        StatisticsError: there is none of this size.
    """
    try:
        with open_tensors(path, "pt") as opened:
            shapes = {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}
        # Shapes are compared before anything is read: a header can promise any size.
        if shapes not in known_shapes(width):
            raise ValueError(f"it holds {shapes}, not a matrix of {width}")
        return unpack(load_tensors(path))
    except (OSError, ValueError) as error:
        raise StatisticsError(
            f"{path} holds no statistics ({error}).", hint="Collect them: memedit statistics."
        ) from None


def _find(lm: LM, site: str, statistics: str) -> Path | None:
    place = folder_of(lm.fingerprint) if statistics == AUTO else Path(statistics)
    # Of several files for the same layer, the one over the most tokens is taken.
    files = [place] if place.is_file() else sorted(place.glob("*.safetensors"))
    if statistics == AUTO:
        files += sorted(_SHIPPED.glob("*.safetensors"))
    best: tuple[int, Path] | None = None
    for file in files:
        inputs, _ = _header(file)
        fits = inputs.site == site and inputs.model == lm.fingerprint
        if fits and (best is None or inputs.tokens > best[0]):
            best = (inputs.tokens, file)
    return None if best is None else best[1]
