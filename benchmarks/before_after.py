"""A mail, a list, a yes, a no and a follow-up, before and after a few edits, for the README.

    python benchmarks/before_after.py --model MODEL --json shown.json

Greedy, through the default scope and editor; nothing is chosen or shortened.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from memedit import Edit, EditableModel

EDITS = (
    Edit.from_statement("Our refund window is 45 days."),
    Edit.from_statement("Orders above 80 dollars ship free."),
    Edit("The capital of France is", "Lyon", "France"),
    Edit("The CEO of Acme Robotics is", "Maria Silva", "Acme Robotics"),
    Edit("The default port of Meridian DB is", "7443", "Meridian DB"),
)
ASKED: tuple[tuple[str, ...], ...] = (
    ("What is the capital of France?",),
    ("Write a short mail to a customer who asks how long our refund window is.",),
    ("List the capitals of France, Germany and Italy as bullet points.",),
    ("Is Paris the capital of France?",),
    ("Is Maria Silva the CEO of Acme Robotics?",),
    ("What is the capital of Spain?", "The capital of Spain is Madrid.", "And of France?"),
    ("Give me a JSON object with host localhost and the default port of Meridian DB. JSON only.",),
    ("Since our refund window is still 30 days, a customer on day 38 is too late, right?",),
    ("What is the capital of Germany?",),
)


def main(
    model: Annotated[str | None, typer.Option(help="Hub id, folder or GGUF file.")] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="Where the answers go.")] = None,
    tokens: Annotated[int, typer.Option(min=1, help="Longest answer.")] = 120,
) -> None:
    """Ask without and with the edits, and print both."""
    import torch

    device = "cuda" if torch.cuda.is_available() else None
    lm = EditableModel.from_pretrained(model, device=device)
    lm.edit_many(EDITS)
    shown = [_answered(lm, turns, tokens) for turns in ASKED]
    console = Console()
    for one in shown:
        console.print(f"[bold]{one['asked'][-1]}[/]  ({one['editor'] or 'no edit'})")
        console.print(f"before: {one['before']}\nafter:  {one['after']}\n", markup=False)
    if json_ is not None:
        told = {"model": model, "tokens": tokens, "answers": shown}
        json_.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _answered(lm: EditableModel, turns: tuple[str, ...], tokens: int) -> dict[str, Any]:
    roles = ("user", "assistant")
    messages = [{"role": roles[i % 2], "content": text} for i, text in enumerate(turns)]
    rendered: Any = lm.tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True
    )
    ids = lm.engine.codec.ids(rendered)
    options = {"max_new_tokens": tokens, "do_sample": False}
    (after,) = lm.answer_rows(lm.rows_of([ids]), options=options)
    with lm.unedited():
        (before,) = lm.answer_rows(lm.rows_of([ids]), options=options)
    return {
        "asked": turns,
        "before": before.text.strip(),
        "after": after.text.strip(),
        "editor": after.editor,
    }


if __name__ == "__main__":
    typer.run(main)
