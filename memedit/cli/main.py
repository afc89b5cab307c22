"""Where ``memedit`` begins: before anything that takes long to import."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_LATER = 0.05  # seconds: the callback that Ctrl-C came in has ended by then


def main() -> None:
    """The ``memedit`` command. Ctrl-C ends it with a line and exit code 130 while it still loads,
    too."""
    try:
        sys.unraisablehook = _hear_later
        from memedit.cli.commands import app

        app(prog_name="memedit")
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted.\n")
        sys.exit(130)


def _hear_later(told: UnraisableHookArgs) -> None:
    """Ctrl-C that comes while Python runs a callback of its own (an import's, a lock's) comes
    again: Python would show a traceback, and go on as if nobody had pressed it."""
    if not issubclass(told.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(told)
        return
    from threading import Timer

    again = Timer(_LATER, _interrupt)
    again.daemon = True
    try:
        again.start()
    except RuntimeError:  # no thread begins any more: the end is here without it
        pass


def _interrupt() -> None:
    """Press Ctrl-C again, for the main thread; where it sleeps, too."""
    import _thread
    import signal
    import threading

    if hasattr(signal, "pthread_kill") and (main := threading.main_thread().ident) is not None:
        signal.pthread_kill(main, signal.SIGINT)
    else:
        _thread.interrupt_main()
