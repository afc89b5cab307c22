"""What was written, in order: a journal in SQL, in SQLite or PostgreSQL."""
