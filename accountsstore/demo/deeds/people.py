"""Joining, applying to sell, and what staff decide about people."""

import functools
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group

from accounts.models import SellerApplication, User
from accounts.services import (
    profile_update,
    seller_application_approve,
    seller_application_ask,
    seller_application_reject,
    seller_apply,
    user_add,
    user_restrict,
)
from accountsstore.demo.people import OWNER, PASSWORD, STAFF, Person, Seller

ANSWERS: dict[str, Any] = {
    SellerApplication.State.APPROVED: seller_application_approve,
    SellerApplication.State.REJECTED: seller_application_reject,
    SellerApplication.State.NEEDS_INFO: seller_application_ask,
}


def user_named(username: str) -> User:
    return User.objects.get(username=username)


@functools.cache
def _hash() -> str:
    """Everybody's password is the same, and hashing it takes a fifth of a second by design: once is enough."""
    return make_password(PASSWORD)


def join(person: Person, **fields: Any) -> User:
    user = User.objects.filter(username=person.username).first()
    if user is None:
        user = user_add(email=person.email, username=person.username, password=None, **fields)
    if not user.has_usable_password():
        user.password = _hash()
        user.save(update_fields=["password"])
        profile_update(user=user, display_name=person.name, about=person.about, language=person.language)
    return user


def hire() -> None:
    """The owner, and the members of staff with their groups."""
    join(OWNER, is_staff=True, is_superuser=True)
    for person, groups in STAFF.items():
        join(person, is_staff=True).groups.set(Group.objects.filter(name__in=groups))


def apply_to_sell(seller: Seller) -> None:
    user = join(seller)
    if not SellerApplication.objects.filter(user=user).exists():
        seller_apply(user=user, legal_name=seller.legal_name, country=seller.country, sells=seller.sells)


def answer_application(seller: Seller, state: str, reason: str = "") -> None:
    """`state` is what becomes of it: approved, rejected or needs_info."""
    application = SellerApplication.objects.get(user=user_named(seller.username))
    if application.state == SellerApplication.State.SUBMITTED:
        ANSWERS[state](application=application, staff=user_named("ines"), reason=reason)


def restrict(username: str, reason: str) -> None:
    user = user_named(username)
    if user.status == User.Status.ACTIVE:
        user_restrict(user=user, staff=user_named("ines"), reason=reason)
