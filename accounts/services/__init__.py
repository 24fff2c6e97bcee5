"""Every write of accounts. Callers import from here."""

from accounts.services.audit import audit_record
from accounts.services.passwords import password_require, password_set, sessions_end
from accounts.services.people import (
    avatar_set,
    language_set,
    profile_update,
    user_add,
    user_require_active,
    user_restore,
    user_restrict,
    user_suspend,
    users_seen,
)
from accounts.services.sellers import (
    seller_application_approve,
    seller_application_ask,
    seller_application_reject,
    seller_apply,
    seller_restore,
    seller_suspend,
)

__all__ = [
    "audit_record",
    "avatar_set",
    "language_set",
    "password_require",
    "password_set",
    "profile_update",
    "seller_application_approve",
    "seller_application_ask",
    "seller_application_reject",
    "seller_apply",
    "seller_restore",
    "seller_suspend",
    "sessions_end",
    "user_add",
    "user_require_active",
    "user_restore",
    "user_restrict",
    "user_suspend",
    "users_seen",
]
