"""Amounts: whole minor units in code and database, text at the edge."""

import re
from decimal import Decimal

from babel.core import get_global
from babel.numbers import format_currency
from django.conf import settings
from django.utils.translation import gettext as _

from accountsstore.bidi import isolated
from accountsstore.errors import StoreError

# Arabic-Indic and Persian digits are what an Arabic keyboard types.
_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹٫", "01234567890123456789.")


class BadAmount(StoreError):
    code = "bad_amount"


def exponent(currency: str) -> int:
    """How many digits the minor unit of `currency` has: 2 for USD, 0 for JPY, 3 for KWD (ISO 4217)."""
    fractions = get_global("currency_fractions")
    return (fractions.get(currency) or fractions["DEFAULT"])[0]


def parse_minor(text: str, currency: str | None = None) -> int:
    """`"12.50"` → 1250. Raises BadAmount with a sentence for signs, letters, or more digits than the currency has."""
    currency = currency or settings.STORE_CURRENCY
    digits = exponent(currency)
    clean = text.strip().translate(_DIGITS)
    # "1,250.00" is grouped; "1,5" is ambiguous and refused.
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", clean):
        clean = clean.replace(",", "")
    match = re.fullmatch(r"(\d{1,13})(?:\.(\d+))?", clean)
    if match is None:
        raise BadAmount(_("Write the amount in digits, for example 25.00."))
    whole, fraction = match[1], match[2] or ""
    if len(fraction) > digits:
        raise BadAmount(
            _("%(currency)s has at most %(digits)d digits after the point.") % {"currency": currency, "digits": digits}
        )
    return int(whole + fraction.ljust(digits, "0"))


def to_decimal(amount_minor: int, currency: str) -> Decimal:
    """1250 USD → Decimal("12.50"), for display and export only."""
    return Decimal(amount_minor).scaleb(-exponent(currency))


def format_minor(amount_minor: int, currency: str | None = None) -> str:
    """1250 USD → "$12.50", the same in every language so that figures compare at a glance.

    In a line that runs from the right it is isolated: after Arabic letters it would be drawn as "12.50$" otherwise.
    """
    currency = currency or settings.STORE_CURRENCY
    return isolated(format_currency(to_decimal(amount_minor, currency), currency, locale="en_US"))


def share_minor(amount_minor: int, basis_points: int) -> int:
    """`basis_points` of an amount ≥ 0, rounded half up: 800 of 1999 → 160."""
    return (amount_minor * basis_points + 5_000) // 10_000
