"""Whatever is put in at a model's public methods: an answer, or an error that is memedit's.

What only asks changes nothing, and neither does what is refused; weights and hooks stay as they
were, and what was saved is there again when it is opened.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import strategies as st

from memedit.core.errors import MemeditError
from memedit.core.types import Edit
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.model.editable import EditableModel
from tests.campaign.ledger import LONG, Stage
from tests.campaign.putting import LETTERS, MOMENTS, NUMBERS, TEXTS, THINGS, put_in, told
from tests.campaign.watching import hash_of
from tests.helpers import byte_tokenizer, tiny_model

pytestmark = pytest.mark.slow
CALLS = 1_000 if LONG else 150
STAGE = Stage("fuzzed calls, model", bounded=1, long=100, share=0.08)

IN = "The capital of France is"
ASKED = st.sampled_from([IN, "What is the capital of France?", "Is Lyon the capital of France?",
                         "Bake the bread for an hour.", "Who are you?"]) | TEXTS  # fmt: skip
PLACES = st.sampled_from(["default", "shop"]) | THINGS
MESSAGES = st.lists(
    st.fixed_dictionaries({
        "role": st.sampled_from(["user", "assistant", "system"]) | THINGS, "content": ASKED | THINGS
    }) | THINGS, max_size=3,
)  # fmt: skip
OPTIONS: dict[str, Any] = {
    "max_new_tokens": st.sampled_from([1, 2, 3, 0, -1, None, "2", 1.5, True]),
    "max_length": st.sampled_from([1, 60, 0, -5, "9"]),
    "min_new_tokens": st.sampled_from([0, 1, 9, -1, "1"]),
    "num_beams": st.sampled_from([1, 2, 0, -1, "2", None]),
    "num_return_sequences": st.sampled_from([1, 2, 0, "1"]),
    "do_sample": st.booleans() | st.sampled_from(["yes", None, 3]),
    "temperature": st.sampled_from([1.0, 0.5, 0.0, -1.0, "hot", None, float("nan")]),
    "top_p": st.sampled_from([0.5, 1.5, -1, "x", None]),
    "top_k": st.sampled_from([1, 0, -1, "x", 2**40]),
    "repetition_penalty": st.sampled_from([1.1, 0, -1.0, "x", float("inf")]),
    "eos_token_id": st.sampled_from([256, [256, 258], -1, "x", 2**40]),
    "stop_strings": st.sampled_from(["a", ["a"], "", 5]),
    "bad_words_ids": st.sampled_from([[[5]], [], [5], "x"]),
    "return_dict_in_generate": st.booleans(),
    "output_scores": st.booleans(),
    "max_new_token": st.just(3),
}
"""Of ``generate``, good and bad; no large numbers of tokens: those it would make."""


class Doors:
    """What is called, each with what ``draw`` gives. Those that stand for one are methods."""

    def __init__(self, model: EditableModel, folder: Path) -> None:
        self.model, self.folder = model, folder

    # What changes the memory, or nothing

    def edit(self, draw: Any) -> None:
        given = draw(st.sampled_from([Edit("The king is", "Otto"), [], None]) | ASKED | THINGS)
        more = {"target_new": draw(THINGS)} if draw(st.booleans()) else {}
        self._change(lambda: self.model.edit(given, **more, **self._about(draw)))

    def edit_fact(self, draw: Any) -> None:
        about = {"subject": "France", "namespace": "shop"} if draw(st.booleans()) else {}
        self._change(lambda: self.model.edit(IN, draw(TEXTS), **about))

    def edit_many(self, draw: Any) -> None:
        one = st.builds(Edit.from_statement, st.just("The shop opens at nine.")) | THINGS
        edits = draw(st.lists(one, max_size=3) | THINGS)
        self._change(lambda: self.model.edit_many(edits, **self._about(draw)))

    def edit_file(self, draw: Any) -> None:
        file = self._file(draw)
        name = st.sampled_from(["edit", "import_edits", "edit_document"])
        options = draw(st.fixed_dictionaries({}, optional={
            "namespace": PLACES, "source": THINGS, "name": THINGS, "dry_run": st.booleans(),
        }))  # fmt: skip
        if (door := draw(name)) == "import_edits":
            options = {k: v for k, v in options.items() if k in ("namespace", "source")}
        elif door == "edit_document":
            options.pop("source", None)
        given = draw(st.just(file) | st.just(str(file)) | THINGS)
        if isinstance(given, str | Path) and door != "edit" or isinstance(given, Path):
            self._change(lambda: getattr(self.model, door)(given, **options), partly=True)

    def forget(self, draw: Any) -> None:
        ids = [self._id(draw) for _ in range(draw(st.integers(0, 3)))]
        refit = draw(st.booleans())
        if len(ids) == 1:
            self._change(lambda: self.model.forget(ids[0], namespace=draw(PLACES), refit=refit))
        else:
            self._change(lambda: self.model.forget_many(ids, namespace=draw(PLACES), refit=refit))

    def restore(self, draw: Any) -> None:
        near = st.integers(-2, 2).map(lambda n: self.model.memory.version - n)
        self._change(lambda: self.model.restore(draw(near | THINGS)))

    def purge(self, draw: Any) -> None:
        what = draw(st.fixed_dictionaries({}, optional={
            "subject": THINGS, "everything": THINGS, "document": THINGS, "namespace": PLACES,
            "sbject": THINGS,
        }))  # fmt: skip
        ids = [self._id(draw)] if draw(st.booleans()) else []
        self._change(lambda: self.model.purge(*ids, **what), erases=True)

    def report(self, draw: Any) -> None:
        asked, id = draw(ASKED | THINGS), self._id(draw)
        if draw(st.booleans()):
            self._change(lambda: self.model.report_miss(asked, id))
        else:
            self._change(lambda: self.model.report_false_fire(asked, id), partly=True)

    def feedback(self, draw: Any) -> None:
        self._change(lambda: self.model.feedback(
            draw(ASKED), draw(st.none() | ASKED | THINGS), subject=draw(st.none() | THINGS),
            answer=draw(st.none() | TEXTS), **self._about(draw),
        ))  # fmt: skip

    def parts(self, draw: Any) -> None:
        name = draw(st.sampled_from(["editor", "scope"]))
        known = {"editor": ["ike", "note", "auto", "rag", "memprompt", "ike+note", "grace"],
                 "scope": ["mention", "threshold", "everything", "nearest"]}  # fmt: skip
        before = getattr(self.model, name)
        try:
            self._same(lambda: setattr(
                self.model, name, draw(st.sampled_from(known[name]) | THINGS)
            ))  # fmt: skip
        except MemeditError:
            assert getattr(self.model, name) is before
            raise

    # What only asks

    def ask(self, draw: Any) -> None:
        given = draw(ASKED | MESSAGES | st.lists(ASKED, max_size=3) | THINGS)
        chat = draw(st.sampled_from([None, None, True, False, "yes"]))
        self._same(lambda: self.model.ask(given, chat=chat, **self._options(draw)))

    def explain(self, draw: Any) -> None:
        explained = self._same(
            lambda: self.model.explain(draw(ASKED | MESSAGES | THINGS), **self._options(draw))
        )
        json.dumps(explained.to_dict())

    def score(self, draw: Any) -> None:
        given, wanted = draw(st.lists(ASKED, max_size=2)), draw(st.lists(ASKED, max_size=2))
        odd = draw(st.none() | THINGS)
        self._same(lambda: self.model.score(given, wanted if odd is None else odd))

    def decide(self, draw: Any) -> None:
        given = draw(st.lists(ASKED, max_size=3) | THINGS)
        decisions = self._same(lambda: self.model.decide(given))
        assert len(decisions) == len(given)

    def generate(self, draw: Any) -> None:
        """Ids of texts: an answer, an error of memedit's, or one where the base has one, too (of
        two options that are none, which one it stumbles over first depends on the rows)."""
        texts = draw(st.lists(st.sampled_from([IN, "Bread.", "Who?"]), min_size=1, max_size=3))
        ids = self.model.tokenizer(texts, return_tensors="pt", padding=True, padding_side="left")
        given, options = dict(ids), {"max_new_tokens": 2} | self._options(draw)
        as_bases = draw(st.booleans())
        try:
            with torch.random.fork_rng(devices=[]):
                self._same(lambda: self.model.generate(**given, **options))
        except MemeditError:
            raise
        except (TypeError, ValueError, RuntimeError, IndexError, OverflowError):
            refused = (TypeError, ValueError, RuntimeError, IndexError, OverflowError)
            with torch.random.fork_rng(devices=[]), pytest.raises(refused):
                self.model.base.generate(**given, **options)
        if as_bases:
            self._same(lambda: self.model(**given))

    def views(self, draw: Any) -> None:
        asked = draw(ASKED)
        view = self._same(lambda: self.model.using(namespace=draw(PLACES), as_of=draw(THINGS)))
        with view:
            self._same(lambda: self.model.decide([asked]))

    def versions(self, draw: Any) -> None:
        near = st.integers(-2, 2).map(lambda n: self.model.memory.version - n)
        with self._same(lambda: self.model.at(draw(near | MOMENTS | THINGS))):
            self._same(lambda: self.model.ask(draw(ASKED), max_new_tokens=1))
        with self.model.unedited():
            assert not self.model.decide([IN])[0].hits

    def history(self, draw: Any) -> None:
        self._same(lambda: self.model.history(self._id(draw)))

    def looked_at(self, draw: Any) -> None:
        self._same(lambda: self.model.row(draw(ASKED | MESSAGES | THINGS)))
        self._same(lambda: self.model.is_chat(draw(ASKED)))
        self._same(self.model.unusable)
        self._same(lambda: self.model.check_edit(Edit("The king is", "Otto")))
        repr(self.model)

    def calibrated(self, draw: Any) -> None:
        queries = draw(st.lists(ASKED, max_size=3) | THINGS)
        rates = {"max_false_fire": draw(NUMBERS), "confidence": draw(NUMBERS)}
        self._same(lambda: self.model.calibrate_scope(queries, **rates))

    def in_weights(self, draw: Any) -> None:
        if draw(st.booleans()):
            self._same(self.model.view)
        with self.model.merged():
            self._same(lambda: self.model.ask(IN, max_new_tokens=1))

    def compared(self, draw: Any) -> None:
        editors = draw(st.lists(st.sampled_from(["none", "ike@mention", "x", ""]), max_size=2)
                       | THINGS)  # fmt: skip
        options = draw(st.fixed_dictionaries({}, optional={
            "n": st.sampled_from([0, 1, -1, "1", None]), "locality": NUMBERS, "families": THINGS,
            "tokens": st.sampled_from([1, 0, "x", None]), "protocol": THINGS, "frame": THINGS,
            "checkpoints": THINGS, "seed": THINGS, "sed": THINGS,
        }))  # fmt: skip
        data = draw(st.just(self.folder / "cases.jsonl") | st.just(self._file(draw)) | TEXTS)
        self._same(lambda: self.model.compare(editors, data, **options))

    # What is written elsewhere

    def saved(self, draw: Any) -> None:
        """What is saved is there again; a name that cannot be one is an error."""
        place = draw(st.just(self.folder / "saved") | st.just(self._file(draw)) | TEXTS.filter(
            lambda text: "/" in text or "\0" in text or not text.strip()
        ) | st.integers())  # fmt: skip
        if isinstance(place, str) and place.strip(" ./\n") and "\0" not in place:
            return  # it would be made where the tests run
        if str(place).strip(" ./\n") == "" or place == self.folder:  # which is removed below
            place = self.folder / "saved"
        folder = self._same(lambda: self.model.save(place))
        base, tokenizer = self.model.base, self.model.tokenizer
        again = EditableModel(base, tokenizer, memory=folder, encoder=HashingEncoder(16))
        with again.memory as memory:
            assert memory.digest() == self.model.memory.digest()
            assert type(again.editor) is type(self.model.editor)
        shutil.rmtree(folder)

    # Parts of these

    def _about(self, draw: Any) -> dict[str, Any]:
        made: dict[str, Any] = draw(st.fixed_dictionaries({}, optional={
            "namespace": PLACES, "source": THINGS, "valid_from": MOMENTS | THINGS,
            "valid_until": MOMENTS | THINGS,
        }))  # fmt: skip
        return made

    def _options(self, draw: Any) -> dict[str, Any]:
        names = draw(st.lists(st.sampled_from(list(OPTIONS)), max_size=2, unique=True))
        return {"max_new_tokens": 2} | {name: draw(OPTIONS[name]) for name in names}

    def _id(self, draw: Any) -> Any:
        which, other = draw(st.integers(0, 5)), draw(THINGS)  # whatever is there now
        known = [record.id for record in self.model.memory.records()][:3]
        return known[which] if which < len(known) else other

    def _file(self, draw: Any) -> Path:
        """A file of edits or a document, good or not; a folder; nothing at all."""
        suffix = draw(st.sampled_from([".jsonl", ".json", ".csv", ".md", ".txt", ".html", ""]))
        file = self.folder / f"given{suffix}"
        kind = draw(st.sampled_from(["bytes", "text", "good", "folder", "nothing"]))
        if kind == "folder":
            return self.folder
        file.unlink(missing_ok=True)
        if kind == "bytes":
            file.write_bytes(draw(st.binary(max_size=60)))
        elif kind == "text":
            file.write_bytes(draw(st.text(LETTERS)).encode("utf-8", "surrogatepass"))
        elif kind == "good":
            file.write_text('{"prompt": "The sea is", "target_new": "blue"}\n')
        return file

    def _state(self) -> tuple[int, str]:
        return self.model.memory.version, self.model.memory.digest()

    def _same(self, work: Callable[[], Any]) -> Any:
        """Do what changes nothing."""
        before = self._state()
        try:
            return work()
        finally:
            assert self._state() == before

    def _change(
        self, work: Callable[[], Any], *, partly: bool = False, erases: bool = False
    ) -> None:
        """Do what is a change, or refused: then nothing was changed (``partly``: but for what was
        reported as done)."""
        version, digest = self._state()
        try:
            work()
        except Exception:
            assert partly or self._state() == (version, digest)
            raise
        assert erases or self.model.memory.version >= version


CASE = {
    "prompt": IN, "target_new": "Lyon", "subject": "France", "paraphrases": ["France's capital is"]
}  # fmt: skip


def test_every_method(tmp_path: Path) -> None:
    (tmp_path / "cases.jsonl").write_text(json.dumps(CASE) + "\n")
    base, tokenizer = tiny_model(), byte_tokenizer()
    before, wrong = hash_of(base), dict[str, str]()
    for made in STAGE.rounds():
        with EditMemory(tmp_path / f"memory-{made.number}", HashingEncoder(16)) as memory:
            model = EditableModel(base, tokenizer, memory=memory, editor="ike", scope="mention")
            model.edit(IN, "Lyon", subject="France")
            wrong |= put_in(Doors(model, tmp_path), CALLS, made.seed, made.counts)
            assert memory.verify().problems == () and hash_of(base) == before
    if wrong:
        pytest.fail(told(wrong))
    counts = STAGE.counts
    assert counts["calls"] / 10 < counts["refused"] < counts["calls"]
