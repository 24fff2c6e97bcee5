"""Files for staff: what was sent, by whom, and which of their colleagues looked. Nothing here can be changed."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.admin_base import StaffAdmin
from uploads.links import file_url
from uploads.models import FileAccess, StoredFile
from uploads.policies import may_read

_STATE_COLOURS = {"pending": "info", "clean": "success", "discarded": "warning", "deleted": "danger"}


@admin.register(StoredFile)
class StoredFileAdmin(StaffAdmin):
    """Whoever may look at proofs sees the list; a picture or a download only where its own rule lets them."""

    open_to = ("uploads.view_proof",)
    list_display = ("original_name", "purpose", "owner", "size", "state_label", "attached_to", "created_at")
    list_select_related = ("owner",)
    list_filter = ("purpose", "state")
    search_fields = ("sha256__exact", "attached_to__exact", "owner__username__exact", "owner__email__exact")
    ordering = ("-id",)
    fields = (
        "preview",
        "original",
        "owner",
        "purpose",
        "state",
        "attached_to",
        "original_name",
        "mime",
        "size",
        "pixels",
        "sha256",
        "created_at",
        "looked_at",
    )
    readonly_fields = fields

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> StoredFile | None:
        file = super().get_object(request, object_id, from_field)
        if file is not None:
            file.reader = request.user
        return file

    @display(description=_("State"), label=_STATE_COLOURS)
    def state_label(self, file: StoredFile) -> tuple[str, str]:
        return file.state, file.get_state_display()

    @display(description=_("Size"))
    def size(self, file: StoredFile) -> str:
        return filesizeformat(file.size_bytes)

    @display(description=_("Pixels"))
    def pixels(self, file: StoredFile) -> str:
        return f"{file.width} × {file.height}"

    @display(description=_("Picture"))
    def preview(self, file: StoredFile) -> SafeString | Any:
        if not self._readable(file, "large"):
            return _("You may not look at this file.")
        return format_html(
            '<a href="{}" target="_blank" rel="noopener"><img src="{}" alt="{}"'
            ' style="max-width: min(30rem, 100%); max-height: 40rem"></a>',
            file_url(file, "large"),
            file_url(file, "large", user=file.reader),
            _("Picture"),
        )

    @display(description=_("As it was sent"))
    def original(self, file: StoredFile) -> SafeString | str:
        if not file.storage_key or not self._readable(file, "original"):
            return "–"
        return format_html('<a href="{}">{}</a>', file_url(file, "original"), _("Download"))

    @display(description=_("Looked at by"))
    def looked_at(self, file: StoredFile) -> SafeString | str:
        newest = file.accesses.select_related("user").order_by("-created_at")[:20]
        return ", ".join(f"{access.user} ({access.created_at:%Y-%m-%d %H:%M})" for access in newest) or "–"

    @staticmethod
    def _readable(file: StoredFile, variant: str) -> bool:
        if file.state != StoredFile.State.CLEAN:
            return False
        return file.is_public or may_read(file.reader, file, variant)


@admin.register(FileAccess)
class FileAccessAdmin(StaffAdmin):
    open_to = ("uploads.view_fileaccess",)
    list_display = ("created_at", "user", "file", "variant", "ip")
    list_select_related = ("user", "file")
    search_fields = ("user__username__exact", "user__email__exact")
    ordering = ("-id",)
    fields = ("created_at", "user", "file", "variant", "ip")

    def get_queryset(self, request: HttpRequest) -> QuerySet[FileAccess]:
        return super().get_queryset(request).select_related("user", "file")
