"""Paying money in."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from accountsstore.errors import StoreError
from accountsstore.money import format_minor
from accountsstore.templatetags.store import when
from payments.forms import DepositAgainForm, DepositForm, add_error
from payments.models import Deposit, DepositMethod
from payments.order_line import Moment
from payments.services.deposits import deposit_code_new, deposit_resubmit, deposit_submit
from payments.states import DepositState
from payments.wallet_page import deposit_next

# The reference stays the same while the payer goes to the bank and comes back.
CODE_KEY = "deposit_code"


@login_required
def deposit_new(request: HttpRequest) -> HttpResponse:
    """Pick a method, see how to pay and what to quote, then claim the payment with its proof."""
    methods = list(DepositMethod.objects.filter(is_active=True, currency=settings.STORE_CURRENCY).order_by("position"))
    asked = request.POST.get("method") or request.GET.get("method", "")
    method = next((m for m in methods if m.code == asked), methods[0] if len(methods) == 1 else None)
    back = safe_next(request, request.POST.get("next") or request.GET.get("next", ""))
    context: dict[str, Any] = {"methods": _choices(request, methods, method), "method": method, "back": back}
    if method is None:
        return render(request, "payments/deposit_new.html", context)
    if request.method != "POST":
        code = request.session.setdefault(CODE_KEY, deposit_code_new())
        amount = request.GET.get("amount", "")[:24]
        context |= {
            "code": code,
            "form": DepositForm(method=method, initial={"code": code, "next": back, "amount": amount}),
        }
        return render(request, "payments/deposit_new.html", context)
    form = DepositForm(request.POST, request.FILES, method=method)
    if form.is_valid():
        try:
            deposit = deposit_submit(
                user=request.user,
                method=method,
                amount_minor=form.cleaned_data["amount"],
                transfer_reference=form.cleaned_data["transfer_reference"],
                upload=form.cleaned_data["proof"],
                code=form.cleaned_data["code"],
            )
        except StoreError as error:
            add_error(form, error)
        else:
            request.session.pop(CODE_KEY, None)
            messages.success(request, _("Sent. Our staff compare it with the bank and you are told either way."))
            page = reverse("payments:deposit", args=[deposit.code])
            return redirect(f"{page}?{urlencode({'next': back})}" if back else page)
    context |= {"code": form["code"].value(), "form": form}
    return render(request, "payments/deposit_new.html", context, status=422)


def safe_next(request: HttpRequest, address: str) -> str:
    """An address of this store to go on to, or nothing."""
    safe = url_has_allowed_host_and_scheme(address, allowed_hosts=None, require_https=request.is_secure())
    return address if safe and address.startswith("/") else ""


def _choices(
    request: HttpRequest, methods: list[DepositMethod], chosen: DepositMethod | None
) -> list[dict[str, object]]:
    keep = {name: request.GET[name] for name in ("next", "amount") if name in request.GET}
    return [
        {
            "label": method.name,
            "href": "?" + urlencode({**keep, "method": method.code}),
            "current": method == chosen,
        }
        for method in methods
    ]


@login_required
def deposit_page(request: HttpRequest, code: str) -> HttpResponse:
    """How far a deposit is, what happens next, and the answer to a question of staff."""
    deposit = Deposit.objects.filter(code=code.upper(), user=request.user).select_related("method", "proof").first()
    if deposit is None:
        raise Http404
    status = 200
    form = None
    if request.method == "POST":
        form = DepositAgainForm(request.POST, request.FILES)
        if form.is_valid():
            try:
                deposit_resubmit(
                    deposit=deposit,
                    user=request.user,
                    transfer_reference=form.cleaned_data["transfer_reference"],
                    upload=form.cleaned_data["proof"],
                )
            except StoreError as error:
                add_error(form, error)
            else:
                messages.success(request, _("Sent again. Our staff look at it next."))
                return redirect("payments:deposit", deposit.code)
        status = 422
        deposit.refresh_from_db()
    if deposit.state == DepositState.NEEDS_INFO and form is None:
        form = DepositAgainForm(initial={"transfer_reference": deposit.transfer_reference})
    context = {
        "deposit": deposit,
        "form": form,
        "amount": format_minor(deposit.amount_minor, deposit.currency),
        "credited": format_minor(deposit.credited_minor, deposit.currency),
        "next": deposit_next(deposit),
        "steps": _steps(deposit),
        "back": safe_next(request, request.GET.get("next", "")),
        "is_waiting": deposit.state in (DepositState.SUBMITTED, DepositState.UNDER_REVIEW),
    }
    return render(request, "payments/deposit.html", context, status=status)


def _steps(deposit: Deposit) -> list[Moment]:
    sent = Moment(_("You sent the proof"), when(deposit.created_at), "past")
    decided = when(deposit.decided_at)
    match deposit.state:
        case DepositState.APPROVED:
            return [sent, Moment(_("Credited"), decided, "past")]
        case DepositState.REVERSED:
            return [sent, Moment(_("Credited"), decided, "past"), Moment(_("Taken back"), "", "past")]
        case DepositState.REJECTED:
            return [sent, Moment(_("Rejected"), decided, "past")]
        case DepositState.NEEDS_INFO:
            asked = Moment(_("We asked for more"), decided, "past")
            return [sent, asked, Moment(_("You answer"), "", "now"), Moment(_("Credited to your wallet"))]
    review = Moment(_("Our staff compare it with the bank"), deposit_next(deposit), "now")
    return [sent, review, Moment(_("Credited to your wallet"))]
