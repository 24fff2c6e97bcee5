from typing import Any

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class UploadsConfig(AppConfig):
    name = "uploads"
    verbose_name = _("Files")

    def ready(self) -> None:
        from accountsstore.context import register_counter
        from uploads.links import variant_url

        def avatar(user: Any) -> str:
            return variant_url(user.avatar_file_id) if user.avatar_file_id else ""

        # accounts draws the header and the profile, and stands below uploads.
        register_counter("avatar", avatar)
