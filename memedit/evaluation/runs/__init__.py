"""Editors by cases: jobs, the processes that do them, and the folders they write."""
