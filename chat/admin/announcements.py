"""Saying something to everybody."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from accounts.admin_base import StaffAdmin
from accountsstore.db import atomic
from chat.announcements import announcement_tell
from chat.models import Announcement


@admin.register(Announcement)
class AnnouncementAdmin(StaffAdmin):
    """Staff with Django's own permissions to add, change or delete announcements. Open pages hear of it at once."""

    may_add = may_change = may_delete = True
    list_display = ("text_en", "created_at", "ends_at")
    ordering = ("-created_at", "-id")
    fields = ("text_en", "text_ar", "ends_at")

    @atomic
    def save_model(self, request: HttpRequest, obj: Announcement, form: forms.ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        announcement_tell()

    @atomic
    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        announcement_tell()
