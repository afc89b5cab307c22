"""Answers from a server elsewhere, whose prompts are rewritten."""
