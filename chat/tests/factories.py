from typing import Any

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from accountsstore.codes import new_code
from listings.tests.factories import ListingFactory
from payments.models import Order, OrderEvent
from payments.states import OrderState


class OrderFactory(DjangoModelFactory[Order]):
    """An order as the chat sees it: its parties, its state and its timeline, without the money behind it.

    `happenings=["fund", "deliver"]` writes those steps into the timeline.
    """

    class Meta:
        model = Order
        skip_postgeneration_save = True

    listing = factory.SubFactory(ListingFactory, seller=factory.SelfAttribute("..seller"))
    number = factory.LazyFunction(lambda: new_code("AS"))
    state = OrderState.FUNDED
    title = "Level 62 knight, 3 mounts"
    listing_version = 1
    price_minor = 3800
    currency = "USD"
    fee_basis_points = 800
    deliver_hours = 24
    inspect_hours = 48
    warranty_days = 7
    terms_version = "1"
    checkout_key = factory.Sequence(lambda n: f"chat-{n}")
    requested_at = factory.LazyFunction(timezone.now)
    funded_at = factory.LazyFunction(timezone.now)

    @factory.post_generation
    def happenings(self: Any, create: bool, extracted: list[str] | None, **kwargs: object) -> None:
        for happening in extracted or []:
            OrderEvent.objects.create(order=self, happening=happening, to_state=self.state)
