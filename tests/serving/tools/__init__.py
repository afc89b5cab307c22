"""Tests of memedit.serving.tools."""
