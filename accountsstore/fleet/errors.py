"""What the servers of a store refuse, or cannot be."""


class ServerError(Exception):
    """A server cannot be what was asked for. The text is a sentence for a person, without secrets."""
