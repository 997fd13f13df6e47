"""The command line `assistants`. Each module holds a few commands; nothing heavy is
imported before the command that needs it runs, so that `--help` is quick."""
