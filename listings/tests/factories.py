from typing import Any

import factory
from django.conf import settings
from django.utils import timezone
from factory.django import DjangoModelFactory

from accounts.tests.factories import SellerFactory
from accountsstore.codes import new_code
from listings.models import Category, CategoryField, Listing
from listings.services.listings import listing_index
from listings.services.stock import stock_add_manual, stock_load


class CategoryFactory(DjangoModelFactory[Category]):
    """Game accounts: attributes of every kind, and a login with its password as the credential."""

    class Meta:
        model = Category
        skip_postgeneration_save = True

    slug = factory.Sequence(lambda n: f"games-{n}")
    name_en = "Game accounts"
    name_ar = "حسابات ألعاب"

    @factory.post_generation
    def fields(self, create: bool, extracted: list[dict[str, Any]] | None, **kwargs: object) -> None:
        """`fields=[]` makes a category without any, a list of dicts makes those."""
        wanted = FIELDS if extracted is None else extracted
        CategoryField.objects.bulk_create(
            CategoryField(category=self, position=position, **values) for position, values in enumerate(wanted)
        )


ATTRIBUTE, CREDENTIAL = CategoryField.Use.ATTRIBUTE, CategoryField.Use.CREDENTIAL
FIELDS: list[dict[str, Any]] = [
    {"use": ATTRIBUTE, "key": "game", "label_en": "Game", "is_required": False},
    {"use": ATTRIBUTE, "key": "level", "label_en": "Level", "kind": "number", "is_required": False},
    {
        "use": ATTRIBUTE,
        "key": "region",
        "label_en": "Region",
        "label_ar": "المنطقة",
        "kind": "choice",
        "choices": "Europe | أوروبا\nMiddle East | الشرق الأوسط\nAmericas",
        "is_required": False,
        "is_facet": True,
    },
    {
        "use": ATTRIBUTE,
        "key": "email_included",
        "label_en": "Email included",
        "kind": "yes_no",
        "is_required": False,
        "is_facet": True,
    },
    {"use": CREDENTIAL, "key": "login", "label_en": "Login name", "label_ar": "اسم الدخول"},
    {"use": CREDENTIAL, "key": "password", "label_en": "Password", "label_ar": "كلمة المرور"},
    {"use": CREDENTIAL, "key": "note", "label_en": "Note", "is_required": False},
]


class ListingFactory(DjangoModelFactory[Listing]):
    """On sale. `stock=3` offers three pieces by hand; `from_stock=[{"login": "a", "password": "b"}]` loads those."""

    class Meta:
        model = Listing
        skip_postgeneration_save = True

    seller = factory.SubFactory(SellerFactory)
    category = factory.SubFactory(CategoryFactory)
    title = factory.Sequence(lambda n: f"Knight of level {n}, three mounts")
    description = "Raised over two seasons. The mail address comes with it."
    price_minor = 2500
    state = Listing.State.ACTIVE
    code = factory.LazyFunction(lambda: new_code("L"))
    currency = factory.LazyFunction(lambda: settings.STORE_CURRENCY)
    published_at = factory.LazyFunction(timezone.now)

    @classmethod
    def _create(cls, model_class: type[Listing], *args: Any, **kwargs: Any) -> Listing:
        stock, credentials = kwargs.pop("stock", 1), kwargs.pop("from_stock", None)
        if credentials is not None:
            kwargs["delivery"] = Listing.Delivery.STOCK
        listing = super()._create(model_class, *args, **kwargs)
        if credentials:
            stock_load(listing=listing, seller=listing.seller, credentials=credentials)
        elif credentials is None and stock:
            stock_add_manual(listing=listing, seller=listing.seller, count=stock)
        listing_index(listing)
        listing.refresh_from_db()
        return listing
