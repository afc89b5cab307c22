"""``import memedit`` is cheap and leaves the process as it was."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

_STATE = """
import json, logging, os, random, signal, sys, threading, time, warnings

def state():
    loggers = logging.Logger.manager.loggerDict
    return {
        "environment": dict(os.environ),
        "random": hash(random.getstate()),
        "handlers": [repr(h) for h in logging.root.handlers],
        "levels": {n: getattr(v, "level", None) for n, v in loggers.items() if "memedit" not in n},
        "root level": logging.root.level,
        "filters": [repr(f) for f in warnings.filters],
        "excepthook": repr(sys.excepthook),
        "interrupt": repr(signal.getsignal(signal.SIGINT)),
        "threads": threading.active_count(),
        "directory": os.getcwd(),
    }

before, start = state(), time.process_time()
import MODULE
seconds = time.process_time() - start
after = state()
heavy = ("torch", "transformers", "numpy", "faiss", "sqlalchemy", "sklearn")
print(json.dumps({
    "seconds": seconds,
    "heavy": [name for name in heavy if name in sys.modules],
    "changed": [name for name in before if before[name] != after[name]],
}))
"""


def _imported(module: str) -> dict[str, Any]:
    """What importing ``module`` in a new process took, of the processor, and changed."""
    code = _STATE.replace("MODULE", module)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not run.stderr
    result: dict[str, Any] = json.loads(run.stdout)
    return result


def test_importing_memedit_changes_nothing_and_loads_nothing_heavy() -> None:
    result = _imported("memedit")
    assert result["heavy"] == []
    assert result["changed"] == []


def test_importing_memedit_takes_less_than_0_15_seconds_of_work() -> None:
    assert min(_imported("memedit")["seconds"] for _ in range(3)) < 0.15


@pytest.mark.parametrize("module", ["memedit.core.types", "memedit.errors", "memedit.cli"])
def test_light_modules_load_nothing_heavy(module: str) -> None:
    assert _imported(module)["heavy"] == []


@pytest.mark.slow
@pytest.mark.parametrize("module", [
    "memedit.cli.commands", "memedit.serving.app", "memedit.serving.upstream.rewriters.auto",
])  # fmt: skip
def test_what_needs_no_model_here_waits_for_no_torch(module: str) -> None:
    """``memedit edit list`` and a server before an upstream: torch alone would take seconds."""
    assert not {"torch", "transformers"} & set(_imported(module)["heavy"])


def test_public_names_are_there() -> None:
    import memedit

    for name in memedit.__all__:
        assert getattr(memedit, name) is not None
    assert set(memedit.__all__) <= set(dir(memedit))


def test_an_unknown_name_is_an_attribute_error() -> None:
    import memedit

    with pytest.raises(AttributeError, match="Editable"):
        _ = memedit.Editable
