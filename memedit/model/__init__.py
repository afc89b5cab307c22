"""A deployed model with an edit memory: see :class:`memedit.model.editable.editable.EditableModel`."""
