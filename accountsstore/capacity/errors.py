"""What the operator gave cannot be used."""


class CapacityError(Exception):
    """One sentence for a person: what is wrong, and what to do."""
