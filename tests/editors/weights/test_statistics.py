"""Second moments: the values, what a file stands for, interruption, and what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from memedit.cli.commands import app
from memedit.core.errors import InvalidInputError, StatisticsError
from memedit.editors.weights import statistics
from memedit.editors.weights.locating import LOCATED
from memedit.editors.weights.packing import pack, pack_rounded, unpack
from memedit.editors.weights.spreading import default_layers
from memedit.editors.weights.statistics import collect, moment_of, moments_of, windows
from memedit.engine.engine import Engine
from memedit.training.statistics import collect_statistics, layers_of
from tests.editors.helpers import texts, tiny_engine


def keys(lm: Engine, site: str, tokens: int, length: int) -> torch.Tensor:
    """[tokens, f] float64 what the module reads, one sequence at a time, in plain Python."""
    found: list[torch.Tensor] = []
    module = lm.base.get_submodule(site)
    handle = module.register_forward_pre_hook(lambda m, args: found.append(args[0][0].double()))
    with torch.no_grad():
        for row in windows(lm.tokenizer, texts(), tokens, length):
            lm.base(input_ids=row[None])
    handle.remove()
    return torch.cat(found)


@pytest.mark.parametrize("arch", ["llama", "gpt2"])
def test_the_moment_is_the_mean_of_outer_products(arch: str, tmp_path: Path) -> None:
    lm = tiny_engine(arch)
    found = collect(lm, [0, -1], texts(), tokens=700, length=50, batch=3, folder=tmp_path)
    assert [each.layer for each in found] == [0, 2]
    for each in found:
        seen = keys(lm, lm.sites.mlp_out(each.layer), 700, 50)
        assert len(seen) == each.tokens == 700
        expected = seen.T @ seen / len(seen)
        moment = moment_of(lm, each.layer, str(tmp_path))
        assert torch.allclose(moment.matrix, expected, rtol=1e-5, atol=1e-7)
        assert each.trace == pytest.approx(float(expected.trace()), rel=1e-6)
        assert moment.tokens == 700


def test_position_zero_is_told_apart(tmp_path: Path) -> None:
    lm = tiny_engine()
    (found,) = collect(lm, [1], texts(4), tokens=100, length=25, folder=tmp_path)
    seen = keys(lm, lm.sites.mlp_out(1), 100, 25)
    first = torch.zeros(100, dtype=torch.bool)
    at = 0
    for row in windows(lm.tokenizer, texts(4), 100, 25):
        first[at] = True
        at += len(row)
    sizes = seen.square().sum(1)
    assert found.trace_without_first == pytest.approx(float(sizes[~first].mean()), rel=1e-6)
    ratio = float((sizes[first].mean() / sizes[~first].mean()).sqrt())
    assert found.ratio == pytest.approx(ratio, rel=1e-6)
    assert found.is_sink is (ratio > 10)


def test_editing_a_sink_warns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memedit.editors.weights.statistics.SINK", 0.1)
    lm = tiny_engine()
    (found,) = collect(lm, [1], texts(), tokens=600, length=64, folder=tmp_path)
    assert found.is_sink
    with pytest.warns(UserWarning, match="Layer 1 is an attention sink"):
        moment_of(lm, 1, str(tmp_path))


def test_every_input_makes_another_file(tmp_path: Path) -> None:
    lm = tiny_engine()
    once: dict[str, Any] = {"tokens": 200, "length": 50, "folder": tmp_path, "text": "a"}
    changes: list[dict[str, Any]] = [
        {}, {"tokens": 201}, {"length": 40}, {"text": "b"}
    ]  # fmt: skip
    paths = [collect(lm, [1], texts(), **{**once, **c})[0].path for c in changes]
    paths.append(collect(lm, [1], texts()[::-1], **once)[0].path)
    paths.append(collect(lm, [0], texts(), **once)[0].path)
    paths.append(collect(tiny_engine("qwen2"), [1], texts(), **once)[0].path)
    half = tiny_engine()
    half.base.to(torch.bfloat16)
    paths.append(collect(half, [1], texts(), **once)[0].path)
    assert len(set(paths)) == len(paths)
    read: list[int] = []
    again = collect(lm, [1], texts(), **once, progress=lambda done, total: read.append(done))
    assert again[0].path == paths[0] and not read


def test_an_interrupted_run_goes_on_and_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memedit.editors.weights.statistics._SAVE_EVERY", 3)
    lm, read = tiny_engine(), []
    broken = tmp_path / "broken"

    def run(folder: Path, progress: Any) -> Any:
        return collect(
            lm, [0, 1], texts(), tokens=600, length=30, batch=2, folder=folder, progress=progress
        )

    def interrupt(done: int, total: int) -> None:
        read.append(done)
        if len(read) == 4:
            raise KeyboardInterrupt

    whole = run(tmp_path / "whole", lambda done, total: None)
    with pytest.raises(KeyboardInterrupt):
        run(broken, interrupt)
    assert not list(broken.glob("*.safetensors"))
    done = run(broken, lambda done, total: read.append(done))
    assert read[4] == read[3] and read[3:] != read[:-3]  # on from the third batch, not the first
    assert sorted(read) == read and len(set(read)) == len(read) - 1 and read[-1] == 600
    for ours, theirs in zip(done, whole, strict=True):
        assert ours.path.name == theirs.path.name
        assert torch.equal(load_file(ours.path)["moment"], load_file(theirs.path)["moment"])
        assert (ours.trace, ours.ratio) == (theirs.trace, theirs.ratio)
    assert [p.suffix for p in broken.iterdir()] == [".safetensors"] * 2


def test_the_largest_statistics_of_the_model_and_layer_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMEDIT_CACHE", str(tmp_path))
    lm = tiny_engine()
    with pytest.raises(StatisticsError, match="layer 2.*memedit statistics --layers 2"):
        moment_of(lm, -1, "auto")
    for tokens in (300, 900, 600):
        collect(lm, [2], texts(), tokens=tokens, length=50)
    assert moment_of(lm, 2, "auto").tokens == 900
    assert moment_of(lm, 2, "auto") is moment_of(lm, 2, "auto")
    with pytest.raises(StatisticsError, match="layer 1"):
        moment_of(lm, 1, "auto")
    with pytest.raises(StatisticsError, match="layer 2"):
        moment_of(tiny_engine("qwen2"), 2, str(tmp_path / "statistics" / lm.fingerprint))
    assert torch.equal(moment_of(lm, 0, "identity").matrix, torch.eye(64).double())


def test_what_is_no_file_of_statistics_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"nothing")
    with pytest.raises(StatisticsError, match="holds no statistics"):
        moment_of(tiny_engine(), 0, str(tmp_path))


def test_asking_for_nothing_or_too_much_is_refused(tmp_path: Path) -> None:
    lm = tiny_engine()
    with pytest.raises(InvalidInputError, match="tokens, not 5,000"):
        collect(lm, [0], texts(4), tokens=5000, folder=tmp_path)
    with pytest.raises(InvalidInputError, match="no layer 3"):
        collect(lm, [3], texts(), tokens=10, folder=tmp_path)
    with pytest.raises(InvalidInputError, match="nothing to measure"):
        collect(lm, [], texts(), tokens=10, folder=tmp_path)
    with pytest.raises(InvalidInputError, match="is not a file"):
        collect_statistics(lm, [0], [tmp_path / "none.txt"], tokens=10)
    assert layers_of("3-5, 9") == [3, 4, 5, 9]
    for wrong in ("", "a", "5-3", "3-", "-1"):
        with pytest.raises(InvalidInputError):
            layers_of(wrong)


def test_the_command_collects_and_tells(tmp_path: Path) -> None:
    from tests.helpers import byte_tokenizer, tiny_model

    tiny_model().save_pretrained(tmp_path / "model")
    byte_tokenizer().save_pretrained(tmp_path / "model")
    text = tmp_path / "text.txt"
    text.write_text("\n".join(texts()))
    command = ["statistics", "--layers", "0-1", "--tokens", "400", "--length", "32"]
    command += ["--text", str(text), "--model", str(tmp_path / "model"), "--out", str(tmp_path)]
    result = CliRunner().invoke(app, [*command, "--json"])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert [row["layer"] for row in rows] == [0, 1] and all(Path(r["path"]).is_file() for r in rows)
    assert "layer 1: 400 tokens" in CliRunner().invoke(app, command).stdout


def test_half_of_a_symmetric_matrix_is_the_whole(tmp_path: Path) -> None:
    """What the package carries gives the very matrix that was measured, bit for bit."""
    engine = tiny_engine()
    (whole,) = collect(engine, [1], texts(), tokens=400, folder=tmp_path / "whole")
    (tmp_path / "half").mkdir()
    half = tmp_path / "half" / "half.safetensors"
    pack(whole.path, half)
    assert half.stat().st_size < 0.6 * whole.path.stat().st_size
    found = moment_of(engine, 1, str(tmp_path / "half"))
    given = moment_of(engine, 1, str(whole.path))
    assert torch.equal(found.matrix, given.matrix) and found.digest == given.digest


def test_a_rounded_factor_is_a_quarter_and_divides_as_the_whole_does(tmp_path: Path) -> None:
    engine = tiny_engine()
    (whole,) = collect(engine, [1], texts(), tokens=1_200, folder=tmp_path)
    to = tmp_path / "rounded.safetensors"
    pack_rounded(whole.path, to)
    given = moment_of(engine, 1, str(whole.path))
    found = moment_of(engine, 1, str(to))
    assert to.stat().st_size < 0.4 * whole.path.stat().st_size and found.digest == given.digest
    assert not torch.equal(found.matrix, given.matrix)
    assert torch.allclose(found.matrix, given.matrix, rtol=1e-3, atol=1e-3)
    before, after = (torch.linalg.eigvalsh(each.matrix) for each in (given, found))
    assert torch.allclose(after, before, rtol=5e-3)  # the smallest directions too
    keys = torch.randn(len(given), 4, generator=torch.Generator().manual_seed(0)).double()
    wanted = given.solve(keys)
    assert float((found.solve(keys) - wanted).norm() / wanted.norm()) < 5e-3
    assert torch.equal(unpack(load_file(to)), found.matrix.float())


def test_what_is_lacking_is_said_with_the_command_and_the_time() -> None:
    big = SimpleNamespace(parameters=lambda: [torch.empty(1_500_000_000, device="meta")])
    lm = SimpleNamespace(base=big, sites=SimpleNamespace(layers=28))
    error = statistics._none(lm, [2, 6], "auto")
    # 2 * 1.5e9 * 7/28 * 1e5 / 3e10 s
    assert "42 minutes" in str(error.hint) and "--layers 2,6" in str(error.hint)


def test_the_default_model_edits_with_rome_and_memit_at_once(
    smollm: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The statistics of their layers come with the package: nothing has to be collected first."""
    monkeypatch.setenv("MEMEDIT_CACHE", str(tmp_path))
    engine = Engine(*smollm)
    layers = default_layers(engine.sites.layers)
    found = moments_of(engine, layers, "auto")
    assert sorted(found) == [3, 4, 5, 6, 7] and engine.sites.layers // LOCATED in found
    for moment in found.values():
        assert moment.tokens == 100_000 and len(moment) == 1_536
