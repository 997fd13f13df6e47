"""Runs: what one may ask of them, and what they may become."""
