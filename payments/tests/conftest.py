"""Money for the tests, and the proof after each of them that it is still right."""

from collections.abc import Callable, Iterator

import pytest
from django.conf import settings

from accounts.models import User
from accountsstore.db import uuid7
from listings.models import Listing
from listings.tests.factories import ListingFactory
from payments.models import Order
from payments.services.ledger import Move, cash, ledger_post, user_available
from payments.services.orders import order_buy
from payments.services.verification import ledger_verify


@pytest.fixture(autouse=True)
def _ledger_is_right(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test of the money does, the books balance afterwards."""
    database = next((name for name in ("transactional_db", "db") if name in request.fixturenames), None)
    if database:
        # Before the yield, so that the database is still there after it.
        request.getfixturevalue(database)
    yield
    if database and not request.node.get_closest_marker("broken_books"):
        assert ledger_verify().faults == []


def fund(user: User, amount_minor: int = 10_000) -> None:
    """Put money into a wallet, as an opening posting."""
    currency = settings.STORE_CURRENCY
    ledger_post(
        kind="opening",
        source=f"opening:{uuid7().hex}",
        moves=[Move(cash("bank", currency), -amount_minor), Move(user_available(user.pk, currency), amount_minor)],
    )


def buy(buyer: User, listing: Listing, key: str = "") -> Order:
    """Buy the listing as its page shows it now."""
    return order_buy(
        buyer=buyer,
        listing_id=listing.pk,
        expected_price_minor=listing.price_minor,
        expected_version=listing.version,
        checkout_key=key or uuid7().hex,
        terms_version=settings.TERMS_VERSION,
    )


CREDENTIAL = {"login": "ember_knight_62", "password": "Frost!Lantern<88>"}


@pytest.fixture
def listing(seller: User) -> Listing:
    """Delivered by hand, one piece, 25.00."""
    return ListingFactory(seller=seller)


@pytest.fixture
def order(buyer: User, listing: Listing) -> Order:
    """Paid for, not delivered."""
    fund(buyer)
    return buy(buyer, listing)


@pytest.fixture
def postings() -> Callable[[object], list[str]]:
    """The kinds of posting that something caused, in order."""
    from payments.models import LedgerTransaction

    def kinds(subject: object) -> list[str]:
        source = f"{subject._meta.model_name}:{subject.pk.hex}"  # type: ignore[attr-defined]
        return list(
            LedgerTransaction.objects.filter(source=source).order_by("created_at").values_list("kind", flat=True)
        )

    return kinds
