"""What the local stack refuses."""


class StackError(Exception):
    """The stack cannot do what was asked. The text is a sentence for a person, without secrets."""
