"""The pages of the reference that are made from the code: commands, routes, settings, examples."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import measurements  # beside this file


def pages(root: Path) -> dict[str, str]:
    """Markdown by page."""
    return {
        "reference/cli.md": commands(),
        "reference/rest.md": routes(),
        "reference/settings.md": settings(),
        "gallery.md": gallery(root / "examples"),
        "benchmarks.md": measurements.page(root / "benchmarks" / "results"),
    }


# Commands


def commands() -> str:
    """Every command with its ``--help``."""
    import typer.main

    from memedit.cli.commands import app

    lines = ["# Command line", "", "`memedit COMMAND --help` says the same.", ""]
    for path, command in _walked("memedit", typer.main.get_command(app)):
        text = _help(path, command)
        lines += [f"## `{path}`", "", "```text", text.rstrip(), "```", ""]
    return "\n".join(lines)


def _walked(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):
        for name, inner in sorted(command.commands.items()):
            if not inner.hidden:
                yield from _walked(f"{path} {name}", inner)
        return
    yield path, command


def _help(path: str, command: Any) -> str:
    context = command.context_class(command, info_name=path, max_content_width=100)
    lines = [f"Usage: {' '.join([path, *command.collect_usage_pieces(context)])}", ""]
    lines += [(command.help or "").strip().replace("\n\n", "\n\n  "), ""]
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is None and parameter.param_type_name == "argument":
            record = (parameter.human_readable_name, getattr(parameter, "help", "") or "")
        if record is not None:
            lines.append(f"  {record[0]}\n      {' '.join((record[1] or '').split())}")
    return "\n".join(lines)


# Routes


def routes() -> str:
    """Every route with its parameters and fields, from the OpenAPI document."""
    from memedit.serving.app import describe_routes

    document = describe_routes()
    lines = ["# REST", "", "From the server's own `/openapi.json`. Every route but those of the page "
             "and of health takes `Authorization: Bearer KEY`.", ""]  # fmt: skip
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            lines += _route(document, f"{method.upper()} {path}", operation)
    return "\n".join(lines)


_THEIRS = {
    "/v1/messages": "as Anthropic's", "/v1/chat/": "as OpenAI's", "/v1/completions": "as OpenAI's",
    "/v1/responses": "as OpenAI's", "/v1/models": "as OpenAI's",
}  # fmt: skip
"""Whose the routes are in whose fields nothing is said."""


def _route(document: Mapping[str, Any], title: str, operation: Mapping[str, Any]) -> list[str]:
    lines = [f"## `{title}`", "", " ".join(operation.get("description", "").split()), ""]
    rows = [
        (each["name"], each["in"], _kind(each.get("schema", {})), _about(each))
        for each in operation.get("parameters", ())
    ]
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    rows += [(name, "body", _kind(s), _about(s)) for name, s in _fields(document, schema)]
    maker = next((who for path, who in _THEIRS.items() if path in title), "")
    rows = [(name, place, kind, told or maker) for name, place, kind, told in rows]
    if rows:
        lines += ["| name | in | type | |", "|---|---|---|---|"]
        lines += [f"| `{n}` | {place} | {kind} | {told} |" for n, place, kind, told in rows] + [""]
    return lines


def _fields(document: Mapping[str, Any], schema: Mapping[str, Any]) -> list[tuple[str, Any]]:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    found = document["components"]["schemas"].get(name, schema)
    fields = list[tuple[str, Any]]()
    for field, about in found.get("properties", {}).items():
        if "/Extra" not in str(about):
            fields.append((field, about))
            continue
        # memedit's own options, within a request of another's form
        own = document["components"]["schemas"]["Extra"]["properties"]
        fields += [(f"{field}.{inner}", each) for inner, each in own.items()]
    return fields


def _kind(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(each) for each in schema["anyOf"]))
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    return str(schema.get("format") or schema.get("type") or schema.get("const") or "any")


def _about(schema: Mapping[str, Any]) -> str:
    text = schema.get("description") or schema.get("schema", {}).get("description") or ""
    return " ".join(str(text).split()).replace("|", "\\|")


# Settings


def settings() -> str:
    """Every setting of a server."""
    from memedit.serving.settings import PREFIX, Settings, describe_settings

    lines = [
        "# Settings", "",
        "Of `memedit serve` and `memedit mcp`. Flags go before the environment, that before the TOML file of `--config`, "
        "that before defaults: `--max-batch 8`, `MEMEDIT_MAX_BATCH=8`, `max_batch = 8`. A setting that "
        "does not exist is an error. Secrets are of the environment alone: `MEMEDIT_UPSTREAM_KEY`, "
        "`MEMEDIT_AUDIT_KEY`, `MEMEDIT_API_KEY` (of `memedit mcp`).", "",
        "| setting | flag | environment | default | |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for name, (_, told) in describe_settings().items():
        default = told.instead or Settings.__dataclass_fields__[name].default
        flag = f"`--{name.replace('_', '-')}`" if told.flag else ""
        shown = "none" if default in (None, ()) else str(default).replace("|", "\\|")
        about = told.help.replace("|", "\\|")
        lines.append(f"| `{name}` | {flag} | `{PREFIX}{name.upper()}` | {shown} | {about} |")
    return "\n".join(lines) + "\n"


# Examples


def gallery(folder: Path) -> str:
    """The programs in ``examples``, each with what it shows."""
    lines = [
        "# Gallery",
        "",
        "Small programs, each run by the tests: `python examples/NAME.py`.",
        "",
    ]
    for path in sorted(folder.glob("[!_]*.py")):
        source = path.read_text("utf-8")
        about = ast.get_docstring(ast.parse(source)) or ""
        code = source.split('"""', 2)[2].strip()
        lines += [f"## `{path.name}`", "", about, "", "```py", code, "```", ""]
    return "\n".join(lines)


# For language models


def llms(config: Any, texts: Mapping[str, str]) -> str:
    """``llms.txt``: what there is, a line a page, in the order of the navigation."""
    lines = [f"# {config.site_name}", "", f"> {config.site_description}", ""]
    for title, name in _listed(config.nav):
        if name is None:
            lines += ["", f"## {title}", ""]
            continue
        head = next((li[2:] for li in texts[name].splitlines() if li.startswith("# ")), title)
        lines.append(f"- [{title or head}]({name.removesuffix('.md')}/): {_first(texts[name])}")
    return "\n".join(lines) + "\n"


def _listed(nav: Any) -> Iterator[tuple[str, str | None]]:
    for item in nav:
        if isinstance(item, str):
            yield "", item
            continue
        for title, inside in item.items():
            if isinstance(inside, str):
                yield title, inside
            else:
                yield title, None
                yield from _listed(inside)


def _first(text: str) -> str:
    """The first sentence of a page's prose."""
    plain = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", plain)
    for block in plain.split("\n\n"):
        if block and (block[0].isalpha() or block[0] == "`"):
            return " ".join(block.split()).partition(". ")[0].rstrip(".") + "."
    return ""
