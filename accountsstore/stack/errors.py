"""What the local stack refuses, and being asked to stop."""


class StackError(Exception):
    """The stack cannot do what was asked. The text is a sentence for a person, without secrets."""


class StopAsked(Exception):
    """Ctrl-C, SIGTERM or a closed terminal."""
