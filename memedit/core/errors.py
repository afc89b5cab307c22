"""The exceptions memedit raises. Every one says what was wrong and carries a ``hint``: what to do.

All derive from :class:`MemeditError`, and from the built-in a caller would expect (``ValueError``
for bad input, ``TypeError`` for an option that is none, ``KeyError`` for an unknown id, ``OSError``
for a file that cannot be used).
"""

from __future__ import annotations

PAGE = "docs/reference/errors.md"
"""Where every class is described, with its causes and cures; in the site ``reference/errors/``."""


class MemeditError(Exception):
    """Base of all memedit errors. ``str(error)`` is the message followed by the hint; a traceback
    (Python 3.11 and newer) also names the :attr:`section`."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message, self.hint = message, hint
        super().__init__(f"{message} {hint}" if hint else message)
        self.__notes__ = [f"See {self.section}"]

    @property
    def section(self) -> str:
        """Where it is described: ``docs/reference/errors.md#invalidinputerror``."""
        kinds = (kind for kind in type(self).__mro__ if kind.__module__ == __name__)
        return f"{PAGE}#{next(kinds).__name__.lower()}"

    def __str__(self) -> str:  # KeyError would print the repr of its argument
        return f"{self.message} {self.hint}" if self.hint else self.message


class InvalidEditError(MemeditError, ValueError):
    """An edit that cannot be stored: no prompt or target, unusable characters, too long."""


class InvalidInputError(MemeditError, ValueError):
    """A request the model cannot serve as asked: contradictory or unsupported arguments."""


class UnknownOptionError(InvalidInputError, TypeError):
    """A call was given an option that it does not have."""


class UnknownEditError(MemeditError, KeyError):
    """No such edit ``id`` in this namespace; ``replaced_by`` is the id of the edit in force that
    took its place ("": none did)."""

    def __init__(
        self, message: str, *, hint: str = "", id: str = "", replaced_by: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.id, self.replaced_by = id, replaced_by


class UnknownNameError(MemeditError, ValueError):
    """No editor, scope or encoder is registered under this name."""


class RegistrationError(MemeditError, TypeError):
    """What is registered as an editor, a scope, an encoder or a format is none."""


class EntangledEditError(MemeditError, ValueError):
    """Forgetting this edit would invalidate edits fitted on top of it (``dependents``)."""

    def __init__(self, message: str, *, hint: str = "", dependents: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.dependents = dependents


class MemoryStoreError(MemeditError, OSError):
    """The memory cannot be used: locked, read-only, disk full, not a memory, a newer format."""


class UntrustedFileError(MemeditError, ValueError):
    """A file that is not what it should be: a link, too large, damaged, or made to do harm."""


class EncoderMismatchError(MemeditError, ValueError):
    """The memory was built with another encoder than the one given."""


class ModelNotFoundError(MemeditError, OSError):
    """The base model or encoder cannot be found or loaded."""


class UnsupportedArchitectureError(MemeditError, ValueError):
    """No row in ``memedit.core.sites`` for this ``model_type``."""


class ContextOverflowError(MemeditError, ValueError):
    """The edited prompt, with its context, is longer than the model's context window."""


class MissingExtraError(MemeditError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, *, extra: str) -> None:
        super().__init__(
            f"{package} is not installed.", hint=f"Install it with: pip install 'memedit[{extra}]'"
        )


class StatisticsError(MemeditError, ValueError):
    """Second moments that an editor needs are missing, damaged, or of too few tokens."""


class WorkerError(MemeditError, RuntimeError):
    """A process that did a part of an evaluation failed again and again."""
