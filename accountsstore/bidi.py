"""Text of two directions in one sentence."""

from django.utils.translation import get_language_bidi


def isolated(text: str) -> str:
    """In Arabic, a name or a sum of the other direction keeps its order and its place (Unicode's FSI and PDI)."""
    return f"\u2068{text}\u2069" if get_language_bidi() else text
