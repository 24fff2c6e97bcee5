"""The wallet and its statement."""

import csv
import datetime
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.models import User
from accountsstore.money import format_minor, to_decimal
from payments.forms import StatementForm
from payments.models import LedgerEntry
from payments.movements import movements
from payments.selectors import STATEMENT_LIMIT, statement, statement_rows
from payments.wallet_page import wallet_page

DEFAULT_DAYS = 30
# A page and a download cover at most this much.
LONGEST_DAYS = 366
CSV_CHUNK = 500


@login_required
@require_safe
def wallet_page_view(request: HttpRequest) -> HttpResponse:
    return render(request, "payments/wallet.html", {"page": wallet_page(request.user)})


@login_required
@require_safe
def statement_page(request: HttpRequest) -> HttpResponse:
    """Opening + movements = closing, between two days."""
    form = _form(request)
    since, until = _moments(form)
    found = statement(request.user, since, until)
    context: dict[str, Any] = {
        "form": form,
        "opening": format_minor(found.opening_minor, found.currency),
        "closing": format_minor(found.closing_minor, found.currency),
        "movements": movements(found.entries),
        "is_cut": found.is_cut,
        "limit": STATEMENT_LIMIT,
        "csv_query": urlencode({"since": since.date().isoformat(), "until": _last_day(until).isoformat()}),
    }
    return render(request, "payments/statement.html", context, status=200 if form.is_valid() else 422)


@login_required
@require_safe
@never_cache
def statement_csv(request: HttpRequest) -> HttpResponseBase:
    """The same as a file, oldest first, written while it is read."""
    form = _form(request)
    if not form.is_valid():
        return render(request, "payments/statement.html", {"form": form}, status=422)
    since, until = _moments(form)
    name = f"statement-{since.date()}-{_last_day(until)}.csv"
    return StreamingHttpResponse(
        _csv_lines(request.user, since, until),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _form(request: HttpRequest) -> StatementForm:
    today = timezone.localdate()
    asked = {"since": today - datetime.timedelta(days=DEFAULT_DAYS), "until": today}
    asked.update({name: request.GET[name] for name in asked if name in request.GET})
    form = StatementForm(asked, longest_days=LONGEST_DAYS)
    form.is_valid()
    return form


def _moments(form: StatementForm) -> tuple[datetime.datetime, datetime.datetime]:
    """From the first moment of the first day to the first moment after the last, in the store's time zone."""
    today = timezone.localdate()
    since = today - datetime.timedelta(days=DEFAULT_DAYS)
    if form.is_valid():
        since, today = form.cleaned_data["since"], form.cleaned_data["until"]
    zone = timezone.get_current_timezone()
    start = datetime.datetime.combine(since, datetime.time(), zone)
    return start, datetime.datetime.combine(today + datetime.timedelta(days=1), datetime.time(), zone)


def _last_day(until: datetime.datetime) -> datetime.date:
    return (until - datetime.timedelta(days=1)).date()


class _Echo:
    """A file that hands back each line: csv writes, the response streams."""

    def write(self, line: str) -> str:
        return line


def _csv_lines(user: User, since: datetime.datetime, until: datetime.datetime) -> Iterator[str]:
    found = statement(user, since, until)
    writer = csv.writer(_Echo())
    # Spreadsheets read UTF-8 only with this mark in front.
    yield "\ufeff"
    yield writer.writerow([_("Time (UTC)"), _("What"), _("Reference"), _("Amount"), _("Balance"), _("Currency")])
    opening = found.opening_minor
    if found.is_cut:
        first = next(statement_rows(user, since, until))
        opening = (first.balance_after_minor or 0) - first.amount_minor
    yield writer.writerow(["", _("Opening balance"), "", "", to_decimal(opening, found.currency), found.currency])
    for chunk in _chunks(statement_rows(user, since, until)):
        for movement in movements(chunk):
            yield writer.writerow(
                [
                    movement.at.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S"),
                    plain_cell(movement.title),
                    plain_cell(movement.reference),
                    to_decimal(movement.amount_minor, movement.currency),
                    to_decimal(movement.balance_minor, movement.currency),
                    movement.currency,
                ]
            )
    closing = to_decimal(found.closing_minor, found.currency)
    yield writer.writerow(["", _("Closing balance"), "", "", closing, found.currency])


def _chunks(rows: Iterable[LedgerEntry]) -> Iterator[list[LedgerEntry]]:
    rows = iter(rows)
    while chunk := list(islice(rows, CSV_CHUNK)):
        yield chunk


def plain_cell(text: str) -> str:
    """Text that a spreadsheet does not take for a formula. https://owasp.org/www-community/attacks/CSV_Injection"""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
