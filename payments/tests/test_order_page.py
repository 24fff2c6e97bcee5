"""What the order page says, in every state and to either side."""

import datetime
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest
from django.template.loader import render_to_string
from django.utils import timezone, translation

from accounts.models import User
from listings.tests.factories import ListingFactory
from payments.models import Order
from payments.order_diagram import diagram
from payments.order_page import OrderPage, order_page
from payments.order_table import order_table
from payments.selectors import order_for
from payments.services.clock import clock_tick
from payments.services.disputes import dispute_decide, dispute_offer, dispute_offer_accept, dispute_open
from payments.services.orders import order_accept, order_cancel, order_decline, order_deliver, order_withdraw
from payments.states import FINAL, HELD, TRANSITIONS, OrderState, Party
from payments.tests.conftest import CREDENTIAL, buy, fund

S = OrderState


def later(**span: int) -> datetime.datetime:
    return timezone.now() + datetime.timedelta(**span)


def in_state(state: OrderState, buyer: User, seller: User, staff: User) -> Order:
    """An order brought there through the services."""
    fund(buyer)
    asks = state in (S.REQUESTED, S.DECLINED, S.WITHDRAWN, S.EXPIRED)
    order = buy(buyer, ListingFactory(seller=seller, asks_first=asks))
    if state == S.DECLINED:
        order_decline(order=order, seller=seller, note="Sold elsewhere")
    elif state == S.WITHDRAWN:
        order_withdraw(order=order, buyer=buyer)
    elif state == S.EXPIRED:
        clock_tick(later(hours=25))
    elif state == S.CANCELLED:
        order_cancel(order=order, actor=seller)
    elif state not in (S.REQUESTED, S.FUNDED):
        order_deliver(order=order, seller=seller, values=CREDENTIAL)
        if state in (S.ACCEPTED, S.RELEASED):
            order_accept(order=order, buyer=buyer)
        elif state != S.DELIVERED:
            dispute_open(order=order, buyer=buyer, reason="other", text="Wrong")
        if state == S.RELEASED:
            clock_tick(later(days=8))
        if state == S.REFUNDED:
            dispute_decide(order=order, staff=staff, refund_minor=2_500, reason="Nothing works.")
        if state == S.SPLIT:
            dispute_offer(order=order, actor=seller, refund_minor=1_000)
            dispute_offer_accept(order=order, actor=buyer, expected_refund_minor=1_000)
    order.refresh_from_db()
    assert order.state == state
    return order


def pages(order: Order) -> Iterator[tuple[str, OrderPage]]:
    for role in ("buyer", "seller"):
        viewer = getattr(order, role)
        yield role, order_page(order_for(viewer, order.number), viewer)


@pytest.mark.parametrize("state", list(S))
def test_every_state_says_to_both_sides_where_the_money_is_and_what_is_next(
    state: OrderState, buyer: User, seller: User, staff: User
) -> None:
    order = in_state(state, buyer, seller, staff)
    for _role, page in pages(order):
        assert page.step.title
        assert page.step.text
        assert page.step.badge
        # The money is in exactly one place.
        assert [stop.state for stop in page.hold].count("now") == 1
        now = next(i for i, stop in enumerate(page.hold) if stop.state == "now")
        assert (now in (1, 2)) == (state in HELD)
        # A running order has one step that runs now and an end ahead; a finished one has neither.
        marks = [row.state for row in page.timeline]
        assert marks.count("now") == (0 if state in FINAL else 1)
        assert ("next" in marks) == (state not in FINAL)
        assert (page.due_at is None) == (state in FINAL)
        assert "%(" not in repr(page)
        assert page.money[-1].is_total


@pytest.mark.parametrize("state", list(S))
def test_nobody_is_offered_what_the_table_does_not_let_them_do(
    state: OrderState, buyer: User, seller: User, staff: User
) -> None:
    order = in_state(state, buyer, seller, staff)
    for role, page in pages(order):
        for action in page.step.actions:
            if action.name in ("offer", "offer_accept"):
                assert state == S.DISPUTED
                continue
            step = TRANSITIONS[action.name]
            assert state in step.sources
            assert Party(role) in step.by


@pytest.mark.parametrize("state", list(S))
def test_only_the_seller_hands_over_and_only_where_it_is_possible(
    state: OrderState, buyer: User, seller: User, staff: User
) -> None:
    shown = dict(pages(in_state(state, buyer, seller, staff)))
    assert shown["buyer"].deliver_fields == []
    assert bool(shown["seller"].deliver_fields) == (state in (S.FUNDED, S.DELIVERED, S.ACCEPTED, S.DISPUTED))


def test_a_refund_shows_the_money_back_with_the_buyer(buyer: User, seller: User, staff: User) -> None:
    shown = dict(pages(in_state(S.REFUNDED, buyer, seller, staff)))
    assert shown["buyer"].hold_tone == "back"
    assert shown["buyer"].hold[0].state == "now"
    assert shown["buyer"].step.title == "$25.00 is back in your wallet"
    assert shown["buyer"].secrets == []
    assert shown["buyer"].dispute is not None
    assert shown["buyer"].dispute.decision_reason == "Nothing works."


def test_a_split_adds_up_on_both_sides(buyer: User, seller: User, staff: User) -> None:
    shown = dict(pages(in_state(S.SPLIT, buyer, seller, staff)))
    assert [(row.name, row.amount) for row in shown["seller"].money] == [
        ("Price", "$25.00"),
        ("Back in the buyer's wallet", "−$10.00"),
        ("Fee, 8%", "−$1.20"),
        ("You got", "$13.80"),
    ]
    assert shown["buyer"].money[-1].amount == "$15.00"


def test_a_buyer_who_said_nothing_reads_that_the_clock_accepted(buyer: User, seller: User, staff: User) -> None:
    order = in_state(S.DELIVERED, buyer, seller, staff)
    for hours in (25, 44, 49):
        clock_tick(later(hours=hours))
    order.refresh_from_db()
    assert order.state == S.ACCEPTED
    titles = [row.title for row in dict(pages(order))["buyer"].timeline]
    assert "The time to check was over, the warranty began" in titles


def test_in_arabic_field_names_of_the_login_are_arabic(buyer: User, seller: User, staff: User) -> None:
    order = in_state(S.DELIVERED, buyer, seller, staff)
    with translation.override("ar"):
        labels = [row.label for row in dict(pages(order))["buyer"].secrets]
    assert labels == ["اسم الدخول", "كلمة المرور"]


# ---------------------------------------------------------------- the table, drawn and printed


def test_the_diagram_has_a_box_for_every_state_and_an_arrow_for_every_way() -> None:
    boxes, arrows = diagram("disputed", [("funded", "disputed")])
    assert {box.state for box in boxes} == set(S.values)
    assert len({(box.x, box.y) for box in boxes}) == len(boxes)
    assert len(arrows) == sum(len(step.sources) for step in TRANSITIONS.values())
    assert [box.state for box in boxes if box.mark == "now"] == ["disputed"]
    assert [box.state for box in boxes if box.mark == "past"] == ["funded"]
    assert [arrow.was_taken for arrow in arrows].count(True) == 1


def test_the_diagram_is_well_formed_in_every_language() -> None:
    boxes, arrows = diagram()
    for language in ("en", "ar"):
        with translation.override(language):
            drawn = render_to_string(
                "payments/admin/diagram.html",
                {"boxes": boxes, "arrows": arrows, "diagram_width": 900, "diagram_height": 300},
            )
        root = ElementTree.fromstring(drawn[drawn.index("<svg") : drawn.index("</svg>") + 6])
        assert len(root.findall("line")) == len(arrows)
        assert all(float(line.get("x1", "")) >= 0 for line in root.findall("line"))


def test_the_printed_table_has_every_state_and_every_transition() -> None:
    rows = order_table()
    assert [row.code for row in rows] == S.values
    assert sum(len(row.moves) for row in rows) == sum(len(step.sources) for step in TRANSITIONS.values())
    held = {row.code for row in rows if row.held == "the price"}
    assert held == {state.value for state in HELD}
    assert {row.code for row in rows if not row.moves} == {state.value for state in FINAL}
