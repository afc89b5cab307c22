"""What editors share that answer from tables beside a layer."""
