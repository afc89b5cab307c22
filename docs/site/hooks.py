"""What MkDocs asks while it builds the site: pages that are made from the code, so that they cannot
lag behind it, and links into the repository made links of the site."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).resolve().parent))

import measurements  # noqa: E402  (both beside this file)
import reference  # noqa: E402

COPIES = {
    "project/changelog.md": "CHANGELOG.md",
    "project/release.md": "RELEASE.md",
    "project/security.md": "SECURITY.md",
}
"""Pages that are files of the repository's root."""
_UP = re.compile(r"\]\((?:\.\./)+(CHANGELOG|RELEASE|SECURITY)\.md(#[\w-]+)?\)")
_ROOT = re.compile(r"\]\((?:docs/)?(CHANGELOG|RELEASE|SECURITY|docs/[\w/-]+)\.md(#[\w-]+)?\)")
_ROLE = re.compile(r":(?:class|meth|func|attr|data|mod|exc):(?=<code>)|(?<=<code>)~(?=memedit)")
"""What Sphinx reads in docstrings, and nobody else."""
_NAMES = {Path(file).stem: page for page, file in COPIES.items()}


def on_files(files: Files, config: Any) -> Files:
    """Add what is made from the code."""
    made = reference.pages(ROOT)
    made |= measurements.pictures(ROOT / "benchmarks" / "results")
    made |= {page: (ROOT / file).read_text("utf-8") for page, file in COPIES.items()}
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    own = {file.src_uri: (ROOT / "docs" / file.src_uri) for file in files.documentation_pages()}
    texts = {n: made.get(n) or own[n].read_text("utf-8") for n in own}
    files.append(File.generated(config, "llms.txt", content=reference.llms(config, texts)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links out of ``docs`` lead to the site's copies."""
    up = "../" * page.file.src_uri.count("/")

    def target(found: re.Match[str]) -> str:
        name, anchor = found.group(1), found.group(2) or ""
        to = _NAMES.get(name) or f"{name.removeprefix('docs/')}.md"
        return f"]({up}{to}{anchor})"

    changed = _UP.sub(target, markdown)
    return _ROOT.sub(target, changed) if page.file.src_uri in COPIES else changed


def on_page_content(html: str, **_: Any) -> str:
    """Docstrings without Sphinx's roles."""
    return _ROLE.sub("", html)
