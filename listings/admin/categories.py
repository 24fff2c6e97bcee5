"""Categories and their fields, edited without code."""

import logging
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import StackedInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.admin_base import StaffAdmin
from accounts.services import audit_record
from accountsstore.db import atomic, on_commit
from accountsstore.outbox import AWAY, enqueue
from listings.models import Category, CategoryField

logger = logging.getLogger(__name__)


class CategoryFieldForm(forms.ModelForm):
    class Meta:
        model = CategoryField
        fields = "__all__"  # noqa: DJ007  every field of a category's field is for staff to set
        widgets = {"choices": UnfoldAdminTextareaWidget(attrs={"rows": 4})}

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


class CategoryFieldInline(StackedInline):
    model = CategoryField
    form = CategoryFieldForm
    extra = 0
    ordering = ("use", "position")
    collapsible = True
    fields = (
        ("use", "key"),
        ("label_en", "label_ar"),
        ("kind", "position"),
        "choices",
        ("is_required", "is_facet"),
    )


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
