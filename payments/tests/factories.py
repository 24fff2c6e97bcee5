from datetime import timedelta
from io import BytesIO
from typing import Any

import factory
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from factory.django import DjangoModelFactory
from PIL import Image, ImageDraw

from accounts.tests.factories import PASSWORD, UserFactory
from payments.models import Deposit, DepositMethod, PayoutMethod
from payments.services.deposits import deposit_code_new, deposit_submit
from payments.services.withdrawals import payout_method_add


def receipt(text: str = "Transfer") -> SimpleUploadedFile:
    """A picture of a receipt; another text is another picture."""
    image = Image.new("RGB", (480, 640), "white")
    draw = ImageDraw.Draw(image)
    for line, start in enumerate(range(0, max(len(text), 1), 12)):
        draw.text((30, 40 + 60 * line), text[start : start + 12], fill="black", font_size=44)
    # A pattern made of the text, as two photos of two receipts differ all over.
    for number, letter in enumerate(text * 8):
        x, y = 20 + (number * 37) % 440, 300 + (number * 53) % 320
        draw.rectangle((x, y, x + ord(letter) % 60, y + ord(letter) % 40), fill=(ord(letter) % 200,) * 3)
    data = BytesIO()
    image.save(data, "PNG")
    return SimpleUploadedFile("receipt.png", data.getvalue(), "image/png")


class DepositMethodFactory(DjangoModelFactory[DepositMethod]):
    class Meta:
        model = DepositMethod
        django_get_or_create = ("code",)

    code = "bank"
    name_en = "Bank transfer"
    instructions_en = "Pay to account 1234."
    currency = factory.LazyFunction(lambda: settings.STORE_CURRENCY)


class DepositFactory(factory.Factory[Deposit]):
    """Submitted through the service, with a receipt of its own."""

    class Meta:
        model = Deposit

    user = factory.SubFactory(UserFactory)
    method = factory.SubFactory(DepositMethodFactory)
    amount_minor = 5_000
    transfer_reference = factory.Sequence(lambda n: f"TRX-{n:06}")
    upload = factory.LazyAttribute(lambda o: receipt(o.transfer_reference))
    code = factory.LazyFunction(deposit_code_new)

    @classmethod
    def _create(cls, model_class: type[Deposit], *args: Any, **kwargs: Any) -> Deposit:
        return deposit_submit(**kwargs)


class PayoutMethodFactory(factory.Factory[PayoutMethod]):
    """A bank account that is past its cool-off."""

    class Meta:
        model = PayoutMethod

    user = factory.SubFactory(UserFactory)
    kind = "bank"
    holder = "North Pine"
    details = "DE89370400440532013000"
    password = PASSWORD

    @classmethod
    def _create(cls, model_class: type[PayoutMethod], *args: Any, **kwargs: Any) -> PayoutMethod:
        method = payout_method_add(**kwargs)
        PayoutMethod.objects.filter(pk=method.pk).update(usable_at=timezone.now() - timedelta(hours=1))
        method.refresh_from_db()
        return method
