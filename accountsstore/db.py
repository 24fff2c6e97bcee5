"""Transactions that mean the same on every database the store runs on.

All code takes `atomic` and `on_commit` from here, never from `django.db.transaction`: Django's own `atomic` is a silent
no-op on MongoDB.
"""

import functools
import threading
import uuid
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import uuid_utils.compat
from django.db import transaction
from django.db.models import Model

P = ParamSpec("P")
R = TypeVar("R")

_open = threading.local()


def uuid7() -> uuid.UUID:
    """A new primary key. Ordered by time, so that an index on it stays compact and pages can be cut by it."""
    return uuid_utils.compat.uuid7()


def atomic(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function` as one transaction: all of its writes, or none.

    A decorator and no `with` block, because MongoDB may ask to run the function again (two that wrote the same row, an
    election). The function must therefore read what it changes itself and do nothing outside the database but
    `on_commit`; rows among its arguments are put back as they were. Called inside another atomic function it joins
    that one; there are no savepoints, so never catch a database error in here.
    """

    def marked(*args: P.args, **kwargs: P.kwargs) -> R:
        _open.depth = 1
        try:
            return function(*args, **kwargs)
        finally:
            _open.depth = 0

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if in_atomic():
            return function(*args, **kwargs)
        connection = transaction.get_connection()
        if connection.vendor == "mongodb":
            return connection.in_transaction(marked, args, kwargs)
        with transaction.atomic():
            return marked(*args, **kwargs)

    return run


def in_atomic() -> bool:
    """Whether the caller stands inside an `atomic` function on this thread."""
    return getattr(_open, "depth", 0) > 0


def on_commit(callback: Callable[[], object]) -> None:
    """Call `callback` after the commit, or never if it fails. An error in it is logged and harms nobody else."""
    transaction.on_commit(callback, robust=True)


def lock(row: Model) -> None:
    """Have every other transaction that writes `row` come before or after this one, although this one does not write
    it: for a decision that rests on a row which stays as it is. Inside an `atomic` function."""
    connection = transaction.get_connection()
    if connection.vendor == "mongodb":
        connection.lock(row)
    # SQLite lets one writer in at a time.
