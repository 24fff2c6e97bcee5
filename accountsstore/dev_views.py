"""Pages for developers: only when DEBUG is on."""

from pathlib import Path

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accountsstore.dev_samples import ExampleForm, samples
from accountsstore.mailbox import mail_find, mails_newest


def mailbox(request: HttpRequest) -> HttpResponse:
    """What the store has mailed, newest first; `?to=` narrows it to an address."""
    folder, to = _mail_folder(), request.GET.get("to", "")[:200]
    return render(request, "dev/mailbox.html", {"mails": mails_newest(folder, to=to), "to": to})


def mail(request: HttpRequest, key: str) -> HttpResponse:
    found = mail_find(_mail_folder(), key)
    if found is None:
        raise Http404
    return render(request, "dev/mailbox_mail.html", {"mail": found})


def _mail_folder() -> Path:
    """Where mails are written as files. With a real mail server there is no mailbox to look into."""
    if not settings.DEV_MAILBOX:
        raise Http404
    return Path(settings.DEV_MAILBOX)


def components(request: HttpRequest) -> HttpResponse:
    """Every component of the catalogue on one page."""
    form = ExampleForm(request.POST or {"email": "sam@mailbox", "amount": "4.00", "method": "bank"}, request.FILES)
    if form.is_valid():
        messages.success(request, "The example was sent. Nothing was kept.")
        return redirect("dev_components")
    return render(request, "dev/components.html", {"form": form, **samples(timezone.now())})
