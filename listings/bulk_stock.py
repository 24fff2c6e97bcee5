"""Many credentials pasted at once: one a line, its fields separated by a tab or a bar."""

import dataclasses

from django.utils.translation import gettext as _

from listings.credentials import BadCredential, clean_values, credential_fields
from listings.models import Category
from listings.services.stock import LOAD_LIMIT


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bulk:
    """What was understood: a dict of each good line, and a sentence for each bad one. No sentence holds a secret."""

    credentials: list[dict[str, str]]
    problems: list[str]


def bulk_parse(category: Category, text: str) -> Bulk:
    """Empty lines are skipped. The last field may hold the separator itself; with one field, the line is its value."""
    fields = credential_fields(category)
    keys = [field.key for field in fields]
    credentials: list[dict[str, str]] = []
    problems: list[str] = []
    seen: dict[tuple[tuple[str, str], ...], int] = {}
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) > LOAD_LIMIT:
        problems.append(
            _("These are %(count)d lines; load at most %(limit)d at a time.")
            % {"count": len(lines), "limit": LOAD_LIMIT}
        )
    for number, line in lines[:LOAD_LIMIT]:
        parts = line.split("\t" if "\t" in line else "|", len(keys) - 1) if len(keys) > 1 else [line]
        try:
            values = clean_values(fields, dict(zip(keys, parts, strict=False)))
        except BadCredential as error:
            problems.append(_("Line %(number)d: %(problem)s") % {"number": number, "problem": error})
            continue
        first = seen.setdefault(tuple(sorted(values.items())), number)
        if first != number:
            problems.append(_("Line %(number)d is the same as line %(first)d.") % {"number": number, "first": first})
            continue
        credentials.append(values)
    return Bulk(credentials=credentials, problems=problems)
