"""Times in words."""

import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accountsstore.templatetags.store import split_left


def hours_words(hours: int) -> str:
    """48 → "48 hours", 168 → "7 days"."""
    if hours >= 72 and hours % 24 == 0:
        return days_words(hours // 24)
    return ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}


def days_words(days: int) -> str:
    return ngettext("%(count)d day", "%(count)d days", days) % {"count": days}


def took_words(span: datetime.timedelta) -> str:
    """How long something took: "after 21 h 14 min"; "at once" under ten seconds."""
    seconds = int(span.total_seconds())
    return _("after %(span)s") % {"span": split_left(seconds)} if seconds >= 10 else _("at once")


def short_day(moment: datetime.datetime | None) -> str:
    """ "25 Nov" in the store's time zone and the reader's language. Empty for None."""
    return date_format(timezone.localtime(moment), _("j M")) if moment else ""
