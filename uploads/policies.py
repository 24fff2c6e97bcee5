"""Who may look at a private file. Asked at every request, never remembered.

The owner may, and staff with `uploads.view_proof` at payment proofs. What else there is, the apps that know it
register in `AppConfig.ready`: the other side of a conversation, the two parties of a dispute.
"""

from collections import defaultdict
from collections.abc import Callable

from accounts.models import User
from uploads.models import StoredFile

Policy = Callable[[User, StoredFile], bool]
_policies: dict[str, list[Policy]] = defaultdict(list)


def register_policy(purpose: str, policy: Policy) -> None:
    """Let `policy(user, file)` admit further readers to the files of a private purpose. Safe to repeat."""
    if policy not in _policies[purpose]:
        _policies[purpose].append(policy)


def may_read(user: User, file: StoredFile, variant: str) -> bool:
    """Whether the signed-in person may look at this variant now. Of evidence, the untouched original is for its
    owner and for staff alone: it may say where and with what a picture was taken."""
    if file.owner_id == user.pk:
        return True
    if variant == "original" and file.is_evidence and not user.is_staff:
        return False
    return any(policy(user, file) for policy in _policies[file.purpose])


def _staff_at_proofs(user: User, file: StoredFile) -> bool:
    return user.is_staff and user.has_perm("uploads.view_proof")


register_policy(StoredFile.Purpose.PAYMENT_PROOF, _staff_at_proofs)
