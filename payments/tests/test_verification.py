"""The proof itself: each kind of damage is found, and named by its row."""

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from django.utils import timezone

from accountsstore.models import CommandRun
from listings.models import StockItem
from payments.models import LedgerAccount, LedgerEntry, LedgerTransaction, Order, OrderEvent
from payments.services.ledger import order_held
from payments.services.orders import order_accept, order_deliver, order_release
from payments.services.verification import ledger_verify
from payments.states import OrderState
from payments.tests.conftest import CREDENTIAL

pytestmark = [pytest.mark.broken_books, pytest.mark.stack]


def _entry_changed(order):
    held = list(LedgerAccount.objects.filter(kind="order_held"))
    LedgerEntry.objects.filter(account__in=held).update(amount_minor=F("amount_minor") + 1)


def _balance_changed(order):
    LedgerAccount.objects.filter(kind="user_available").update(balance_minor=F("balance_minor") + 1)


def _entry_deleted(order):
    LedgerEntry.objects.filter(account__kind="user_available").order_by("-seq").first().delete()


def _wallet_overdrawn(order):
    LedgerAccount.objects.filter(kind="user_available").update(balance_minor=-1)


def _state_without_its_posting(order):
    Order.objects.filter(pk=order.pk).update(state=OrderState.RELEASED)


def _item_back_on_sale(order):
    StockItem.objects.filter(pk=order.stock_item_id).update(state="available")


def _item_sold_to_nobody(order):
    StockItem.objects.create(listing=order.listing, state="delivered")


def _step_not_recorded(order):
    OrderEvent.objects.filter(order=order).delete()


def _posting_of_nothing(order):
    LedgerTransaction.objects.create(kind="deposit", source="deposit:00000000000000000000000000000000")


def _shares_invented(order):
    Order.objects.filter(pk=order.pk).update(fee_minor=5)


DAMAGE = {
    _entry_changed: 1,
    _balance_changed: 1,
    _entry_deleted: 1,
    _wallet_overdrawn: 2,
    _state_without_its_posting: 3,
    _item_back_on_sale: 4,
    _item_sold_to_nobody: 4,
    _posting_of_nothing: 5,
    _step_not_recorded: 6,
    _shares_invented: 7,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_by_its_invariant(order, damage):
    assert ledger_verify().faults == []
    damage(order)
    assert DAMAGE[damage] in {fault.invariant for fault in ledger_verify().faults}


def test_a_fee_that_was_not_agreed_is_found(order, seller, buyer):
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    order_accept(order=order, buyer=buyer)
    order_release(order=order, now=timezone.now())
    Order.objects.filter(pk=order.pk).update(fee_minor=F("fee_minor") + 1, released_minor=F("released_minor") - 1)
    assert [fault.invariant for fault in ledger_verify().faults] == [7]


def test_the_command_says_what_it_proved(order, capsys):
    call_command("verify_ledger")
    said = capsys.readouterr().out
    assert "hold" in said
    assert "1 orders" in said
    assert "2 transactions, 4 entries" in said


def test_the_command_names_the_offending_row_and_fails(order, capsys):
    account = LedgerAccount.objects.get(code=order_held(order.pk, order.currency).code)
    LedgerAccount.objects.filter(pk=account.pk).update(balance_minor=7)
    with pytest.raises(CommandError, match="faults in"):
        call_command("verify_ledger")
    assert account.code in capsys.readouterr().err
    assert CommandRun.objects.get(name="verify_ledger").faults > 0, "the metrics do not hear of it"
