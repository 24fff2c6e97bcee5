"""What staff do with listings, and what a seller's standing does to theirs."""

from django.db import IntegrityError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_ratelimit.core import get_usage

from accounts.errors import OwnCase
from accounts.models import User
from accounts.selectors import is_approved_seller
from accounts.services import audit_record
from accountsstore.db import atomic
from accountsstore.errors import Conflict, NotAllowed, StoreError
from accountsstore.events import ListingChanged
from accountsstore.outbox import publish
from listings.errors import AlreadyReported, TooManyReports
from listings.models import Listing, ListingReport, Review
from listings.services.listings import move
from listings.text import clean_text

State = Listing.State
PERMISSION = "listings.moderate_listing"
REPORT_RATE = "10/h"


def _require_moderator(staff: User, listing: Listing, reason: str) -> None:
    if not staff.has_perm(PERMISSION):
        raise NotAllowed
    if listing.seller_id == staff.pk:
        raise OwnCase
    if not reason.strip():
        raise StoreError(_("Give a reason: the seller reads it."), field="reason")


@atomic
def listing_take_down(*, listing: Listing, staff: User, reason: str) -> None:
    """Take a listing off sale until staff restore it; orders go on. Safe to repeat.

    Raises NotAllowed, OwnCase, Conflict (the seller removed it), StoreError without a reason.
    """
    _require_moderator(staff, listing, reason)
    listing.refresh_from_db()
    before = listing.state
    sources = [state for state in State if state not in (State.REJECTED, State.REMOVED)]
    if move(listing, sources, State.REJECTED, state_reason=reason[:300], state_before=before):
        _record(listing, staff, "take_down", before, reason)


@atomic
def listing_restore(*, listing: Listing, staff: User, reason: str) -> None:
    """Give a listing back the state that the take-down interrupted. Raises as above."""
    _require_moderator(staff, listing, reason)
    listing.refresh_from_db()
    target = listing.state_before or State.PAUSED
    if target == State.ACTIVE and listing.stock_count <= 0:
        target = State.SOLD_OUT
    elif target == State.SOLD_OUT and listing.stock_count > 0:
        target = State.ACTIVE
    if move(listing, [State.REJECTED], target, state_reason="", state_before=""):
        _record(listing, staff, "restore", State.REJECTED, reason)


def _record(listing: Listing, staff: User, action: str, before: str, reason: str) -> None:
    audit_record(
        actor=staff,
        action=f"listing.{action}",
        subject=f"listing:{listing.pk.hex}",
        subject_text=listing.title,
        before={"state": before},
        after={"state": listing.state},
        reason=reason,
    )
    publish(
        ListingChanged(listing=listing.pk.hex, seller=listing.seller_id.hex, state=str(listing.state)),
        to=[listing.seller_id],
    )


@atomic
def seller_listings_follow(*, seller: User) -> None:
    """Hide the listings of a seller who may not sell now, and show again what that hid. Safe to repeat."""
    theirs = Listing.objects.filter(seller=seller)
    if is_approved_seller(seller):
        hidden = theirs.filter(state=State.PAUSED)
        hidden.filter(state_before=State.ACTIVE, stock_count__gt=0).update(state=State.ACTIVE, state_before="")
        hidden.filter(state_before__in=[State.ACTIVE, State.SOLD_OUT]).update(state=State.SOLD_OUT, state_before="")
    else:
        for shown in (State.ACTIVE, State.SOLD_OUT):
            theirs.filter(state=shown).update(state=State.PAUSED, state_before=shown)


# ---------------------------------------------------------------- reports


def listing_report(*, listing: Listing, reporter: User | None, reason: str, text: str, ip: str = "") -> ListingReport:
    """Tell staff that a listing breaks the rules. Anybody may; a visitor is counted by address.

    Raises TooManyReports, AlreadyReported (while the person's first one is open), StoreError naming the field.
    """
    if reporter is not None and reporter.pk == listing.seller_id:
        raise StoreError(_("This is your own listing. You can pause or remove it."))
    if reason not in ListingReport.Reason.values:
        raise StoreError(_("Choose what is wrong."), field="reason")
    text = clean_text(text)
    if reason == ListingReport.Reason.OTHER and not text:
        raise StoreError(_("Write what is wrong, so that staff know where to look."), field="text")
    who = reporter.pk.hex if reporter else ip
    usage = get_usage(None, group="listing_report", key=lambda group, request: who, rate=REPORT_RATE, increment=True)
    if usage is not None and usage["should_limit"]:
        raise TooManyReports
    try:
        return ListingReport.objects.create(listing=listing, reporter=reporter, reason=reason, text=text[:1000])
    except IntegrityError:
        raise AlreadyReported from None


@atomic
def report_decide(*, report: ListingReport, staff: User, uphold: bool, reason: str) -> None:
    """Close a report; upheld, the listing is taken down in the same step.

    Raises NotAllowed, OwnCase, StoreError without a reason, Conflict when a colleague was faster.
    """
    listing = report.listing
    _require_moderator(staff, listing, reason)
    if report.reporter_id == staff.pk:
        raise OwnCase
    decided = ListingReport.State.UPHELD if uphold else ListingReport.State.DISMISSED
    still_open = ListingReport.objects.filter(pk=report.pk, state=ListingReport.State.OPEN)
    if not still_open.update(state=decided, decision=reason[:300], decided_by=staff, decided_at=timezone.now()):
        raise Conflict(_("A colleague has decided this report already."))
    report.refresh_from_db()
    audit_record(
        actor=staff,
        action=f"listing_report.{decided}",
        subject=f"listingreport:{report.pk.hex}",
        subject_text=listing.title,
        before={"state": str(ListingReport.State.OPEN)},
        after={"state": str(decided)},
        reason=reason,
    )
    if uphold and listing.state not in (State.REJECTED, State.REMOVED):
        listing_take_down(listing=listing, staff=staff, reason=reason)


# ---------------------------------------------------------------- reviews


@atomic
def review_hide(*, review: Review, staff: User, reason: str) -> None:
    """Take a review out of sight, and out of the seller's figures when they are counted next.

    Raises NotAllowed, OwnCase (one's own review, or of oneself), Conflict, StoreError without a reason.
    """
    _review_turn(review, staff, reason, hidden=True)


@atomic
def review_show(*, review: Review, staff: User, reason: str) -> None:
    """Raises as above."""
    _review_turn(review, staff, reason, hidden=False)


def _review_turn(review: Review, staff: User, reason: str, *, hidden: bool) -> None:
    _require_moderator(staff, review.listing, reason)
    if review.buyer_id == staff.pk:
        raise OwnCase
    if not Review.objects.filter(pk=review.pk, is_hidden=not hidden).update(is_hidden=hidden):
        raise Conflict
    review.is_hidden = hidden
    audit_record(
        actor=staff,
        action=f"review.{'hide' if hidden else 'show'}",
        subject=f"review:{review.pk.hex}",
        subject_text=review.text,
        before={"is_hidden": not hidden},
        after={"is_hidden": hidden},
        reason=reason,
    )
