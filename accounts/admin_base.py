"""What every page of the staff admin stands on: read-only lists, and deeds that go through a service.

class DepositAdmin(StaffAdmin):
    open_to = ("payments.review_deposit",)
    actions_detail = ("reject",)

    reject = reason_action(
        label=_("Reject"),
        permission="payments.review_deposit",
        call=lambda deposit, staff, data: deposit_reject(deposit=deposit, staff=staff, reason=data["reason"]),
        shown=lambda deposit: deposit.state == Deposit.State.UNDER_REVIEW,
        done=_("Rejected. The payer is told."),
    )
"""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.checks import UnfoldModelAdminChecks
from unfold.dataclasses import UnfoldAction
from unfold.enums import ActionVariant
from unfold.widgets import CHECKBOX_CLASSES, INPUT_CLASSES, SELECT_CLASSES, TEXTAREA_CLASSES

from accounts.admin_lists import QuickList
from accounts.admin_names import name_fields
from accounts.models import User
from accounts.services import audit_record
from accountsstore.db import atomic
from accountsstore.errors import StoreError


@dataclasses.dataclass(frozen=True)
class Page:
    """An answer that is shown once and kept nowhere: neither in a message nor in a cache."""

    template: str
    context: dict[str, Any]

    def draw(self, request: HttpRequest, around: dict[str, Any]) -> HttpResponse:
        response = render(request, self.template, around | self.context)
        response.headers["Cache-Control"] = "no-store"
        return response


Call = Callable[[Any, User, dict[str, Any]], Page | HttpResponse | str | None]


class ActionForm(forms.Form):
    """A plain Django form that looks like the rest of the admin."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["class"] = " ".join(_classes(field.widget))


def _classes(widget: forms.Widget) -> list[str]:
    if isinstance(widget, forms.Textarea):
        return TEXTAREA_CLASSES
    if isinstance(widget, forms.Select):
        return SELECT_CLASSES
    return CHECKBOX_CLASSES if isinstance(widget, forms.CheckboxInput) else INPUT_CLASSES


class ReasonForm(ActionForm):
    reason = forms.CharField(
        label=_("Reason"),
        help_text=_("The person it concerns reads this."),
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


def subject_of(obj: Model) -> str:
    """How audit rows name a thing: "user:<hex of its id>"."""
    return f"{obj._meta.model_name}:{getattr(obj.pk, 'hex', obj.pk)}"


class StaffAdminChecks(UnfoldModelAdminChecks):
    """Unfold looks each permission up in the database, which a new store does not have yet when it is checked.

    `accounts/tests/test_admin_base.py` holds the permissions that actions name to those that exist.
    """

    def _check_unfold_action_permission_methods(self, obj: Any) -> list[Any]:
        return []


class StaffAdmin(QuickList):
    """Read-only unless declared. Whoever holds one of `open_to` sees it; changes beyond `reason_action`s are audited."""

    checks_class = StaffAdminChecks
    open_to: ClassVar[tuple[str, ...]] = ()
    # With these, Django's own add, change and delete permissions of the model are asked as well.
    may_add = False
    may_change = False
    may_delete = False
    actions = None
    list_per_page = 50
    list_fullwidth = True

    def __init__(self, model: type[Model], admin_site: admin.AdminSite) -> None:
        name_fields(model)
        super().__init__(model, admin_site)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return any(map(request.user.has_perm, self.open_to)) or super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.may_add and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.may_change and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.may_delete and super().has_delete_permission(request, obj)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[UnfoldAction]:
        """The deeds this person may do to this object in its present state."""
        found = super().get_actions_detail(request, object_id)
        if not any(getattr(action.method, "shown", None) for action in found):
            return found
        obj = self.get_object(request, str(object_id))
        return [a for a in found if obj is not None and (a.method.shown is None or a.method.shown(obj))]

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """A form and the rows inside it are saved together. Django's own transaction does nothing on MongoDB."""
        view = super().changeform_view
        return (atomic(view) if request.method == "POST" else view)(request, *args, **kwargs)

    # -- every change made in a form leaves an audit row instead of Django's own log entry
    @atomic
    def save_model(self, request: HttpRequest, obj: Model, form: forms.ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        changed = form.changed_data
        audit_record(
            actor=request.user,
            action=f"{obj._meta.model_name}.{'change' if change else 'add'}",
            subject=subject_of(obj),
            subject_text=str(obj),
            before={name: str(form.initial.get(name, "")) for name in changed} if change else {},
            after={name: str(form.cleaned_data.get(name, "")) for name in changed},
            ip=request.META.get("REMOTE_ADDR", ""),
        )

    @atomic
    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        audit_record(
            actor=request.user,
            action=f"{obj._meta.model_name}.delete",
            subject=subject_of(obj),
            subject_text=str(obj),
            ip=request.META.get("REMOTE_ADDR", ""),
        )
        super().delete_model(request, obj)

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> None: ...

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> None: ...

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> None: ...

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What was done to the object: its audit rows."""
        obj = self.get_object(request, object_id)
        if obj is None or not self.has_view_permission(request, obj):
            raise Http404
        query = urlencode({"subject": subject_of(obj)})
        return redirect(f"{reverse('admin:accounts_auditevent_changelist')}?{query}")


def reason_action(
    *,
    label: Any,
    permission: str,
    call: Call,
    form: type[forms.Form] | None = ReasonForm,
    question: Any = "",
    facts: Callable[[Any], Iterable[tuple[Any, Any]]] | None = None,
    shown: Callable[[Any], bool] | None = None,
    done: Any = "",
    icon: str = "",
    danger: bool = False,
) -> Any:
    """A deed on a change page or a row: a page asks (`question`, `facts`, `form`), a POST calls one service.

    Name the attribute in `actions_detail` or `actions_row`. `permission` is a full name, "payments.review_deposit".
    `call(obj, staff, data)` gets the cleaned form and may return a sentence that takes the place of `done`, a `Page`, or
    a response. Its StoreError is shown and nothing else is written: beside the field it names, or on the object's page.
    `form=None` asks for no more than a click. `shown(obj)` hides the button where the deed makes no sense; the
    service must refuse it all the same. `icon` is a name of Material Symbols.
    """

    def view(self: StaffAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
        obj = self.get_object(request, object_id)
        if not request.user.has_perm(permission):
            raise PermissionDenied
        if obj is None:
            raise Http404
        opts = self.model._meta
        page = reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[obj.pk])
        bound = (form or ActionForm)(request.POST or None, request.FILES or None)
        if request.method == "POST" and bound.is_valid():
            try:
                answer = call(obj, request.user, bound.cleaned_data)
            except StoreError as error:
                if error.field not in bound.fields:
                    messages.error(request, str(error))
                    return HttpResponseRedirect(page)
                bound.add_error(error.field, str(error))
            else:
                if isinstance(answer, Page):
                    return answer.draw(request, {**self.admin_site.each_context(request), "back": page, "opts": opts})
                if isinstance(answer, HttpResponse):
                    return answer
                messages.success(request, str(answer or done or _("Done.")))
                return HttpResponseRedirect(page)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{label}: {obj}",
            "label": label,
            "question": question,
            "facts": list(facts(obj)) if facts else [],
            "form": bound,
            "back": page,
            "variant": "danger" if danger else "primary",
            "opts": opts,
            "media": self.media + bound.media,
        }
        return render(request, "accounts/admin/reason_action.html", context)

    view.short_description = label
    view.allowed_permissions = (permission,)
    view.shown = shown
    view.icon = icon
    view.variant = ActionVariant.DANGER if danger else ActionVariant.DEFAULT
    view.attrs = {}
    return _Action(view)


class _Action:
    """Gives the view the name it has in its class, which the admin builds the address from."""

    def __init__(self, view: Any) -> None:
        self.view = view

    def __set_name__(self, owner: type, name: str) -> None:
        self.view.__name__ = name
        self.view.url_path = name.replace("_", "-")
        setattr(owner, name, self.view)
