"""Which device is meant by a name, and what ``auto`` takes.

Neither CUDA nor Apple's GPU need be here: what torch says of them is put into its mouth, and where
one is chosen is seen on the meta device and the CPU.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from memedit import EditableModel
from memedit.cli import doctor
from memedit.core.errors import InvalidInputError
from memedit.engine import loading
from memedit.engine.devices import choose_device, find_best
from memedit.engine.encoders import load_encoder
from memedit.memory import EditMemory
from memedit.serving.building import build
from memedit.serving.settings import Settings, load_settings
from tests.serving.processes import save_tiny


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_tiny(tmp_path / "model")


def say(monkeypatch: pytest.MonkeyPatch, *, cuda: bool, mps: bool) -> None:
    monkeypatch.delenv("MEMEDIT_DEVICE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "best"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_takes_cuda_then_mps_then_the_cpu(
    cuda: bool, mps: bool, best: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(monkeypatch, cuda=cuda, mps=mps)
    assert find_best() == best
    assert choose_device("auto") == torch.device(best)
    assert choose_device() is None
    monkeypatch.setenv("MEMEDIT_DEVICE", "auto")
    assert choose_device() == torch.device(best)
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "", "mtia:3", 1.5])
def test_a_device_that_is_not_here_is_told_before_a_model_is_looked_for(name: str) -> None:
    with pytest.raises(InvalidInputError, match=r"There is no device .* here.*'auto'"):
        loading.load("/no/such/model", device=name)
    with pytest.raises(InvalidInputError, match="There is no device"):
        load_encoder(device=name)


def test_a_model_goes_where_it_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, cuda=False, mps=False)
    auto = EditableModel.from_pretrained(folder, device="auto", encoder="hashing")
    assert auto.base.device.type == "cpu"
    monkeypatch.setenv("MEMEDIT_DEVICE", "meta")
    assert loading.load(folder)[0].device.type == "meta"
    assert loading.load(folder, device="cpu")[0].device.type == "cpu"


def test_a_server_takes_its_device_from_flag_environment_or_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "memedit.toml"
    file.write_text('device = "cpu"\n')
    assert load_settings(file, {}).device == "cpu"
    monkeypatch.setenv("MEMEDIT_DEVICE", "cuda:1")
    assert load_settings(file, {}).device == "cuda:1"
    assert load_settings(file, {"device": "auto"}).device == "auto"
    with EditMemory(None, load_encoder("hashing")) as memory:
        given = Settings(model=str(folder), no_auth=True, device="xpu:77")
        with pytest.raises(InvalidInputError, match="There is no device 'xpu:77' here"):
            build(given, memory, None)


def test_doctor_says_which_device_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, cuda=False, mps=True)
    assert doctor._device().said.startswith("Apple GPU, 'mps' (used: cpu; another by MEMEDIT_DEV")
    monkeypatch.setenv("MEMEDIT_DEVICE", "nowhere")
    found = doctor._device()
    assert found.state == "missing" and "There is no device 'nowhere'" in found.said
    assert found.cure == "export MEMEDIT_DEVICE=auto"
