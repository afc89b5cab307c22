"""Runs as tables, pictures and a page."""
