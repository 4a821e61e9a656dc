"""The one error that a user can fix: what is wrong, what was given, what to do."""


class FieldlrError(Exception):
    """A mistake that the user can mend.

    The message is one or two sentences: the rule, what was given, the way out. The command line
    prints it and exits with 2, the app shows it; every other exception is a bug and keeps its
    traceback.
    """
