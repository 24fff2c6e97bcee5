"""Every job of the store: its queue, and that running it twice, or twice at once, is running it once."""

import datetime
import threading
import uuid
from collections import Counter
from collections.abc import Callable

import pytest
from celery import current_app
from django.conf import settings
from django.core import mail as django_mail
from django.db import connection

from accounts.models import User
from accounts.tests.factories import SellerFactory, UserFactory
from accountsstore import clock, outbox, tasks
from accountsstore.mail import mail_queue
from accountsstore.models import OutboxEvent, OutboxMail
from chat.models import Message, Notification
from listings.models import Category, SellerFigures
from listings.search import Search, listing_search
from listings.tasks import category_reindex
from listings.tests.factories import ListingFactory
from payments.services.orders import order_accept, order_deliver, order_release
from payments.tests.conftest import CREDENTIAL, buy, fund
from uploads.models import StoredFile
from uploads.services import file_discard
from uploads.tasks import uploads_prune
from uploads.tests.factories import stored_file

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]

QUEUES = {
    "accountsstore.tasks.event_handle": "default",
    "accountsstore.tasks.mail_send": "mail",
    "accountsstore.tasks.clock_tick": "money",
    "uploads.tasks.uploads_prune": "images",
    "listings.tasks.category_reindex": "default",
}

Twice = Callable[..., None]


def in_turn(job: Callable[..., object], *arguments: str) -> None:
    for _ in range(2):
        job(*arguments)


def at_once(job: Callable[..., object], *arguments: str) -> None:
    start, failed = threading.Barrier(2), []

    def run() -> None:
        start.wait()
        try:
            job(*arguments)
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


@pytest.fixture(params=[in_turn, at_once])
def twice(request: pytest.FixtureRequest) -> Twice:
    return request.param


@pytest.fixture(autouse=True)
def _nothing_queued(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests are the worker."""
    monkeypatch.setattr(outbox, "enqueue", lambda task, *row_ids: None)


def test_each_job_goes_to_its_queue_and_a_worker_listens_to_all_of_them():
    own = [name for name in current_app.tasks if not name.startswith("celery.")]
    routed = {name: current_app.amqp.router.route({}, name)["queue"].name for name in own}
    assert routed == QUEUES
    assert {queue.name for queue in settings.CELERY_TASK_QUEUES} == set(QUEUES.values())


def events_handled(run: Callable[..., None]) -> None:
    """Run the jobs of all events, and of those that these make."""
    while pending := list(OutboxEvent.objects.filter(pending=True).order_by("created_at", "id")):
        for row in pending:
            run(tasks.event_handle, row.pk.hex)


def order_lived() -> User:
    """An order from the first deposit to the released money. Returns the seller."""
    seller, buyer = SellerFactory(), UserFactory()
    listing = ListingFactory(seller=seller)
    fund(buyer)
    order = buy(buyer, listing)
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    order_accept(order=order, buyer=buyer)
    order.refresh_from_db()
    order_release(order=order, now=order.due_at)
    return seller


def effects(seller: User) -> dict[str, object]:
    """What the events of the one order left behind."""
    figures = SellerFigures.objects.get(seller=seller)
    return {
        "told": Counter(Notification.objects.values_list("kind", flat=True)),
        "lines": list(Message.objects.order_by("seq").values_list("body", flat=True)),
        "mails": Counter(OutboxMail.objects.values_list("template", flat=True)),
        "frames": Counter(OutboxEvent.objects.values_list("topic", flat=True)),
        "figures": (figures.orders_finished, figures.orders_disputed),
    }


def test_the_subscribers_of_an_event(twice: Twice, django_db_blocker):
    seller = order_lived()
    events_handled(lambda job, *arguments: job(*arguments))
    once = effects(seller)
    assert once["told"] and once["lines"] and once["mails"]
    for model in (Notification, Message, OutboxMail, OutboxEvent):
        model.objects.all().delete()
    events_handled_twice = order_lived()
    events_handled(twice)
    assert effects(events_handled_twice) == once


def test_a_mail(twice: Twice):
    mail_queue(
        to="amal@example.com",
        template="account_password_changed",
        context={"name": "Amal", "user": None},
        dedupe_key="k1",
        language="en",
    )
    twice(tasks.mail_send, OutboxMail.objects.get().pk.hex)
    assert len(django_mail.outbox) == 1


def test_a_tick(twice: Twice, monkeypatch: pytest.MonkeyPatch):
    ran: list[datetime.datetime] = []
    monkeypatch.setattr(clock, "_parts", {})
    clock.on_tick("part", every_seconds=60)(ran.append)
    twice(tasks.clock_tick)
    assert len(ran) == 1


def test_the_deletion_of_files(twice: Twice):
    buyer = UserFactory()
    kept, gone = stored_file(buyer), stored_file(buyer)
    file_discard(file=gone)
    twice(uploads_prune)
    assert dict(StoredFile.objects.values_list("pk", "state")) == {kept.pk: "clean", gone.pk: "deleted"}


def test_the_index_of_a_category(twice: Twice):
    listing = ListingFactory()
    Category.objects.filter(pk=listing.category_id).update(name_en="Mounted heroes")
    assert found("heroes") == []
    twice(category_reindex, listing.category_id.hex)
    assert found("heroes") == [listing.pk]


def found(text: str) -> list[uuid.UUID]:
    return [listing.pk for listing in listing_search(Search(text=text)).items]
