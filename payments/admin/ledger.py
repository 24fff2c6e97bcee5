"""The ledger to look at. Nothing here can be changed, by anybody."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import display

from accounts.admin_base import StaffAdmin
from accounts.admin_lists import IndexedValuesFilter
from accountsstore.money import format_minor
from payments.models import LedgerAccount, LedgerEntry, LedgerTransaction
from payments.services.ledger import system_balance

ENTRIES_SHOWN = 50


class ReadOnlyInline(TabularInline):
    extra = 0
    max_num = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True


class EntryInline(ReadOnlyInline):
    model = LedgerEntry
    fields = ("account", "amount", "seq", "balance_after")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerEntry]:
        return super().get_queryset(request).select_related("account")

    @display(description=_("Amount"))
    def amount(self, entry: LedgerEntry) -> str:
        return format_minor(entry.amount_minor, entry.currency)

    @display(description=_("Balance after"))
    def balance_after(self, entry: LedgerEntry) -> str:
        return "–" if entry.balance_after_minor is None else format_minor(entry.balance_after_minor, entry.currency)


@admin.register(LedgerTransaction)
class LedgerTransactionAdmin(StaffAdmin):
    open_to = ("payments.view_ledgertransaction",)
    list_display = ("created_at", "kind", "source", "actor", "reason")
    list_select_related = ("actor",)
    list_filter = (("kind", IndexedValuesFilter),)
    search_fields = ("source__exact",)
    search_help_text = _("Where it comes from, such as order:<id>")
    ordering = ("-id",)
    fields = ("kind", "source", "actor", "reason", "created_at")
    inlines = (EntryInline,)


@admin.register(LedgerAccount)
class LedgerAccountAdmin(StaffAdmin):
    open_to = ("payments.view_ledgeraccount",)
    list_display = ("code", "kind", "currency", "stored_balance", "entry_count")
    list_filter = ("kind",)
    search_fields = ("code__exact",)
    search_help_text = _("Code of the account, such as user_available:<id>:USD")
    ordering = ("code",)
    fields = ("code", "kind", "currency", "entry_count", "created_at")
    change_form_after_template = "payments/admin/account.html"

    @display(description=_("Balance"))
    def stored_balance(self, account: LedgerAccount) -> str:
        """System accounts carry none; theirs is added up on their own page."""
        return "–" if account.balance_minor is None else format_minor(account.balance_minor, account.currency)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The balance is added up here, and not in a field: the form asks for a field several times."""
        account = self.get_object(request, object_id)
        context = {**(extra_context or {}), **(_newest(account) if account else {})}
        return super().change_view(request, object_id, form_url, context)


def _newest(account: LedgerAccount) -> dict[str, Any]:
    amount = system_balance(account) if account.balance_minor is None else account.balance_minor
    entries = account.entries.select_related("transaction").order_by("-created_at")[:ENTRIES_SHOWN]
    return {
        "balance": format_minor(amount, account.currency),
        "entries": [(entry, format_minor(entry.amount_minor, entry.currency)) for entry in entries],
    }


@admin.register(LedgerEntry)
class LedgerEntryAdmin(StaffAdmin):
    open_to = ("payments.view_ledgerentry",)
    list_display = ("created_at", "account", "transaction", "amount", "seq")
    list_select_related = ("account", "transaction")
    search_fields = ("transaction__source__exact", "account__code__exact")
    ordering = ("-id",)
    fields = ("transaction", "account", "amount", "seq", "balance_after_minor", "created_at")

    @display(description=_("Amount"))
    def amount(self, entry: LedgerEntry) -> str:
        return format_minor(entry.amount_minor, entry.currency)
