"""What a store is set up with: the fee, and the ways to pay in."""

import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.admin_base import StaffAdmin
from payments.models import DepositMethod, FeePolicy

# Half, at most: a typing error in basis points must not take a seller's whole price.
MOST_BASIS_POINTS = 5_000


class FeePolicyForm(forms.ModelForm):
    class Meta:
        model = FeePolicy
        fields = ("starts_at", "category", "basis_points")

    def clean_starts_at(self) -> datetime.datetime:
        starts_at = self.cleaned_data["starts_at"]
        if starts_at <= timezone.now():
            raise forms.ValidationError(_("A fee starts in the future: sellers see it before it is charged."))
        return starts_at

    def clean_basis_points(self) -> int:
        points = self.cleaned_data["basis_points"]
        if points > MOST_BASIS_POINTS:
            raise forms.ValidationError(_("5000 is 50 %, the most that a fee may be. 800 is 8 %."))
        return points


@admin.register(FeePolicy)
class FeePolicyAdmin(StaffAdmin):
    """Added, never changed: what an order was charged must stay true. A mistake is followed by a newer policy."""

    open_to = ("payments.view_feepolicy",)
    may_add = True
    form = FeePolicyForm
    list_display = ("percent", "category", "starts_at", "in_force")
    list_select_related = ("category",)
    ordering = ("-starts_at",)

    @display(description=_("Fee"))
    def percent(self, policy: FeePolicy) -> str:
        return str(policy)

    @display(description=_("In force"), boolean=True)
    def in_force(self, policy: FeePolicy) -> bool:
        return policy.starts_at <= timezone.now()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("starts_at", "category", "basis_points") if obj else ()


@admin.register(DepositMethod)
class DepositMethodAdmin(StaffAdmin):
    """Offered or not, never deleted: deposits and cash accounts refer to it by its code."""

    open_to = ("payments.view_depositmethod",)
    may_add = True
    may_change = True
    list_display = ("name_en", "code", "currency", "is_active", "position")
    ordering = ("position", "code")
    fields = (
        "code",
        "name_en",
        "name_ar",
        "instructions_en",
        "instructions_ar",
        "reference_label_en",
        "reference_label_ar",
        "currency",
        "is_active",
        "position",
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code", "currency") if obj else ()
