"""What people hand over at the front door: taken where it is plain, else an error that helps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from transformers import GenerationConfig

from memedit import Edit, EditableModel
from memedit.core.errors import EncoderMismatchError, InvalidInputError, MemeditError
from memedit.core.moments import is_day, moment_of
from memedit.memory import EditMemory
from memedit.model.dropin import DropIn
from tests import helpers
from tests.memory.helpers import CountingEncoder

MIDNIGHT = datetime(2026, 1, 31, tzinfo=timezone.utc)
SAID: list[Any] = [
    "2026-01-31", date(2026, 1, 31), "2026-01-31T00:00:00Z", "2026-01-31T01:00:00+01:00",
    " 2026-01-31 ", MIDNIGHT, MIDNIGHT.astimezone(timezone(timedelta(hours=5))),
]  # fmt: skip
NO_DATES: list[Any] = [
    "soon", "", "1", "2026-13-01", "2026-01-31T10:00", datetime(2026, 1, 31), 2026, b"x", [2026],
]  # fmt: skip
IN = "The capital of France is"


@pytest.fixture(scope="module")
def model() -> EditableModel:
    made = EditableModel(
        helpers.tiny_model("llama"), helpers.byte_tokenizer(), editor="ike", encoder="hashing"
    )
    made.edit(IN, "Lyon", subject="France")
    return made


@pytest.mark.parametrize("given", SAID, ids=str)
def test_dates_are_taken_as_people_write_them(model: EditableModel, given: Any) -> None:
    assert moment_of(given, "it") == MIDNIGHT
    said = model.edit("The capital of Peru is", "Cusco", subject="Peru", valid_from=given)
    assert said.record.valid_from == MIDNIGHT
    [many] = model.edit([Edit("The capital of Chad is", "Sarh", "Chad")], valid_until=given)
    whole = timedelta(days=1) if is_day(given) else timedelta()  # its last day is included
    assert many.record.valid_until == MIDNIGHT + whole
    for now, there in ((given, 1), ("2026-01-30", 0)):
        with model.using(as_of=now):
            assert len(model.decide(["The capital of Peru is"])[0].hits) == there
        hits = model.memory.search(["The capital of Peru is"], as_of=now)[0]
        assert ("Cusco" in {hit.record.edit.target_new for hit in hits}) is bool(there)
    with model.at(given):  # before anything was known
        assert not model.decide([IN])[0].hits
    with model.at("2999-01-01"):
        assert model.decide([IN])[0].hits


@pytest.mark.parametrize("given", NO_DATES, ids=repr)
def test_what_is_no_date_is_said(model: EditableModel, given: Any) -> None:
    version, first = model.memory.version, next(model.memory.records()).id
    for attempt in (
        lambda: model.edit("The capital of Peru is", "Cusco", valid_from=given),
        lambda: model.edit([Edit("The capital of Peru is", "Cusco")], valid_until=given),
        lambda: model.memory.supersede(first, Edit("a", "b"), valid_from=given),
        lambda: model.using(as_of=given),
        lambda: model.memory.search([IN], as_of=given),
        lambda: model.at(given) if not isinstance(given, int) else model.memory.restore(given),
    ):
        with pytest.raises(MemeditError, match=r"no date|must be a date|no time zone|no version"):
            attempt()
    assert model.memory.version == version


@pytest.mark.parametrize("version", ["1", 1.0, None, True, date(2026, 1, 1), MIDNIGHT], ids=repr)
def test_a_version_is_a_whole_number(model: EditableModel, version: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"whole number, not .*Versions go from 0 to "):
        model.restore(version)
    if isinstance(version, float | bool):
        with pytest.raises(MemeditError):
            model.at(version)  # type: ignore[arg-type]


def test_messages_are_asked_as_a_chat(model: EditableModel) -> None:
    one = [{"role": "user", "content": "What is the capital of France?"}]
    told = model.ask("What is the capital of France?", chat=True, max_new_tokens=4)
    assert model.ask(one, max_new_tokens=4) == told
    parts = [{"role": "user", "content": [{"type": "text", "text": one[0]["content"]}]}]
    assert model.ask(parts, max_new_tokens=4) == told
    assert model.ask([one, one], max_new_tokens=4) == [told, told]
    several = [
        {"role": "user", "content": "Let us talk about France."},
        {"role": "assistant", "content": "Gladly."},
        {"role": "user", "content": "What is its capital?"},
    ]
    row = model.row(several)
    assert row.prompt == "What is its capital?" and "Gladly." in row.text
    assert model.explain(several, max_new_tokens=2).query == "What is its capital?"


@pytest.mark.parametrize(
    "given",
    [None, 5, b"What?", [None], [5], [[]], {"role": "user", "content": "x"}, [{"role": "user"}],
     [{"content": "x"}], [{"role": "user", "content": None}], [{"role": "user", "content": ""}],
     [{"role": "user", "content": [{"type": "image"}]}], ["a", None]],
    ids=repr,
)  # fmt: skip
def test_what_cannot_be_asked_is_said(model: EditableModel, given: Any) -> None:
    for ask in (model.ask, model.explain):
        with pytest.raises(InvalidInputError):
            ask(given, max_new_tokens=2)
    for several in (model.decide, lambda texts: model.score(texts, ["x"])):
        with pytest.raises(InvalidInputError):
            several(given)


def test_asking_nothing_is_answered_with_nothing(model: EditableModel) -> None:
    nothing: Any = model.ask([])
    assert (nothing, model.decide([]), model.memory.search([])) == ([], [], [])
    with pytest.raises(InvalidInputError, match="Messages are a chat"):
        model.ask([{"role": "user", "content": "x"}], chat=False)
    with pytest.raises(InvalidInputError, match="1 prompts and 2 targets"):
        model.score(["a"], ["b", "c"])


@pytest.mark.parametrize("given", ["text", ["text"], [[1, 2]], [{"role": "user", "content": "x"}]])
def test_generate_takes_ids_and_says_what_takes_texts(model: EditableModel, given: Any) -> None:
    attempts: list[Callable[[], Any]] = [
        lambda: model.generate(given), lambda: model(given),
        lambda: model.generate(input_ids=given),
    ]  # fmt: skip
    for attempt in attempts:
        with pytest.raises(InvalidInputError, match=r"takes token ids .* model\.ask\(text\)"):
            attempt()


MISSPELT: list[tuple[str, Callable[[EditableModel], Any], str]] = [
    ("edit", lambda m: m.edit("a b", "c", subjet="a"), "Did you mean: subject"),
    ("edit", lambda m: m.edit("a b", "c", validfrom="2026-01-01"), "valid_from"),
    ("edit", lambda m: m.edit("a b", "c", frobnicate=1), "It has: because_of, multiple, namespace"),
    ("edit", lambda m: m.edit("a b", "c", payloads={}), "payloads"),
    ("edit", lambda m: m.edit([Edit("a", "b")], name_space="x"), "Did you mean: namespace"),
    ("edit of a file", lambda m: m.edit(Path("x.jsonl"), soruce="x"), "Did you mean: source"),
    ("edit_many", lambda m: m.edit_many([Edit("a", "b")], soruce="x"), "Did you mean: source"),
    ("feedback", lambda m: m.feedback("a?", "b", answer="c", soruce="x"), "Did you mean: source"),
]


@pytest.mark.parametrize(("call", "attempt", "hint"), MISSPELT)
def test_a_misspelt_option_is_named_with_the_nearest(
    model: EditableModel, call: str, attempt: Callable[[EditableModel], Any], hint: str
) -> None:
    before = len(model.memory)
    with pytest.raises(InvalidInputError, match=rf"EditableModel\.{call} has no option .*{hint}"):
        attempt(model)
    assert len(model.memory) == before


def test_a_misspelt_option_of_generate(model: EditableModel) -> None:
    for query in (IN, "Elsewhere."):
        with pytest.raises(InvalidInputError, match=r"'max_new_token'.*max_new_tokens"):
            model.ask(query, max_new_token=4)


@pytest.mark.parametrize("given", [None, 5, {"prompt": "a"}, [("a", "b")], [None], b"x"], ids=repr)
def test_what_is_no_edit_is_said(model: EditableModel, given: Any) -> None:
    with pytest.raises(InvalidInputError, match="edit takes a text, an Edit"):
        model.edit(given)
    with pytest.raises(MemeditError, match="An edit is needed"):
        model.memory.add(given)


def test_editor_and_scope_are_set_by_name_too(model: EditableModel) -> None:
    model.editor = "ike"
    model.scope = "mention"
    assert "editor='ike', scope='mention'" in repr(model)
    assert model.ask(IN, max_new_tokens=2).editor == "ike"
    for name, wrong in (("editor", "ikee"), ("editor", 5), ("scope", "mentoin"), ("scope", 5)):
        with pytest.raises(MemeditError, match=r"Did you mean|is no (editor|scope)"):
            setattr(model, name, wrong)
    assert "editor='ike', scope='mention'" in repr(model)


ODD: dict[str, Callable[[EditableModel], Any]] = {
    "several prompts explained": lambda m: m.explain([IN, IN]),  # type: ignore[list-item]
    "a row of none": lambda m: m.row(5),  # type: ignore[arg-type]
    "a row of several": lambda m: m.row([IN]),  # type: ignore[list-item]
    "feedback that is a list": lambda m: m.feedback("Who?", ["b"], answer="a"),  # type: ignore[arg-type]
    "feedback on a number": lambda m: m.feedback(5, "b"),  # type: ignore[arg-type]
    "an answer that is none": lambda m: m.feedback("Who?", "b", answer=5),  # type: ignore[arg-type]
    "a namespace that is a list": lambda m: m.forget("x", namespace=["a"]),  # type: ignore[arg-type]
    "a view of such a one": lambda m: m.memory.search([IN], namespace={"a": 1}),  # type: ignore[arg-type]
    "everything, in words": lambda m: m.purge(everything="no"),
    "a misspelt subject": lambda m: m.purge(sbject="France"),
    "a folder with NUL": lambda m: m.save("a\0b"),
    "a folder that is a number": lambda m: m.save(5),  # type: ignore[arg-type]
    "a file that no system names": lambda m: m.import_edits("\ud800.jsonl"),
    "a source that is none": lambda m: m.edit("The king is Otto.", source=None),
    "one of an Edit": lambda m: m.memory.add(Edit("The sky is", "red"), source=0),  # type: ignore[arg-type]
    "a file of a name too long": lambda m: m.import_edits("x" * 5_000),
    "a file of a source that is a day": lambda m: m.import_edits(__file__, source=date(2026, 1, 1)),  # type: ignore[arg-type]
    "a document that is none": lambda m: m.edit_document(5),  # type: ignore[arg-type]
    "an export into NUL": lambda m: m.memory.export("a\0b"),
    "a memory in NUL": lambda m: EditMemory("a\0b", CountingEncoder()),
    "a URL that nobody can read": lambda m: EditMemory("postgresql://[::1", CountingEncoder()),
    "a URL of no letters": lambda m: EditMemory("postgresql://\udcff", CountingEncoder()),
    "editors that are none": lambda m: m.compare(None, "x.jsonl"),  # type: ignore[arg-type]
    "editors that are numbers": lambda m: m.compare([1, 2], "x.jsonl"),  # type: ignore[list-item]
}


@pytest.mark.parametrize("what", ODD)
def test_what_cannot_be_is_said_and_changes_nothing(model: EditableModel, what: str) -> None:
    """The faults that fuzzing found: TypeError, AttributeError, ValueError; and everything=\"no\"
    purged everything."""
    before = model.memory.version, model.memory.digest()
    with pytest.raises(MemeditError):
        ODD[what](model)
    assert (model.memory.version, model.memory.digest()) == before


@pytest.mark.parametrize("query", [IN, "Elsewhere."])
@pytest.mark.parametrize("option", [
    {"max_new_tokens": 0}, {"max_new_tokens": "2"}, {"max_new_tokens": True}, {"num_beams": 1.5},
    {"temperature": "hot", "do_sample": True}, {"temperature": -1.0, "do_sample": True},
    {"eos_token_id": 2**40}, {"eos_token_id": [5, -1]}, {"stop_strings": "a"},
    {"num_return_sequences": 2}, {"min_new_tokens": -1}, {"top_k": "x"},
], ids=str)  # fmt: skip
def test_options_of_generate_that_cannot_be(
    model: EditableModel, query: str, option: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInputError):
        model.ask(query, **option)


IDS: dict[str, list[Any]] = {
    "eos_token_id": [2**40, -1, [256, 2**40], "x", {256}, [[5]], float("nan")],
    "pad_token_id": [2**40, -1, 300, 7, "x", 1.5, 2**63],
    "bos_token_id": [2**40, -1, "x"], "decoder_start_token_id": [2**40, "x"],
    "forced_bos_token_id": [2**40, "x"], "forced_eos_token_id": [2**40, -1, [5]],
    "bad_words_ids": [[[2**40]], [[-1]], [5], [["x"]], "x"],
    "suppress_tokens": [[2**40], [-1], 5, "x"], "begin_suppress_tokens": [[2**40], "x"],
    "max_new_tokens": [[2]], "min_new_tokens": ["1"], "num_beams": [[2]],
    "num_return_sequences": [[1]], "no_repeat_ngram_size": [-1, "x"], "repetition_penalty": ["x"],
    "logits_processor": [5, "x", [5]], "stopping_criteria": [5],
    "cache_implementation": ["static"], "prefill_chunk_size": [1],
}  # fmt: skip


@pytest.mark.parametrize("name", IDS)
def test_generate_refuses_options_in_words_or_does_as_the_base(name: str) -> None:
    """The faults: IndexError of an id that no token has, TypeError, OverflowError of our own."""
    # Prompts in parts are nothing to an editor that adds text.
    editor = "grace" if name == "prefill_chunk_size" else "ike"
    model = EditableModel(
        helpers.tiny_model(), helpers.byte_tokenizer(), editor=editor, encoder="hashing"
    )
    model.edit(IN, "Lyon", subject="France")
    given = model.tokenizer([IN, "Bread."], return_tensors="pt", padding=True, padding_side="left")
    for value in IDS[name]:
        config: Any = GenerationConfig.from_dict({})
        setattr(config, name, value)
        for options in ({name: value}, {"generation_config": config}):
            asked = {**given, "max_new_tokens": 3, **options}
            try:
                model.generate(**asked)
            except InvalidInputError as error:
                assert name in str(error)
            except Exception as error:
                with pytest.raises(type(error)):
                    model.base.generate(**asked)


def test_the_callers_padding_stands_behind_edited_answers(model: EditableModel) -> None:
    """The fault: the tokenizer's stood there, whichever was asked for."""
    texts = [IN, "The capital of France is a"]
    given = model.tokenizer(texts, return_tensors="pt", padding=True, padding_side="left")
    width = given.input_ids.shape[1]

    def answer(**options: Any) -> list[list[int]]:
        made: list[list[int]] = model.generate(**given, max_new_tokens=6, **options).tolist()
        return [row[width:] for row in made]

    own, pad = answer(), model.tokenizer.pad_token_id
    assert any(pad in row for row in own)
    for other in (-7, 7, 2**40):
        wanted = [[other if token == pad else token for token in row] for row in own]
        assert answer(pad_token_id=other) == wanted


@pytest.mark.parametrize("call", ["generate", "forward"])
def test_ids_and_masks_that_cannot_be(model: EditableModel, call: str) -> None:
    """The faults: OverflowError, ValueError of our own, of a mask that the base takes, too."""
    given = model.tokenizer([IN, "Bread."], return_tensors="pt", padding=True, padding_side="left")
    ids, mask = given.input_ids, given.attention_mask
    more = {"max_new_tokens": 2} if call == "generate" else {}
    for odd in (ids - 10_000, ids + 2**40, ids.float(), ids.bool()):
        with pytest.raises((IndexError, RuntimeError), match="out of range|indices"):
            getattr(model, call)(input_ids=odd, attention_mask=mask, **more)
    for odd in (mask[:, 1:], mask[:, None], mask.tolist(), "x"):
        with pytest.raises(InvalidInputError, match="attention_mask is .* as the ids are"):
            getattr(model, call)(input_ids=ids, attention_mask=odd, **more)
    whole = ids[:1].expand(2, -1)
    for one in (mask[:1], mask[:1].expand(2, -1)):
        getattr(model, call)(input_ids=whole, attention_mask=one, **more)


def test_a_scope_that_is_set_suits_the_memory_too(model: EditableModel) -> None:
    """The fault: set after the first question, it was not looked at: a ValueError of numpy's."""
    model.scope = "mention"
    assert model.decide([IN])[0].hits
    model.scope = "classifier"
    with pytest.raises(EncoderMismatchError, match="trained for the encoder"):
        model.decide([IN])
    model.scope = "mention"
    assert model.decide([IN])[0].hits


def test_a_memory_is_a_path() -> None:
    for wrong in (5, b"x", ["x"]):
        with pytest.raises(InvalidInputError, match="A memory is a directory or a URL"):
            EditMemory(wrong, CountingEncoder())  # type: ignore[arg-type]


def test_a_tokenizer_that_is_none_is_refused_at_once() -> None:
    """The fault: "'str' object is not callable" at the first question."""
    base, tokenizer = helpers.tiny_model("llama"), helpers.byte_tokenizer()
    for given in ((base, "gpt2"), (tokenizer, base)):
        with pytest.raises(
            InvalidInputError, match=r"must be a loaded tokenizer.*base comes first"
        ):
            EditableModel(*given)


def test_calibrating_names_itself(model: EditableModel) -> None:
    with pytest.raises(InvalidInputError, match="calibrate_scope takes a list of texts, not one"):
        model.calibrate_scope("traffic.txt")


def test_a_drop_in_says_how_prompts_are_answered_or_is_none() -> None:
    with pytest.raises(TypeError, match="_answering"):
        DropIn(helpers.tiny_model("llama"))  # type: ignore[abstract]


@pytest.mark.parametrize("given", [{}, {"valid_from": None}])
def test_a_correction_that_names_its_first_day_begins_on_it(given: dict[str, Any]) -> None:
    model = EditableModel(helpers.tiny_model(), helpers.byte_tokenizer())
    old = model.edit("The fee is 50 euros.").record
    receipt = model.edit("From tomorrow the fee is 60 euros.", **given)
    assert [record.id for record in receipt.superseded] == [old.id] and receipt.conflicts == ()
    assert receipt.record.valid_from is not None and receipt.record.valid_from > datetime.now(
        timezone.utc
    )
