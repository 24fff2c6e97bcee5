"""What people say: reports are decided, reviews hidden."""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.admin_base import StaffAdmin, reason_action
from accounts.admin_lists import IndexedValuesFilter
from listings.admin.listings import listing_facts
from listings.models import ListingReport, Review
from listings.services.moderation import (
    PERMISSION,
    report_decide,
    review_hide,
    review_show,
)


@admin.register(ListingReport)
class ListingReportAdmin(StaffAdmin):
    """The queue: the oldest on top; "open" is a click on the filter, and where the sidebar leads."""

    open_to = (PERMISSION,)
    list_display = ("created_at", "listing", "reason", "reporter", "state_label")
    list_select_related = ("listing", "reporter")
    list_filter = ("state", "reason")
    ordering = ("id",)
    fields = (
        "created_at",
        "listing_link",
        "reason",
        "text",
        "reporter",
        "state",
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
        facts=lambda report: listing_facts(report.listing),
        done=_("Upheld. The listing is off sale and the seller is told."),
    )
    dismiss = reason_action(
        label=_("Dismiss"),
        permission=PERMISSION,
        icon="close",
        call=lambda report, staff, data: report_decide(report=report, staff=staff, uphold=False, reason=data["reason"]),
        shown=lambda report: report.state == ListingReport.State.OPEN,
        facts=lambda report: listing_facts(report.listing),
        done=_("Dismissed. The listing stays as it is."),
    )


@admin.register(Review)
class ReviewAdmin(StaffAdmin):
    open_to = (PERMISSION,)
    list_display = ("created_at", "seller", "listing", "rating", "hidden")
    list_select_related = ("seller", "listing")
    list_filter = (("rating", IndexedValuesFilter), "is_hidden")
    search_fields = ("seller__username__exact",)
    ordering = ("-id",)
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
