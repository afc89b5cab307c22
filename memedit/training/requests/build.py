"""All examples, in splits, with frames and noise: written as gzip'd JSON lines."""

from __future__ import annotations

import gzip
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from memedit.training.requests import chains, faq, stated, texts, world
from memedit.training.requests.aspects import aspects
from memedit.training.requests.assistants import assistants
from memedit.training.requests.banks import bank
from memedit.training.requests.claims import Claim
from memedit.training.requests.entries import entries
from memedit.training.requests.frames import put_in_frame
from memedit.training.requests.identifiers import opposites, people, write_numbered
from memedit.training.requests.noise import add_noise
from memedit.training.requests.policies import policies
from memedit.training.requests.profiles import profiles
from memedit.training.requests.request import Request, Split, as_json
from memedit.training.requests.split import Splits
from memedit.training.requests.worldly import Worldly

FRAMED, NOISY = 0.3, 0.22
"""Shares of the requests that are put in a frame, and that are misspelt."""
EACH = {
    "halluedit": (8, 14, 7), "counterfact": (2, 2, 2), "zsre": (4, 4, 3), "knowedit": (4, 4, 4),
    "pitfalls": (4, 4, 3), "qaedit_1k": (5, 5, 3), "core": (1, 1, 1),
}  # fmt: skip
"""Requests of a claim that ask, that are informed, and neither, by set."""
_CLOZES = frozenset(
    "direct paraphrase same_subject neighbour swapped negated dated hypothetical twin "
    "follows".split()
)
"""Kinds whose requests may be sentences to complete."""
Count: TypeAlias = "Counter[tuple[str, str, str, str]]"


def claims(folder: Path, splits: Splits) -> list[Claim]:
    """The claims of all sets; subjects whose relation is unseen are only tested."""
    day = folder / "everyday"
    hops = chains.portability(folder / "counterfact_portability.jsonl.gz")
    found = list(world.halluedit(day / "halluedit.jsonl.gz"))
    for claim in found:
        if claim.unseen:
            splits.test(claim.subject)
    found += world.counterfact(
        [folder / f"counterfact_{part}.jsonl.gz" for part in ("full", "core")], hops
    )
    found += world.zsre(folder / "zsre.jsonl.gz")
    names = ("wiki_recent_train", "wiki_counterfact_train", "wiki_counterfact_test", "zsre_test")
    found += world.knowedit([folder / f"knowedit_{name}.jsonl.gz" for name in names])
    found += world.pitfalls(day / "pitfalls.jsonl.gz")
    found += world.qaedit(day / "qaedit_1k.jsonl.gz")
    # A relation that is only tested must not come with a subject that is learnt from.
    return [c for c in found if not c.unseen or splits.of(c.subject) == "test"]


def requests(folder: Path, seed: int, splits: Splits) -> Iterator[Request]:
    """All requests, set by set."""
    rng = random.Random(seed)
    day = folder / "everyday"
    near: faq.Near = {"train": [], "calib": [], "test": []}
    by_split: dict[Split, list[Claim]] = {"train": [], "calib": [], "test": []}
    for claim in claims(folder, splits):
        split = splits.of(claim.subject)
        if split is not None:
            by_split[split].append(claim)
    for part, some in by_split.items():
        worldly = Worldly(some, EACH)
        near[part] += [c.candidate() for c in rng.sample(some, min(400, len(some)))]
        for claim in some:
            yield from worldly.write_about(claim, rng)
        yield from profiles(some, 6 * len(some) // 50, rng)
    for request in policies(45, seed):
        part = "test" if request.unseen else splits.of(*request.about) or "test"
        near[part] += [c.as_("none") for c in request.edits[:1] if rng.random() < 0.05]
        yield request
    yield from aspects(seed)
    yield from entries(seed, 40)
    yield from assistants(seed, 2)
    yield from opposites(1600, seed)
    yield from people(1200, seed)
    yield from write_numbered(2400, seed)
    yield from chains.chains(folder / "mquake.jsonl.gz", splits)
    banking = faq.Intents(day / "banking77.jsonl.gz", "banking77")
    clinc = faq.Intents(day / "clinc150.jsonl.gz", "clinc150", bank("faq")["slotless"])
    for intents in (banking, clinc):
        for intent in intents.entries:
            yield from intents.requests(intent, rng)
    yield from faq.traffic((banking, clinc), near, splits, rng)
    yield from faq.everyday(near, splits, rng)
    yield from _everyday(day, splits, rng)


def _everyday(day: Path, splits: Splits, rng: random.Random) -> Iterator[Request]:
    def file(name: str) -> Path:
        return day / f"{name}.jsonl.gz"

    yield from faq.covid_pairs(file("covid_question_pairs"), file("covid_faq"))
    yield from faq.covid_faq(file("covid_faq"), rng)
    yield from stated.dune(file("dune"), splits, rng)
    yield from stated.scope_pairs(file("dune_scope_pairs"))
    yield from stated.kinds(file("taxi"), rng)
    yield from stated.plausible(file("memit_csk"), rng)
    yield from texts.paragraphs(file("xquad_paragraphs"), splits, rng)
    yield from texts.long_answers(file("datafountain_unke"), rng)
    yield from texts.write_continued(file("wikibio"), rng)
    yield from texts.write_found(file("ramdocs"), "ramdocs", rng)
    yield from texts.write_found(file("poisonedrag"), "poisonedrag", rng)
    yield from texts.documents(file("tau2_bank_documents"), "tau2_bank_documents", rng)
    yield from texts.documents(file("abcd_guidelines"), "abcd_guidelines", rng)


def place_in_splits(
    found: Iterable[Request], seed: int, splits: Splits
) -> Iterator[tuple[Request, Split]]:
    """Requests in their splits, some framed and some misspelt; those of two splits are left out."""
    rng = random.Random(f"{seed}:dress")
    for request in found:
        split = "test" if request.unseen else splits.of(*request.about)
        if split is None or not request.query.strip() or not request.edits:
            continue
        yield _dress(request, split, rng), split


def _dress(request: Request, split: Split, rng: random.Random) -> Request:
    query, tags = request.query, []
    if rng.random() < NOISY and not request.kind.startswith("text.tool"):
        query = add_noise(query, rng)
        tags.append("noise")
    if request.frames and rng.random() < FRAMED:
        cloze = request.kind in _CLOZES and query.rstrip()[-1:] not in "?.!"
        query, place = put_in_frame(query, split, rng, cloze=cloze)
        tags.append(place)
    return replace(request, query=query, tags=tuple(tags))


def write(folder: Path, out: Path, seed: int = 0,
          tell: Callable[[str], None] = lambda text: None) -> Count:  # fmt: skip
    """Write all examples to ``out``.

    Args:
        folder: The shared data, with ``everyday/`` in it.
        out: A file whose name ends in ``.jsonl.gz``.
        seed: The same seed gives the same file.
        tell: Called now and then with what is done.

    Returns:
        How many there are of each (set, kind, role of the first edit, split).
    """
    splits = Splits()
    count: Count = Counter()
    with gzip.open(out, "wt", encoding="utf-8", compresslevel=4) as lines:
        for number, (request, split) in enumerate(
            place_in_splits(requests(folder, seed, splits), seed, splits)
        ):
            lines.write(as_json(request, number, split) + "\n")
            count[request.set, request.kind, request.edits[0].role, split] += 1
            if number % 50_000 == 0:
                tell(f"{number} examples")
    return count
