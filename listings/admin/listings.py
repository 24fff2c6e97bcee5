"""Listings: read, taken down and restored."""

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import display

from accounts.admin_base import StaffAdmin, reason_action
from accountsstore.money import format_minor
from listings.models import Listing, ListingImage
from listings.services.moderation import (
    PERMISSION,
    listing_restore,
    listing_take_down,
)
from listings.terms import with_terms
from listings.words import query_words
from uploads.links import public_picture_url
from uploads.models import StoredFile

State = Listing.State


class ImageInline(TabularInline):
    model = ListingImage
    extra = 0
    can_delete = False
    fields = readonly_fields = ("picture", "position")

    @display(description=_("Photo"))
    def picture(self, image: ListingImage) -> str:
        small, large = (
            public_picture_url(StoredFile.Purpose.LISTING_IMAGE, image.file_id, name) for name in ("card", "large")
        )
        return format_html(
            '<a href="{}" target="_blank"><img src="{}" alt="{}" width="240"></a>', large, small, _("Photo")
        )

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(PERMISSION)


STATE_COLOURS = {
    "active": "success",
    "draft": "info",
    "paused": "info",
    "sold_out": "warning",
    "rejected": "danger",
    "removed": "danger",
}


@admin.register(Listing)
class ListingAdmin(StaffAdmin):
    open_to = (PERMISSION,)
    list_display = ("title", "seller", "category", "price", "state_label", "stock_count", "created_at")
    list_select_related = ("seller", "category")
    list_filter = ("state", "delivery", "category")
    search_fields = ("code__exact", "seller__username__exact")
    search_help_text = _("Code, username of the seller, or words of the listing")
    ordering = ("-id",)
    inlines = (ImageInline,)
    fields = (
        "code",
        "page",
        "seller",
        "category",
        "state",
        "state_reason",
        "title",
        "description",
        "attributes",
        "price",
        "delivery",
        "asks_first",
        "version",
        "stock_count",
        "sold_count",
        "published_at",
        "created_at",
    )
    readonly_fields = fields
    actions_detail = ("take_down", "restore")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Listing], search_term: str
    ) -> tuple[QuerySet[Listing], bool]:
        found, _duplicates = super().get_search_results(request, queryset, search_term)
        if not found[:1]:
            asked = query_words(search_term)
            found = with_terms(queryset, asked, [])[0] if asked else queryset.none()
        return found, False

    @display(description=_("Price"))
    def price(self, listing: Listing) -> str:
        return format_minor(listing.price_minor, listing.currency)

    @display(description=_("State"), label=STATE_COLOURS)
    def state_label(self, listing: Listing) -> tuple[str, str]:
        return listing.state, listing.get_state_display()

    @display(description=_("Page"))
    def page(self, listing: Listing) -> str:
        return format_html('<a href="{0}">{0}</a>', listing.get_absolute_url())

    take_down = reason_action(
        label=_("Take down"),
        permission=PERMISSION,
        danger=True,
        icon="block",
        call=lambda listing, staff, data: listing_take_down(listing=listing, staff=staff, reason=data["reason"]),
        shown=lambda listing: listing.state not in (State.REJECTED, State.REMOVED),
        facts=lambda listing: listing_facts(listing),
        done=_("Taken down. The seller is told; open orders go on."),
    )
    restore = reason_action(
        label=_("Restore"),
        permission=PERMISSION,
        icon="undo",
        call=lambda listing, staff, data: listing_restore(listing=listing, staff=staff, reason=data["reason"]),
        shown=lambda listing: listing.state == State.REJECTED,
        facts=lambda listing: listing_facts(listing),
        done=_("Restored to the state before. The seller is told."),
    )


def listing_facts(listing: Listing) -> list[tuple[Any, Any]]:
    return [
        (_("Listing"), listing.title),
        (_("Seller"), listing.seller.username),
        (_("Price"), format_minor(listing.price_minor, listing.currency)),
        (_("State"), listing.get_state_display()),
    ]
