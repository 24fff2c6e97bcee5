from collections.abc import Callable

import pytest

from accounts.errors import OwnCase
from accounts.models import AuditEvent, User
from accountsstore.errors import Conflict, NotAllowed, StoreError
from accountsstore.models import OutboxEvent
from listings.errors import AlreadyReported, TooManyReports
from listings.models import Listing, ListingReport
from listings.services.favourites import favourite_toggle
from listings.services.listings import listing_pause, listing_remove
from listings.services.moderation import listing_report, listing_restore, listing_take_down, report_decide
from listings.services.stock import stock_take
from listings.tests.factories import ListingFactory

State = Listing.State
pytestmark = [pytest.mark.django_db, pytest.mark.stack]


def test_a_take_down_tells_the_seller_and_leaves_a_record(staff: User) -> None:
    listing = ListingFactory()
    listing_take_down(listing=listing, staff=staff, reason="Asks to pay outside")
    assert (listing.state, listing.state_reason) == (State.REJECTED, "Asks to pay outside")
    row = AuditEvent.objects.get()
    assert (row.actor, row.action, row.reason) == (staff, "listing.take_down", "Asks to pay outside")
    event = OutboxEvent.objects.get(topic="listing.changed")
    assert event.groups == [f"user.{listing.seller_id.hex}"]
    assert event.payload["state"] == "rejected"
    listing_take_down(listing=listing, staff=staff, reason="again")
    assert AuditEvent.objects.count() == 1


@pytest.mark.parametrize(
    ("before", "after"), [(State.ACTIVE, State.ACTIVE), (State.PAUSED, State.PAUSED), (State.DRAFT, State.DRAFT)]
)
def test_restoring_gives_back_the_state_before(staff: User, before: str, after: str) -> None:
    listing = ListingFactory(state=before)
    listing_take_down(listing=listing, staff=staff, reason="Looked wrong")
    listing_restore(listing=listing, staff=staff, reason="It was fine")
    assert (listing.state, listing.state_reason, listing.state_before) == (after, "", "")


def test_restoring_what_sold_out_meanwhile_puts_nothing_on_sale(staff: User) -> None:
    listing = ListingFactory()
    listing_take_down(listing=listing, staff=staff, reason="Looked wrong")
    stock_take(listing)
    listing_restore(listing=listing, staff=staff, reason="It was fine")
    assert listing.state == State.SOLD_OUT


def test_a_seller_cannot_undo_a_take_down(staff: User) -> None:
    listing = ListingFactory()
    listing_take_down(listing=listing, staff=staff, reason="Looked wrong")
    with pytest.raises(Conflict):
        listing_pause(listing=listing, seller=listing.seller)


def test_moderation_needs_the_permission_a_reason_and_somebody_elses_listing(staff: User, stranger: User) -> None:
    listing = ListingFactory()
    with pytest.raises(NotAllowed):
        listing_take_down(listing=listing, staff=stranger, reason="x")
    with pytest.raises(StoreError) as refused:
        listing_take_down(listing=listing, staff=staff, reason="  ")
    assert refused.value.field == "reason"
    with pytest.raises(OwnCase):
        listing_take_down(listing=ListingFactory(seller=staff), staff=staff, reason="x")
    assert set(Listing.objects.values_list("state", flat=True)) == {State.ACTIVE}


def test_a_removed_listing_is_not_taken_down(staff: User) -> None:
    listing = ListingFactory()
    listing_remove(listing=listing, seller=listing.seller)
    with pytest.raises(Conflict):
        listing_take_down(listing=listing, staff=staff, reason="x")


# ---------------------------------------------------------------- reports


@pytest.mark.django_db(transaction=True)
def test_a_person_has_one_open_report_of_a_listing(buyer: User, stranger: User, staff: User) -> None:
    listing = ListingFactory()
    report = listing_report(listing=listing, reporter=buyer, reason="stolen", text="Mine")
    with pytest.raises(AlreadyReported):
        listing_report(listing=listing, reporter=buyer, reason="other", text="Again")
    listing_report(listing=listing, reporter=stranger, reason="stolen", text="")
    listing_report(listing=ListingFactory(), reporter=buyer, reason="stolen", text="")
    report_decide(report=report, staff=staff, uphold=False, reason="Proof of purchase seen")
    listing_report(listing=listing, reporter=buyer, reason="stolen", text="It happened again")
    assert ListingReport.objects.filter(listing=listing).count() == 3


def test_visitors_report_too_and_nobody_floods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("listings.services.moderation.REPORT_RATE", "2/h")
    listing = ListingFactory()
    for _ in range(2):
        listing_report(listing=listing, reporter=None, reason="forbidden", text="", ip="10.0.0.7")
    with pytest.raises(TooManyReports):
        listing_report(listing=listing, reporter=None, reason="forbidden", text="", ip="10.0.0.7")
    listing_report(listing=listing, reporter=None, reason="forbidden", text="", ip="10.0.0.8")
    assert ListingReport.objects.count() == 3


def test_a_report_says_what_is_wrong(buyer: User) -> None:
    listing = ListingFactory()
    for reason, text, field in (("nonsense", "x", "reason"), ("other", "  ", "text")):
        with pytest.raises(StoreError) as refused:
            listing_report(listing=listing, reporter=buyer, reason=reason, text=text)
        assert refused.value.field == field
    with pytest.raises(StoreError):
        listing_report(listing=listing, reporter=listing.seller, reason="stolen", text="")
    assert not ListingReport.objects.exists()


def test_an_upheld_report_takes_the_listing_down_once(staff: User, second_staff: User, buyer: User) -> None:
    listing = ListingFactory()
    report = listing_report(listing=listing, reporter=buyer, reason="stolen", text="Mine")
    report_decide(report=report, staff=staff, uphold=True, reason="The buyer proved it")
    listing.refresh_from_db()
    assert (listing.state, report.state, report.decided_by) == (State.REJECTED, "upheld", staff)
    with pytest.raises(Conflict):
        report_decide(report=report, staff=second_staff, uphold=False, reason="No")
    assert sorted(AuditEvent.objects.values_list("action", flat=True)) == ["listing.take_down", "listing_report.upheld"]


def test_nobody_decides_their_own_report(staff: User) -> None:
    report = listing_report(listing=ListingFactory(), reporter=staff, reason="stolen", text="Mine")
    with pytest.raises(OwnCase):
        report_decide(report=report, staff=staff, uphold=True, reason="Mine")


# ---------------------------------------------------------------- favourites


def test_a_favourite_is_kept_and_let_go(buyer: User, run_jobs: Callable[[], None]) -> None:
    listing = ListingFactory()
    assert favourite_toggle(user=buyer, listing=listing)
    assert not favourite_toggle(user=buyer, listing=listing)
    assert favourite_toggle(user=buyer, listing=listing)
