"""What memedit raises; see :mod:`memedit.core.errors`."""

from __future__ import annotations

from memedit.core.errors import (
    ContextOverflowError,
    EncoderMismatchError,
    EntangledEditError,
    InvalidEditError,
    InvalidInputError,
    MemeditError,
    MemoryStoreError,
    MissingExtraError,
    ModelNotFoundError,
    RegistrationError,
    StatisticsError,
    UnknownEditError,
    UnknownNameError,
    UnknownOptionError,
    UnsupportedArchitectureError,
    UntrustedFileError,
    WorkerError,
)

__all__ = [
    "ContextOverflowError",
    "EncoderMismatchError",
    "EntangledEditError",
    "InvalidEditError",
    "InvalidInputError",
    "MemeditError",
    "MemoryStoreError",
    "MissingExtraError",
    "ModelNotFoundError",
    "RegistrationError",
    "StatisticsError",
    "UnknownEditError",
    "UnknownNameError",
    "UnknownOptionError",
    "UnsupportedArchitectureError",
    "UntrustedFileError",
    "WorkerError",
]
