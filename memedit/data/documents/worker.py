"""The process that reads a PDF or DOCX from its standard input and writes what it says as JSON."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import suppress

from memedit.core.errors import InvalidInputError, MissingExtraError
from memedit.data.documents.blocks import Contents, plain_contents

SECONDS, BYTES = 60, 2 << 30
"""Of the processor, and of memory."""


def main() -> None:
    """Read, within limits where the system has them."""
    logging.disable(logging.CRITICAL)  # pypdf tells of every flaw
    with suppress(ImportError):
        import resource

        for kind, most in ((resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_AS, BYTES)):
            with suppress(ValueError, OSError):
                resource.setrlimit(kind, (most, most))
    try:
        told = plain_contents(_read(sys.argv[1], sys.stdin.buffer.read()))
    except MissingExtraError as error:
        told = {"package": error.message.split()[0]}
    except InvalidInputError as error:
        told = {"error": error.message, "hint": error.hint}
    except MemoryError:
        told = {"error": "The document needs more memory than it may.", "hint": "Split it."}
    sys.stdout.write(json.dumps(told))


def _read(kind: str, content: bytes) -> Contents:
    if kind == "pdf":
        from memedit.data.documents.pdf import read_pdf

        return read_pdf(content)
    from memedit.data.documents.word import read_docx

    return read_docx(content)


if __name__ == "__main__":
    main()
