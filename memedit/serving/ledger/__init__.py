"""What the server keeps beside the memory: who changed what, and what waits for review."""
