"""Nothing that a buyer pays for lies open anywhere: not in the database, the logs, the mails or the events."""

import base64
import json
import logging
from collections.abc import Iterable

import pytest
from django.conf import settings
from django.core import mail
from django.db import connection

from accounts.models import User
from accounts.tests.factories import PASSWORD, SellerFactory, UserFactory
from accountsstore.models import OutboxEvent, OutboxMail
from listings.tests.factories import ListingFactory
from payments.services.orders import order_accept, order_deliver, order_redeliver, order_reveal
from payments.tests.conftest import buy, fund
from payments.tests.factories import PayoutMethodFactory

pytestmark = [pytest.mark.slow, pytest.mark.stack]

SECRETS = {"login": "ember-knight-62-login", "password": "Frost!Lantern<88>&\"'-pass"}
STOCKED = {"login": "stocked-login-17", "password": "stocked/Pass+word=17"}
CORRECTED = {"login": "ember-knight-62-login", "password": "corrected-Secret-19"}
IBAN = "DE89370400440532013000"


def disguises(secret: str) -> set[str]:
    """The ways in which a secret could lie around."""
    raw = secret.encode()
    return {secret, json.dumps(secret)[1:-1], base64.b64encode(raw).decode().rstrip("="), raw.hex(), repr(secret)[1:-1]}


def database_dump() -> str:
    """Every value of every row, bytes as they are."""
    rows: list[Iterable[object]] = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if connection.vendor == "mongodb":
                rows += [document.values() for document in connection.database[table].find()]
            else:
                cursor.execute(f'SELECT * FROM "{table}"')
                rows += cursor.fetchall()
    values = [value for row in rows for value in row]
    return "\n".join(bytes(v).decode("latin-1") if isinstance(v, bytes | memoryview) else str(v) for v in values)


@pytest.mark.django_db(transaction=True)
def test_credentials_and_payout_details_lie_open_nowhere(client, caplog, run_jobs, tmp_path):
    caplog.set_level(logging.DEBUG)
    buyer, seller = UserFactory(), SellerFactory()
    fund(buyer, 20_000)
    order = buy(buyer, ListingFactory(seller=seller))
    order_deliver(order=order, seller=seller, values=SECRETS)
    order_redeliver(order=order, seller=seller, values=CORRECTED)
    stocked = buy(buyer, ListingFactory(seller=seller, from_stock=[STOCKED]))
    for bought, values in ((order, CORRECTED), (stocked, STOCKED)):
        for field, value in values.items():
            assert order_reveal(order=bought, user=buyer, field=field, password=PASSWORD) == value
    order_accept(order=order, buyer=buyer)
    PayoutMethodFactory(user=seller, details=IBAN)
    client.force_login(buyer, backend=settings.AUTHENTICATION_BACKENDS[0])
    page = client.get(order.get_absolute_url()).content.decode()
    run_jobs()

    places = {
        "the database": database_dump(),
        "the events": json.dumps(list(OutboxEvent.objects.values_list("payload", flat=True))),
        "the queued mails": "\n".join(str(vars(row)) for row in OutboxMail.objects.all()),
        "the sent mails": "\n".join(message.message().as_string() for message in mail.outbox),
        "the logs": "\n".join(str(vars(record)) for record in caplog.records),
        "the order page": page,
    }
    assert mail.outbox, "the story must have sent mails"
    assert str(order.pk.hex) in places["the database"], "the dump must be real"
    secrets = {*SECRETS.values(), *STOCKED.values(), *CORRECTED.values(), IBAN}
    for name, text in places.items():
        for secret in secrets:
            for disguise in disguises(secret):
                assert disguise not in text, f"{name} shows a secret"
    assert User.objects.exclude(password__startswith="argon2").exclude(password__startswith="md5").count() == 0


@pytest.mark.django_db(transaction=True)
def test_keys_rotate_and_every_secret_still_opens(settings):
    from django.core.management import call_command

    from listings.models import Credential
    from payments.models import PayoutMethod

    buyer, seller = UserFactory(), SellerFactory()
    fund(buyer, 20_000)
    order = buy(buyer, ListingFactory(seller=seller))
    order_deliver(order=order, seller=seller, values=SECRETS)
    PayoutMethodFactory(user=seller)
    old = settings.CREDENTIAL_KEYS
    new = "next:" + base64.b64encode(b"k" * 32).decode()
    settings.CREDENTIAL_KEYS = [new, *old]
    call_command("rotate_keys")
    call_command("rotate_keys")
    assert set(Credential.objects.values_list("key_id", flat=True)) == {"next"}
    assert set(PayoutMethod.objects.values_list("key_id", flat=True)) == {"next"}
    settings.CREDENTIAL_KEYS = [new]
    assert order_reveal(order=order, user=buyer, field="password", stepped_up=True) == SECRETS["password"]
