"""Public numbers of orders, listings, deposits and withdrawals.

Random with a check character, so that they tell nobody how many there are, a mistyped one is noticed, and no counter
is shared between requests.
"""

import secrets

# Crockford's base 32: without I, L, O and U, which are misread. https://www.crockford.com/base32.html
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOKALIKES = str.maketrans("OIL", "011")
_PRIME = 31
# 32^8 = 1.1e12: two of a million clash once in two; the unique index and a new try settle that.
LENGTH = 8


def new_code(prefix: str) -> str:
    """A new number such as "AS-7K2M9QXR4": the prefix, eight random characters, one check character."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(LENGTH))
    return f"{prefix}-{body}{_check(body)}"


def clean_code(text: str) -> str:
    """As typed → as stored. Capital letters, and 0 and 1 for O, I and L; raises ValueError if the check fails."""
    prefix, _, body = text.strip().upper().partition("-")
    body = body.translate(_LOOKALIKES)
    if len(body) != LENGTH + 1 or _check(body[:-1]) != body[-1]:
        raise ValueError(f"not a valid number: {text!r}")
    return f"{prefix}-{body}"


def _check(body: str) -> str:
    # Weighted sum modulo a prime: catches every single wrong character (their difference is below 32 and only 31
    # would vanish, between "0" and "Z") and every swap of neighbours.
    return _ALPHABET[sum(weight * _ALPHABET.index(c) for weight, c in enumerate(body, 2)) % _PRIME]
