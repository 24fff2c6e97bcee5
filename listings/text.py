"""Text that people write for others: kept as written, without what nobody can see."""

import re
import unicodedata

# Controls, and the marks that turn the reading direction of what follows: they make a text look like another.
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn"}
# Joiners shape Arabic and emoji.
_KEPT = {"\n", "\u200c", "\u200d"}


def clean_text(text: str) -> str:
    """Several lines: line ends as "\\n", at most one empty line between paragraphs, no invisible characters."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    seen = "".join(c for c in lines if c in _KEPT or unicodedata.category(c) not in _UNSEEN)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in seen.split("\n"))).strip()


def clean_line(text: str) -> str:
    """One line: as `clean_text`, with single spaces."""
    return " ".join(clean_text(text).split())
