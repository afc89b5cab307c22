"""What the server writes beside the memory: who changed what, and what waits for a second pair of eyes."""
