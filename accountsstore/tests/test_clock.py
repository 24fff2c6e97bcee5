import datetime
import threading
from collections import Counter
from types import SimpleNamespace

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from accountsstore import clock
from accountsstore.management.commands import run_clock
from accountsstore.models import ClockPart

pytestmark = pytest.mark.stack

SECOND = datetime.timedelta(seconds=1)


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> dict:
    """No parts but the test's own."""
    monkeypatch.setattr(clock, "_parts", {})
    return clock._parts


def test_a_part_that_fails_stops_no_other(parts, db):
    ran = []
    clock.on_tick("broken")(lambda now: 1 / 0)
    clock.on_tick("sound")(lambda now: ran.append(now))
    done = clock.tick(timezone.now())
    assert isinstance(done["broken"], ZeroDivisionError)
    assert len(ran) == 1


@pytest.mark.parametrize(("every", "turns"), [(0, 60), (15, 4), (60, 1)])
def test_two_clocks_half_a_second_apart_do_no_more_than_one(parts, db, every, turns):
    ran = []
    clock.on_tick("part", every_seconds=every)(ran.append)
    start = timezone.now()
    for number in range(60):
        clock.tick(start + number * SECOND)
        clock.tick(start + number * SECOND + SECOND / 2)
    assert len(ran) == turns


def test_a_tick_that_comes_a_little_early_is_no_turn_lost(parts, db):
    ran = []
    clock.on_tick("part")(ran.append)
    start = timezone.now()
    for number in range(10):
        clock.tick(start + number * SECOND * 0.97)
    assert len(ran) == 10


def test_a_clock_that_read_a_turn_before_another_took_it_leaves_it(parts, db, monkeypatch):
    ran, real, rivals = [], clock._turn_move, []
    clock.on_tick("part")(ran.append)
    now = timezone.now()

    def after_a_rival(*turn: object) -> bool:
        if not rivals:
            rivals.append(1)
            clock.tick(now)
        return real(*turn)

    monkeypatch.setattr(clock, "_turn_move", after_a_rival)
    clock.tick(now)
    assert ran == [now]


@pytest.mark.django_db(transaction=True)
def test_clocks_that_tick_at_once_take_each_turn_once(parts):
    ran: Counter[str] = Counter()
    for name in ("one", "two", "three"):
        clock.on_tick(name)(lambda now, name=name: ran.update([name]))
    start, barrier = timezone.now(), threading.Barrier(4)

    def host() -> None:
        try:
            for number in range(5):
                barrier.wait()
                clock.tick(start + number * SECOND)
        finally:
            connection.close()

    threads = [threading.Thread(target=host) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ran == {"one": 5, "two": 5, "three": 5}


def test_while_a_part_runs_another_clock_leaves_it_alone_and_runs_the_others(parts, db):
    ran = []
    now = timezone.now()

    def slow(at: datetime.datetime) -> None:
        ran.append("slow")
        if ran.count("slow") == 1:
            clock.tick(now + 2 * SECOND)

    clock.on_tick("slow")(slow)
    clock.on_tick("quick")(lambda at: ran.append("quick"))
    clock.tick(now)
    assert ran == ["slow", "quick"]


def test_the_turn_of_a_clock_that_was_killed_is_taken_by_another_after_its_lease(parts, db):
    ran = []

    def killed(at: datetime.datetime) -> None:
        ran.append(at)
        if len(ran) == 1:
            raise SystemExit

    clock.on_tick("part", every_seconds=3600)(killed)
    now = timezone.now()
    with pytest.raises(SystemExit):
        clock.tick(now)
    clock.tick(now + clock.LEASE - SECOND)
    assert len(ran) == 1
    clock.tick(now + clock.LEASE)
    assert len(ran) == 2


def test_a_turn_set_by_a_clock_that_went_wrong_does_not_stop_the_store_for_years(parts, db):
    ran = []
    clock.on_tick("part")(ran.append)
    now = timezone.now()
    ClockPart.objects.create(name="part", due_at=now + datetime.timedelta(days=700))
    clock.tick(now)
    assert ran == [now]


def test_what_a_person_asks_for_by_hand_is_done_whoevers_turn_it_is(parts, db):
    ran = []
    clock.on_tick("part", every_seconds=3600)(ran.append)
    now = timezone.now()
    clock.tick(now)
    assert clock.tick_at(now) == {"part": None}
    assert len(ran) == 2


def test_a_clock_outlives_its_database(monkeypatch, db):
    ticks = []

    class Stop:
        def set(self) -> None: ...

        def is_set(self) -> bool:
            return len(ticks) >= 3

        def wait(self, seconds: float) -> None: ...

    def tick() -> None:
        ticks.append(1)
        if len(ticks) == 1:
            raise DatabaseError("away")

    # Not in the module itself: every thread has an Event.
    monkeypatch.setattr(run_clock, "threading", SimpleNamespace(Event=Stop))
    monkeypatch.setattr(run_clock.signal, "signal", lambda number, handler: None)
    monkeypatch.setattr(run_clock, "close_old_connections", lambda: None)
    monkeypatch.setattr(run_clock.clock, "tick", tick)
    run_clock.Command().handle(loop=True, at=None)
    assert len(ticks) == 3
