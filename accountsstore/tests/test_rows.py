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
from accountsstore.rows import rows_count, rows_count_up, rows_find, rows_insert, rows_save

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


def test_rows_are_counted_up_to_a_limit() -> None:
    users = [UserFactory(is_staff=number == 0) for number in range(4)]
    assert rows_count(User, 3) == 3
    assert rows_count(User, 9, is_staff=False) == 3
    assert rows_count(User, 9, username=[users[0].username, users[1].username], is_staff=True) == 1
    assert rows_count(User, 9, pk=[]) == 0


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
