"""One base model: how it is loaded, asked, and changed for one call."""
