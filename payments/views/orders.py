"""The order page of both parties, and everything they can do on it."""

import time
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from accountsstore.errors import StoreError
from listings.credentials import credential_fields
from listings.models import Review
from payments.forms import (
    CredentialForm,
    DisputeForm,
    NoteForm,
    OfferAcceptForm,
    OfferForm,
    ReplyForm,
    RevealForm,
    ReviewForm,
    add_error,
)
from payments.models import Order
from payments.order_lists import TABS, orders_page, tab_counts
from payments.order_page import OrderPage, order_page
from payments.selectors import order_for
from payments.services.disputes import dispute_offer, dispute_offer_accept, dispute_open
from payments.services.orders import (
    order_accept,
    order_agree,
    order_cancel,
    order_decline,
    order_deliver,
    order_redeliver,
    order_reveal,
    order_withdraw,
)
from payments.services.reviews import review_reply, review_write

# After the password was given for one field, the others of the page open without asking again.
STEP_UP_SECONDS = 300
STEP_UP_KEY = "password_given_at"


def order_or_404(request: HttpRequest, number: str) -> Order:
    try:
        return order_for(request.user, number.upper())
    except Order.DoesNotExist:
        raise Http404 from None


@login_required
@require_safe
def order_list(request: HttpRequest) -> HttpResponse:
    """What the person bought."""
    return render(request, "payments/orders.html", list_context(request, "buyer"))


def list_context(request: HttpRequest, role: str) -> dict[str, Any]:
    tab = request.GET.get("tab", "")
    names = {"todo": _("Need you"), "running": _("Running"), "over": _("Finished"), "all": _("All")}
    counts = tab_counts(request.user, role)
    if tab not in TABS:
        tab = "todo" if counts["todo"] else "all"
    page = orders_page(request.user, role=role, tab=tab, cursor=request.GET.get("after", ""))
    return {
        "page": page,
        "tab": tab,
        "tabs": [
            {"href": f"?tab={name}", "label": label, "current": name == tab, "count": counts.get(name)}
            for name, label in names.items()
        ],
        "next_url": f"?tab={tab}&after={page.next_cursor}" if page.next_cursor else "",
    }


@login_required
@require_safe
def order_detail(request: HttpRequest, number: str) -> HttpResponse:
    return _page(request, order_or_404(request, number))


@login_required
@require_safe
def order_live(request: HttpRequest, number: str) -> HttpResponse:
    """What has changed since the page was drawn. `seen` is its work key: what people type into is only replaced when
    it no longer fits."""
    page = order_page(order_or_404(request, number), request.user)
    context = _forms(page) | {
        "page": page,
        "order": page.order,
        "replace_work": request.GET.get("seen") != page.work_key,
        "is_live": True,
    }
    return render(request, "payments/order/live.html", context)


# ---------------------------------------------------------------- deeds: one address each, POST only


class Deed:
    """A form to read, a service to call, and the sentence that follows."""

    def __init__(
        self, form: type[forms.Form], call: Callable[[Order, User, dict[str, Any]], object], done: Callable[[], str]
    ) -> None:
        self.form, self.call, self.done = form, call, done


DEEDS: dict[str, Deed] = {
    "agree": Deed(
        NoteForm, lambda order, user, data: order_agree(order=order, seller=user), lambda: _("Sold. It is in escrow.")
    ),
    "decline": Deed(
        NoteForm,
        lambda order, user, data: order_decline(order=order, seller=user, note=data["note"]),
        lambda: _("Declined. Nothing was charged."),
    ),
    "withdraw": Deed(
        NoteForm,
        lambda order, user, data: order_withdraw(order=order, buyer=user),
        lambda: _("Withdrawn. Nothing was charged."),
    ),
    "cancel": Deed(
        NoteForm,
        lambda order, user, data: order_cancel(order=order, actor=user, note=data["note"]),
        lambda: _("Cancelled. The price is back in the buyer's wallet."),
    ),
    "accept": Deed(
        NoteForm,
        lambda order, user, data: order_accept(order=order, buyer=user),
        lambda: _("Accepted. The warranty runs."),
    ),
    "deliver": Deed(
        CredentialForm,
        lambda order, user, data: order_deliver(order=order, seller=user, values=data),
        lambda: _("Delivered. The buyer was told and checks it now."),
    ),
    "redeliver": Deed(
        CredentialForm,
        lambda order, user, data: order_redeliver(order=order, seller=user, values=data),
        lambda: _("Corrected. The buyer was told."),
    ),
    "dispute": Deed(
        DisputeForm,
        lambda order, user, data: dispute_open(order=order, buyer=user, **data),
        lambda: _("The dispute is open. The money stays here."),
    ),
    "offer": Deed(
        OfferForm,
        lambda order, user, data: dispute_offer(order=order, actor=user, refund_minor=data["refund"]),
        lambda: _("Your offer was sent."),
    ),
    "offer_accept": Deed(
        OfferAcceptForm,
        lambda order, user, data: dispute_offer_accept(order=order, actor=user, expected_refund_minor=data["refund"]),
        lambda: _("Agreed. The money has moved."),
    ),
    "review": Deed(
        ReviewForm,
        lambda order, user, data: review_write(order=order, buyer=user, **data),
        lambda: _("Thank you. Your review stands on the listing."),
    ),
    "reply": Deed(
        ReplyForm,
        lambda order, user, data: review_reply(
            review=Review.objects.get(order_id=order.pk), seller=user, text=data["reply"]
        ),
        lambda: _("Your answer stands below the review."),
    ),
}


@login_required
@require_POST
@sensitive_post_parameters()
@sensitive_variables("form", "data")
def order_action(request: HttpRequest, number: str, action: str) -> HttpResponse:
    """Do one step. What is wrong is said beside the field, on the order page; what came too late, above it."""
    order = order_or_404(request, number)
    deed = DEEDS.get(action)
    if deed is None or (action == "reply" and not Review.objects.filter(order_id=order.pk).exists()):
        raise Http404
    form = _form(action, order, request.POST)
    if form.is_valid():
        try:
            deed.call(order, request.user, form.cleaned_data)
        except StoreError as error:
            if error.field not in form.fields:
                messages.error(request, str(error))
                return redirect(order)
            add_error(form, error)
        else:
            messages.success(request, deed.done())
            return redirect(order)
    elif isinstance(form, NoteForm | OfferAcceptForm):
        # A question without fields worth keeping.
        messages.error(request, next(iter(form.errors.values()))[0])
        return redirect(order)
    return _page(request, order_or_404(request, number), bound={action: form}, status=422)


def _form(action: str, order: Order, data: Any = None) -> forms.Form:
    # Several forms share the page: each one's ids begin with its name.
    options: dict[str, Any] = {"auto_id": f"{action}_%s"}
    kind = DEEDS[action].form
    if kind is CredentialForm:
        options["fields"] = credential_fields(order.listing.category)
    return kind(data, **options)


def _forms(page: OrderPage, bound: dict[str, forms.Form] | None = None) -> dict[str, Any]:
    """The forms that this person may need now; the one that came back with errors takes its place."""
    bound = bound or {}
    order = page.order
    wanted = {action.form for action in page.step.actions if action.form}
    if page.deliver_fields:
        wanted.add("redeliver" if page.may_correct else "deliver")
    if page.may_review:
        wanted.add("review")
    if page.may_reply:
        wanted.add("reply")
    made = {f"{name}_form": bound.get(name) or _form(name, order) for name in wanted}
    return made | {"bound": bound, "open_dialog": next(iter(bound), "")}


def _page(
    request: HttpRequest, order: Order, *, bound: dict[str, forms.Form] | None = None, status: int = 200
) -> HttpResponse:
    page = order_page(order, request.user)
    context = {"page": page, "order": order, "reveal_form": RevealForm(auto_id="reveal_%s"), **_forms(page, bound)}
    return render(request, "payments/order.html", context, status=status)


# ---------------------------------------------------------------- secrets


@login_required
@require_POST
@never_cache
@sensitive_post_parameters("password")
@sensitive_variables("form", "secret")
def order_reveal_view(request: HttpRequest, number: str) -> JsonResponse:
    """One field of the credential, once, as JSON: {"value": …}, or {"detail": …, "ask": true when the password is
    what is missing}."""
    order = order_or_404(request, number)
    form = RevealForm(request.POST)
    if not form.is_valid():
        return JsonResponse({"detail": _("Enter your password."), "ask": True}, status=400)
    given = form.cleaned_data["password"]
    stepped_up = not given and time.time() - request.session.get(STEP_UP_KEY, 0) < STEP_UP_SECONDS
    if not given and not stepped_up:
        # Whether it must be given is a question, not a wrong try.
        return JsonResponse({"detail": _("Enter your password."), "ask": True})
    try:
        secret = order_reveal(
            order=order,
            user=request.user,
            field=form.cleaned_data["field"],
            password=given,
            stepped_up=stepped_up,
            ip=request.META.get("REMOTE_ADDR", ""),
            device=device_name(request.headers.get("User-Agent", "")),
        )
    except StoreError as error:
        return JsonResponse({"detail": str(error), "ask": error.field == "password"}, status=error.http_status)
    if given:
        request.session[STEP_UP_KEY] = time.time()
    return JsonResponse({"value": secret})


_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "Mac"),
    ("Linux", "Linux"),
)


def device_name(user_agent: str) -> str:
    """ "Firefox, Linux": enough for a person to know their own device again."""
    found = [next((name for mark, name in marks if mark in user_agent), "") for marks in (_BROWSERS, _SYSTEMS)]
    return ", ".join(name for name in found if name)
