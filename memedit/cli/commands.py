"""The command line. No logic here: it opens a memory or a model, calls it, and shows the result."""

from __future__ import annotations

import errno
import os
from dataclasses import asdict
from datetime import date
from typing import Annotated, Any

import typer

import memedit
from memedit.cli import (
    checking,
    erasing,
    errata,
    evaluation,
    memories,
    mending,
    probing,
    render,
    serving,
    statistics,
    training,
    using,
)
from memedit.cli.documents import document_app
from memedit.cli.edits import edit_app
from memedit.cli.groups import Commands
from memedit.cli.options import (
    DEFAULT_MEMORY,
    EncoderName,
    Json,
    Memory,
    Method,
    Model,
    Namespace,
    ScopeName,
    hide_password,
    open_memory,
    open_model,
    parse_moment,
    require_existing,
)
from memedit.core.calls import Completion
from memedit.core.errors import InvalidInputError, MemeditError
from memedit.core.types import DEFAULT_NAMESPACE
from memedit.memory.plain import plain_receipt
from memedit.scope.plain import plain_hits


class _Commands(Commands):
    """Turns memedit's errors, and what the system says of files, into a message and exit code 2,
    Ctrl-C into exit code 130."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except MemeditError as error:
            render.error(error.message, error.hint, error.section)
            raise typer.Exit(2) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever read has gone: the end, without a word
                raise
            render.error(f"{error}.", "Check the path, its permissions and the free space.")
            raise typer.Exit(2) from error
        except KeyboardInterrupt:
            render.note("Interrupted. Everything reported as stored is kept.", style="yellow")
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=_Commands,
    name="memedit",
    help="Edit what a language model says, at runtime: its weights stay as they are.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its reports show values of variables, keys among them
)
app.add_typer(edit_app, name="edit")
training.train_app.command("probe")(probing.probe)
app.add_typer(training.train_app, name="train")
app.add_typer(serving.keys_app, name="keys")
app.add_typer(memories.tenants_app, name="tenants")


# Asking


@app.command()
def ask(
    query: Annotated[str, typer.Argument(help="A question, or a text to continue.")],
    base: Annotated[bool, typer.Option("--base", help="Ask the model without its edits.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say which edit answered, and why.")
    ] = False,
    chat: Annotated[
        bool | None,
        typer.Option(
            help="As a chat message or as a text to continue.", show_default="by its ending"
        ),
    ] = None,
    max_new_tokens: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Longest answer.",
            show_default="24, or what the edit's own words need",
        ),
    ] = None,
    editor: Method = None,
    scope: ScopeName = None,
    as_of: Annotated[
        date | None,
        typer.Option(
            "--as-of",
            parser=parse_moment,
            metavar="DATE",
            help="With the facts valid then.",
            show_default="now",
        ),
    ] = None,
    namespace: Namespace = DEFAULT_NAMESPACE,
    memory: Memory = DEFAULT_MEMORY,
    model: Model = None,
    encoder: EncoderName = None,
    json: Json = False,
) -> None:
    """Ask the model, its edits in force.

    memedit ask "What is the capital of France?" --explain
    """
    if base and explain:
        raise InvalidInputError("--base has nothing to explain.", hint="--explain tells both.")
    writable = not os.path.exists(memory) or os.access(memory, os.W_OK)
    store = None if base else open_memory(require_existing(memory), encoder, write=writable)
    lm = open_model(model, store, editor=editor, scope=scope)
    options: dict[str, Any] = {"chat": chat}
    if max_new_tokens is not None:
        options["max_new_tokens"] = max_new_tokens
    with render.working("Thinking"), lm.using(namespace=namespace, as_of=as_of):
        if explain:
            explanation = lm.explain(query, **options)
        else:
            completion = lm.ask(query, **options)
    if explain and json:
        render.as_json(explanation.to_dict())
    elif explain:
        render.explanation(explanation)
    elif json:
        render.as_json(_plain_answer(query, completion))
    else:
        render.say(completion.text)


@app.command()
def feedback(
    question: Annotated[str, typer.Argument(help="As it was asked; <...> marks an argument.")],
    text: Annotated[
        str | None, typer.Argument(help="The right answer, or what was meant. None: it was right.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", help="What it is about.", show_default="guessed")
    ] = None,
    answer: Annotated[
        str | None, typer.Option("--answer", help="What was answered.", show_default="it is asked")
    ] = None,
    chat: Annotated[
        bool | None,
        typer.Option(
            help="Ask as a chat message or as a text to continue.", show_default="by ending"
        ),
    ] = None,
    namespace: Namespace = DEFAULT_NAMESPACE,
    memory: Memory = DEFAULT_MEMORY,
    model: Model = None,
    encoder: EncoderName = None,
    json: Json = False,
) -> None:
    """Say that an answer was wrong, and what is right. What was right is not stored.

    memedit feedback "Who wrote Vathek?" "William Beckford"

    memedit feedback "What is akin to <bright>?" "a synonym is wanted"
    """
    lm = open_model(model, open_memory(memory, encoder), editor="memprompt")
    with render.working("Thinking"), lm.using(namespace=namespace):
        said = lm.feedback(question, text, subject=subject, answer=answer, chat=chat)
    if json:
        written = None if said.receipt is None else plain_receipt(said.receipt)
        render.as_json({"answer": said.answer, "right": said.right, "written": written})
        return
    render.say(f"It was answered: {said.answer or '(nothing)'}")
    if said.receipt is None:
        render.note("That was right: nothing is written.")
    else:
        render.receipt(said.receipt, hide_password(memory))


@app.command()
def editors(json: Json = False) -> None:
    """List the editing methods there are, each with what it is for.

    memedit editors
    """
    from memedit.editors import available, purposes

    if json:
        render.as_json(available())
    else:
        render.list_names(purposes())


@app.command()
def tune(model: Model = None, json: Json = False) -> None:
    """Try which form of an edit suits a model: a few minutes, on forty invented facts.

    What holds best is kept on this machine, and used from then on by the editor auto.

    memedit tune --model gemma3-270m
    """
    lm = open_model(model, None)
    with render.measuring() as heard:
        found = lm.tune(progress=lambda done, total: heard("Trying forms", done, total))
    if json:
        forms = asdict(found.forms)
        render.as_json({"forms": forms, "scores": found.scores, "file": str(found.file)})
    else:
        render.tuning(found)


@app.command()
def doctor(memory: Memory = DEFAULT_MEMORY, json: Json = False) -> None:
    """Say what is installed, which models are here, what is missing, and the command that cures it.

    Exit code 1 when something is missing that the first question needs.

    memedit doctor
    """
    from memedit.cli import doctor as examine

    found = examine.examine(memory)
    if json:
        render.as_json(examine.plain(found))
    else:
        render.findings(found)
    raise typer.Exit(1 if any(each.state == "missing" for each in found) else 0)


@app.command()
def demo(model: Model = None) -> None:
    """Edit a real language model before your eyes: about two minutes.

    memedit demo
    """
    from memedit.cli import demo as show

    raise typer.Exit(0 if show.run(model) else 1)


edit_app.command()(mending.undo)
edit_app.command()(mending.correct)
edit_app.command()(mending.salvage)
edit_app.command()(erasing.purge)
edit_app.command()(using.usage)
edit_app.command()(using.report)
edit_app.add_typer(document_app, name="document")
app.command()(serving.serve)
app.command()(serving.mcp)
app.command()(memories.migrate)
app.command()(memories.backup)
app.command("restore")(memories.restore)
app.command("verify")(memories.verify)
app.command()(memories.zone)
app.command()(checking.check)
app.command()(errata.errors)
app.command("eval")(evaluation.evaluate)
app.command()(evaluation.compare)
app.command()(evaluation.report)
app.command()(evaluation.downstream)
app.command()(evaluation.sweep)
app.command()(statistics.statistics)


def _version(wanted: bool) -> None:
    if wanted:
        render.say(f"memedit {memedit.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def _plain_answer(query: str, completion: Completion) -> dict[str, Any]:
    decision, told = completion.decision, ("hits", "informs", "companions")
    return {
        "query": query,
        "answer": completion.text,
        "in_scope": bool(decision.hits),
        "score": decision.score,
        "threshold": decision.threshold,
        "editor": completion.editor,
        **plain_hits(decision, told, ("id", "fact", "similarity", "document")),
    }
