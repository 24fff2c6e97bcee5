"""Pages that belong to no app: help, terms, errors, the language switch."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.i18n import set_language

language_set = set_language


def help_page(request: HttpRequest) -> HttpResponse:
    return render(request, "pages/help.html")


def terms(request: HttpRequest) -> HttpResponse:
    return render(request, "pages/terms.html")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "400.html", status=400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "403.html", status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    return render(request, "500.html", status=500)
