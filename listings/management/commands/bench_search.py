"""How long the search takes among a million listings: `make bench-search`."""

import datetime
import itertools
import random
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils import timezone

from accounts.models import SellerProfile, User
from listings.models import Category, CategoryField, Listing, SellerFigures
from listings.search import DELIVERY, SORTS, Search, facet_fields, figures_now, listing_search
from listings.terms import signature, terms_insert
from listings.words import facet_term, words

SELLER = "bench-seller-{}"
SELLERS, CATEGORIES, WORDS = 200, 40, 20_000
TITLE_WORDS, DESCRIPTION_WORDS = 6, 24
BATCH = 2_000
REGIONS = ["Europe", "Middle East", "Americas", "Asia"]


class Vocabulary:
    """Made-up words with the frequencies of a language (Zipf): the n-th stands 1/n as often as the first."""

    def __init__(self, chance: random.Random) -> None:
        made: dict[str, None] = {}
        latin, arabic = ("bcdfgklmnprstvz", "aeiou"), ("بتجحدرسشعفقكلمنه", "اوي")
        while len(made) < WORDS:
            consonants, vowels = arabic if len(made) % 5 == 4 else latin
            syllables = chance.randint(2, 4)
            made["".join(chance.choice(consonants) + chance.choice(vowels) for _ in range(syllables))] = None
        # As the search compares them.
        self.words = words(" ".join(made))
        self.weights = list(itertools.accumulate(1 / rank for rank in range(1, len(self.words) + 1)))
        self.chance = chance

    def draw(self, count: int) -> list[str]:
        return self.chance.choices(self.words, cum_weights=self.weights, k=count)

    def ranked(self, first: int, last: int) -> str:
        """A word between two places of the order by frequency."""
        return self.words[self.chance.randint(first, last)]


class Command(BaseCommand):
    help = (
        "Fill an empty database with listings and print how long each kind of search takes. Not for a database that "
        "holds a store. Repeated, it goes on with the listings that are there."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--listings", type=int, default=1_000_000)
        parser.add_argument("--rounds", type=int, default=100, help="searches of each kind, each with other words")

    def handle(self, *args: Any, **options: Any) -> None:
        if User.objects.exclude(username__startswith=SELLER.format("")).exists():
            raise CommandError("This database holds a store. Set DATABASE_URL to an empty one.")
        self.vocabulary = Vocabulary(random.Random(7))  # noqa: S311
        self.fill(options["listings"])
        self.measure(options["rounds"])

    # -- what is searched

    def fill(self, wanted: int) -> None:
        there = Listing.objects.count()
        sellers, categories = self.sellers(), self.categories()
        start = time.monotonic()
        if wanted - there > 10 * BATCH:
            # Built once in the end they take a tenth of the time.
            self.indexes(keep=False)
        for first in range(there, wanted, BATCH):
            rows = list(self.listings(first, min(first + BATCH, wanted), sellers, categories))
            Listing.objects.bulk_create(rows)
            terms_insert(rows)
            if first % (50 * BATCH) == 0:
                self.stdout.write(f"{first:,} listings, {time.monotonic() - start:.0f} s")
        self.indexes(keep=True)
        self.stdout.write(f"{max(there, wanted):,} listings in {connection.vendor}, {time.monotonic() - start:.0f} s")

    def indexes(self, *, keep: bool) -> None:
        """Make those that are missing, or drop those that are there."""
        with connection.cursor() as cursor:
            found = connection.introspection.get_constraints(cursor, Listing._meta.db_table)
        with connection.schema_editor() as editor:
            for index in Listing._meta.indexes:
                if keep and index.name not in found:
                    editor.add_index(Listing, index)
                elif not keep and index.name in found:
                    editor.remove_index(Listing, index)

    def sellers(self) -> list[User]:
        if not (found := list(User.objects.order_by("username"))):
            names = [SELLER.format(f"{n:03}") for n in range(SELLERS)]
            found = User.objects.bulk_create(User(username=name, email=f"{name}@bench.example") for name in names)
            SellerFigures.objects.bulk_create(SellerFigures(seller=user) for user in found)
            # The load test opens their pages.
            approved = SellerProfile.State.APPROVED
            SellerProfile.objects.bulk_create(SellerProfile(user=user, state=approved) for user in found)
        return found

    def categories(self) -> list[Category]:
        if not (found := list(Category.objects.order_by("slug"))):
            found = Category.objects.bulk_create(
                Category(slug=f"bench-{n:02}", name_en=f"Category {n:02}") for n in range(CATEGORIES)
            )
            CategoryField.objects.bulk_create(
                CategoryField(
                    category=category, key="region", label_en="Region", kind="choice", choices="\n".join(REGIONS),
                    is_facet=True,
                )
                for category in found
            )  # fmt: skip
        return found

    def listings(self, first: int, last: int, sellers: list[User], categories: list[Category]) -> Iterator[Listing]:
        chance = random.Random(first)  # noqa: S311
        vocabulary = self.vocabulary
        vocabulary.chance = chance
        now = timezone.now()
        for number in range(first, last):
            title, description = vocabulary.draw(TITLE_WORDS), vocabulary.draw(DESCRIPTION_WORDS)
            # The first category holds most.
            category = categories[min(int(chance.paretovariate(0.7)) - 1, CATEGORIES - 1)]
            region = chance.choice(REGIONS)
            terms = sorted({*title, *description, *words(category.name_en), facet_term("region", region)})
            yield Listing(
                # A million random ones would clash.
                code=f"B-{number:09}",
                seller=sellers[number % SELLERS],
                category=category,
                title=" ".join(title)[:100],
                description=" ".join(description),
                price_minor=int(100 * chance.lognormvariate(3, 1)) + 100,
                currency=settings.STORE_CURRENCY,
                attributes={"region": region},
                delivery=chance.choice(Listing.Delivery.values),
                state=Listing.State.ACTIVE if chance.random() < 0.8 else Listing.State.SOLD_OUT,
                stock_count=1,
                published_at=now - datetime.timedelta(seconds=chance.randint(0, 60_000_000)),
                sold_count=int(chance.paretovariate(1)) - 1,
                terms=terms,
                terms_signature=signature(terms),
            )

    # -- how it is searched

    def searches(self) -> dict[str, Callable[[], Search]]:
        word = self.vocabulary.ranked
        chance = self.vocabulary.chance
        categories = list(Category.objects.order_by("slug"))

        def price() -> dict[str, Any]:
            low = chance.randint(500, 5_000)
            return {"price_min": low, "price_max": low + 500}

        def region() -> dict[str, tuple[str, ...]]:
            return {"region": (chance.choice(REGIONS),)}

        # A space ends a word; without one the last word may go on.
        return {
            "everything": lambda: Search(),
            "everything, by a random sort": lambda: Search(sort=chance.choice(list(SORTS))),
            "a very common word": lambda: Search(text=word(0, 20)),
            "a very common word, cheapest": lambda: Search(text=word(0, 20), sort="cheapest"),
            "a middling word": lambda: Search(text=word(100, 2_000)),
            "a middling word, dearest": lambda: Search(text=word(100, 2_000), sort="dearest"),
            "a rare word": lambda: Search(text=word(10_000, 15_000)),
            "two common words": lambda: Search(text=f"{word(0, 50)} {word(0, 50)}"),
            "two middling words": lambda: Search(text=f"{word(100, 1_000)} {word(100, 1_000)}"),
            "two rare words (nothing)": lambda: Search(text=f"{word(5_000, 15_000)} {word(5_000, 15_000)}"),
            "four common words": lambda: Search(text=" ".join(word(0, 60) for _ in range(4))),
            "the beginning of a word": lambda: Search(text=word(0, 15_000)[:3]),
            "a word and a beginning": lambda: Search(text=f"{word(0, 500)} {word(0, 15_000)[:3]}"),
            "a category": lambda: Search(category=chance.choice(categories), sort=chance.choice(list(SORTS))),
            "a price": lambda: Search(**price(), sort="cheapest"),
            "a category, price, region": lambda: Search(
                category=chance.choice(categories), choices=region(), **price()
            ),
            "a common word, category, price": lambda: Search(
                text=word(0, 50), category=chance.choice(categories), **price()
            ),
            "a middling word, category, price": lambda: Search(
                text=word(100, 1_000), category=chance.choice(categories), **price()
            ),
            "a common word, delivery, price, cheapest": lambda: Search(
                text=word(0, 50), choices={DELIVERY: ("stock",)}, sort="cheapest", **price()
            ),
        }

    def measure(self, rounds: int) -> None:
        self.vocabulary.chance = random.Random(11)  # noqa: S311
        self.stdout.write(f"\n{'kind of search, a page with its cards':<44}{'p50':>9}{'p95':>9}{'longest':>9}   ms")
        for name, make in self.searches().items():
            self.report(name, [self.timed(listing_search, make()) for _ in range(rounds)])
        self.report("everything, page by page", [self.timed(self.next_page) for _ in range(rounds)])
        self.stdout.write(f"\n{'its figures, which a page keeps for 30 s':<44}{'p50':>9}{'p95':>9}{'longest':>9}   ms")
        for name, make in self.searches().items():
            self.report(name, [self.timed(self.figures, make()) for _ in range(rounds)])

    _cursor = ""

    def next_page(self) -> None:
        self._cursor = listing_search(Search(), self._cursor).next

    def figures(self, search: Search) -> None:
        figures_now(search, facet_fields(search.category))

    def timed(self, call: Callable[..., object], *args: Any) -> float:
        start = time.perf_counter()
        call(*args)
        return (time.perf_counter() - start) * 1_000

    def report(self, name: str, times: list[float]) -> None:
        p95 = statistics.quantiles(times, n=20)[-1]
        self.stdout.write(f"{name:<44}{statistics.median(times):>9.1f}{p95:>9.1f}{max(times):>9.1f}")
