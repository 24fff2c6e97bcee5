"""Taking money out."""

import uuid
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST

from accountsstore.errors import StoreError
from accountsstore.money import format_minor
from accountsstore.templatetags.store import when
from payments.errors import InsufficientFunds
from payments.forms import PayoutMethodForm, WithdrawalForm, add_error
from payments.models import PayoutMethod, Withdrawal
from payments.order_line import Moment
from payments.selectors import wallet
from payments.services.withdrawals import (
    payout_method_add,
    payout_method_remove,
    withdrawal_cancel,
    withdrawal_request,
)
from payments.states import WithdrawalState
from payments.wallet_page import withdrawal_next


def _methods(request: HttpRequest) -> list[PayoutMethod]:
    return list(PayoutMethod.objects.filter(user=request.user, is_removed=False).order_by("created_at"))


@login_required
@sensitive_post_parameters("password")
def withdrawal_new(request: HttpRequest) -> HttpResponse:
    """Amount, where to, password. The money leaves the wallet at once and waits for two members of staff."""
    methods = _methods(request)
    purse = wallet(request.user)
    if request.method == "POST":
        form = WithdrawalForm(request.POST, methods=methods)
        if form.is_valid() and (withdrawal := _request_withdrawal(request, form, methods)):
            messages.success(request, _("Asked for. You see here how far it is."))
            return redirect("payments:withdrawal", withdrawal.code)
    else:
        first = methods[0].pk.hex if len(methods) == 1 else None
        form = WithdrawalForm(methods=methods, initial={"request_key": uuid.uuid4().hex, "payout_method": first})
    low, currency = settings.WITHDRAWAL_MIN_MINOR, purse.currency
    context: dict[str, Any] = {
        "form": form,
        "methods": methods,
        "cooling": [method for method in methods if method.usable_at > timezone.now()],
        "available": format_minor(purse.available_minor, currency),
        "low": format_minor(low, currency),
        "debt": format_minor(purse.debt_minor, currency) if purse.debt_minor else "",
        "is_too_little": purse.available_minor < low,
    }
    return render(request, "payments/withdrawal_new.html", context, status=422 if form.errors else 200)


@sensitive_variables("data")
def _request_withdrawal(request: HttpRequest, form: WithdrawalForm, methods: list[PayoutMethod]) -> Withdrawal | None:
    data = form.cleaned_data
    try:
        return withdrawal_request(
            user=request.user,
            payout_method=next(m for m in methods if m.pk.hex == data["payout_method"]),
            amount_minor=data["amount"],
            password=data["password"],
            request_key=data["request_key"],
        )
    except InsufficientFunds:
        available = format_minor(wallet(request.user).available_minor)
        form.add_error("amount", _("You can withdraw at most %(amount)s.") % {"amount": available})
    except StoreError as error:
        add_error(form, error)
    return None


@login_required
def withdrawal_page(request: HttpRequest, code: str) -> HttpResponse:
    """How far a withdrawal is; while nobody has approved it, its owner may cancel."""
    withdrawal = Withdrawal.objects.filter(code=code.upper(), user=request.user).select_related("payout_method").first()
    if withdrawal is None:
        raise Http404
    if request.method == "POST":
        try:
            withdrawal_cancel(withdrawal=withdrawal, user=request.user)
            messages.success(request, _("Cancelled. The money is back in your wallet."))
        except StoreError as error:
            messages.error(request, str(error))
        return redirect("payments:withdrawal", withdrawal.code)
    context = {
        "withdrawal": withdrawal,
        "amount": format_minor(withdrawal.amount_minor, withdrawal.currency),
        "next": withdrawal_next(withdrawal),
        "steps": _steps(withdrawal),
        "may_cancel": withdrawal.state == WithdrawalState.REQUESTED,
    }
    return render(request, "payments/withdrawal.html", context)


def _steps(withdrawal: Withdrawal) -> list[Moment]:
    done = [Moment(_("You asked for it"), when(withdrawal.created_at), "past")]
    if withdrawal.approved_at:
        done.append(Moment(_("Approved by our staff"), when(withdrawal.approved_at), "past"))
    if withdrawal.sent_at:
        done.append(Moment(_("Sent by a second person"), when(withdrawal.sent_at), "past"))
    if withdrawal.finished_at:
        return [*done, Moment(withdrawal.get_state_display(), when(withdrawal.finished_at), "past")]
    ahead = [_("Our staff approve it"), _("A second person sends it"), _("The bank pays it out")][len(done) - 1 :]
    return [*done, Moment(ahead[0], "", "now"), *(Moment(title) for title in ahead[1:])]


@login_required
@sensitive_post_parameters("password", "details")
@sensitive_variables("form")
def payout_methods(request: HttpRequest) -> HttpResponse:
    """Where money goes out to: the list, and one more with the password."""
    form = PayoutMethodForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            payout_method_add(user=request.user, **form.cleaned_data)
        except StoreError as error:
            add_error(form, error)
        else:
            messages.success(request, _("Added."))
            return redirect("payments:withdrawal_new")
    context = {
        "form": form,
        "methods": _methods(request),
        "now": timezone.now(),
        "hours": settings.PAYOUT_COOL_OFF_HOURS,
    }
    return render(request, "payments/payout_methods.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def payout_method_drop(request: HttpRequest, method_id: uuid.UUID) -> HttpResponse:
    method = PayoutMethod.objects.filter(pk=method_id, user=request.user).first()
    if method is None:
        raise Http404
    payout_method_remove(method=method, user=request.user)
    messages.success(request, _("Removed. Withdrawals that run keep it."))
    return redirect("payments:payout_methods")
