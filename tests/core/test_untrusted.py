"""Files that may be a stranger's: settings, adapters, scopes, hypernetworks, statistics."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from memedit import EditableModel
from memedit.core.errors import (
    InvalidInputError,
    MemeditError,
    MemoryStoreError,
    ModelNotFoundError,
    StatisticsError,
    UntrustedFileError,
)
from memedit.core.untrusted import check_plain, load_tensors, parse_json, read_bytes, read_json
from memedit.editors.prompting.adapter import Adapter
from memedit.editors.weights.hypernetworks import read
from memedit.editors.weights.statistics import moment_of
from memedit.engine.encoders import load_encoder
from memedit.engine.engine import Engine
from memedit.memory.journal.payloads import dump, load
from memedit.scope import load_scope
from memedit.scope.classifier import PairModel
from tests.helpers import tiny_model

SHIPPED = Path("memedit/scope/trained")


@pytest.fixture
def saved(tiny_tokenizer: Any, tmp_path: Path) -> Callable[[Any], Callable[[], EditableModel]]:
    """A memory whose ``model.json`` says something; the function opens it."""
    base, tokenizer = tiny_model(), tiny_tokenizer

    def write(content: Any) -> Callable[[], EditableModel]:
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / "memory").mkdir(exist_ok=True)
        (tmp_path / "memory" / "model.json").write_text(text)
        return lambda: EditableModel(base, tokenizer, memory=tmp_path / "memory", encoder="hashing")

    return write


PLACES = [
    ("editor", "serac", {"counterfactual": "/tmp/adapter"}),
    ("editor", "serac", {"counterfactual": "model:evil/model"}),
    ("editor", "mello", {"decomposer": "/tmp/adapter"}),
    ("editor", "rome", {"statistics": "/tmp"}),
    ("editor", "memit", {"statistics": "here"}),
    ("editor", "mend", {"hypernetwork": "../x"}),
    ("editor", "ke", {"hypernetwork": "/tmp"}),
    ("scope", "classifier", {"model": "/tmp/scope"}),
]


@pytest.mark.parametrize(("kind", "name", "settings"), PLACES)
def test_saved_settings_name_no_files(
    saved: Any, kind: str, name: str, settings: dict[str, Any]
) -> None:
    """A stranger's directory may not choose what else is loaded; whoever opens it may."""
    with pytest.raises(InvalidInputError, match=f"The saved {kind} '{name}' reads .*say it your"):
        saved({kind: {"name": name, "settings": settings}})()


@pytest.mark.parametrize(
    "editor",
    ["serac(counterfactual=/tmp/x)", "rome(statistics=/tmp)", "a/b", "", "os.system", "../ike",
     "ike+serac(counterfactual=/tmp/x)"],
)  # fmt: skip
def test_saved_names_hold_no_settings_and_no_paths(saved: Any, editor: str) -> None:
    with pytest.raises(MemeditError):
        saved({"editor": {"name": editor, "settings": {}}})()


@pytest.mark.parametrize(
    "content",
    ["[" * 200_000, "[]", "null", "\x00", '{"editor": 5}', '{"editor": {"name": "ike"}}',
     '{"editor": {"name": ["ike"], "settings": {}}}', '{"scope": {"name": "x", "settings": []}}',
     '{"editor": {"name": "mello", "settings": {"rounds": "many"}}}',
     '{"editor": {"name": "ike", "settings": {"nonsense": 1}}}'],
)  # fmt: skip
def test_settings_that_are_none_say_so(saved: Any, content: str) -> None:
    with pytest.raises(MemeditError):
        saved(content)()


def test_what_was_saved_without_files_is_what_opens(saved: Any) -> None:
    content = {
        "editor": {"name": "serac", "settings": {"counterfactual": "base", "facts": 2}},
        "scope": {"name": "threshold", "settings": {"similarity": 0.7}},
    }
    model = saved(content)()
    assert (model.editor.name, model.editor.facts) == ("serac", 2)
    assert model.scope.similarity == 0.7


def test_plain_files_only(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text('{"a": 1}')
    assert read_json(file) == {"a": 1}
    (tmp_path / "link").symlink_to(file)
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "."):
        with pytest.raises(UntrustedFileError, match="is a (link|device or pipe|directory)"):
            check_plain(tmp_path / name)
    with pytest.raises(UntrustedFileError, match="larger than 3 bytes"):
        read_bytes(file, 3)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "{", "\ud800", "1" * 10_000])
def test_json_that_cannot_be_read(text: str) -> None:
    with pytest.raises(UntrustedFileError, match="is no JSON"):
        parse_json(text)


def _header(text: str, rest: bytes = b"") -> bytes:
    return len(text).to_bytes(8, "little") + text.encode() + rest


TENSORS = {
    "empty": b"",
    "short": b"\x01\x02",
    "a header longer than the file": (1 << 40).to_bytes(8, "little") + b"{}",
    "a long header": _header(" " * (20 << 20)),
    "no JSON": _header("[[[["),
    "deep": _header("[" * 100_000),
    "more than the file holds": _header(
        '{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,1]}}', b"\0"
    ),
    "beyond the end": _header('{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}', b"\0"),
    "shape and bytes differ": _header(
        '{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,4]}}', b"\0" * 4
    ),
    "a hole": _header('{"a":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}}', b"\0" * 4),
}


@pytest.mark.parametrize("what", TENSORS)
def test_tensors_that_are_none(tmp_path: Path, what: str) -> None:
    file = tmp_path / "x.safetensors"
    file.write_bytes(TENSORS[what])
    with pytest.raises(UntrustedFileError, match="no safetensors file"):
        load_tensors(file)


@pytest.mark.parametrize(
    "what", ["a long header", "deep", "beyond the end", "more than the file holds"]
)
def test_payloads_of_a_damaged_journal_are_named(what: str) -> None:
    with pytest.raises(MemoryStoreError, match="payload in this memory is damaged"):
        load(TENSORS[what], "{}")


@pytest.mark.parametrize("values", ["[" * 100_000, "[]", '{"a": [1]}', '{"a": null}', ""])
def test_values_of_a_damaged_journal_are_named(values: str) -> None:
    with pytest.raises(MemoryStoreError, match="payload in this memory is damaged"):
        load(b"", values)
    assert load(*dump({"a": 1.5, "b": "x"})) == {"a": 1.5, "b": "x"}


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    a, b = "base_model.model.x.lora_A.weight", "base_model.model.x.lora_B.weight"
    save_file({a: torch.ones(2, 3), b: torch.ones(4, 2)}, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text('{"r": 2, "lora_alpha": 4}')
    (tmp_path / "manifest.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    "config", ['{"r": 0, "lora_alpha": 4}', "{}", '{"r": "2", "lora_alpha": []}', "[" * 100_000]
)
def test_a_damaged_adapter_is_refused(adapter: Path, config: str) -> None:
    assert Adapter.load(adapter).modules[0].scale == 2
    (adapter / "adapter_config.json").write_text(config)
    with pytest.raises(InvalidInputError, match="no counterfactual adapter"):
        Adapter.load(adapter)


@pytest.mark.parametrize("shape", [(4, 3), (2,), (0, 3)])
def test_matrices_of_an_adapter_follow_from_each_other(
    adapter: Path, shape: tuple[int, ...]
) -> None:
    file = adapter / "adapter_model.safetensors"
    save_file(load_file(file) | {"base_model.model.x.lora_A.weight": torch.ones(shape)}, file)
    with pytest.raises(InvalidInputError, match="no counterfactual adapter"):
        Adapter.load(adapter)


@pytest.mark.parametrize(
    "change",
    [{"calibration": {}}, {"calibration": {"temperature": "x", "shift": 0, "join": None}},
     {"calibration": {"temperature": 1, "shift": 0, "join": None, "mean": 5}, "scalars": 5}],
)  # fmt: skip
def test_a_damaged_scope_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    manifest = json.loads((SHIPPED / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | change))
    (tmp_path / "scope.safetensors").write_bytes((SHIPPED / "scope.safetensors").read_bytes())
    with pytest.raises(InvalidInputError, match="There is no trained scope"):
        PairModel.load(tmp_path)


@pytest.mark.parametrize("name", ["mean", "project", "hidden", "out"])
def test_matrices_of_a_scope_follow_from_each_other(tmp_path: Path, name: str) -> None:
    (tmp_path / "manifest.json").write_bytes((SHIPPED / "manifest.json").read_bytes())
    tensors = load_file(SHIPPED / "scope.safetensors")
    for wrong in (tensors[name][1:].clone(), tensors[name] * float("nan")):
        save_file(tensors | {name: wrong}, tmp_path / "scope.safetensors")
        with pytest.raises(InvalidInputError, match="There is no trained scope"):
            PairModel.load(tmp_path)


def test_a_scope_without_a_tensor_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes((SHIPPED / "manifest.json").read_bytes())
    tensors = load_file(SHIPPED / "scope.safetensors")
    del tensors["out"]
    save_file(tensors, tmp_path / "scope.safetensors")
    with pytest.raises(InvalidInputError, match="There is no trained scope"):
        load_scope("classifier", model=str(tmp_path)).check_encoder("x")  # type: ignore[attr-defined]


@pytest.mark.parametrize("what", TENSORS)
def test_a_damaged_hypernetwork_is_refused(tiny_tokenizer: Any, tmp_path: Path, what: str) -> None:
    lm = Engine(tiny_model(), tiny_tokenizer)
    (tmp_path / "hypernetwork.safetensors").write_bytes(TENSORS[what])
    (tmp_path / "manifest.json").write_text(json.dumps({"kind": "ke", "base": lm.fingerprint}))
    with pytest.raises(InvalidInputError, match="There is no KE hypernetwork"):
        read("ke", str(tmp_path), lm)


def test_statistics_of_another_size_are_refused(tiny_tokenizer: Any, tmp_path: Path) -> None:
    """A triangle of 2 numbers is no matrix of the model's width, whatever the header says."""
    lm = Engine(tiny_model(), tiny_tokenizer)
    inputs = {
        "model": lm.fingerprint, "site": lm.sites.mlp_out(0), "tokens": 9, "ids": "", "length": 1,
        "dtype": "float32", "text": "",
    }  # fmt: skip
    numbers = {"first": 1, "firsts": 1, "count": 1, "energy": 1, "ratio": 1}
    metadata = {"inputs": json.dumps(inputs), "numbers": json.dumps(numbers)}
    for tensors in ({"lower": torch.ones(2)}, {"moment": torch.ones(1, 5)}, {"x": torch.ones(1)}):
        save_file(tensors, tmp_path / "x.safetensors", metadata)
        with pytest.raises(StatisticsError):
            moment_of(lm, 0, str(tmp_path / "x.safetensors"))
    del numbers["ratio"]
    metadata["numbers"] = json.dumps(numbers)
    save_file({"x": torch.ones(1)}, tmp_path / "x.safetensors", metadata)
    with pytest.raises(StatisticsError, match="holds no statistics .'ratio'"):
        moment_of(lm, 0, str(tmp_path / "x.safetensors"))


def test_an_encoders_folder_chooses_no_classes(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text('[{"idx": 0, "path": "", "type": "numpy.lib.npyio"}]')
    with pytest.raises(ModelNotFoundError, match="would run other code: numpy"):
        load_encoder(str(tmp_path))
