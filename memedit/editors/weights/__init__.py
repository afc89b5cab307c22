"""What editors share that change weights."""
