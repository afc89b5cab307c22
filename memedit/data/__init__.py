"""Cases and records: what is trained on and what is measured with."""
