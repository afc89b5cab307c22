"""Answers from a model in this process."""
