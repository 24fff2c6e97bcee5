"""Search: the address is the question, so that it can be kept, shared and gone back to."""

import dataclasses
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accountsstore.errors import StoreError
from accountsstore.money import format_minor, parse_minor
from listings.attributes import attribute_text
from listings.cards import cards
from listings.models import Category, CategoryField, Listing
from listings.search import (
    COUNT_LIMIT,
    DELIVERY,
    SORTS,
    Search,
    facet_fields,
    facet_values,
    listing_search,
    matching_count,
    search_figures,
)
from listings.selectors import allowed_categories

SORT_LABELS = {
    "newest": gettext_lazy("Newest first"),
    "cheapest": gettext_lazy("Cheapest first"),
    "dearest": gettext_lazy("Most expensive first"),
    "best-selling": gettext_lazy("Sold most"),
}
FACET_PREFIX = "a_"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Value:
    """A line of a facet: its text, whether it is chosen, and how many it leaves ("12", "400+", or nothing)."""

    value: str
    label: str
    chosen: bool
    count: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facet:
    name: str
    title: str
    values: list[Value]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chip:
    """A condition in use, and the address without it."""

    label: str
    href: str
    without: Search


def browse(request: HttpRequest) -> HttpResponse:
    categories = allowed_categories()
    category = next((c for c in categories if c.slug == request.GET.get("category")), None)
    fields = facet_fields(category)
    search, errors = _read(request.GET, category, fields)
    page = listing_search(search, request.GET.get("cursor", ""))
    figures = search_figures(search, fields)
    chips = _chips(request.GET, search, fields)
    total = f"{COUNT_LIMIT:,}+" if figures.total > COUNT_LIMIT else f"{figures.total:,}"
    context = {
        "search": search,
        "categories": categories,
        "facets": _facets(search, fields, figures.by_value, figures.capped),
        "chips": chips,
        "errors": errors,
        "sorts": [(key, SORT_LABELS[key]) for key in SORTS],
        "cards": cards(page.items, request.user),
        "total": total,
        "next": _href(request.GET, cursor=page.next) if page.next else "",
        "previous": _href(request.GET, cursor=page.previous) if page.previous else "",
        "first": _href(request.GET),
        "clear": _clear(request.GET),
        "way_out": _way_out(chips) if not page.items else None,
        "crumbs": _crumbs(category),
    }
    response = render(request, "listings/browse.html", context)
    if request.htmx and not request.htmx.history_restore_request:
        # The form's empty fields need not stand in the address bar.
        response.headers["HX-Push-Url"] = str(context["first"])
    return response


def _read(query: QueryDict, category: Category | None, fields: list[CategoryField]) -> tuple[Search, dict[str, str]]:
    """What the address asks for. An amount that is none is left out, with a sentence for its field."""
    errors: dict[str, str] = {}
    prices: dict[str, int | None] = {}
    for name in ("min", "max"):
        text = query.get(name, "").strip()
        try:
            prices[name] = parse_minor(text) if text else None
        except StoreError as error:
            prices[name], errors[name] = None, str(error)
    if prices["min"] is not None and prices["max"] is not None and prices["min"] > prices["max"]:
        errors["max"] = _("The highest price is below the lowest one.")
        prices = {"min": None, "max": None}
    choices: dict[str, tuple[str, ...]] = {}
    for key, name, known in [
        (DELIVERY, "delivery", Listing.Delivery.values),
        *((field.key, FACET_PREFIX + field.key, facet_values(field)) for field in fields),
    ]:
        if chosen := tuple(value for value in known if value in query.getlist(name)):
            choices[key] = chosen
    sort = query.get("sort", "")
    search = Search(
        text=query.get("q", "").strip()[:200],
        category=category,
        price_min=prices["min"],
        price_max=prices["max"],
        choices=choices,
        sort=sort if sort in SORTS else "newest",
    )
    return search, errors


def _facets(
    search: Search, fields: list[CategoryField], counts: dict[str, dict[str, int]], capped: bool
) -> list[Facet]:
    def values(key: str, options: list[tuple[str, str]]) -> list[Value]:
        return [
            Value(
                value=value,
                label=label,
                chosen=value in search.choices.get(key, ()),
                count=_count_text(counts.get(key, {}).get(value, 0), capped),
            )
            for value, label in options
        ]

    delivery = [(Listing.Delivery.STOCK.value, _("Delivered at once")), (Listing.Delivery.MANUAL.value, _("By hand"))]
    return [
        Facet(name="delivery", title=_("Delivery"), values=values(DELIVERY, delivery)),
        *(
            Facet(
                name=FACET_PREFIX + field.key, title=field.label,
                values=values(field.key, [(value, _facet_label(field, value)) for value in facet_values(field)]),
            )
            for field in fields
        ),
    ]  # fmt: skip


def _count_text(count: int, capped: bool) -> str:
    """What was counted is all, or the least there is."""
    if not capped:
        return f"{count:,}"
    return f"{count:,}+" if count else ""


def _facet_label(field: CategoryField, value: str) -> str:
    return attribute_text(field, value == "True" if field.kind == CategoryField.Kind.YES_NO else value)


def _chips(query: QueryDict, search: Search, fields: list[CategoryField]) -> list[Chip]:
    chips = []
    if search.text:
        chips.append(
            Chip(
                label=f"“{search.text}”",
                href=_href(query, without=("q",)),
                without=dataclasses.replace(search, text=""),
            )
        )
    labels = {DELIVERY: {"stock": _("Delivered at once"), "manual": _("By hand")}}
    labels |= {field.key: {value: _named(field, value) for value in facet_values(field)} for field in fields}
    for key, chosen in search.choices.items():
        name = "delivery" if key == DELIVERY else FACET_PREFIX + key
        for value in chosen:
            left = {**search.choices, key: tuple(v for v in chosen if v != value)}
            without = dataclasses.replace(search, choices={k: values for k, values in left.items() if values})
            chips.append(Chip(label=labels[key][value], href=_href(query, value=(name, value)), without=without))
    if search.price_min is not None or search.price_max is not None:
        without = dataclasses.replace(search, price_min=None, price_max=None)
        chips.append(Chip(label=_price_label(search), href=_href(query, without=("min", "max")), without=without))
    return chips


def _named(field: CategoryField, value: str) -> str:
    """ "Europe", but "Email included: yes": a bare "yes" tells nothing."""
    label = _facet_label(field, value)
    return f"{field.label}: {label}" if field.kind == CategoryField.Kind.YES_NO else label


def _price_label(search: Search) -> str:
    low = format_minor(search.price_min) if search.price_min is not None else ""
    high = format_minor(search.price_max) if search.price_max is not None else ""
    if low and high:
        return _("%(low)s to %(high)s") % {"low": low, "high": high}
    return _("from %(low)s") % {"low": low} if low else _("up to %(high)s") % {"high": high}


def _way_out(chips: list[Chip]) -> dict[str, Any] | None:
    """Which one condition to drop, and how many that leaves; None if no single one helps."""
    best = max(((matching_count(chip.without), chip) for chip in chips[:8]), key=lambda pair: pair[0], default=None)
    return {"count": best[0], "chip": best[1]} if best and best[0] else None


def _href(
    query: QueryDict, *, cursor: str = "", without: tuple[str, ...] = (), value: tuple[str, str] | None = None
) -> str:
    """This search's address with another page, or less one condition. Empty fields are left out."""
    left = [
        (name, each)
        for name, values in query.lists()
        for each in values
        if each and name not in ("cursor", *without) and (name, each) not in (value, ("sort", "newest"))
    ]
    address = QueryDict(mutable=True)
    for name, each in left:
        address.appendlist(name, each)
    if cursor:
        address["cursor"] = cursor
    return f"{reverse('listings:browse')}?{address.urlencode()}" if address else reverse("listings:browse")


def _clear(query: QueryDict) -> str:
    return _href(query, without=tuple(name for name in query if name not in ("category", "sort")))


def _crumbs(category: Category | None) -> list[dict[str, str]]:
    trail = [{"label": _("Home"), "href": reverse("listings:home")}]
    if category is None:
        return [*trail, {"label": _("All listings"), "href": ""}]
    trail.append({"label": _("All listings"), "href": reverse("listings:browse")})
    if category.parent:
        trail.append({"label": category.parent.name, "href": category.parent.get_absolute_url()})
    return [*trail, {"label": category.name, "href": ""}]
