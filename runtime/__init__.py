"""Assistants Runtime: a self-hosted home for apps of the Assistants API."""

__version__ = "0.1.0"
