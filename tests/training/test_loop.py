"""The training loop: the same end whether or not it was interrupted."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from memedit.core.errors import InvalidInputError
from memedit.training.loop import CHECKPOINT, Schedule, Validate, draw_shuffled, train


class Interrupted(Exception):
    pass


def test_the_best_state_is_kept_over_an_interruption(tmp_path: Path) -> None:
    schedule = Schedule(steps=8, save_every=3, rate=0.1, warmup=1)
    losses = {2: 5.0, 4: 1.0, 6: 4.0, 8: 3.0}

    def run(folder: Path, stop_at: int | None) -> tuple[int, Tensor]:
        weight = nn.Parameter(torch.zeros(2))
        done = 0

        def loss_of(step: int) -> Tensor:
            nonlocal done
            if step == stop_at:
                raise Interrupted
            done = step + 1
            return ((weight - step) ** 2).sum()

        best = train(
            {"weight": weight}, loss_of, schedule, folder,
            validate=Validate(lambda: losses[done], 2),
        )  # fmt: skip
        return best, weight.detach().clone()

    whole = run(tmp_path / "whole", None)
    assert whole[0] == 4
    for stop_at in (5, 7):
        folder = tmp_path / f"parts-{stop_at}"
        with pytest.raises(Interrupted):
            run(folder, stop_at)
        again = run(folder, None)
        assert again[0] == 4 and torch.equal(again[1], whole[1])
    # A checkpoint that is not there: what was best then is not best now.
    (tmp_path / "whole" / "checkpoint.safetensors").unlink()
    losses.update({2: 9.0, 4: 8.0, 6: 7.0, 8: 6.0})
    assert run(tmp_path / "whole", None)[0] == 8


def problem() -> tuple[dict[str, nn.Parameter], nn.Parameter]:
    weight = nn.Parameter(torch.zeros(3))
    return {"weight": weight}, weight


def run(folder: Path, schedule: Schedule, stop_at: int | None = None) -> Tensor:
    parameters, weight = problem()

    def loss_of(step: int) -> Tensor:
        if step == stop_at:
            raise Interrupted
        rng = random.Random(step)
        target = torch.tensor([rng.random() for _ in range(3)])
        return ((weight - target) ** 2).sum()

    train(parameters, loss_of, schedule, folder)
    return weight.detach().clone()


def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    schedule = Schedule(steps=11, save_every=4, rate=0.1, warmup=2)
    whole = run(tmp_path / "whole", schedule)
    with pytest.raises(Interrupted):
        run(tmp_path / "parts", schedule, stop_at=6)
    assert torch.equal(run(tmp_path / "parts", schedule), whole)
    assert not torch.equal(whole, torch.zeros(3))


def test_a_value_that_no_gradient_moves_is_kept_in_the_checkpoint(tmp_path: Path) -> None:
    schedule = Schedule(steps=6, save_every=2, rate=0.1)

    def counted(stop_at: int | None) -> float:
        parameters, weight = problem()
        count = nn.Parameter(torch.zeros(()), requires_grad=False)

        def loss_of(step: int) -> Tensor:
            if step == stop_at:
                raise Interrupted
            with torch.no_grad():
                count.add_(1)
            return (weight**2).sum()

        train({**parameters, "count": count}, loss_of, schedule, tmp_path)
        return float(count)

    with pytest.raises(Interrupted):
        counted(5)
    assert counted(None) == 6


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    run(tmp_path, Schedule(steps=4, save_every=2))
    with pytest.raises(InvalidInputError, match="other settings: rate"):
        run(tmp_path, Schedule(steps=4, save_every=2, rate=1e-2))
    said = {"the data": "1", "the base": "2"}
    with pytest.raises(InvalidInputError, match="the data.*does not say what it was begun with"):
        run(tmp_path, Schedule(steps=4, save_every=2, inputs=said))
    run(tmp_path / "said", Schedule(steps=4, save_every=2, inputs=said))
    run(tmp_path / "said", Schedule(steps=4, save_every=2, inputs=said))
    with pytest.raises(InvalidInputError, match=r"other settings: the data\.") as refused:
        run(tmp_path / "said", Schedule(steps=4, save_every=2, inputs={**said, "the data": "3"}))
    assert "remove it, or choose another folder" in str(refused.value)


def test_a_file_that_is_no_checkpoint_is_told(tmp_path: Path) -> None:
    file, schedule = tmp_path / CHECKPOINT, Schedule(steps=4, save_every=2)
    save_file({"weight": torch.zeros(3)}, file)  # what says nothing of itself
    with pytest.raises(InvalidInputError, match="no checkpoint of a training"):
        run(tmp_path, schedule)
    file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(InvalidInputError, match="cannot be read"):
        run(tmp_path, schedule)


def test_the_rate_rises_then_falls() -> None:
    schedule = Schedule(steps=100, rate=1.0, warmup=10)
    rates = [schedule.at(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and max(rates) == pytest.approx(rates[9], abs=0.03)
    assert rates[-1] < 0.05 and rates[20:] == sorted(rates[20:], reverse=True)


def test_steps_deal_out_one_draw_sorted_by_length() -> None:
    schedule = Schedule(steps=8, batch=5)

    def draw(rng: random.Random) -> tuple[list[int], list[int]]:
        return [0] * rng.randrange(1, 50), [0]

    batches = [draw_shuffled(step, schedule, draw) for step in range(4)]
    assert batches == [draw_shuffled(step, schedule, draw) for step in range(4)]
    spans = sorted((len(b[0][0]), len(b[-1][0])) for b in batches)
    assert all(low <= high for low, high in spans)
    assert all(a[1] <= b[0] for a, b in zip(spans, spans[1:], strict=False))
    assert draw_shuffled(4, schedule, draw) not in batches
