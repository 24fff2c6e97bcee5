"""The customer's side of support: asking, one's tickets, and saying that one is solved."""

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accountsstore.db import uuid7
from accountsstore.errors import StoreError
from accountsstore.paging import page_of
from chat.forms import TicketForm
from chat.models import Ticket
from chat.services.tickets import ticket_open, ticket_solve
from chat.ticket_pages import orders_to_ask_about, ticket_rows


@login_required
@require_GET
@never_cache
def tickets(request: HttpRequest) -> HttpResponse:
    page = page_of(Ticket.objects.filter(user=request.user), ("-id",), request.GET.get("after", ""))
    return render(request, "chat/tickets.html", {"page": page, "rows": ticket_rows(request.user, page.items)})


@login_required
@never_cache
def ticket_new(request: HttpRequest) -> HttpResponse:
    orders = orders_to_ask_about(request.user)
    asked = request.GET.get("order", "").upper()
    initial: dict[str, Any] = {"client_id": uuid7().hex}
    if any(order.number == asked for order in orders):
        initial |= {"order": asked, "topic": Ticket.Topic.ORDER}
    form = TicketForm(request.POST or None, initial=initial, orders=orders)
    if request.method == "POST" and form.is_valid():
        try:
            return redirect(ticket_open(user=request.user, **form.cleaned_data))
        except StoreError as error:
            form.add_error(error.field if error.field in form.fields else None, str(error))
    return render(request, "chat/ticket_new.html", {"form": form, "reply_hours": settings.TICKET_REPLY_HOURS})


@login_required
@require_POST
def ticket_solved(request: HttpRequest, number: str) -> HttpResponse:
    ticket = get_object_or_404(Ticket, number=number.upper(), user=request.user)
    ticket_solve(ticket=ticket, user=request.user)
    return redirect(ticket)


@login_required
@require_GET
@never_cache
def ticket_strip(request: HttpRequest, number: str) -> HttpResponse:
    """The line above a ticket's thread, which the page asks for again when the ticket moves."""
    ticket = Ticket.objects.filter(number=number.upper(), user=request.user).select_related("order").first()
    if ticket is None:
        raise Http404
    return render(request, "chat/ticket_strip.html", {"ticket": ticket})
