"""Whom somebody does not want to hear from.

A block holds for direct conversations, at every message. Those about orders and tickets stay open: an order has to be
finished, and staff are there for everybody.
"""

from collections.abc import Iterable

from django.db import IntegrityError
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accountsstore.db import atomic
from accountsstore.errors import StoreError
from accountsstore.rows import rows_find
from chat.errors import Blocked
from chat.models import Block


def blocks_among(people: Iterable[User]) -> list[Block]:
    """The blocks between any two of `people`."""
    ids = list({person.pk for person in people})
    return rows_find(Block, blocker=ids, blocked=ids)


def require_not_blocked(user: User, people: Iterable[User], blocks: Iterable[Block] | None = None) -> None:
    """Raises Blocked if `user` has blocked one of `people`, or one of them has blocked `user`. `blocks`: those among
    them, and maybe others, where they have been read."""
    by_id = {person.pk: person for person in people}
    for block in blocks_among(by_id.values()) if blocks is None else blocks:
        if block.blocker_id == user.pk and block.blocked_id in by_id:
            raise Blocked(
                _("You have blocked %(name)s. Lift the block to write to them.")
                % {"name": by_id[block.blocked_id].name}
            )
        if block.blocked_id == user.pk and block.blocker_id in by_id:
            raise Blocked(
                _("%(name)s does not want to hear from you outside orders.") % {"name": by_id[block.blocker_id].name}
            )


def block_set(*, user: User, other: User) -> None:
    """From now on neither writes to the other in a direct conversation. Safe to repeat.

    Raises StoreError for oneself. Call it outside a transaction.
    """
    if user.pk == other.pk:
        raise StoreError(_("You cannot block yourself."))
    try:
        _block_create(user, other)
    except IntegrityError:
        return  # blocked before


@atomic
def _block_create(user: User, other: User) -> None:
    if not Block.objects.filter(blocker=user, blocked=other).exists():
        Block.objects.create(blocker=user, blocked=other)


@atomic
def block_lift(*, user: User, other: User) -> None:
    """Take one's own block back; the other's stays. Safe to repeat."""
    Block.objects.filter(blocker=user, blocked=other).delete()
