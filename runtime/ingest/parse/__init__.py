"""From a file of any supported kind to plain text, in a process that may die."""
