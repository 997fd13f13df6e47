"""Why something could not start, in words for the person at the terminal."""


class CannotStart(Exception):
    """A plain sentence that says what is wrong and, where we know, what to do.

    It is shown as it stands, without a traceback; the command then ends with status 1.
    """
