"""Deadlines that passed, as Prometheus is told of them."""

import datetime

import pytest

from payments import gauges
from payments.models import Deadline

pytestmark = pytest.mark.stack

MINUTE = datetime.timedelta(minutes=1)


def test_overdue_deadlines_are_counted_by_kind_with_the_age_of_the_oldest(db, monkeypatch) -> None:
    from django.utils import timezone

    now = timezone.now()
    kind = Deadline.Kind
    for number, (which, due_at, is_open) in enumerate(
        [
            (kind.REVIEW_DEPOSIT, now - 30 * MINUTE, True),
            (kind.REVIEW_DEPOSIT, now - 10 * MINUTE, True),
            (kind.REVIEW_DEPOSIT, now - 90 * MINUTE, False),
            (kind.WARRANTY, now - MINUTE, True),
            (kind.INSPECT, now + 5 * MINUTE, True),
        ]
    ):
        Deadline.objects.create(kind=which, key=f"k{number}", subject="s", due_at=due_at, is_open=is_open)
    read = {(gauge, labels[0]): value for gauge, labels, value in gauges.deadlines()}
    counts = {kind: value for (gauge, kind), value in read.items() if gauge == gauges.OVERDUE}
    assert counts == dict.fromkeys(kind.values, 0) | {"review_deposit": 2, "warranty": 1}
    assert 1800 <= read[gauges.OVERDUE_AGE, "review_deposit"] < 2000
    assert read[gauges.OVERDUE_AGE, "inspect"] == 0
    monkeypatch.setattr(gauges, "MOST", 2)
    assert sum(value for gauge, _, value in gauges.deadlines() if gauge == gauges.OVERDUE) == 2
