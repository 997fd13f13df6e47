"""Checking a value against a JSON Schema, in bounded time."""

from runtime.engine.schema.check import TooMuchWork, why_not_allowed

__all__ = ["TooMuchWork", "why_not_allowed"]
