"""``ClassifierScope``: a small network trained to say whether a query asks what an edit answers.

SERAC's scope classifier (Mitchell et al. 2022), as a classifier of pairs (query view, edit) over
the candidates of both doors. Inputs are the features of :mod:`memedit.scope.features`; sentence
embeddings are those the search needed anyway, so most decisions cost no further encoder call. A
candidate that comes into question is read by a cross-encoder (:mod:`memedit.scope.cross`), which
also says whether the edit *informs* the answer where the query asks something else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from memedit.core.errors import EncoderMismatchError, InvalidInputError
from memedit.core.found import keep_found
from memedit.core.options import holds_settings
from memedit.core.text import subject_key
from memedit.core.types import Decision, Hit, Role
from memedit.core.untrusted import open_tensors, read_json
from memedit.scope.calibrate import find_threshold, warn_of_edited
from memedit.scope.features import (
    SCALARS,
    is_turned,
    lacks_words,
    match_words,
    names_another_code,
    names_another_owner,
    scalars,
    vectors,
)
from memedit.scope.own_words import asks_own_sentence, goes_on, is_own_text
from memedit.scope.reading import pair_texts
from memedit.scope.weighing import (
    SURE,
    Floats,
    choose_each_to_read,
    choose_weighed,
    lower_unsure,
    require_bearing,
    require_chance,
    similarities_near,
)

if TYPE_CHECKING:
    from memedit.scope.cross import CrossEncoder

FIRES = 0.3
"""Probability of being asked from which an edit fires: freer rephrases need it this low."""
INFORMS = 0.2
"""Probability of bearing from which an edit that is not asked informs."""
_AGAINST = 0.01
"""Probability of bearing below which the cross-encoder has read that an edit does not matter."""
_SAME = 0.85
"""Cosine from which an edit without a subject fires though the cross-encoder has read it."""
_BESIDE = 0.5
"""Share of the likeliest edit's probability of bearing below which another only stands near."""
_CROSS = "cross.safetensors"

Joint = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class PairModel:
    """The trained network: standardised scalars and projected vectors, one hidden layer, sigmoid.

    Attributes:
        mean, scale: [s] standardisation of the scalars.
        project: [4 d, p] and bias [p] from the vectors to p units (ReLU).
        hidden: [s + p, h] and bias [h] (ReLU); out: [h] and bias.
        temperature, shift: Calibration: p = sigmoid((logit - shift) / temperature).
        join, bears: (a, b, c) where the cross-encoder was asked, of asking and of bearing:
            p = sigmoid(a logit + b cross + c); None for a model without one.
        manifest: Encoder, data hashes, seed, metrics.
    """

    mean: Floats
    scale: Floats
    project: Floats
    project_bias: Floats
    hidden: Floats
    hidden_bias: Floats
    out: Floats
    out_bias: Floats
    temperature: float
    shift: float
    manifest: dict[str, Any]
    join: Joint | None = None
    bears: Joint | None = None

    def of(self, logits: Floats) -> Floats:
        """[n] probabilities of the network's logits [n], by themselves."""
        return _sigmoid((logits - self.shift) / self.temperature)

    def join_chances(self, logits: Floats, cross: Floats) -> Floats:
        """[n, 2] probabilities that it is asked, and that it bears, of candidates that were read.

        Args:
            logits: [n] of the network.
            cross: [n, 2] of the cross-encoder.
        """
        if self.join is None or self.bears is None:
            raise InvalidInputError("This model was trained without a cross-encoder.")
        parts = zip((self.join, self.bears), cross.T, strict=True)
        # What is asked bears, whatever two separate fits say.
        asks, bears = (_sigmoid(a * logits + b * read + c) for (a, b, c), read in parts)
        return np.stack((asks, np.maximum(asks, bears)), axis=1)

    def logits(self, narrow: Floats, wide: Floats) -> Floats:
        """[n] before calibration."""
        seen = np.maximum(wide @ self.project + self.project_bias, 0.0)
        both = np.concatenate(((narrow - self.mean) / self.scale, seen), axis=1)
        inner = np.maximum(both @ self.hidden + self.hidden_bias, 0.0)
        result: Floats = inner @ self.out + self.out_bias
        return result

    def save(self, folder: Path) -> None:
        """Write ``scope.safetensors`` (float16) and ``manifest.json``."""
        from safetensors.numpy import save_file

        folder.mkdir(parents=True, exist_ok=True)
        tensors = {  # safetensors writes the buffer as it lies: it must lie in order
            name: np.ascontiguousarray(getattr(self, name), _choose_precision(name))
            for name in _TENSORS
        }
        save_file(tensors, folder / "scope.safetensors")
        names = ("temperature", "shift", "join", "bears")
        calibration = {name: getattr(self, name) for name in names}
        manifest = {**self.manifest, "calibration": calibration, "scalars": list(SCALARS)}
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> PairModel:
        """Read what :meth:`save` wrote.

        Raises:
            InvalidInputError: there is no model, or one with other features than this version's.
        """
        try:
            manifest = read_json(folder / "manifest.json")
            with open_tensors(folder / "scope.safetensors", "np") as opened:
                found: dict[str, Any] = {
                    name: opened.get_tensor(name).astype(np.float32) for name in _TENSORS
                }
            trained, calibration = manifest["scalars"], _read_calibration(manifest["calibration"])
            _check_fit(found, len(trained))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidInputError(
                f"There is no trained scope in {folder} ({error}).",
                hint="Train one: memedit train scope --out DIR.",
            ) from None
        if trained != list(SCALARS):
            raise InvalidInputError(
                f"The scope in {folder} was trained with other features.",
                hint="Train it anew: memedit train scope --out DIR.",
            )
        return cls(**found, **calibration, manifest=manifest)


def _read_calibration(saved: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON holds it; a model of before the cross-encoder had two heads goes without it."""
    return {
        "temperature": float(saved["temperature"]),
        "shift": float(saved["shift"]),
        "join": _read_joint(saved["join"]) if saved.get("bears") else None,
        "bears": _read_joint(saved["bears"]) if saved.get("bears") else None,
    }


def _read_joint(saved: Any) -> Joint:
    a, b, c = (float(one) for one in saved)
    return a, b, c


def _check_fit(found: Mapping[str, Floats], scalars: int) -> None:
    """Refuse matrices that do not follow from each other.

    Raises:
        ValueError: naming the shapes.
    """
    wide, units = found["project"].shape
    inner, hidden = found["hidden"].shape
    shapes: dict[str, tuple[int, ...]] = {
        "mean": (scalars,), "scale": (scalars,), "project": (wide, units),
        "project_bias": (units,), "hidden": (scalars + units, hidden),
        "hidden_bias": (hidden,), "out": (hidden,),
    }  # fmt: skip
    wrong = [name for name, shape in shapes.items() if found[name].shape != shape]
    # Four parts of d each: difference and product, of the masked and of the whole texts.
    if wide % 4 or wrong or not all(np.isfinite(array).all() for array in found.values()):
        raise ValueError(f"{', '.join(wrong) or 'a number'} does not fit")


_TENSORS = (
    "mean", "scale", "project", "project_bias", "hidden", "hidden_bias", "out", "out_bias",
)  # fmt: skip


def _sigmoid(values: npt.NDArray[np.floating[Any]]) -> Floats:
    # Clipped: exp overflows float32 from 88 on, and at 30 the result is 0 or 1 already.
    result: Floats = (1.0 / (1.0 + np.exp(-np.clip(values, -30, 30)))).astype(np.float32)
    return result


def _choose_precision(name: str) -> type[np.floating[Any]]:
    # They stand before a division and are as large as counts: float16 would blur the features.
    return np.float32 if name in ("mean", "scale") else np.float16


def locate_folder(path: str) -> Path:
    return Path(str(files("memedit.scope").joinpath("trained"))) if not path else Path(path)


@lru_cache(maxsize=8)
def load_model(path: str) -> PairModel:
    """The model in a folder; "" is the one shipped with the package."""
    return PairModel.load(locate_folder(path))


@keep_found(again=0.0)
def load_cross(path: str) -> CrossEncoder | None:
    """The cross-encoder beside the model in a folder; None where it was trained without one, or
    where there is none now, as while an upgrade replaces it."""
    folder = locate_folder(path)
    if load_model(path).bears is None or not (folder / _CROSS).is_file():
        return None
    from memedit.engine.encoders import load_encoder
    from memedit.scope.cross import CrossEncoder

    return CrossEncoder.load(folder, load_encoder(load_model(path).manifest["encoder_name"]))


@holds_settings
class ClassifierScope:
    """Fires when the trained probability that the query asks what the edit answers is high enough.

    Attributes:
        threshold: Probability that the edit is asked from which it fires.
        informing: Probability that it bears on the answer from which it informs; 1: never.
        abstain: Width of the band below ``threshold`` in which a decision is called unsure
            (``Decision.unsure``): nothing fires, and the caller may ask back.
        statement: Cosine from which an edit without a subject fires, whatever the probability;
            where a cross-encoder reads it, 0.85 at least, and unless it is clearly against it.
        model: Folder of a model trained with ``memedit train scope``; "" for the packaged one.

    Raises:
        InvalidInputError: a number out of range, or no model in the folder.
        EncoderMismatchError: when it decides on vectors of another size than it was trained with.
    """

    name: ClassVar[str] = "classifier"
    places: ClassVar[Mapping[str, tuple[str, ...]]] = {"model": ("",)}
    threshold: float = FIRES
    informing: float = INFORMS
    statement: float = 0.6
    abstain: float = 0.0
    model: str = ""

    def __post_init__(self) -> None:
        if not (0 <= self.abstain <= self.threshold <= 1):
            raise InvalidInputError("0 <= abstain <= threshold <= 1 must hold.")
        if not 0 <= self.informing <= 1:
            raise InvalidInputError(f"informing is a probability, not {self.informing:g}.")

    def check_encoder(self, encoder: str) -> None:
        """Refuse an encoder other than the one the model was trained with.

        Raises:
            EncoderMismatchError: naming both.
        """
        trained = load_model(self.model).manifest["encoder"]
        if trained != encoder:
            raise EncoderMismatchError(
                f"This scope was trained for the encoder {trained!r}; the memory has {encoder!r}.",
                hint="Train one: memedit train scope --encoder NAME, or use scope='mention'.",
            )

    def decide(self, prompts: Sequence[str], candidates: Sequence[Sequence[Hit]]) -> list[Decision]:
        """One decision per prompt; hits by probability, the newer first of equals."""
        if not prompts:
            return []
        read = load_cross(self.model) is not None
        weighed = [choose_weighed(hits, read=read) for hits in candidates]
        parts = np.cumsum([len(hits) for hits in weighed])[:-1]
        chances = np.split(self._rate(prompts, weighed), parts)
        each = zip(prompts, candidates, weighed, chances, strict=True)
        return [self._decide_one(*those) for those in each]

    def _rate(self, prompts: Sequence[str], weighed: Sequence[Sequence[Hit]]) -> Floats:
        """[n, 2]: asked, and bearing, of all candidates of all prompts, one after another."""
        each = list(zip(prompts, weighed, strict=True))
        flat = [(hit, prompt) for prompt, hits in each for hit in hits]
        if not flat:
            return np.empty((0, 2), np.float32)
        model, cross = load_model(self.model), load_cross(self.model)
        narrow = [scalars(hits, prompt) for prompt, hits in each]
        logits = model.logits(np.concatenate(narrow), vectors([hit for hit, _ in flat]))
        # What is not read by the cross-encoder bears as much as it is asked.
        chances = np.stack((model.of(logits),) * 2, axis=1)
        if cross is not None and (where := choose_each_to_read(weighed, chances[:, 0])):
            read = cross.logits([pair_texts(*flat[i]) for i in where])
            chances[where] = model.join_chances(logits[where], read)
        return chances

    def _decide_one(
        self, prompt: str, hits: Sequence[Hit], weighed: Sequence[Hit], chances: Floats
    ) -> Decision:
        read = load_cross(self.model) is not None
        informing = self.informing if read else 0.0
        if not weighed:
            return Decision((), 0.0, self.threshold, tuple(hits), informing_threshold=informing)
        for i, hit in enumerate(weighed):
            against = read and float(chances[i, 1]) < _AGAINST
            floor = self._find_floor(hit, prompt, read, against)
            # Only the edit's own words, letter for letter, outdo another code.
            another = names_another_code(hit, prompt) or (
                float(chances[i, 1]) < SURE and names_another_owner(hit, prompt)
            )
            if floor < 1 and another:
                chances[i] = 0.0
            else:
                chances[i] = np.maximum(chances[i], floor)
            if read:
                chances[i] = self._lower_unsure(hit, len(similarities_near(hits)), chances[i])
        order = sorted(
            range(len(weighed)),
            key=lambda i: (*chances[i].tolist(), weighed[i].record.sequence),
            reverse=True,
        )
        beside = _find_beside_asked(weighed, chances[:, 0], self.threshold)
        if read:
            beside.update(np.flatnonzero(chances[:, 1] < _BESIDE * chances[:, 1].max()).tolist())
        ranked = [self._rank(weighed[i], chances[i], read, i in beside) for i in order]
        best = float(chances[order[0], 0])
        informed = [hit for hit in ranked if hit.role == "informs"]
        return Decision(
            hits=tuple(hit for hit in ranked if hit.role == "asks"),
            score=best,
            threshold=self.threshold,
            informs=tuple(sorted(informed, key=lambda hit: -(hit.bearing or 0.0))),
            informing_threshold=informing,
            candidates=tuple(ranked),
            unsure=self.threshold - self.abstain <= best < self.threshold,
        )

    def _lower_unsure(self, hit: Hit, near: int, chances: Floats) -> Floats:
        """The probabilities of a candidate among so many that are near, below the thresholds where
        it must be more probable."""
        asks, bears = chances.tolist()
        if least := require_chance(hit, near):
            asks, bears = lower_unsure(asks, bears, least, self.threshold, self.informing)
        least = require_bearing(hit, near, self.informing)
        if asks < self.threshold and self.informing <= bears < least:
            asks, bears = lower_unsure(asks, bears, least, self.threshold, self.informing)
        return np.array((asks, bears), np.float32)

    def _rank(self, hit: Hit, chances: Floats, read: bool, beside: bool) -> Hit:
        """The candidate with its probabilities [2], and what it is to the query: nothing where it
        is ``beside`` what is asked."""
        asks, bears = chances.tolist()
        role: Role | None = None
        if not beside and asks >= self.threshold:
            role = "asks"
        elif not beside and read and bears >= self.informing:
            role = "informs"
        return replace(hit, score=asks, bearing=bears if read else None, role=role)

    def _find_floor(self, hit: Hit, prompt: str, read: bool, against: bool) -> float:
        """What the training does not decide: an edit's own words fire, and one without a subject
        where the texts are alike, unless who read both is ``against`` it."""
        edit = hit.record.edit
        if is_own_text(prompt, edit):
            return 1.0
        own = goes_on(prompt, edit.prompt) or asks_own_sentence(prompt, edit)
        if own and not against and not is_turned(hit, prompt):
            return 1.0
        least = max(self.statement, _SAME) if read else self.statement
        alike = edit.subject is None and hit.similarity >= least
        if against or not alike or is_turned(hit, prompt):
            return 0.0
        return FIRES + (1 - FIRES) * (hit.similarity - self.statement)

    def calibrate(
        self,
        negatives: Sequence[Decision],
        max_false_fire: float = 0.001,
        confidence: float = 0.95,
        role: Role = "asks",
    ) -> ClassifierScope:
        """This scope, a threshold raised as far as a false-fire rate on your traffic takes.

        Args:
            negatives: Decisions (of any threshold) on queries that concern no edit:
                ``model.decide(queries)``. Drawn from the traffic the bound shall hold for.
            max_false_fire: Highest acceptable share of such queries on which an edit fires.
            confidence: Probability, over the draw of the negatives, that the bound holds.
            role: ``asks`` sets ``threshold``, ``informs`` sets ``informing``.

        Raises:
            InvalidInputError: too few negatives for the bound; the message says how many it takes.
        """
        scores = np.array([_find_highest(decision, role) for decision in negatives], np.float64)
        found = find_threshold(scores, max_false_fire, confidence)
        if role == "informs":
            return replace(self, informing=min(1.0, max(found, self.informing)))
        warn_of_edited(scores, found)
        return replace(self, threshold=min(1.0, max(found, self.threshold)))


def _find_beside_asked(hits: Sequence[Hit], asks: Floats, threshold: float) -> set[int]:
    """Places of edits about a subject of which another edit is asked at least twice as probably, or
    in so many words: who asks for a firm's CTO does not ask for its CEO."""
    subjects = [hit.record.edit.subject for hit in hits]
    keys = [None if subject is None else subject_key(subject) for subject in subjects]
    best: dict[str, int] = {}
    for i, key in enumerate(keys):
        if key is not None and asks[i] >= max(threshold, asks[best.get(key, i)]):
            best[key] = i
    return {
        i
        for i, key in enumerate(keys)
        if key in best
        and (
            2 * asks[i] < asks[best[key]]
            or _says_less(hits[i], hits[best[key]], asks[i] >= threshold)
        )
    }


def _says_less(hit: Hit, best: Hit, asked: bool) -> bool:
    """Whether both are asked, but the query has words of the best one's prompt beside all those it
    has of this one's, which has others."""
    if not asked or hit is best:
        return False
    own, others = set(match_words(hit)), set(match_words(best))
    return own < others and lacks_words(hit)


def _find_highest(decision: Decision, role: Role) -> float:
    if role == "asks":
        return decision.score
    return max((hit.bearing or 0.0 for hit in decision.candidates), default=0.0)
