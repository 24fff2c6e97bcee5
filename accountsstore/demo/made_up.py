"""Things that look random and are the same at every load."""

import hashlib


def made_up(*parts: object, length: int = 10) -> str:
    """Capital letters and digits that follow from `parts`."""
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:length].upper()
