"""Threads and the one log of items that each holds."""
