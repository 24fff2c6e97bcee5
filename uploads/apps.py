from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class UploadsConfig(AppConfig):
    name = "uploads"
    verbose_name = _("Files")

    def ready(self) -> None:
        from accountsstore.backup.files import keep_files_of
        from accountsstore.context import register_counter
        from accountsstore.servers import Server, register_server
        from uploads import storage
        from uploads.links import public_picture_url
        from uploads.models import StoredFile

        def avatar(user: Any) -> str:
            return public_picture_url(StoredFile.Purpose.AVATAR, user.avatar_file_id) if user.avatar_file_id else ""

        # accounts draws the header and the profile, and stands below uploads.
        register_counter("avatar", avatar)
        keep_files_of(StoredFile._meta.db_table, "storage_key", "key")
        variable = "S3_BUCKET" if settings.S3_BUCKET else "MEDIA_ROOT"
        register_server(Server("files", "The file storage", variable, storage.address, storage.ask))
