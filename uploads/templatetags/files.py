"""{% load files %}: addresses of files, and people's pictures."""

from typing import Any

from django import template
from django.template.context import RequestContext
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import User
from uploads import links, storage
from uploads.models import StoredFile

register = template.Library()


@register.filter(name="file_url")
def plain_url(file: StoredFile | None, variant: str = "large") -> str:
    """`<a href="{{ proof|file_url:'large' }}">`: a public picture, or the door of a private one."""
    return links.file_url(file, variant)


@register.simple_tag(takes_context=True, name="file_url")
def url_for_reader(context: RequestContext, file: StoredFile | None, variant: str = "large") -> str:
    """`<img src="{% file_url proof 'thumb' %}">`: a private one is signed for who looks at the page, for ten minutes."""
    request = context.get("request")
    return links.file_url(file, variant, user=getattr(request, "user", None))


@register.inclusion_tag("uploads/avatar.html")
def avatar(user: User, size: str = "") -> dict[str, Any]:
    """`{% avatar user "lg" %}`: the person's picture, or their initials. Costs no query."""
    variant = "card" if size == "lg" else "thumb"
    return {
        "user": user,
        "size": size,
        "picture": links.public_picture_url(StoredFile.Purpose.AVATAR, user.avatar_file_id, variant)
        if user.avatar_file_id
        else "",
    }


@register.simple_tag
def incoming(purpose: str) -> SafeString:
    """`<div data-upload {% incoming "avatar" %}>`: lets the script send files straight to the bucket, where there is
    one. Without a purpose, or a bucket, nothing: the form carries them."""
    if not purpose or not storage.takes_uploads():
        return SafeString("")
    return format_html('data-incoming="{}" data-purpose="{}"', reverse("uploads:incoming"), purpose)
