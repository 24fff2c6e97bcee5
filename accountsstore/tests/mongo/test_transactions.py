"""`atomic` and `on_commit` on a real replica set, with collisions, killed transactions and lost answers."""

import threading
import time
from collections.abc import Callable

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connection
from django.db.models import F
from pymongo.errors import AutoReconnect

from accounts.models import User
from accounts.tests.factories import StaffFactory, UserFactory
from accountsstore.db import atomic, in_atomic, lock, on_commit
from accountsstore.models import OutboxMail
from accountsstore.mongo import base
from listings.models import Listing
from listings.tests.factories import ListingFactory
from payments.services.deposits import deposit_approve, deposit_claim, deposit_reverse
from payments.services.ledger import Move, balance, cash, credit_moves, ledger_post, user_available, user_debt
from payments.services.verification import ledger_verify
from payments.tests.factories import DepositFactory

pytestmark = [
    pytest.mark.production,
    pytest.mark.skipif(connection.vendor != "mongodb", reason="speaks of MongoDB"),
    pytest.mark.django_db(transaction=True),
]


def write_mail(key: str = "one") -> OutboxMail:
    return OutboxMail.objects.create(to="amal@example.com", subject="Hello", template="test", dedupe_key=key)


def elsewhere(call: Callable[[], object]) -> object:
    """What `call` gives in another thread, which has a connection state of its own."""
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    thread.join()
    return results[0]


def mails() -> int:
    return OutboxMail.objects.count()


def kill_the_transaction() -> None:
    """What an election does to a transaction that runs."""
    connection.connection.admin.command("killSessions", [connection.session.session_id])


def test_nothing_remains_of_a_function_that_failed():
    @atomic
    def fail() -> None:
        write_mail()
        UserFactory()
        raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert (mails(), User.objects.count()) == (0, 0)


def test_nobody_else_sees_what_is_not_committed():
    @atomic
    def write() -> tuple[object, object]:
        write_mail()
        return mails(), elsewhere(mails)

    assert write() == (1, 0)
    assert elsewhere(mails) == 1


def test_an_inner_function_joins_the_outer_one():
    inner = atomic(write_mail)

    @atomic
    def outer() -> None:
        inner("first")
        assert elsewhere(mails) == 0, "the inner one did not commit"
        inner("second")
        raise ValueError

    with pytest.raises(ValueError):
        outer()
    assert mails() == 0


def test_callbacks_come_after_the_commit_and_outside_it():
    seen: list[object] = []

    @atomic
    def write() -> None:
        on_commit(lambda: seen.append((elsewhere(mails), in_atomic())))
        write_mail()
        assert seen == []

    write()
    assert seen == [(1, False)]


def test_a_failed_function_calls_nobody_back_not_even_from_the_next_one():
    called: list[str] = []

    @atomic
    def write(fails: bool) -> None:
        on_commit(lambda: called.append("failed" if fails else "done"))
        if fails:
            raise ValueError

    with pytest.raises(ValueError):
        write(True)
    write(False)
    assert called == ["done"]


def test_a_callback_that_fails_harms_nobody_else(caplog):
    called: list[str] = []

    @atomic
    def write() -> None:
        on_commit(lambda: 1 // 0)
        on_commit(lambda: called.append("second"))
        write_mail()

    write()
    assert (called, mails()) == (["second"], 1)
    assert "ZeroDivisionError" in caplog.text


def test_a_collision_runs_the_function_again_from_its_beginning():
    user = UserFactory(display_name="Amal", about="")
    called: list[int] = []
    runs: list[str] = []

    @atomic
    def rename(row: User) -> None:
        runs.append(row.display_name)
        row.display_name += "!"
        on_commit(lambda: called.append(len(runs)))
        before = User.objects.get(pk=row.pk).about
        if len(runs) == 1:
            elsewhere(lambda: User.objects.filter(pk=row.pk).update(about="theirs"))
        User.objects.filter(pk=row.pk).update(display_name=row.display_name, about=before + " and ours")

    rename(user)
    assert runs == ["Amal", "Amal"], "the row is as it was at each beginning"
    assert called == [2], "only the attempt that was committed calls back"
    user.refresh_from_db()
    assert (user.display_name, user.about) == ("Amal!", "theirs and ours")


def test_rows_behind_the_arguments_are_put_back_too():
    seller = UserFactory()
    listing = ListingFactory(seller=seller)
    listing.seller = seller
    runs: list[tuple[str, str]] = []

    @atomic
    def change(rows: list[Listing]) -> None:
        write_mail("first")
        row = rows[0]
        runs.append((row.title, row.seller.about))
        row.title, row.seller.about = "Changed", "changed"
        if len(runs) == 1:
            kill_the_transaction()
        write_mail()

    before = (listing.title, seller.about)
    change([listing])
    assert runs == [before, before]


@pytest.mark.parametrize("moment", ["between writes", "before the commit"])
def test_a_killed_transaction_is_run_again_and_leaves_no_dead_session(moment):
    runs: list[int] = []

    @atomic
    def write() -> None:
        runs.append(1)
        write_mail()
        if len(runs) == 1:
            kill_the_transaction()
        if moment == "between writes":
            UserFactory()

    write()
    assert (len(runs), mails()) == (2, 1)
    assert connection.session is None

    @atomic
    def fail() -> None:
        write_mail("two")
        raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert mails() == 1, "the next block is a transaction again"


def test_a_unique_row_that_is_there_already_is_an_integrity_error_and_undoes_the_rest():
    write_mail("taken")

    @atomic
    def write() -> None:
        UserFactory()
        write_mail("taken")

    with pytest.raises(IntegrityError):
        write()
    assert (mails(), User.objects.count()) == (1, 0)
    atomic(write_mail)("free")
    assert mails() == 2


def lose_the_answer(times: int) -> None:
    """The commit reaches the server, its answer does not come back: as often as `times`."""
    session = connection.session
    commit = session.commit_transaction

    def cut() -> None:
        nonlocal times
        commit()
        if times:
            times -= 1
            raise AutoReconnect("connection closed", errors={"errorLabels": [base.COMMIT_UNKNOWN]})

    session.commit_transaction = cut


def test_a_commit_whose_answer_was_lost_is_asked_for_again_and_done_once():
    runs: list[int] = []
    called: list[int] = []

    @atomic
    def write() -> None:
        runs.append(1)
        on_commit(lambda: called.append(1))
        write_mail()
        lose_the_answer(2)

    write()
    assert (runs, called, mails()) == ([1], [1], 1)


def test_a_commit_that_stays_unknown_says_so_and_calls_nobody_back(monkeypatch):
    monkeypatch.setattr(base, "PATIENCE_SECONDS", 0)
    called: list[int] = []

    @atomic
    def write() -> None:
        on_commit(lambda: called.append(1))
        write_mail()
        lose_the_answer(1_000_000)

    with pytest.raises(OperationalError):
        write()
    assert called == []
    assert not in_atomic()
    atomic(write_mail)("two")


def test_a_transaction_that_always_collides_gives_up(monkeypatch):
    monkeypatch.setattr(base, "PATIENCE_SECONDS", 1)
    user = UserFactory()
    runs: list[float] = []

    @atomic
    def collide() -> None:
        runs.append(time.monotonic())
        User.objects.get(pk=user.pk)
        elsewhere(lambda: User.objects.filter(pk=user.pk).update(about=f"{len(runs)}"))
        User.objects.filter(pk=user.pk).update(about="ours")

    with pytest.raises(DatabaseError):
        collide()
    assert len(runs) > 1
    user.refresh_from_db()
    assert user.about == f"{len(runs)}"


def test_a_counter_and_its_reader_have_no_gap_and_no_double():
    numbers: list[int] = []
    row = write_mail()

    @atomic
    def number() -> int:
        OutboxMail.objects.filter(pk=row.pk).update(attempts=F("attempts") + 1)
        return OutboxMail.objects.values_list("attempts", flat=True).get(pk=row.pk)

    def several() -> None:
        for _ in range(5):
            numbers.append(number())

    threads = [threading.Thread(target=several) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 31))


def test_a_row_that_came_up_meanwhile_is_seen_by_who_looked_first():
    """As on a database that lets one writer in at a time."""
    runs: list[int] = []

    @atomic
    def write_once() -> bool:
        runs.append(1)
        if OutboxMail.objects.filter(dedupe_key="one").exists():
            return False
        if len(runs) == 1:
            elsewhere(write_mail)
        write_mail()
        return True

    assert write_once() is False
    assert (len(runs), mails()) == (2, 1)


def test_a_locked_row_collides_with_who_writes_it_and_keeps_its_values():
    user = UserFactory(about="before")
    runs: list[str] = []

    @atomic
    def decide() -> None:
        runs.append(User.objects.get(pk=user.pk).about)
        if len(runs) == 1:
            elsewhere(lambda: User.objects.filter(pk=user.pk).update(about="after"))
        lock(user)
        write_mail()

    decide()
    assert runs == ["before", "after"]
    user.refresh_from_db()
    assert user.about == "after"


def test_a_credit_meets_the_debt_that_was_made_while_it_ran(monkeypatch):
    """The wallet is empty, so that the reversal posts to the debt alone and the credit to the wallet alone."""
    staff = StaffFactory()
    deposit = DepositFactory(amount_minor=5_000)
    deposit_claim(deposit=deposit, staff=staff)
    deposit_approve(deposit=deposit, staff=staff)
    places = [user_available(deposit.user_id, "USD"), user_debt(deposit.user_id, "USD")]
    spend = [Move(places[0], -5_000), Move(cash("bank", "USD"), 5_000)]
    ledger_post(kind="spent", source="test:1", moves=spend)
    runs: list[int] = []

    @atomic
    def credit() -> None:
        runs.append(1)
        moves = credit_moves(deposit.user_id, 2_000, "USD")
        if len(runs) == 1:
            elsewhere(lambda: deposit_reverse(deposit=deposit, actor=staff, reason="Bounced."))
        ledger_post(kind="won", source="test:2", moves=[*moves, Move(cash("bank", "USD"), -2_000)])

    credit()
    assert [balance(place) for place in places] == [0, -3_000]
    assert ledger_verify().faults == []
