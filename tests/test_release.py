"""What a release is made of agrees with itself."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
import yaml

import memedit

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
MOST = 60_000_000


def test_the_version_is_one() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert cited["version"] == memedit.__version__
    assert cited["license"] == PROJECT["license"]
    titles = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert titles[0] == "Unreleased" and titles[1].split()[0] == memedit.__version__


def test_every_extra_is_told_where_one_installs() -> None:
    told = (ROOT / "docs/start/install.md").read_text("utf-8")
    users = set(PROJECT["optional-dependencies"]) - {"dev", "docs"}
    assert {extra for extra in users if f"memedit[{extra}]" not in told} == set()


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(("goal", "told"), [("setup", True), ("demo", False)])
def test_setup_says_what_to_do_next(goal: str, told: bool) -> None:
    # As if it were installed, and asked for by this goal: demo needs setup, too.
    made = ["make", "-C", str(ROOT), "-o", ".venv/.ready", f"MAKECMDGOALS={goal}", "setup"]
    said = subprocess.run(made, capture_output=True, text=True, check=True).stdout
    assert ("memedit demo" in said and "docs/start/quickstart.md" in said) is told
    assert (ROOT / "docs/start/quickstart.md").exists()


def test_what_was_tried_is_what_ci_tries() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))["jobs"]
    tried = jobs["test"]["strategy"]["matrix"]["python"]
    known = "Programming Language :: Python :: 3."
    named = [line.split(" :: ")[-1] for line in PROJECT["classifiers"] if line.startswith(known)]
    assert tried == named
    told = (ROOT / "docs/start/install.md").read_text("utf-8")
    assert f"Python {tried[0]} to {tried[-1]} | by every test" in told
    others = {each["python"] for each in jobs["versions"]["strategy"]["matrix"]["include"]}
    assert all(f"| Python {each} | not yet" in told for each in others - set(tried))


def test_actions_are_pinned_by_commit() -> None:
    for file in (ROOT / ".github/workflows").glob("*.yml"):
        used = re.findall(r"uses: (\S+)(.*)", file.read_text("utf-8"))
        assert used
        for action, version in used:
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), action
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", version), (action, version)


def test_what_goes_into_a_wheel_is_small_enough() -> None:
    """As they are packed, roughly: ``make wheel`` measures and tries the wheel itself."""
    files = [p for p in (ROOT / "memedit").rglob("*") if p.is_file() and p.suffix != ".pyc"]
    large = {p.name for p in files if p.stat().st_size > 30_000_000}
    assert large == set()
    if sum(len(zlib.compress(p.read_bytes(), 1)) for p in files) > MOST:
        pytest.fail("A wheel would be too large: see RELEASE.md.")
