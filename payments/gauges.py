"""What the money tells Prometheus when it is asked: deadlines that passed and were not met."""

import datetime
from collections import defaultdict
from collections.abc import Iterator

from django.utils import timezone

from accountsstore.metrics.scrape import Reading, ScrapedGauge, on_scrape
from payments.models import Deadline

MOST = 1000

OVERDUE = ScrapedGauge("overdue_deadlines", "Deadlines that have passed and are open", ("kind",))
OVERDUE_AGE = ScrapedGauge("overdue_deadline_oldest_seconds", "How long ago the oldest of them passed", ("kind",))


@on_scrape("deadlines", OVERDUE, OVERDUE_AGE)
def deadlines() -> Iterator[Reading]:
    now = timezone.now()
    rows = Deadline.objects.filter(is_open=True, due_at__lte=now).order_by("due_at")
    passed: dict[str, list[datetime.datetime]] = defaultdict(list)
    for kind, due_at in rows.values_list("kind", "due_at")[:MOST]:
        passed[kind].append(due_at)
    for kind in Deadline.Kind.values:
        yield OVERDUE, (kind,), len(passed[kind])
        yield OVERDUE_AGE, (kind,), (now - passed[kind][0]).total_seconds() if passed[kind] else 0
