"""Offering goods, and what happens around a listing."""

from django.core.files.uploadedfile import SimpleUploadedFile

from accountsstore.demo.deeds.people import user_named
from accountsstore.demo.drawings import listing_picture
from accountsstore.demo.goods import GOODS, Good
from accountsstore.demo.made_up import made_up
from listings.credentials import credential_fields
from listings.models import Category, Favourite, Listing, ListingImage, ListingReport, StockItem
from listings.services.favourites import favourite_toggle
from listings.services.images import image_add
from listings.services.listings import listing_create, listing_pause, listing_publish, listing_remove
from listings.services.moderation import listing_report, report_decide
from listings.services.stock import stock_add_manual, stock_load

State = Listing.State


def listing_of(key: str) -> Listing:
    good = GOODS[key]
    return Listing.objects.get(seller=user_named(good.seller), title=good.title)


def offer(good: Good) -> None:
    """Write the listing, add its pictures and its stock, and put it on sale."""
    seller, category = user_named(good.seller), Category.objects.get(slug=good.category)
    listing = Listing.objects.filter(seller=seller, title=good.title).first() or listing_create(
        seller=seller,
        category=category,
        title=good.title,
        description=good.text,
        price_minor=good.price,
        attributes=good.attributes,
        delivery=Listing.Delivery.STOCK if good.instant else Listing.Delivery.MANUAL,
        asks_first=good.asks_first,
    )
    for number in range(ListingImage.objects.filter(listing=listing).count(), good.pictures):
        name = f"{good.key}-{number + 1}.jpg"
        upload = SimpleUploadedFile(name, listing_picture(category.art, good.key, number), "image/jpeg")
        image_add(listing=listing, seller=seller, upload=upload)
    if not StockItem.objects.filter(listing=listing).exists():
        if good.instant:
            credentials = [credential(category, good.key, piece) for piece in range(good.pieces)]
            stock_load(listing=listing, seller=seller, credentials=credentials)
        else:
            stock_add_manual(listing=listing, seller=seller, count=good.pieces)
    listing.refresh_from_db()
    if listing.state == State.DRAFT and good.then != "draft":
        listing_publish(listing=listing, seller=seller)


def put_away(good: Good) -> None:
    """Pause or remove it, as `good.then` says."""
    listing = listing_of(good.key)
    if listing.state == State.ACTIVE:
        (listing_pause if good.then == "paused" else listing_remove)(listing=listing, seller=listing.seller)


def credential(category: Category, key: str, piece: object) -> dict[str, str]:
    """An invented login, licence key or code, with every field that the category asks for."""
    secret = made_up(key, piece, "secret", length=20)
    values = {
        "login": f"{key}_{made_up(key, piece, length=4).lower()}",
        "password": f"{secret[:6]}-{secret[6:11].lower()}#{secret[11:14]}",
        "email": f"{key}.{made_up(key, piece, length=6).lower()}@mailbox.example",
        "email_password": f"{secret[14:20].lower()}+{secret[:4]}",
        "recovery": " ".join(made_up(key, piece, number, length=8) for number in range(4)),
        "licence_key": "-".join(secret[start : start + 5] for start in range(0, 20, 5)),
        "activate_at": "https://activate.example/",
        "code": "-".join(secret[start : start + 4] for start in range(0, 16, 4)),
        "pin": str(int(secret[:6], 16))[:4],
        "notes": "Change the passwords first.",
    }
    return {field.key: values[field.key] for field in credential_fields(category)}


def keep(username: str, *keys: str) -> None:
    """Mark listings as favourites."""
    user = user_named(username)
    for listing in map(listing_of, keys):
        if not Favourite.objects.filter(user=user, listing=listing).exists():
            favourite_toggle(user=user, listing=listing)


def report(username: str, key: str, reason: str, text: str) -> None:
    user, listing = user_named(username), listing_of(key)
    if not ListingReport.objects.filter(listing=listing, reporter=user).exists():
        listing_report(listing=listing, reporter=user, reason=reason, text=text)


def uphold_report(key: str, reason: str) -> None:
    """Staff agree with the report; the listing is taken down."""
    found = ListingReport.objects.select_related("listing").get(listing=listing_of(key))
    if found.state == ListingReport.State.OPEN:
        report_decide(report=found, staff=user_named("ines"), uphold=True, reason=reason)
