"""Erasure for good: what was purged is in no table, file, index or copy of the memory any more."""
