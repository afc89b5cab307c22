"""Blocks to passages: each what a question may ask for, under the headings that it stands under.

A passage is a paragraph; a list with the line that leads to it; a table; code. What is longer than
:data:`LONGEST` is cut between sentences, items or rows. So a change in one paragraph changes one
passage, and the others keep their ids in the next version.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from memedit.core.passages import WITHIN, head_passage, split_sentences
from memedit.core.types import DANGLING
from memedit.data.documents.blocks import Block, Contents, flatten

LONGEST = 700
"""Characters of a passage without its headings."""
_PATH = 160
"""Characters of the headings before a passage."""


def cut_passages(contents: Contents, title: str) -> list[str]:
    """The passages of a document as statements.

    Args:
        title: What it is called.
    """
    found: list[str] = []
    path: list[tuple[int, str]] = []
    for blocks in _group_blocks(contents.blocks):
        first = blocks[0]
        if first.kind == "heading":
            path = [each for each in path if each[0] < first.level]
            path.append((first.level, first.text))
            continue
        above = _choose_headings(title, [text for _, text in path])
        found += [head_passage(above, _finish_sentence(text)) for text in _cut_group(blocks)]
    return found


def _choose_headings(title: str, headings: Sequence[str]) -> list[str]:
    """Title and headings, the outer ones left out where they are long."""
    # Once each: many documents begin with their title as a heading.
    names = [
        flatten(name).rstrip(" :.") or name for name in dict.fromkeys([title, *headings]) if name
    ]
    while len(names) > 2 and len(WITHIN.join(names)) > _PATH:
        del names[1]  # the title and the innermost headings say most
    return [name[:_PATH] for name in names]


def _group_blocks(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    """Blocks that say something together: the items of a list, and what leads to it."""
    group: list[Block] = []
    for block in blocks:
        leads = bool(group) and group[-1].kind == "text" and group[-1].text.endswith(":")
        within = bool(group) and group[-1].kind == block.kind == "item"
        if group and not within and not (leads and block.kind in ("item", "table", "code")):
            yield group
            group = []
        group.append(block)
    if group:
        yield group


def _cut_group(blocks: Sequence[Block]) -> Iterator[str]:
    """A group as texts of at most :data:`LONGEST` characters, each with what leads to it."""
    lead = blocks[0].text if len(blocks) > 1 and blocks[0].kind == "text" else ""
    parts = [part for block in (blocks[1:] if lead else blocks) for part in _split_block(block)]
    joint = " " if blocks[-1].kind == "text" else "\n"
    room = LONGEST - len(lead)
    here: list[str] = []
    for part in parts:
        if here and len(joint.join([*here, part])) > room:
            yield "\n".join([lead, joint.join(here)] if lead else [joint.join(here)])
            here = []
        here.append(part)
    yield "\n".join([lead, joint.join(here)] if lead else [joint.join(here)])


def _split_block(block: Block) -> list[str]:
    """Sentences, rows, lines or an item: what is not cut, but for what is too long itself."""
    if block.kind == "item":
        whole = [f"{'  ' * block.level}{block.text}"]
    elif block.kind == "text":
        whole = split_sentences(block.text)
    else:
        whole = block.text.split("\n")
    return [piece for part in whole for piece in _cut_piece(part)]


def _cut_piece(part: str) -> Iterator[str]:
    """A part cut between words where it is longer than a passage."""
    while len(part) > LONGEST:
        end = part.rfind(" ", 1, LONGEST)
        # Where there is no space for so long, words are not what the text is made of.
        end = LONGEST if end < LONGEST // 2 else end
        yield part[:end].rstrip()
        part = part[end:].lstrip()
    if part.strip():
        yield part


def _finish_sentence(text: str) -> str:
    """A text that does not end as a prompt does, which a statement may not."""
    last = text.split()[-1].casefold()
    return f"{text}." if last in DANGLING else text
