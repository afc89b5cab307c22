"""A model is asked what a case asks."""
