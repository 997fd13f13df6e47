"""Assistants: a model, its instructions and its tools, under a name."""
