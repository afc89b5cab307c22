"""The page's colours: seen on both papers, told apart by colour-blind readers."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from memedit.evaluation.reports import page

SIMULATED = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
         [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
         [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
         [0.004733, 0.691367, 0.303900]]
    ),
}  # fmt: skip
"""Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB."""
XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)  # fmt: skip


def linear(colour: str) -> Any:
    value = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(XYZ[1] @ linear(colour))


def lab(rgb: Any) -> Any:
    """CIELAB of linear RGB, white D65."""
    x = XYZ @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def palette(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))


LIGHT, DARK = (palette(block) for block in page._STYLE.split("@media")[:2])


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_every_series_is_seen_on_the_paper(colours: dict[str, str]) -> None:
    for name in [*(f"series-{i}" for i in range(6)), "ink"]:
        low, high = sorted((luminance(colours[name]), luminance(colours["paper"])))
        assert (high + 0.05) / (low + 0.05) >= 3, name


@pytest.mark.parametrize("sight", SIMULATED)
@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_any_two_series_are_told_apart(colours: dict[str, str], sight: str) -> None:
    """By more than 13 in CIELAB; 2 or 3 can just be seen."""
    seen = [lab(SIMULATED[sight] @ linear(colours[f"series-{i}"])) for i in range(6)]
    assert min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2)) > 13
