"""What templates of the catalogue need."""

import secrets

from django import template
from django.utils.translation import gettext as _

register = template.Library()


@register.simple_tag
def once_key() -> str:
    """For a hidden field "once": the key by which a second submit of the same form is known."""
    return secrets.token_hex(16)


@register.filter
def span(seconds: int | None) -> str:
    """A time that something usually takes: "at once", "40 s", "6 min", "2 h 5 min", "3 d"."""
    if seconds is None:
        return ""
    if seconds < 1:
        return _("at once")
    if seconds < 60:
        return _("%(s)d s") % {"s": seconds}
    minutes = round(seconds / 60)
    if minutes < 60:
        return _("%(m)d min") % {"m": minutes}
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return _("%(h)d h %(m)d min") % {"h": hours, "m": minutes} if minutes else _("%(h)d h") % {"h": hours}
    return _("%(d)d d") % {"d": round(hours / 24)}
