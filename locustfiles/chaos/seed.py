"""The people of a chaos run and what they trade with, made through the store's services. Runs inside Django."""

from django.contrib.auth.hashers import make_password
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command

from accounts.models import User
from accounts.services import profile_update, seller_application_approve, seller_apply, user_add
from accountsstore.demo.drawings import receipt_picture
from listings.models import Category, Listing
from listings.services.listings import listing_create, listing_publish
from listings.services.stock import LOAD_LIMIT, stock_add_manual, stock_load
from payments.models import DepositMethod
from payments.services.deposits import deposit_approve, deposit_claim, deposit_code_new, deposit_submit

PASSWORD = "seven-gulls-over-the-pier-9"
BUYERS, SELLERS = 8, 2
# More than a run can buy: a listing that is sold out would look like a store that refuses.
PIECES = 600
PRICE_MINOR = 1_000
WALLET_MINOR = 10_000_000
METHOD = "bank"


def seed(buyers: int = BUYERS, pieces: int = PIECES) -> list[str]:
    """Make the people and their goods, so many pieces of each. Returns the codes of the listings on sale."""
    call_command("bootstrap", "--no-superuser", "--bank", "Meridian Bank, XX00 0001", verbosity=0)
    # Everybody's password is the same; hashing it is slow by design, so once is enough.
    password = make_password(PASSWORD)
    staff = person_new("staff-1", password, is_staff=True, is_superuser=True)
    for number in range(buyers):
        _pay_in(person_new(buyer(number), password), staff)
    return [code for number in range(SELLERS) for code in offer(seller_new(seller(number), password, staff), pieces)]


def buyer(number: int) -> str:
    return f"buyer-{number}"


def seller(number: int) -> str:
    return f"seller-{number}"


def email(username: str) -> str:
    return f"{username}@mailbox.example"


def person_new(username: str, password: str, **fields: bool) -> User:
    user = user_add(email=email(username), username=username, password=None, **fields)
    user.password = password
    user.save(update_fields=["password"])
    profile_update(user=user, display_name=username, about="", language="en")
    return user


def seller_new(username: str, password: str, staff: User) -> User:
    user = person_new(username, password)
    seller_application_approve(
        application=seller_apply(user=user, legal_name="Chaos Ltd", country="Egypt", sells="What survives a crash."),
        staff=staff,
    )
    return user


def _pay_in(user: User, staff: User) -> None:
    picture = receipt_picture(
        bank="Meridian Bank", amount="100,000.00", reference=user.username, date="1 Jan", payer=user.name, note="seed"
    )
    deposit = deposit_submit(
        user=user,
        method=DepositMethod.objects.get(code=METHOD),
        amount_minor=WALLET_MINOR,
        transfer_reference=f"SEED-{user.username}",
        upload=SimpleUploadedFile("receipt.jpg", picture, "image/jpeg"),
        code=deposit_code_new(),
    )
    deposit_claim(deposit=deposit, staff=staff)
    deposit.refresh_from_db()
    deposit_approve(deposit=deposit, staff=staff)


def offer(user: User, pieces: int = PIECES) -> list[str]:
    """The codes of one listing delivered from stock and one by hand, on sale."""
    category, _made = Category.objects.get_or_create(slug="survivors", defaults={"name_en": "Survivors"})
    codes = []
    for delivery in (Listing.Delivery.STOCK, Listing.Delivery.MANUAL):
        listing = listing_create(
            seller=user,
            category=category,
            title=f"Survivor of {user.username}, {delivery}",
            description="Bought while servers die. Whoever pays for it gets it once.",
            price_minor=PRICE_MINOR,
            attributes={},
            delivery=delivery,
        )
        if delivery == Listing.Delivery.STOCK:
            credentials = [{"credential": f"login {n} of {user.username}"} for n in range(pieces)]
            for begin in range(0, pieces, LOAD_LIMIT):
                stock_load(listing=listing, seller=user, credentials=credentials[begin : begin + LOAD_LIMIT])
        else:
            stock_add_manual(listing=listing, seller=user, count=pieces)
        listing.refresh_from_db()
        listing_publish(listing=listing, seller=user)
        codes.append(listing.code)
    return codes
