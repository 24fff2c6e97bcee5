"""What templates need beyond Django's own tags: icons, form widgets, deadlines, amounts. Loaded in every template."""

import datetime
import functools
from typing import Any

from django import template
from django.conf import settings
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, FileInput, RadioSelect, Select, Textarea
from django.template.context import RequestContext
from django.urls import get_script_prefix, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from heroicons.templatetags import heroicons

from accountsstore import bidi
from accountsstore import money as amounts

register = template.Library()

_ICON_SIZES = {"micro": "size-4", "mini": "size-5", "outline": "size-6", "solid": "size-6"}


@register.simple_tag
@functools.lru_cache(maxsize=1024)
def icon(name: str, style: str = "micro", css: str = "") -> str:
    """The named heroicon, hidden from screen readers: say the meaning in words beside it. `css` replaces the size."""
    draw = getattr(heroicons, f"heroicon_{style}")
    return SafeString(draw(name, size=None, aria_hidden="true", **{"class": css or _ICON_SIZES[style]}))


@register.simple_tag
def art(name: str, variant: int | str = 1, picture: str = "", mirror: bool = False, css: str = "") -> str:
    """A listing's picture, or in its place the drawing of its category. `css` "lg" draws it wide. A tag, as long lists cost
    a component for each row."""
    image = format_html('<img src="{}" alt="" loading="lazy" decoding="async">', picture) if picture else ""
    return format_html('<span class="art art-{} v{}{} {}">{}</span>', name, variant, " r" if mirror else "", css, image)


@register.simple_tag
def stars(rating: object = "", reviews: str = "") -> str:
    """A seller's rating, and of how many reviews; "New" without one."""
    if not rating:
        return format_html(
            '<span class="inline-flex items-center gap-1 whitespace-nowrap">{}<span>{}</span></span>',
            icon("star"),
            _("New"),
        )
    count = (
        format_html('<span class="num quiet">({}<span class="sr-only"> {}</span>)</span>', reviews, _("reviews"))
        if reviews
        else ""
    )
    return format_html(
        '<span class="inline-flex items-center gap-1 whitespace-nowrap">{}<span class="sr-only">{} </span>'
        '<span class="num font-medium">{}</span>{}</span>',
        icon("star"),
        _("Rating"),
        rating,
        count,
    )


register.filter("isolated", bidi.isolated)


@register.filter
def money(amount_minor: int, currency: str | None = None) -> str:
    """1250 → "$12.50". In long lists let the view format, once."""
    return amounts.format_minor(amount_minor, currency)


# ---------------------------------------------------------------- forms


@register.filter
def widget_kind(field: BoundField) -> str:
    """Which recipe draws the field: input, textarea, select, checkbox, choices, file or hidden."""
    widget = field.field.widget
    if widget.is_hidden:
        return "hidden"
    if isinstance(widget, CheckboxSelectMultiple | RadioSelect):
        return "choices"
    for base, kind in ((CheckboxInput, "checkbox"), (Textarea, "textarea"), (Select, "select"), (FileInput, "file")):
        if isinstance(widget, base):
            return kind
    return "input"


_OWN_CLASS = {"file": "sr-only", "choices": "", "hidden": ""}


@register.simple_tag
def widget(field: BoundField, attrs: Any = None, css: str | None = None, described_by: str = "") -> str:
    """The field's input with the store's classes, `attrs` of the component, and the ids of what describes it."""
    own: dict[str, Any] = dict(attrs.attrs_dict()) if hasattr(attrs, "attrs_dict") else dict(attrs or {})
    classes = [
        field.field.widget.attrs.get("class", ""),
        # daisyUI names its classes as we name the kinds.
        _OWN_CLASS.get(widget_kind(field), widget_kind(field)) if css is None else css,
        own.pop("class", ""),
    ]
    own["class"] = " ".join(name for name in classes if name)
    own["aria-describedby"] = " ".join(part for part in (described_by, field.aria_describedby) if part) or None
    return field.as_widget(attrs={key: value for key, value in own.items() if value is not None})


@register.filter
def or_upload_limit(max_bytes: int | None) -> int:
    """`max_bytes`, or the store's limit for a file."""
    return max_bytes or settings.UPLOAD_MAX_BYTES


# ---------------------------------------------------------------- time


def split_left(seconds: int) -> str:
    """Words for a span: "2 d 5 h", "21 h 14 min", "38 min 20 s". static/js/deadline.js writes the same."""
    minutes, s = divmod(max(seconds, 0), 60)
    h, m = divmod(minutes, 60)
    if h >= 48:
        return _("{d} d {h} h").format(d=h // 24, h=h % 24)
    if h:
        return _("{h} h {m} min").format(h=h, m=f"{m:02d}")
    return _("{m} min {s} s").format(m=m, s=f"{s:02d}")


@register.filter
def time_left(due: datetime.datetime | None) -> str:
    """The time until `due` in words; "time is over" when it has passed; empty without a date."""
    if due is None:
        return ""
    seconds = int((due - timezone.now()).total_seconds())
    return split_left(seconds) if seconds > 0 else _("time is over")


@register.filter
def deadline_level(due: datetime.datetime | None) -> str:
    """Empty over six hours, "soon" under six, "last" under one: the deadline's colour."""
    if due is None:
        return ""
    hours = (due - timezone.now()).total_seconds() / 3600
    return "last" if hours < 1 else "soon" if hours < 6 else ""


@register.filter
def seconds_since(start: datetime.datetime, end: datetime.datetime | None = None) -> int:
    """Whole seconds from `start` to `end` (now without it), not below zero."""
    return max(int(((end or timezone.now()) - start).total_seconds()), 0)


@register.filter
def when(moment: datetime.datetime | None) -> str:
    """ "Wed 25 Nov, 18:44" this year, "25 Nov 2025, 18:44" otherwise; the store's time zone, the reader's language."""
    if moment is None:
        return ""
    local = timezone.localtime(moment)
    same_year = local.year == timezone.localtime().year
    return date_format(local, _("D j M, H:i") if same_year else _("j M Y, H:i"))


@register.filter
def day(moment: datetime.datetime | None) -> str:
    """ "25 Nov 2025" in the store's time zone and the reader's language."""
    return date_format(timezone.localtime(moment), _("j M Y")) if moment else ""


# ---------------------------------------------------------------- states and places

# Every state of orders, deposits, withdrawals, listings, applications and users: (tone, icon). One meaning, one colour.
LOOKS = {
    "held": ("held", "lock-closed"),
    "funded": ("held", "lock-closed"),
    "delivered": ("turn", "bell-alert"),
    "accepted": ("held", "shield-check"),
    "disputed": ("fight", "exclamation-triangle"),
    "refunded": ("back", "arrow-uturn-left"),
    "reversed": ("back", "arrow-uturn-left"),
    "split": ("back", "scale"),
    "needs_info": ("turn", "bell-alert"),
    "sold_out": ("turn", "archive-box"),
    "paused": ("open", "pause"),
    "draft": ("open", "pencil"),
    "suspended": ("fight", "no-symbol"),
    "restricted": ("turn", "no-symbol"),
    "waiting_user": ("turn", "chat-bubble-left-right"),
    "resolved": ("done", "check-circle"),
} | {
    state: look
    for states, look in (
        (("requested", "submitted", "applied", "open", "waiting_staff"), ("open", "clock")),
        (("under_review",), ("held", "magnifying-glass")),
        (("sent",), ("held", "paper-airplane")),
        (("approved", "released", "settled", "active"), ("done", "check-circle")),
        (("rejected", "failed"), ("fight", "x-circle")),
        (("cancelled", "declined", "withdrawn", "expired", "removed", "closed"), ("plain", "x-mark")),
    )
    for state in states
}


@register.filter
def look(state: str) -> dict[str, str]:
    """Tone and icon of a state's badge. A state without an entry is drawn plain."""
    tone, name = LOOKS.get(str(state), ("plain", "minus-circle"))
    return {"tone": tone, "icon": name}


@functools.lru_cache(maxsize=256)
def _place(name: str, _prefix: str) -> str:
    return reverse(name)


@register.simple_tag(takes_context=True)
def current(context: RequestContext, name: str, exact: bool = False) -> str:
    """`aria-current="page"` when the page shown is the named address or lies below it."""
    request = context.get("request")
    place = _place(name, get_script_prefix())
    if request is None or not (request.path == place or (not exact and request.path.startswith(place))):
        return ""
    return SafeString('aria-current="page"')
