"""Reads of accounts that others need."""

from accounts.models import SellerApplication, SellerProfile, User


def is_approved_seller(user: User) -> bool:
    """Whether the person may offer and sell now: approved, and not restricted or suspended."""
    return (
        user.is_authenticated
        and User.objects.filter(
            pk=user.pk, status=User.Status.ACTIVE, seller_profile__state=SellerProfile.State.APPROVED
        ).exists()
    )


def seller_applications(user: User) -> list[SellerApplication]:
    """Every try of the person, newest first. People apply a handful of times at most."""
    return list(SellerApplication.objects.filter(user=user).order_by("-attempt")[:20])
