"""Rows read and written without the ORM between are the ORM's rows."""

import itertools
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from accounts.models import SellerProfile, User
from accounts.tests.factories import SellerFactory, UserFactory
from accountsstore.db import atomic, uuid7
from accountsstore.models import OutboxEvent, OutboxMail
from accountsstore.rows import (
    Figure,
    Rows,
    row_find,
    rows_count_up,
    rows_figures,
    rows_find,
    rows_find_together,
    rows_insert,
    rows_save,
)
from listings.models import Category, Favourite, Listing
from listings.tests.factories import CategoryFactory, ListingFactory

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]


def fields(row: Model) -> dict[str, object]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def event(**given: object) -> OutboxEvent:
    return OutboxEvent(topic="test", payload={"deep": [1, {"text": "٣ é"}], "none": None}, groups=["a", "b"], **given)


def test_an_inserted_row_is_what_the_orm_finds() -> None:
    row = event()
    rows_insert([row])
    found = OutboxEvent.objects.get(pk=row.pk)
    # MongoDB keeps milliseconds.
    for name in ("created_at", "retry_at"):
        assert abs(getattr(row, name) - getattr(found, name)).total_seconds() < 0.001
        setattr(row, name, getattr(found, name))
    assert fields(found) == fields(row)
    assert not row._state.adding


def test_a_found_row_is_what_the_orm_finds() -> None:
    user = UserFactory(display_name="Nadia", avatar_file_id=uuid7())
    UserFactory()
    [found] = rows_find(User, pk=user.pk)
    assert fields(found) == fields(User.objects.get(pk=user.pk))


def test_rows_are_found_by_several_values_and_by_none() -> None:
    one, two, _three = UserFactory(), UserFactory(), UserFactory()
    assert {user.pk for user in rows_find(User, username=[one.username, two.username])} == {one.pk, two.pk}
    sent, kept = event(frame_sent_at=one.created_at), event()
    rows_insert([sent])
    rows_insert([kept])
    assert [row.pk for row in rows_find(OutboxEvent, frame_sent_at=None)] == [kept.pk]
    assert rows_find(User, pk=[]) == []


def test_the_first_rows_in_an_order_are_found() -> None:
    for number, name in enumerate(("carol", "adam", "dina", "bert")):
        UserFactory(username=name, is_staff=number == 3)
    rows = rows_find(User, order_by=["is_staff", "-username"], limit=2)
    assert [user.username for user in rows] == ["dina", "carol"]
    first = row_find(User, order_by=["-username"])
    assert first is not None and first.username == "dina"
    assert row_find(User, username="nobody") is None
    assert [user.username for user in rows_find(User, order_by=["username"], is_staff=False)] == [
        "adam",
        "carol",
        "dina",
    ]


def test_rows_of_several_tables_are_found_together_each_in_its_order() -> None:
    listings = [ListingFactory(title=title) for title in ("b boat", "a car", "c hut")]
    person = UserFactory()
    rows_insert([Favourite(user=person, listing=listing) for listing in listings])
    asked = [
        Rows(Listing, {"pk": [each.pk for each in listings]}, order_by=["-title"], limit=2),
        Rows(User, {"pk": []}),
        Rows(Favourite, {"user": person.pk}, joined=["listing", "user"]),
        Rows(Category, {"is_allowed": True}, joined=["parent"], order_by=["position", "slug"]),
        Rows(Listing, {"state": Listing.State.ACTIVE}, order_by=["category_id", "title"]),
    ]
    with CaptureQueriesContext(connection) as queries:
        together = rows_find_together(*asked)
    assert connection.vendor != "mongodb" or len(queries) == 1
    by_category = sorted(listings, key=lambda each: (each.category_id, each.title))
    for found in (together, atomic(rows_find_together)(*asked)):
        titles, nobody, kept, categories, all_listings = found
        assert ([each.title for each in titles], nobody) == (["c hut", "b boat"], [])
        assert {each.listing.title for each in kept} == {"a car", "b boat", "c hut"}
        assert {each.user.pk for each in kept} == {person.pk}
        assert categories == list(Category.objects.filter(is_allowed=True).order_by("position", "slug"))
        assert all_listings == by_category


def test_figures_count_or_sum_the_rows_they_name() -> None:
    names = [UserFactory(is_staff=number == 0).username for number in range(4)]
    rows_insert([OutboxEvent(topic=f"t{n}", payload={}, groups=[], attempts=n, pending=n != 3) for n in range(5)])
    asked = [
        (Figure(User), 4),
        (Figure(User, limit=3), 3),
        (Figure(User, {"is_staff": False}, limit=9), 3),
        (Figure(User, {"username": frozenset(names[:2]), "is_staff": True}), 1),
        (Figure(User, {"pk": []}), 0),
        (Figure(User, any_of=[{"username": names[:2]}, {"username": names[1], "is_staff": False}]), 2),
        (Figure(User, {"is_staff": False}, any_of=[{"username": names[0]}, {"username": names[3]}]), 1),
        (Figure(OutboxEvent, {"pending": True}, total="attempts"), 7),
        (Figure(OutboxEvent, {"topic": "none"}, total="attempts"), 0),
        (Figure(OutboxEvent, total="attempts", order_by=["-attempts"], limit=2), 7),
    ]
    figures, expected = [figure for figure, _n in asked], [n for _figure, n in asked]
    with CaptureQueriesContext(connection) as queries:
        assert rows_figures(*figures) == expected
    assert connection.vendor != "mongodb" or len(queries) == 1
    # A transaction of MongoDB takes no union of collections.
    assert atomic(rows_figures)(*figures) == expected
    assert [rows_figures(figure)[0] for figure in figures] == expected


def test_a_twin_is_refused_and_takes_its_transaction_with_it() -> None:
    @atomic
    def write(key: str) -> None:
        UserFactory(username=f"by-{uuid7().hex[:20]}")
        rows_insert([OutboxMail(to="a@example.com", subject="s", template="t", dedupe_key=key)])

    write("one")
    with pytest.raises(IntegrityError):
        write("one")
    assert (User.objects.count(), OutboxMail.objects.count()) == (1, 1)


def test_only_the_named_fields_are_saved() -> None:
    one, two = UserFactory(about="old"), UserFactory(about="old")
    for user in (one, two):
        user.about, user.display_name = f"new {user.username}", "Not this"
    rows_save([one, two], "about")
    found = {user.pk: user for user in User.objects.all()}
    assert {found[user.pk].about for user in (one, two)} == {one.about, two.about}
    assert "Not this" not in {user.display_name for user in found.values()}


def test_no_rows_are_saved_without_a_fuss() -> None:
    """As those of a conversation that everybody has left."""
    rows_save([], "about")


def test_each_who_counts_gets_numbers_of_their_own() -> None:
    rows = [event(), event()]
    rows_insert(rows)

    @atomic
    def count(by: dict[uuid.UUID, int]) -> list[tuple[uuid.UUID, int]]:
        counted = rows_count_up(OutboxEvent, "attempts", by, pending=True)
        return [(pk, counted[pk].attempts - less) for pk, how_many in by.items() for less in range(how_many)]

    def work(number: int) -> list[tuple[uuid.UUID, int]]:
        try:
            return count({rows[0].pk: 1} if number % 2 else {rows[0].pk: 2, rows[1].pk: 1})
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        taken = sorted(itertools.chain(*threads.map(work, range(20))))
    assert taken == sorted([(rows[0].pk, n) for n in range(1, 31)] + [(rows[1].pk, n) for n in range(1, 11)])


@pytest.mark.parametrize("by_many", [False, True])
def test_only_rows_that_are_as_expected_are_counted(by_many: bool) -> None:
    rows = [event(), event()]
    rows[1].pending = False
    rows_insert(rows)
    asked = {row.pk: 1 for row in (rows if by_many else rows[1:])}
    found = atomic(rows_count_up)(OutboxEvent, "attempts", asked, pending=True)
    assert {pk: row.attempts for pk, row in found.items()} == ({rows[0].pk: 1} if by_many else {})
    assert OutboxEvent.objects.get(pk=rows[1].pk).attempts == 0


def test_joined_rows_come_with_their_row() -> None:
    profile = SellerFactory().seller_profile
    [found] = rows_find(SellerProfile, "user", state=profile.state)
    with CaptureQueriesContext(connection) as queries:
        assert fields(found.user) == fields(User.objects.get(pk=profile.user_id))
    assert len(queries) == 1, "the one that it is compared with"


def test_nothing_is_asked_for_nothing() -> None:
    with CaptureQueriesContext(connection) as queries:
        assert (rows_find_together(), rows_figures()) == ([], [])
    assert len(queries) == 0


def test_a_key_that_is_empty_joins_nothing() -> None:
    SellerFactory()
    [found] = rows_find(Category, "parent", pk=CategoryFactory().pk)
    assert found.parent is None


def test_what_the_manager_defers_is_not_read_before_it_is_asked_for() -> None:
    listing = ListingFactory(title="A sturdy boat")
    [found] = rows_find(Listing, pk=listing.pk)
    favourite = Favourite.objects.create(user=UserFactory(), listing=listing)
    kept = rows_find(Favourite, "listing", pk=favourite.pk)[0].listing
    for row in (found, kept) if connection.vendor == "mongodb" else (found,):
        assert row.get_deferred_fields() == {"terms", "terms_signature"}
    assert found.terms == kept.terms == Listing.objects.get(pk=listing.pk).terms
