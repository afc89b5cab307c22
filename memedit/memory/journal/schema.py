"""The journal's tables. Portable SQL: the same schema serves PostgreSQL."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

FORMAT = 1
"""Grows when an older memedit could misread a memory."""
NEEDED = frozenset({"meta", "events", "records"})
"""Tables without which others' are another program's."""

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)
"""format, memory (uuid), encoder, dimension, embedding (uuid of these vectors), import progress."""

relations = Table(
    "relations",
    metadata,
    # Given by the writer: a database's own numbers have gaps after what was undone.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("text", String, nullable=False, unique=True),
    Column("vector", LargeBinary, nullable=False),
)
"""Prompts with the subject masked, each once; ids count from 1 without gaps."""

records = Table(
    "records",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("namespace", String, nullable=False),
    Column("id", String, nullable=False),
    Column("prompt", String, nullable=False),
    Column("target_new", String),
    Column("subject", String),
    Column("target_true", String),
    Column("queries", String, nullable=False),
    Column("source", String, nullable=False),
    Column("valid_from", String),
    Column("valid_until", String),
    Column("relation", ForeignKey("relations.id")),
    Column("digest", String, nullable=False),
    Index("records_by_id", "id", "namespace"),
)
"""Immutable. Times are ISO 8601 in UTC, queries a JSON list."""

keys = Table(
    "keys",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sequence", ForeignKey("records.sequence"), nullable=False, index=True),
    Column("text", String, nullable=False),
    Column("vector", LargeBinary, nullable=False),
)
"""The texts that find a record; vectors are little-endian float32."""

payloads = Table(
    "payloads",
    metadata,
    Column("sequence", ForeignKey("records.sequence"), primary_key=True),
    Column("editor", String, primary_key=True),
    Column("tensors", LargeBinary, nullable=False),
    Column("values", String, nullable=False),
    UniqueConstraint("sequence", "editor"),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False, index=True),
    Column("kind", String, nullable=False),
    Column("sequence", ForeignKey("records.sequence"), nullable=False, index=True),
    Column("at", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("other", ForeignKey("records.sequence")),
)
"""Append-only. A record is live at v iff its latest event with version <= v is add or restore."""
