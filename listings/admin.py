"""The staff's view of the catalogue: categories are edited here, listings are judged, reports are decided."""

import logging
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import display

from accounts.admin_base import StaffAdmin, reason_action
from accounts.services import audit_record
from accountsstore.db import atomic, on_commit
from accountsstore.money import format_minor
from accountsstore.outbox import AWAY, enqueue
from listings.models import Category, CategoryField, Listing, ListingImage, ListingReport, Review
from listings.services.moderation import (
    PERMISSION,
    listing_restore,
    listing_take_down,
    report_decide,
    review_hide,
    review_show,
)
from uploads.links import variant_url

logger = logging.getLogger(__name__)
State = Listing.State


# ---------------------------------------------------------------- categories


class CategoryFieldForm(forms.ModelForm):
    class Meta:
        model = CategoryField
        fields = "__all__"  # noqa: DJ007  every field of a category's field is for staff to set
        widgets = {"choices": forms.Textarea(attrs={"rows": 3, "cols": 30})}

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        kind, choices = data.get("kind"), CategoryField(choices=data.get("choices") or "").choice_list
        if kind == CategoryField.Kind.CHOICE and len(choices) < 2:
            self.add_error("choices", _("Write at least two choices, one a line."))
        if any(len(choice) > 60 for choice in choices):
            self.add_error("choices", _("A choice has at most 60 characters."))
        if kind != CategoryField.Kind.CHOICE and choices:
            self.add_error("choices", _("Only “one of a list” has choices."))
        if data.get("use") == CategoryField.Use.CREDENTIAL and kind not in (None, CategoryField.Kind.TEXT):
            self.add_error("kind", _("A credential is text."))
        if data.get("is_facet") and kind not in (CategoryField.Kind.CHOICE, CategoryField.Kind.YES_NO):
            self.add_error("is_facet", _("Only lists and yes/no questions can narrow a search."))
        return data


class CategoryFieldInline(TabularInline):
    model = CategoryField
    form = CategoryFieldForm
    extra = 0
    ordering = ("use", "position")
    fields = ("use", "key", "label_en", "label_ar", "kind", "choices", "is_required", "is_facet", "position")


class CategoryForm(forms.ModelForm):
    def clean_parent(self) -> Category | None:
        parent: Category | None = self.cleaned_data["parent"]
        if parent is not None and (parent.pk == self.instance.pk or parent.parent_id is not None):
            raise ValidationError(_("Categories are two levels deep: choose one of the top level."))
        if parent is not None and self.instance.children.exists():
            raise ValidationError(_("This category has others below it."))
        return parent


@admin.register(Category)
class CategoryAdmin(StaffAdmin):
    may_add = may_change = True
    form = CategoryForm
    inlines = (CategoryFieldInline,)
    list_display = ("name_en", "name_ar", "parent", "allowed", "position")
    list_select_related = ("parent",)
    list_filter = ("is_allowed",)
    search_fields = ("name_en", "name_ar", "slug")
    prepopulated_fields = {"slug": ("name_en",)}
    fieldsets = (
        (None, {"fields": ("name_en", "name_ar", "slug", "parent", "position", "art", "is_allowed")}),
        (
            _("Times (empty takes the store's)"),
            {"fields": ("deliver_hours", "inspect_hours", "warranty_days")},
        ),
    )

    @display(description=_("Allowed"), boolean=True)
    def allowed(self, category: Category) -> bool:
        return category.is_allowed

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if change:
            on_commit(lambda: _reindex(form.instance))

    @atomic
    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """The fields of a category are audited as one row beside the category's own."""
        super().save_formset(request, form, formset, change)
        changed = [f"{each.key}: {', '.join(names)}" for each, names in formset.changed_objects]
        added = [each.key for each in formset.new_objects]
        removed = [each.key for each in formset.deleted_objects]
        if changed or added or removed:
            audit_record(
                actor=request.user,
                action="category.fields",
                subject=f"category:{form.instance.pk.hex}",
                subject_text=str(form.instance),
                after={"changed": changed, "added": added, "removed": removed},
                ip=request.META.get("REMOTE_ADDR", ""),
            )


def _reindex(category: Category) -> None:
    """Its listings are found by the new names soon. Without a queue, `manage.py index_listings` does it."""
    try:
        enqueue("listings.tasks.category_reindex", category.pk)
    except AWAY:
        logger.warning("category not indexed again: the queue does not answer", extra={"category": category.slug})


# ---------------------------------------------------------------- listings


class ImageInline(TabularInline):
    model = ListingImage
    extra = 0
    can_delete = False
    fields = readonly_fields = ("picture", "position")

    @display(description=_("Photo"))
    def picture(self, image: ListingImage) -> str:
        small, large = variant_url(image.file_id, "card"), variant_url(image.file_id, "large")
        return format_html('<a href="{}" target="_blank"><img src="{}" alt="" width="240"></a>', large, small)

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
    list_filter = ("state", "delivery", ("category", admin.RelatedOnlyFieldListFilter))
    search_fields = ("code", "title", "seller__username")
    ordering = ("-created_at",)
    inlines = (ImageInline,)
    fields = (
        "code",
        "page",
        "seller",
        "category",
        "state_label",
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

    @display(description=_("Price"), ordering="price_minor")
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
        facts=lambda listing: _facts(listing),
        done=_("Taken down. The seller is told; open orders go on."),
    )
    restore = reason_action(
        label=_("Restore"),
        permission=PERMISSION,
        icon="undo",
        call=lambda listing, staff, data: listing_restore(listing=listing, staff=staff, reason=data["reason"]),
        shown=lambda listing: listing.state == State.REJECTED,
        facts=lambda listing: _facts(listing),
        done=_("Restored to the state before. The seller is told."),
    )


def _facts(listing: Listing) -> list[tuple[Any, Any]]:
    return [
        (_("Listing"), listing.title),
        (_("Seller"), listing.seller.username),
        (_("Price"), format_minor(listing.price_minor, listing.currency)),
        (_("State"), listing.get_state_display()),
    ]


# ---------------------------------------------------------------- reports and reviews


@admin.register(ListingReport)
class ListingReportAdmin(StaffAdmin):
    """The queue: the oldest on top; "open" is a click on the filter, and where the sidebar leads."""

    open_to = (PERMISSION,)
    list_display = ("created_at", "listing", "reason", "reporter", "state_label")
    list_select_related = ("listing", "reporter")
    list_filter = ("state", "reason")
    ordering = ("created_at",)
    fields = (
        "created_at",
        "listing_link",
        "reason",
        "text",
        "reporter",
        "state_label",
        "decision",
        "decided_by",
        "decided_at",
    )
    readonly_fields = fields
    actions_detail = ("uphold", "dismiss")

    @display(description=_("State"), label={"open": "warning", "upheld": "danger", "dismissed": "success"})
    def state_label(self, report: ListingReport) -> tuple[str, str]:
        return report.state, report.get_state_display()

    @display(description=_("Listing"))
    def listing_link(self, report: ListingReport) -> str:
        page = reverse("admin:listings_listing_change", args=[report.listing_id])
        return format_html('<a href="{}">{}</a>', page, report.listing.title)

    uphold = reason_action(
        label=_("Uphold and take down"),
        permission=PERMISSION,
        danger=True,
        icon="gavel",
        call=lambda report, staff, data: report_decide(report=report, staff=staff, uphold=True, reason=data["reason"]),
        shown=lambda report: report.state == ListingReport.State.OPEN,
        facts=lambda report: _facts(report.listing),
        done=_("Upheld. The listing is off sale and the seller is told."),
    )
    dismiss = reason_action(
        label=_("Dismiss"),
        permission=PERMISSION,
        icon="close",
        call=lambda report, staff, data: report_decide(report=report, staff=staff, uphold=False, reason=data["reason"]),
        shown=lambda report: report.state == ListingReport.State.OPEN,
        facts=lambda report: _facts(report.listing),
        done=_("Dismissed. The listing stays as it is."),
    )


@admin.register(Review)
class ReviewAdmin(StaffAdmin):
    open_to = (PERMISSION,)
    list_display = ("created_at", "seller", "listing", "rating", "hidden")
    list_select_related = ("seller", "listing")
    list_filter = ("rating", "is_hidden")
    search_fields = ("seller__username", "text")
    ordering = ("-created_at",)
    fields = readonly_fields = (
        "created_at",
        "seller",
        "buyer",
        "listing",
        "rating",
        "text",
        "reply",
        "replied_at",
        "is_hidden",
    )

    actions_detail = ("hide", "show")

    hide = reason_action(
        label=_("Hide"),
        permission=PERMISSION,
        danger=True,
        icon="visibility_off",
        call=lambda review, staff, data: review_hide(review=review, staff=staff, reason=data["reason"]),
        shown=lambda review: not review.is_hidden,
        done=_("Hidden. The figures follow with the next count."),
    )
    show = reason_action(
        label=_("Show again"),
        permission=PERMISSION,
        icon="visibility",
        call=lambda review, staff, data: review_show(review=review, staff=staff, reason=data["reason"]),
        shown=lambda review: review.is_hidden,
        done=_("Shown again."),
    )

    @display(description=_("Hidden"), boolean=True)
    def hidden(self, review: Review) -> bool:
        return review.is_hidden
