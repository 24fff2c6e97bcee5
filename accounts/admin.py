"""Staff's view of people: who they are, who may sell, and what staff did."""

from typing import Any, ClassVar

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.admin_base import ReasonForm, StaffAdmin, reason_action
from accounts.admin_lists import COUNT_LIMIT, IndexedValuesFilter
from accounts.models import AuditEvent, SellerApplication, SellerProfile, User
from accounts.services import (
    seller_application_approve,
    seller_application_ask,
    seller_application_reject,
    seller_restore,
    seller_suspend,
    user_restore,
    user_restrict,
    user_suspend,
)

# Staff sign in where everybody does, with its codes and limits.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.index_title = _("Staff desk")
admin.site.unregister(EmailAddress)
admin.site.unregister(Group)

STATUS_COLOURS = {
    User.Status.ACTIVE: "success",
    User.Status.RESTRICTED: "warning",
    User.Status.SUSPENDED: "danger",
    User.Status.CLOSED: "info",
}
APPLICATION_COLOURS = {
    SellerApplication.State.SUBMITTED: "warning",
    SellerApplication.State.NEEDS_INFO: "info",
    SellerApplication.State.APPROVED: "success",
    SellerApplication.State.REJECTED: "danger",
}


class OptionalReasonForm(ReasonForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = False


class GroupFilter(admin.SimpleListFilter):
    """The people of a staff group, from the group's side: nearly nobody is in one."""

    title = _("group")
    parameter_name = "group"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(group.pk), group.name) for group in Group.objects.order_by("name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        if self.value() not in dict(self.lookup_choices):
            return queryset
        members = User.groups.through.objects.filter(group_id=self.value())
        return queryset.filter(pk__in=list(members.values_list("user_id", flat=True)[:COUNT_LIMIT]))


@admin.register(User)
class UserAdmin(StaffAdmin):
    open_to = ("accounts.suspend_user", "accounts.review_seller")
    list_display = ("username", "display_name", "email", "status_label", "sells", "is_staff", "created_at")
    list_filter = ("status", "is_staff", GroupFilter)
    list_select_related = ("seller_profile",)
    search_fields = ("username__startswith", "email__startswith", "display_name__startswith")
    ordering = ("-id",)
    fields = (
        "username",
        "display_name",
        "email",
        "about",
        "language",
        "status",
        "status_reason",
        "sells",
        "secured_at",
        "last_login",
        "created_at",
        "is_staff",
        "is_superuser",
        "groups",
    )
    actions_detail = ("suspend", "restrict", "restore", "close_selling", "open_selling")

    suspend = reason_action(
        label=_("Suspend"),
        permission="accounts.suspend_user",
        question=_("Every door closes within seconds. Orders and money stay as they are."),
        call=lambda user, staff, data: user_suspend(user=user, staff=staff, reason=data["reason"]),
        shown=lambda user: user.is_active,
        done=_("Suspended. Sessions and sockets are ending, and a mail says why."),
        icon="block",
        danger=True,
    )
    restrict = reason_action(
        label=_("Restrict"),
        permission="accounts.suspend_user",
        question=_("The person signs in and finishes what runs, but neither buys, sells nor withdraws."),
        call=lambda user, staff, data: user_restrict(user=user, staff=staff, reason=data["reason"]),
        shown=lambda user: user.status == User.Status.ACTIVE,
        done=_("Restricted. A mail says why."),
        icon="front_hand",
    )
    restore = reason_action(
        label=_("Restore"),
        permission="accounts.suspend_user",
        call=lambda user, staff, data: user_restore(user=user, staff=staff, reason=data["reason"]),
        shown=lambda user: user.status in (User.Status.RESTRICTED, User.Status.SUSPENDED),
        done=_("Restored. A mail says so."),
        icon="lock_open",
    )
    close_selling = reason_action(
        label=_("Close selling"),
        permission="accounts.review_seller",
        question=_("The person buys and finishes what runs, but offers nothing new."),
        call=lambda user, staff, data: seller_suspend(user=user, staff=staff, reason=data["reason"]),
        shown=lambda user: _selling(user) == SellerProfile.State.APPROVED,
        icon="remove_shopping_cart",
        danger=True,
    )
    open_selling = reason_action(
        label=_("Open selling again"),
        permission="accounts.review_seller",
        call=lambda user, staff, data: seller_restore(user=user, staff=staff, reason=data["reason"]),
        shown=lambda user: _selling(user) == SellerProfile.State.SUSPENDED,
        icon="storefront",
    )

    @display(description=_("Status"), label=STATUS_COLOURS)
    def status_label(self, user: User) -> tuple[str, str]:
        return user.status, user.get_status_display()

    @display(description=_("Sells"))
    def sells(self, user: User) -> str:
        profile = getattr(user, "seller_profile", None)
        return profile.get_state_display() if profile else "–"

    # Who is staff, and in which groups, is the one thing edited here: by superusers, never for themselves.
    may_change = True

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser and (obj is None or obj.pk != request.user.pk)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [name for name in self.fields if name not in ("is_staff", "groups")]


def _selling(user: User) -> str:
    profile = getattr(user, "seller_profile", None)
    return profile.state if profile else ""


@admin.register(SellerApplication)
class SellerApplicationAdmin(StaffAdmin):
    open_to = ("accounts.review_seller",)
    list_display = ("legal_name", "user", "country", "attempt", "state_label", "created_at")
    list_filter = ("state",)
    list_select_related = ("user",)
    search_fields = ("legal_name__startswith", "user__username__exact", "user__email__exact")
    # Longest waiting first.
    ordering = ("id",)
    fields = (
        "user",
        "legal_name",
        "country",
        "sells",
        "attempt",
        "state",
        "reason",
        "reviewer",
        "decided_at",
        "created_at",
        "earlier",
    )
    actions_detail = ("approve", "ask", "reject")

    approve = reason_action(
        label=_("Approve"),
        permission="accounts.review_seller",
        form=OptionalReasonForm,
        call=lambda application, staff, data: seller_application_approve(
            application=application, staff=staff, reason=data["reason"]
        ),
        shown=lambda application: application.state in SellerApplication.OPEN,
        done=_("Approved. The person may sell now and is told."),
        icon="check",
    )
    ask = reason_action(
        label=_("Ask for more"),
        permission="accounts.review_seller",
        call=lambda application, staff, data: seller_application_ask(
            application=application, staff=staff, reason=data["reason"]
        ),
        shown=lambda application: application.state == SellerApplication.State.SUBMITTED,
        done=_("Sent back with your question."),
        icon="help",
    )
    reject = reason_action(
        label=_("Reject"),
        permission="accounts.review_seller",
        call=lambda application, staff, data: seller_application_reject(
            application=application, staff=staff, reason=data["reason"]
        ),
        shown=lambda application: application.state in SellerApplication.OPEN,
        done=_("Rejected. The person reads your reason and may apply again."),
        icon="close",
        danger=True,
    )

    @display(description=_("State"), label=APPLICATION_COLOURS)
    def state_label(self, application: SellerApplication) -> tuple[str, str]:
        return application.state, application.get_state_display()

    @display(description=_("Earlier tries"))
    def earlier(self, application: SellerApplication) -> str:
        tries = SellerApplication.objects.filter(user=application.user, attempt__lt=application.attempt)
        lines = [f"{a.attempt}: {a.get_state_display()}. {a.reason}" for a in tries.order_by("-attempt")[:10]]
        return "\n".join(lines) or "–"


@admin.register(AuditEvent)
class AuditEventAdmin(StaffAdmin):
    """Every deed of staff. Nobody writes here; `?subject=deposit:<id>` is one thing's history."""

    list_display = ("created_at", "actor", "action", "subject_text", "reason")
    list_filter = (("action", IndexedValuesFilter),)
    list_select_related = ("actor",)
    search_fields = ("subject__startswith", "actor__username__exact")
    ordering = ("-id",)
    fields = ("created_at", "actor", "action", "subject", "subject_text", "before", "after", "reason", "ip")


@admin.register(Group)
class GroupAdmin(StaffAdmin):
    """Who may do what. `manage.py bootstrap` makes the usual ones."""

    may_add = may_change = may_delete = True
    search_fields = ("name",)
    filter_horizontal: ClassVar = ("permissions",)
