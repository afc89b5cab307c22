"""Where edits are kept: a journal in SQL, a FAISS index derived from it, and search."""

from __future__ import annotations

from memedit.memory.documents import Document
from memedit.memory.editions import DocumentChange
from memedit.memory.erasing.certificate import Certificate
from memedit.memory.memory import EditMemory
from memedit.memory.reports import Event, ImportReport, Receipt, VerifyReport
from memedit.memory.view import MemoryView

__all__ = [
    "Certificate",
    "Document",
    "DocumentChange",
    "EditMemory",
    "Event",
    "ImportReport",
    "MemoryView",
    "Receipt",
    "VerifyReport",
]
