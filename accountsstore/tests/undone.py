"""Several stories in one test, each on an empty store."""

import contextlib
from collections.abc import Iterator

from django.db import connection, transaction


@contextlib.contextmanager
def undone() -> Iterator[None]:
    """Nothing that is written inside is left after it. Not for what another test wrote before."""
    if connection.vendor == "mongodb":
        from accountsstore.mongo_for_tests import empty_what_was_written

        yield
        empty_what_was_written()
    else:
        with transaction.atomic():
            yield
            transaction.set_rollback(True)
