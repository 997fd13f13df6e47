"""`python -m runtime` is `assistants`."""

from runtime.cli.app import main

# Guarded: the processes of a multi-process API import this module again.
if __name__ == "__main__":
    main()
