"""What the local stack refuses."""

from accountsstore.fleet.errors import ServerError


class StackError(ServerError):
    """The stack cannot do what was asked. The text is a sentence for a person, without secrets."""
