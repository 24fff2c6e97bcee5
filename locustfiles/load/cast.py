"""Makes the people of a load test and what they trade, and writes who they are: see people.py for the file.

    .venv/bin/python -m locustfiles.load.cast --people 2000 cast.json

Run it where manage.py runs, on a store for tests: its people are invented, and nobody paid what is in their wallets.
"""

import argparse
import base64
import io
import json
import math
import os
import random
import sys
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accountsstore.settings")
django.setup()

from allauth.account.models import EmailAddress  # noqa: E402  (the app registry must be ready first)
from django.conf import settings  # noqa: E402
from django.contrib.auth.hashers import make_password  # noqa: E402
from django.core.management import call_command  # noqa: E402

from accounts.models import User  # noqa: E402
from accountsstore.demo.drawings import receipt_picture  # noqa: E402
from accountsstore.fleet.configuration import write_private  # noqa: E402
from chat.models import Conversation, Participant  # noqa: E402
from listings.management.commands import bench_search  # noqa: E402
from listings.models import Listing  # noqa: E402
from locustfiles.chaos import seed  # noqa: E402
from locustfiles.sessions import session_new  # noqa: E402
from payments.services.ledger import Move, cash, ledger_post, user_available  # noqa: E402

# Of a hundred people (journeys.py has the weights). Staff are two; sellers are few, and who has sold has a tab open.
BUYERS, CHATTERS, STAFF = 0.32, 0.22, 2
WORDS = 300
# Of each listing: in ten minutes less than a quarter of it is sold.
PIECES = 200
BATCH = 500


def cast_new(people: int, listings: int) -> dict[str, Any]:
    """Enough parts for so many people, among so many listings. Adds to what the store has; repeated, it adds others."""
    if listings:
        _fill_the_shelves(listings)
    call_command("bootstrap", "--no-superuser", "--bank", "Meridian Bank, XX00 0001", stdout=io.StringIO())
    mark = uuid.uuid4().hex[:6]
    # Everybody's password is the same; hashing it is slow by design, so once is enough.
    password = make_password(seed.PASSWORD)
    staff = [
        seed.person_new(f"staff-{mark}-{number}", password, is_staff=True, is_superuser=True) for number in range(STAFF)
    ]
    sellers = [seed.seller_new(f"seller-{mark}-{number}", password, staff[0]) for number in range(_sellers(people))]
    codes = [code for user in sellers for code in seed.offer(user, PIECES)]
    buyers = _people(f"buyer-{mark}", math.ceil(people * BUYERS), password)
    for user in buyers:
        _fill_the_wallet(user)
    chatters = _people(f"chatter-{mark}", 2 * math.ceil(people * CHATTERS / 2), password)
    return {
        "password": seed.PASSWORD,
        "words": [title.split() for title in _titles()],
        "for_sale": [
            {"code": listing.code, "title": listing.title, "path": listing.get_absolute_url()}
            for listing in Listing.objects.filter(code__in=codes)
        ],
        "receipt": base64.b64encode(_receipt()).decode(),
        "visitor": [],
        "buyer": [_part(user) for user in buyers],
        "seller": [_part(user) for user in sellers],
        "staff": [_part(user) for user in staff],
        "chatter": [
            _part(user) | {"user": user.pk.hex, "talk": talk}
            for user, talk in zip(chatters, _talks(chatters), strict=True)
        ],
    }


def _sellers(people: int) -> int:
    """Never more than play: one in twenty."""
    return max(1, min(people // 20, 4 + people // 500))


def _fill_the_shelves(listings: int) -> None:
    """The listings of `make bench-search`: made-up words with the frequencies of a language."""
    bench = bench_search.Command(stdout=io.StringIO())
    bench.vocabulary = bench_search.Vocabulary(random.Random(7))
    bench.fill(listings)


def _people(name: str, count: int, password: str) -> list[User]:
    users = [
        User(username=f"{name}-{n}", display_name=f"{name} {n}", email=seed.email(f"{name}-{n}"), password=password)
        for n in range(count)
    ]
    addresses = [EmailAddress(user=user, email=user.email, verified=True, primary=True) for user in users]
    _insert(User, users)
    _insert(EmailAddress, addresses)
    return users


def _fill_the_wallet(user: User) -> None:
    """With what a deposit posts, without its receipt: thousands of pictures would take an hour."""
    currency = settings.STORE_CURRENCY
    moves = [
        Move(cash(seed.METHOD, currency), -seed.WALLET_MINOR),
        Move(user_available(user.pk, currency), seed.WALLET_MINOR),
    ]
    ledger_post(kind="load_test", source=f"user:{user.pk.hex}", moves=moves, reason="Money of a load test")


def _talks(chatters: list[User]) -> list[str]:
    """The conversation of each, two and two of them in one."""
    pairs = list(zip(chatters[::2], chatters[1::2], strict=True))
    talks = [
        Conversation(
            kind=Conversation.Kind.DIRECT, subject="direct:{}:{}".format(*sorted(user.pk.hex for user in pair))
        )
        for pair in pairs
    ]
    _insert(Conversation, talks)
    _insert(
        Participant,
        [Participant(conversation=talk, user=user) for talk, pair in zip(talks, pairs, strict=True) for user in pair],
    )
    return [talk.pk.hex for talk in talks for _side in range(2)]


def _insert(model: Any, rows: list[Any]) -> None:
    for first in range(0, len(rows), BATCH):
        model.objects.bulk_create(rows[first : first + BATCH])


def _part(user: User) -> dict[str, str]:
    return {"email": user.email, "session": session_new(user)}


def _titles() -> Iterable[str]:
    """Of what is on sale, newest first: whoever looks for these words finds something."""
    on_sale = Listing.objects.filter(state=Listing.State.ACTIVE).order_by("-published_at", "-id")
    return on_sale.values_list("title", flat=True)[:WORDS]


def _receipt() -> bytes:
    return receipt_picture(
        bank="Meridian Bank", amount="25.00", reference="by the form", date="1 Jan", payer="load test", note=""
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--people", type=int, default=1000, help="at most so many play at once (default: %(default)s)")
    parser.add_argument("--listings", type=int, default=0, help="fill an empty store with so many listings first")
    parser.add_argument("--force", action="store_true", help="also where DEBUG is false")
    options = parser.parse_args()
    if options.people < 1:
        parser.error("--people is at least 1")
    if not (settings.DEBUG or options.force):
        sys.exit(
            "This is a production store (DEBUG is false). A load test adds invented people and money that nobody paid. "
            "If that is what you want, for example on a test server, add --force."
        )
    if options.listings and User.objects.exclude(username__startswith=bench_search.SELLER.format("")).exists():
        sys.exit("This store has people already: leave --listings out, and its own listings are searched.")
    write_private(options.file, json.dumps(cast_new(options.people, options.listings)))


if __name__ == "__main__":
    main()
