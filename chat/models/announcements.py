"""What the store says to everybody."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from accountsstore.models import Row


class Announcement(Row):
    """A banner on every page. The newest that has not ended is shown."""

    text_en = models.CharField(_("English text"), max_length=300)
    text_ar = models.CharField(_("Arabic text"), max_length=300, blank=True)
    ends_at = models.DateTimeField(_("shown until"))

    class Meta:
        verbose_name = _("announcement")
        verbose_name_plural = _("announcements")
        indexes: ClassVar = [models.Index(fields=["-created_at", "-id"], name="announcement_newest")]

    def __str__(self) -> str:
        return self.text_en

    @property
    def texts(self) -> dict[str, str]:
        return {"en": self.text_en, **({"ar": self.text_ar} if self.text_ar else {})}
