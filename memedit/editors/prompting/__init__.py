"""What editors share that put edits into the prompt."""
