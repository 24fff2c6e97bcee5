"""How long the pages of a conversation with a million messages take: `make bench-chat`."""

import itertools
import random
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from accounts.models import SellerProfile, User
from chat.message_terms import in_column, message_words
from chat.models import Conversation, Message, MessageTerm, Participant
from chat.selectors import messages_with
from chat.services.conversations import conversation_direct
from chat.services.messages import message_send
from chat.threads import thread_of

NAMES = ["bench-chat-a", "bench-chat-b"]
WORDS, WORDS_PER_MESSAGE, BATCH = 20_000, 8, 5_000


class Command(BaseCommand):
    help = (
        "Fill an empty database with one long conversation and print how long its pages and searches take. Not for a "
        "database that holds a store. Repeated, it goes on with the messages that are there."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--messages", type=int, default=1_000_000)
        parser.add_argument("--rounds", type=int, default=100, help="of each kind of page")

    def handle(self, *args: Any, **options: Any) -> None:
        if User.objects.exclude(username__in=NAMES).exists():
            raise CommandError("This database holds a store. Set DATABASE_URL to an empty one.")
        # The n-th word stands 1/n as often as the first, as in a language (Zipf).
        self.weights = list(itertools.accumulate(1 / rank for rank in range(1, WORDS + 1)))
        self.people = [
            User.objects.get_or_create(username=n, defaults={"email": f"{n}@bench.example"})[0] for n in NAMES
        ]
        # Whom anybody may write to.
        SellerProfile.objects.get_or_create(user=self.people[1], defaults={"state": SellerProfile.State.APPROVED})
        self.talk = conversation_direct(user=self.people[0], other=self.people[1])
        self.fill(options["messages"])
        self.measure(options["rounds"])

    def fill(self, wanted: int) -> None:
        start = time.monotonic()
        there = Message.objects.filter(conversation=self.talk).count()
        for first in range(there + 1, wanted + 1, BATCH):
            rows = list(self.messages(first, min(first + BATCH, wanted + 1)))
            Message.objects.bulk_create(rows)
            if not in_column(["x"]):
                MessageTerm.objects.bulk_create(
                    (
                        MessageTerm(conversation=self.talk, term=term, seq=row.seq)
                        for row in rows
                        for term in message_words(row.body, [])
                    ),
                    batch_size=10_000,
                )
            if first % (20 * BATCH) == 1:
                self.stdout.write(f"{first:,} messages, {time.monotonic() - start:.0f} s")
        wanted = max(there, wanted)
        Conversation.objects.filter(pk=self.talk.pk).update(last_seq=wanted)
        Participant.objects.filter(conversation=self.talk).update(last_seq=wanted, read_seq=wanted)
        self.talk.refresh_from_db()
        self.stdout.write(f"{wanted:,} messages in {connection.vendor}, {time.monotonic() - start:.0f} s")

    def messages(self, first: int, last: int) -> Iterator[Message]:
        chance = random.Random(first)  # noqa: S311
        for seq in range(first, last):
            drawn = chance.choices(range(WORDS), cum_weights=self.weights, k=WORDS_PER_MESSAGE)
            body = " ".join(f"word{number}" for number in drawn)
            sender = self.people[seq % 2]
            yield Message(
                conversation=self.talk,
                seq=seq,
                sender=sender,
                dedupe_key=f"{sender.pk.hex}:bench-{seq:012}",
                body=body,
                terms=in_column(message_words(body, [])),
            )

    def measure(self, rounds: int) -> None:
        chance = random.Random(11)  # noqa: S311
        me = self.people[0]
        mine = Participant.objects.select_related("conversation").get(conversation=self.talk, user=me)

        def word(low: int, high: int) -> str:
            return f"word{chance.randint(low, min(high, WORDS - 1))}"

        def search(*words: str, before: int | None = None) -> None:
            messages_with(self.talk, " ".join(words), before)

        middle = self.talk.last_seq // 2
        pages: dict[str, Callable[[], object]] = {
            "the newest page": lambda: thread_of(mine, me),
            "a page in the middle": lambda: thread_of(mine, me, chance.randint(1, self.talk.last_seq)),
            "search: a common word": lambda: search(word(0, 20)),
            "search: a common word, from the middle": lambda: search(word(0, 20), before=middle),
            "search: a rare word": lambda: search(word(10_000, 15_000)),
            "search: two common words": lambda: search(word(0, 20), word(21, 60)),
            "search: a common and a rare word": lambda: search(word(0, 20), word(10_000, 15_000)),
            "search: a word that is not there": lambda: search("nowhere"),
            "sending": lambda: message_send(
                conversation_id=self.talk.pk, sender=me, client_id=f"{chance.getrandbits(96):024x}", body=word(0, 20)
            ),
        }
        self.stdout.write(f"\n{'':<44}{'p50':>9}{'p95':>9}{'longest':>9}   ms")
        for name, page in pages.items():
            page()  # the first one connects
            times = []
            for _ in range(rounds):
                start = time.perf_counter()
                page()
                times.append((time.perf_counter() - start) * 1_000)
            p95 = statistics.quantiles(times, n=20)[-1]
            self.stdout.write(f"{name:<44}{statistics.median(times):>9.1f}{p95:>9.1f}{max(times):>9.1f}")
