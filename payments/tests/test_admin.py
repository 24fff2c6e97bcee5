"""The staff's side: who may do what, what is refused, and that money rows cannot be changed."""

import datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import AuditEvent, User
from accounts.tests.factories import PASSWORD, UserFactory
from listings.tests.factories import ListingFactory
from payments.models import (
    Approval,
    Deadline,
    Deposit,
    DepositMethod,
    Dispute,
    FeePolicy,
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    Order,
    PayoutMethod,
    Withdrawal,
)
from payments.selectors import wallet_available
from payments.services.approvals import early_release_request
from payments.services.deposits import deposit_claim
from payments.services.disputes import dispute_offer, dispute_open
from payments.services.orders import order_accept, order_deliver, order_reveal
from payments.services.withdrawals import withdrawal_approve, withdrawal_request
from payments.tests.conftest import CREDENTIAL, buy, fund
from payments.tests.factories import DepositFactory, PayoutMethodFactory, receipt


def changelist(model: type) -> str:
    return reverse(f"admin:payments_{model._meta.model_name}_changelist")


def change(obj: Any) -> str:
    return reverse(f"admin:payments_{obj._meta.model_name}_change", args=[obj.pk])


def act(client: Client, obj: Any, name: str, **data: Any) -> Any:
    url = reverse(f"admin:payments_{obj._meta.model_name}_{name}", args=[obj.pk])
    return client.post(url, {"_": "1", **data}, follow=True)


def staff_with(*permissions: str) -> User:
    user = UserFactory(is_staff=True)
    codes = [name.partition(".")[2] for name in permissions]
    user.user_permissions.set(Permission.objects.filter(codename__in=codes))
    return User.objects.get(pk=user.pk)


@pytest.fixture
def desk(client: Client, staff: User) -> Client:
    client.force_login(staff)
    return client


@pytest.fixture
def deposit(buyer: User) -> Deposit:
    return DepositFactory(user=buyer)


@pytest.fixture
def withdrawal(seller: User) -> Withdrawal:
    fund(seller)
    method = PayoutMethodFactory(user=seller)
    return withdrawal_request(
        user=seller, payout_method=method, amount_minor=4_000, password=PASSWORD, request_key="key"
    )


# ---------------------------------------------------------------- doors


MODELS = [
    Approval,
    Deadline,
    Deposit,
    DepositMethod,
    Dispute,
    FeePolicy,
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    Order,
    Withdrawal,
]


@pytest.mark.parametrize("model", MODELS)
def test_customers_and_staff_without_the_permission_see_no_list(client: Client, buyer: User, model: type) -> None:
    client.force_login(buyer)
    assert client.get(changelist(model)).status_code == 302
    client.force_login(staff_with())
    assert client.get(changelist(model)).status_code == 403


@pytest.mark.parametrize("model", [LedgerAccount, LedgerEntry, LedgerTransaction, Order, Deposit, Withdrawal, Dispute])
def test_money_rows_can_be_neither_added_nor_changed_nor_deleted_by_anybody(
    desk: Client, model: type, order: Order, deposit: Deposit, withdrawal: Withdrawal, buyer: User
) -> None:
    dispute_open(order=order, buyer=buyer, reason="other", text="x")
    obj = model._default_manager.first()
    before = model._default_manager.values().get(pk=obj.pk)
    label = f"admin:payments_{model._meta.model_name}"
    assert desk.get(changelist(model)).status_code == 200
    assert desk.get(change(obj)).status_code == 200
    assert desk.get(reverse(f"{label}_add")).status_code == 403
    assert desk.post(change(obj), {"balance_minor": 1, "amount_minor": 1, "state": "released"}).status_code == 403
    assert desk.post(reverse(f"{label}_delete", args=[obj.pk]), {"post": "yes"}).status_code == 403
    desk.post(changelist(model), {"action": "delete_selected", "_selected_action": [obj.pk]})
    assert model._default_manager.values().get(pk=obj.pk) == before


def test_payout_methods_are_not_in_the_admin() -> None:
    from django.contrib import admin

    assert not admin.site.is_registered(PayoutMethod)


# ---------------------------------------------------------------- deposits


def test_the_proof_stands_beside_the_figures_with_what_looks_the_same(
    desk: Client, buyer: User, stranger: User
) -> None:
    first = DepositFactory(user=stranger, upload=receipt("the same"), transfer_reference="TRX-000111")
    again = DepositFactory(user=buyer, upload=receipt("the same"), transfer_reference="TRX-000222")
    html = desk.get(change(again)).content.decode()
    assert "1 other deposit has a proof that looks the same" in html
    assert first.code in html
    assert change(first) in html
    assert "TRX-000222" in html
    assert "Decide by" in html
    assert "1 with the same picture" in desk.get(changelist(Deposit)).content.decode()


@pytest.mark.stack
def test_a_deposit_is_claimed_then_approved_and_credited_once(desk: Client, buyer: User, deposit: Deposit) -> None:
    assert "Claim this deposit before you decide it." in act(desk, deposit, "approve").content.decode()
    assert wallet_available(buyer) == 0
    act(desk, deposit, "claim")
    for _ in range(2):
        response = act(desk, deposit, "approve")
    assert response.status_code == 200
    deposit.refresh_from_db()
    assert (deposit.state, wallet_available(buyer)) == ("approved", 5_000)
    assert AuditEvent.objects.filter(action="deposit.approved").count() == 1


def test_another_amount_needs_a_reason_beside_the_field(desk: Client, buyer: User, deposit: Deposit) -> None:
    act(desk, deposit, "claim")
    response = act(desk, deposit, "approve", credited="40.00")
    assert "Say why another amount is credited than was declared." in response.content.decode()
    assert wallet_available(buyer) == 0
    act(desk, deposit, "approve", credited="40.00", reason="The bank took a fee.")
    assert wallet_available(buyer) == 4_000


def test_a_rejection_without_a_reason_changes_nothing(desk: Client, deposit: Deposit) -> None:
    act(desk, deposit, "claim")
    act(desk, deposit, "reject", reason="")
    deposit.refresh_from_db()
    assert deposit.state == "under_review"
    act(desk, deposit, "reject", reason="No such payment.")
    deposit.refresh_from_db()
    assert (deposit.state, deposit.reason) == ("rejected", "No such payment.")


def test_asking_and_giving_back(desk: Client, deposit: Deposit) -> None:
    act(desk, deposit, "claim")
    act(desk, deposit, "unclaim")
    deposit.refresh_from_db()
    assert deposit.state == "submitted"
    act(desk, deposit, "claim")
    act(desk, deposit, "ask", reason="Send the whole page.")
    deposit.refresh_from_db()
    assert deposit.state == "needs_info"


def test_a_claimed_deposit_is_not_decided_by_somebody_else(
    client: Client, staff: User, second_staff: User, buyer: User, deposit: Deposit
) -> None:
    deposit_claim(deposit=deposit, staff=staff)
    client.force_login(second_staff)
    assert "ines is reviewing this deposit." in act(client, deposit, "claim").content.decode()
    act(client, deposit, "approve")
    assert wallet_available(buyer) == 0


def test_staff_who_may_only_look_at_reversals_cannot_approve(client: Client, buyer: User, deposit: Deposit) -> None:
    client.force_login(staff_with("payments.reverse_deposit"))
    assert client.get(change(deposit)).status_code == 200
    assert act(client, deposit, "claim").status_code == 403
    deposit.refresh_from_db()
    assert deposit.state == "submitted"


@pytest.mark.stack
def test_a_reversal_takes_two_people(
    client: Client, staff: User, second_staff: User, buyer: User, deposit: Deposit
) -> None:
    client.force_login(staff)
    act(client, deposit, "claim")
    act(client, deposit, "approve")
    act(client, deposit, "reverse", reason="The transfer was recalled.")
    approval = Approval.objects.get()
    assert "This takes a second person" in act(client, approval, "confirm_reversal").content.decode()
    assert wallet_available(buyer) == 5_000
    client.force_login(second_staff)
    act(client, approval, "confirm_reversal")
    assert wallet_available(buyer) == 0
    deposit.refresh_from_db()
    assert deposit.state == "reversed"


# ---------------------------------------------------------------- withdrawals


@pytest.mark.stack
def test_one_approves_another_sends_with_a_reference_and_it_settles(
    client: Client, staff: User, second_staff: User, withdrawal: Withdrawal
) -> None:
    client.force_login(staff)
    act(client, withdrawal, "approve")
    response = act(client, withdrawal, "send", external_reference="BANK-1")
    assert "You approved this withdrawal; somebody else sends it." in response.content.decode()
    client.force_login(second_staff)
    assert "Write the bank&#x27;s reference" in act(client, withdrawal, "send", external_reference="B").content.decode()
    act(client, withdrawal, "send", external_reference="BANK-1")
    act(client, withdrawal, "settle")
    withdrawal.refresh_from_db()
    assert (withdrawal.state, withdrawal.external_reference) == ("settled", "BANK-1")


@pytest.mark.stack
def test_the_account_number_is_shown_once_is_not_stored_and_is_audited(
    client: Client, staff: User, second_staff: User, withdrawal: Withdrawal
) -> None:
    withdrawal_approve(withdrawal=withdrawal, staff=staff)
    client.force_login(second_staff)
    assert "DE89370400440532013000" not in client.get(change(withdrawal)).content.decode()
    response = act(client, withdrawal, "details")
    assert "DE89370400440532013000" in response.content.decode()
    assert "no-store" in response.headers["Cache-Control"]
    assert AuditEvent.objects.get(action="payout.open").actor == second_staff


def test_who_may_only_approve_never_sees_the_account_number(
    client: Client, staff: User, withdrawal: Withdrawal
) -> None:
    withdrawal_approve(withdrawal=withdrawal, staff=staff)
    client.force_login(staff_with("payments.approve_withdrawal"))
    assert act(client, withdrawal, "details").status_code == 403
    assert not AuditEvent.objects.filter(action="payout.open").exists()


def test_a_rejected_withdrawal_returns_to_the_wallet(desk: Client, seller: User, withdrawal: Withdrawal) -> None:
    assert wallet_available(seller) == 6_000
    act(desk, withdrawal, "reject", reason="The name does not match.")
    assert wallet_available(seller) == 10_000


def test_a_failed_payment_returns_to_the_wallet(
    client: Client, staff: User, second_staff: User, seller: User, withdrawal: Withdrawal
) -> None:
    withdrawal_approve(withdrawal=withdrawal, staff=staff)
    client.force_login(second_staff)
    act(client, withdrawal, "send", external_reference="BANK-2")
    act(client, withdrawal, "fail", reason="Account closed.")
    assert wallet_available(seller) == 10_000


# ---------------------------------------------------------------- orders and disputes


@pytest.fixture
def disputed(order: Order, buyer: User, seller: User) -> Dispute:
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    order_reveal(order=order, user=buyer, field="login", stepped_up=True, ip="203.0.113.7")
    dispute_open(order=order, buyer=buyer, reason="does_not_work", text="The password is refused.")
    dispute_offer(order=order, actor=seller, refund_minor=500)
    return Dispute.objects.get(order=order)


def test_a_dispute_shows_its_evidence_but_no_credential(desk: Client, disputed: Dispute) -> None:
    html = desk.get(change(disputed)).content.decode()
    for text in ("The password is refused.", "203.0.113.7", "Login name", "$5.00", "<svg", "offer"):
        assert text in html
    for secret in CREDENTIAL.values():
        assert secret not in html
    assert CREDENTIAL["login"] not in desk.get(change(disputed.order)).content.decode()


def test_a_dispute_leads_to_its_messages_where_reading_takes_a_reason(desk: Client, disputed: Dispute) -> None:
    link = f"{reverse('admin:chat_conversation_changelist')}?q={disputed.order.number}"
    assert link in desk.get(change(disputed)).content.decode()
    assert desk.get(link).status_code == 200


@pytest.mark.parametrize("refund", ["25.01", "-1", "abc", ""])
def test_a_decision_that_cannot_be_is_answered_beside_the_field(desk: Client, disputed: Dispute, refund: str) -> None:
    act(desk, disputed, "decide", refund=refund, reason="Because.")
    disputed.order.refresh_from_db()
    assert disputed.order.state == "disputed"


@pytest.mark.stack
def test_a_decision_needs_a_reason_and_splits_as_it_says(
    desk: Client, buyer: User, seller: User, disputed: Dispute
) -> None:
    act(desk, disputed, "decide", refund="10.00", reason=" ")
    disputed.refresh_from_db()
    assert disputed.is_open
    act(desk, disputed, "decide", refund="10.00", reason="Half of it works.")
    order = Order.objects.get()
    assert (order.state, order.refunded_minor, order.released_minor, order.fee_minor) == ("split", 1_000, 1_380, 120)
    assert wallet_available(seller) == 1_380
    assert AuditEvent.objects.get(action="dispute.decide").reason == "Half of it works."


def test_nobody_decides_their_own_case(client: Client, disputed: Dispute, seller: User) -> None:
    User.objects.filter(pk=seller.pk).update(is_staff=True, is_superuser=True)
    client.force_login(User.objects.get(pk=seller.pk))
    act(client, disputed, "decide", refund="0", reason="I was right.")
    disputed.refresh_from_db()
    assert disputed.is_open


@pytest.mark.stack
def test_an_early_payment_takes_two_people(
    client: Client, staff: User, second_staff: User, order: Order, buyer: User, seller: User
) -> None:
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    order_accept(order=order, buyer=buyer)
    client.force_login(staff)
    act(client, order, "release_early", reason="Both ask for it.")
    approval = Approval.objects.get()
    act(client, approval, "confirm_release")
    order.refresh_from_db()
    assert order.state == "accepted"
    client.force_login(second_staff)
    act(client, approval, "confirm_release")
    order.refresh_from_db()
    assert order.state == "released"


def test_a_request_is_declined_with_a_reason_and_nothing_happens(
    client: Client, staff: User, second_staff: User, order: Order, buyer: User, seller: User
) -> None:
    order_deliver(order=order, seller=seller, values=CREDENTIAL)
    order_accept(order=order, buyer=buyer)
    approval = early_release_request(order=order, staff=staff, reason="Both ask for it.")
    client.force_login(second_staff)
    act(client, approval, "decline_release", reason="No hurry.")
    approval.refresh_from_db()
    order.refresh_from_db()
    assert (approval.is_open, order.state) == (False, "accepted")


def test_the_order_page_marks_the_way_it_went(desk: Client, order: Order) -> None:
    html = desk.get(change(order)).content.decode()
    assert "Where it stands on the order table" in html
    assert html.count("<line") >= 14


@pytest.mark.stack
def test_overdue_deadlines_are_found(desk: Client, order: Order) -> None:
    Deadline.objects.filter(order=order, kind="deliver").update(due_at=timezone.now() - datetime.timedelta(hours=2))
    html = desk.get(changelist(Deadline), {"overdue": "yes"}).content.decode()
    assert order.number in html
    assert "2 h 00 min" in html
    assert order.number not in desk.get(changelist(Deadline), {"overdue": "yes", "kind": "warranty"}).content.decode()


# ---------------------------------------------------------------- lists stay cheap


@pytest.mark.parametrize("model", [Order, Deposit, Dispute, Deadline, LedgerEntry])
@pytest.mark.stack
def test_a_list_does_not_ask_the_database_for_each_row(
    desk: Client, buyer: User, seller: User, model: type, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    fund(buyer, 100_000)
    for number in range(5):
        order = buy(buyer, ListingFactory(seller=seller))
        dispute_open(order=order, buyer=buyer, reason="other", text="x")
        DepositFactory(user=buyer, upload=receipt(f"receipt number {number}"))
    desk.get(changelist(model))
    with django_assert_max_num_queries(20):
        desk.get(changelist(model))


# ---------------------------------------------------------------- setting up


def fee_form(**changes: Any) -> dict[str, Any]:
    tomorrow = timezone.now() + datetime.timedelta(days=1)
    return {
        "starts_at_0": tomorrow.date().isoformat(),
        "starts_at_1": "00:00:00",
        "category": "",
        "basis_points": "900",
    } | changes


@pytest.mark.stack
def test_a_fee_is_added_for_the_future_and_never_changed(desk: Client, staff: User) -> None:
    add = reverse("admin:payments_feepolicy_add")
    assert desk.post(add, fee_form()).status_code == 302
    policy = FeePolicy.objects.get()
    assert policy.basis_points == 900
    assert AuditEvent.objects.get(action="feepolicy.add").actor == staff
    assert desk.post(change(policy), fee_form(basis_points="1")).status_code == 403
    policy.refresh_from_db()
    assert policy.basis_points == 900


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"starts_at_0": "2020-01-01"}, "A fee starts in the future"),
        ({"basis_points": "5001"}, "5000 is 50 %"),
    ],
)
def test_a_fee_that_would_harm_is_refused_beside_the_field(
    desk: Client, changes: dict[str, str], sentence: str
) -> None:
    response = desk.post(reverse("admin:payments_feepolicy_add"), fee_form(**changes))
    assert sentence in response.content.decode()
    assert not FeePolicy.objects.exists()


def test_a_deposit_method_is_edited_but_keeps_its_code(desk: Client, deposit: Deposit) -> None:
    method = DepositMethod.objects.get()
    fields = {
        "code": "other",
        "name_en": "Bank",
        "name_ar": "",
        "instructions_en": "Pay to account 5678.",
        "instructions_ar": "",
        "reference_label_en": "Reference",
        "reference_label_ar": "",
        "currency": "EUR",
        "is_active": "on",
        "position": "3",
    }
    assert desk.post(change(method), fields).status_code == 302
    method.refresh_from_db()
    assert (method.code, method.currency, method.instructions_en) == ("bank", "USD", "Pay to account 5678.")
    delete = reverse("admin:payments_depositmethod_delete", args=[method.pk])
    assert desk.post(delete, {"post": "yes"}).status_code == 403
