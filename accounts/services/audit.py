"""The record of what staff did."""

from typing import Any

from accounts.models import AuditEvent, User
from accountsstore.db import atomic


@atomic
def audit_record(
    *,
    actor: User | None,
    action: str,
    subject: str,
    subject_text: str = "",
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str = "",
    ip: str = "",
) -> AuditEvent:
    """Add one row, in the transaction of what it tells of. `actor=None` is the store itself.

    `subject` is "<kind>:<hex id>", such as "deposit:0192…"; `before` and `after` hold JSON values, never a secret.
    """
    return AuditEvent.objects.create(
        actor=actor,
        action=action,
        subject=subject,
        subject_text=subject_text[:200],
        before=before or {},
        after=after or {},
        reason=reason[:500],
        ip=ip,
    )
