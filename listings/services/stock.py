"""Stock: every sale consumes one item, whether it holds a credential already or is delivered by hand."""

import msgspec
from django.db import IntegrityError
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accountsstore import vault
from accountsstore.db import atomic
from accountsstore.errors import Conflict, NotAllowed, StoreError
from listings.credentials import clean_values, credential_fields, credential_open, credential_sealed
from listings.models import Credential, Listing, StockItem

State = StockItem.State
LOAD_LIMIT = 200
MANUAL_LIMIT = 1_000


class SoldOut(Conflict):
    code = "sold_out"
    message = _("This is sold. Nothing was charged.")


class BadStock(StoreError):
    code = "bad_stock"


def _require_owner(listing: Listing, seller: User) -> None:
    if listing.seller_id != seller.pk:
        raise NotAllowed


def stock_load(*, listing: Listing, seller: User, credentials: list[dict[str, str]]) -> int:
    """Put credentials on sale, all of them or none. Returns how many.

    Raises BadCredential (a field is missing), BadStock (too many, or one that this seller has loaded before).
    """
    try:
        return _stock_load(listing=listing, seller=seller, credentials=credentials)
    except IntegrityError:
        raise BadStock(
            _("One of these was loaded before. Each credential is sold once."), field="credentials"
        ) from None


@atomic
def _stock_load(*, listing: Listing, seller: User, credentials: list[dict[str, str]]) -> int:
    _require_owner(listing, seller)
    if listing.delivery != Listing.Delivery.STOCK:
        raise BadStock(_("This listing is delivered by hand; it takes a count, not credentials."))
    if not 0 < len(credentials) <= LOAD_LIMIT:
        raise BadStock(_("Load 1 to %(limit)d credentials at a time.") % {"limit": LOAD_LIMIT}, field="credentials")
    fields = credential_fields(listing.category)
    items, versions, earlier = [], [], []
    for values in credentials:
        clean = clean_values(fields, values)
        plaintext = _plaintext(clean)
        earlier += vault.earlier_fingerprints(plaintext, scope=seller.pk.hex)
        items.append(StockItem(listing=listing, fingerprint=vault.fingerprint(plaintext, scope=seller.pk.hex)))
        versions.append(credential_sealed(stock_item=items[-1], fields=fields, values=clean))
    # While SECRET_KEY is being changed, most are known by the key before.
    if earlier and StockItem.objects.filter(fingerprint__in=earlier).exists():
        raise IntegrityError
    StockItem.objects.bulk_create(items)
    Credential.objects.bulk_create(versions)
    stock_recount(listing, len(credentials))
    return len(credentials)


def _plaintext(values: dict[str, str]) -> bytes:
    return msgspec.json.encode(values, order="sorted")


def stock_fingerprint_renew(credential: Credential) -> bool:
    """Let a loaded item be known by the present SECRET_KEY. `credential` is its first version, read with item and listing.

    Returns whether it was known by another one. Safe to repeat and to interrupt. Raises vault.VaultError.
    """
    item = credential.stock_item
    new = vault.fingerprint(_plaintext(credential_open(credential)), scope=item.listing.seller_id.hex)
    if item.fingerprint in (None, new):
        return False
    return bool(StockItem.objects.filter(pk=item.pk, fingerprint=item.fingerprint).update(fingerprint=new))


@atomic
def stock_add_manual(*, listing: Listing, seller: User, count: int) -> None:
    """Offer `count` more pieces that are handed over after payment."""
    _require_owner(listing, seller)
    if listing.delivery != Listing.Delivery.MANUAL:
        raise BadStock(_("This listing delivers from stock: load credentials."))
    if not 0 < count <= MANUAL_LIMIT:
        raise BadStock(_("Offer 1 to %(limit)d pieces at a time.") % {"limit": MANUAL_LIMIT}, field="count")
    StockItem.objects.bulk_create([StockItem(listing=listing) for _ in range(count)])
    stock_recount(listing, count)


@atomic
def stock_withdraw(*, item: StockItem, seller: User) -> None:
    """The seller takes one unsold item back. Raises Conflict when it is sold or gone already."""
    _require_owner(item.listing, seller)
    if not StockItem.objects.filter(pk=item.pk, state=State.AVAILABLE).update(state=State.WITHDRAWN, fingerprint=None):
        raise Conflict(_("This item is not on sale any more."))
    stock_recount(item.listing, -1)


@atomic
def stock_take(listing: Listing) -> StockItem:
    """Reserve one item for an order that is being funded. One UPDATE decides who gets it.

    Raises SoldOut.
    """
    # Another buyer may win the item between the look and the UPDATE; then look again.
    while item := StockItem.objects.filter(listing=listing, state=State.AVAILABLE).order_by("id").first():
        if StockItem.objects.filter(pk=item.pk, state=State.AVAILABLE).update(state=State.RESERVED):
            item.state = State.RESERVED
            stock_recount(listing, -1)
            return item
    raise SoldOut


@atomic
def stock_deliver(item: StockItem) -> None:
    _move(item, State.RESERVED, State.DELIVERED)


@atomic
def stock_return(item: StockItem) -> None:
    """Back on sale: the order ended before the credential was disclosed."""
    _move(item, State.RESERVED, State.AVAILABLE)
    stock_recount(item.listing, 1)


@atomic
def stock_revoke(item: StockItem) -> None:
    """Refunded after the credential was disclosed: off sale for good."""
    _move(item, State.DELIVERED, State.REVOKED)


def _move(item: StockItem, source: str, target: str) -> None:
    if not StockItem.objects.filter(pk=item.pk, state=source).update(state=target):
        raise Conflict(f"stock item {item.pk} is not {source}")
    item.state = target


def stock_recount(listing: Listing, change: int) -> None:
    """Carry the count along, and the listing's state with it: sold out at zero, on sale again above."""
    Listing.objects.filter(pk=listing.pk).update(stock_count=F("stock_count") + change)
    if change < 0:
        Listing.objects.filter(pk=listing.pk, state=Listing.State.ACTIVE, stock_count__lte=0).update(
            state=Listing.State.SOLD_OUT
        )
    else:
        Listing.objects.filter(pk=listing.pk, state=Listing.State.SOLD_OUT, stock_count__gt=0).update(
            state=Listing.State.ACTIVE
        )
