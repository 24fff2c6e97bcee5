"""What the chat's templates need beyond the store's own tags."""

import datetime

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

register = template.Library()


@register.filter
def short_time(moment: datetime.datetime | None) -> str:
    """ "21:27" today, "Mon" within a week, "21 Nov" before: when a conversation was last written in."""
    if moment is None:
        return ""
    local = timezone.localtime(moment)
    days = (timezone.localtime().date() - local.date()).days
    if days <= 0:
        return date_format(local, "H:i")
    return date_format(local, "D" if days < 7 else _("j M"))


_TEXT = {
    "held": "text-info",
    "turn": "text-warning",
    "done": "text-success",
    "fight": "text-error",
    "back": "text-secondary",
}


@register.filter
def tone_text(tone: str) -> str:
    """The text colour of a badge's tone."""
    return _TEXT.get(tone, "quiet")
