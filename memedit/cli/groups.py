"""What is said of a command that there is none: the one that does what was meant."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

OTHER_WORDS = {
    word: name
    for name, words in {
        "add": "create new insert set put",
        "list": "ls search find",
        "show": "get view",
        "forget": "delete del remove rm drop retract",
        "undo": "revert rollback back",
        "correct": "change update replace modify amend fix edit",
        "restore": "redo reset",
        "purge": "erase wipe",
        "history": "log",
        "import": "load",
        "export": "save dump",
        "salvage": "rescue recover",
    }.items()
    for word in words.split()
}
"""What people call the commands of ``memedit edit`` elsewhere."""


class EditCommands(TyperGroup):
    """The commands of ``memedit edit``."""

    # Of typer's own types, which it does not export.
    def resolve_command(self, ctx: Any, args: Any) -> Any:
        name = OTHER_WORDS.get(args[0])
        if name is not None and args[0] not in self.commands:
            ctx.fail(tell_meant(args[0], name, self.commands[name]))
        return super().resolve_command(ctx, args)


class Commands(TyperGroup):
    """The commands of ``memedit``: one of ``memedit edit`` is told with the whole line."""

    def resolve_command(self, ctx: Any, args: Any) -> Any:
        asked = args[0]
        edits: Any = self.commands.get("edit")
        name = asked if asked in edits.commands else OTHER_WORDS.get(asked)
        if name is not None and asked not in self.commands:
            ctx.fail(tell_meant(asked, name, edits.commands[name]))
        return super().resolve_command(ctx, args)


def tell_meant(asked: str, name: str, command: Any) -> str:
    """That there is no such command, which one is meant, and what it does."""
    does = (command.help or "").strip().partition("\n")[0]
    return f"No such command {asked!r}. Did you mean 'memedit edit {name}'? {does}"
