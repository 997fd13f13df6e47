"""The run engine: drives one run from its claim to its end. `drive.py` is the story."""
