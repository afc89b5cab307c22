"""A deployed model with an edit memory (:mod:`memedit.model.editable`)."""
