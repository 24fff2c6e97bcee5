"""Pages for developers: only when DEBUG is on."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def mailbox(request: HttpRequest) -> HttpResponse:
    return render(request, "dev/mailbox.html")


def components(request: HttpRequest) -> HttpResponse:
    return render(request, "dev/components.html")
