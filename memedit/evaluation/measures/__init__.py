"""Answers to numbers, and numbers to summaries."""
