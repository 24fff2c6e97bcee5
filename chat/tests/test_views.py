import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from accounts.tests.factories import UserFactory
from chat.models import Conversation, Message, Notification, NotificationPreference, Participant
from chat.selectors import unread_messages
from chat.services.conversations import conversation_for_order
from chat.services.messages import message_send, system_message
from chat.services.notifications import notification_create
from chat.tests.factories import OrderFactory
from payments.models import Order

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(buyer: User, seller: User) -> Order:
    return OrderFactory(buyer=buyer, seller=seller)


@pytest.fixture
def talk(order: Order) -> Conversation:
    return conversation_for_order(order=order)


@pytest.fixture
def page(client: Client, buyer: User) -> Client:
    """The buyer's browser."""
    client.force_login(buyer)
    return client


def say(talk: Conversation, sender: User, count: int = 1, body: str = "Message") -> None:
    first = Message.objects.count()
    for n in range(first, first + count):
        message_send(conversation_id=talk.pk, sender=sender, client_id=f"client-{n:04}", body=f"{body} {n + 1}")


def text_of(response: Any) -> str:
    return response.content.decode()


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize("name", ["conversations", "notifications", "preferences", "live"])
def test_visitors_are_asked_to_sign_in(client: Client, name: str) -> None:
    response = client.get(reverse(f"chat:{name}"))
    assert response.status_code == 302
    assert "/account/login/" in response.url


def test_a_strangers_conversation_does_not_exist(client: Client, talk: Conversation, stranger: User) -> None:
    client.force_login(stranger)
    key = talk.pk.hex
    assert client.get(reverse("chat:conversation", args=[key])).status_code == 404
    for part in ("earlier", "conversation_row"):
        assert client.get(reverse(f"chat:{part}", args=[key])).status_code == 404
    sent = client.post(reverse("chat:conversation_send", args=[key]), {"body": "x", "client_id": "client-0001"})
    assert sent.status_code == 404
    assert not Message.objects.exists()


def test_the_row_of_one_conversation_is_that_of_the_list(page: Client, talk: Conversation, seller: User) -> None:
    say(talk, seller, 3, "Hello")
    row = text_of(page.get(reverse("chat:conversation_row", args=[talk.pk.hex])))
    assert f'data-conversation="{talk.pk.hex}"' in row
    assert "Hello 3" in row and "<span data-figure>3</span>" in row
    assert row.strip() in text_of(page.get(reverse("chat:conversations")))


@pytest.mark.stack
def test_a_page_that_may_have_missed_something_gets_the_rows_unless_it_knows_the_newest_message(
    page: Client, client: Client, talk: Conversation, seller: User
) -> None:
    rows = reverse("chat:conversation_rows")
    assert page.get(rows).status_code == 204, "there is nothing yet"
    say(talk, seller, 3, "Hello")
    assert page.get(rows, {"newest": f"{talk.pk.hex}.3"}).status_code == 204
    for older in ("", f"{talk.pk.hex}.2"):
        text = text_of(page.get(rows, {"newest": older}))
        assert "Hello 3" in text
        assert text.strip() in text_of(page.get(reverse("chat:conversations")))
    client.logout()
    assert client.get(rows).status_code == 302, "who is not signed in is asked to"


@pytest.mark.stack
def test_the_list_shows_the_newest_first_with_what_is_unread(page: Client, buyer: User, seller: User) -> None:
    older = conversation_for_order(order=OrderFactory(buyer=buyer, seller=seller, title="Older thing"))
    newer = conversation_for_order(order=OrderFactory(buyer=buyer, seller=seller, title="Newer thing"))
    say(older, seller, 2, "In the older")
    say(newer, buyer, 1, "In the newer")
    text = text_of(page.get(reverse("chat:conversations")))
    assert text.index("In the newer") < text.index("In the older")
    assert "You:" in text
    assert '2</span><span class="sr-only"> unread' in text


@pytest.mark.stack
def test_the_list_is_found_by_name_and_order_number(
    page: Client, buyer: User, seller: User, talk: Conversation
) -> None:
    say(talk, seller)
    number = Order.objects.get().number
    for words in ("north", "NORTHPINE", number, number.lower()):
        assert "Message 1" in text_of(page.get(reverse("chat:conversations"), {"q": words}))
    nothing = text_of(page.get(reverse("chat:conversations"), {"q": "nobody <b>"}))
    assert "Message 1" not in nothing
    assert "nobody &lt;b&gt;" in nothing


@pytest.mark.stack
def test_a_list_of_thirty_takes_no_query_per_row(
    page: Client, buyer: User, seller: User, django_assert_max_num_queries: Any
) -> None:
    for n in range(30):
        say(conversation_for_order(order=OrderFactory(buyer=buyer, seller=UserFactory(), title=f"T{n}")), buyer)
    with django_assert_max_num_queries(14):
        assert page.get(reverse("chat:conversations")).status_code == 200


@pytest.mark.stack
def test_the_list_turns_its_pages(page: Client, buyer: User, seller: User) -> None:
    for n in range(35):
        say(
            conversation_for_order(order=OrderFactory(buyer=buyer, seller=seller, title=f"Thing {n:02}")), buyer, 1, "x"
        )
    first = page.get(reverse("chat:conversations"))
    second = page.get(reverse("chat:conversations"), {"after": first.context["page"].next})
    seqs = [row.mine.pk for response in (first, second) for row in response.context["rows"]]
    assert len(seqs) == len(set(seqs)) == 35


@pytest.mark.stack
def test_a_thread_shows_the_newest_fifty_and_leads_to_the_earlier_ones(
    page: Client, talk: Conversation, seller: User
) -> None:
    say(talk, seller, 60)
    response = page.get(talk.get_absolute_url())
    seqs = [line.message.seq for line in response.context["thread"].lines]
    assert seqs == list(range(11, 61))
    part = page.get(reverse("chat:earlier", args=[talk.pk.hex]), {"before": 11})
    assert [line.message.seq for line in part.context["thread"].lines] == list(range(1, 11))
    assert "Earlier messages" not in text_of(part)
    whole = page.get(talk.get_absolute_url(), {"before": 11})
    assert "Message 10" in text_of(whole)
    assert "Go to the newest messages" in text_of(whole)


@pytest.mark.parametrize("before", ["x", "-1", "0", "1" * 400, "٣", "1.5", ""])
def test_an_absurd_place_in_the_thread_is_no_error(page: Client, talk: Conversation, seller: User, before: str) -> None:
    say(talk, seller)
    assert page.get(talk.get_absolute_url(), {"before": before}).status_code == 200
    assert page.get(reverse("chat:earlier", args=[talk.pk.hex]), {"before": before}).status_code == 200


@pytest.mark.stack
def test_opening_a_thread_reads_it_and_says_where_the_new_ones_begin(
    page: Client, talk: Conversation, buyer: User, seller: User
) -> None:
    say(talk, buyer, 1)
    say(talk, seller, 2)
    assert unread_messages(buyer) == 2
    response = page.get(talk.get_absolute_url())
    assert [line.message.seq for line in response.context["thread"].lines if line.is_first_unread] == [2]
    assert unread_messages(buyer) == 0
    assert "New messages" not in text_of(page.get(talk.get_absolute_url())).split("<template")[0]


def test_an_old_part_of_a_thread_reads_nothing(page: Client, talk: Conversation, buyer: User, seller: User) -> None:
    say(talk, seller, 3)
    page.get(talk.get_absolute_url(), {"before": 2})
    assert unread_messages(buyer) == 3


def test_own_messages_say_in_words_how_far_they_came(
    page: Client, talk: Conversation, buyer: User, seller: User
) -> None:
    say(talk, buyer, 3)
    Participant.objects.filter(user=seller).update(read_seq=1, delivered_seq=2)
    lines = page.get(talk.get_absolute_url()).context["thread"].lines
    assert [line.state for line in lines] == ["read", "delivered", "sent"]


def test_what_people_write_is_text_and_nothing_else(page: Client, talk: Conversation, seller: User) -> None:
    say(talk, seller, 1, "<script>alert(1)</script>{{ settings }}")
    text = text_of(page.get(talk.get_absolute_url()))
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ settings }}" in text


def test_the_stores_lines_are_words_not_keys(page: Client, talk: Conversation) -> None:
    system_message(conversation=talk, note="deliver", key="e1")
    assert "Delivered. The check period has started." in text_of(page.get(talk.get_absolute_url()))
    assert "Delivered. The check period has started." in text_of(page.get(reverse("chat:conversations")))


def test_neither_page_tells_the_others_mail_address(page: Client, talk: Conversation, seller: User) -> None:
    say(talk, seller)
    for url in (talk.get_absolute_url(), reverse("chat:conversations")):
        assert seller.email not in text_of(page.get(url))


# ---------------------------------------------------------------- writing without a script


def send(page: Client, talk: Conversation, **fields: str) -> Any:
    url = reverse("chat:conversation_send", args=[talk.pk.hex])
    return page.post(url, {"body": "Hello", "client_id": "client-0001"} | fields)


@pytest.mark.stack
def test_a_form_sends_once_however_often_it_is_sent(page: Client, talk: Conversation) -> None:
    for _ in range(2):
        assert send(page, talk).url == talk.get_absolute_url()
    assert Message.objects.get().body == "Hello"


def test_a_form_returns_to_the_page_it_stands_on_and_nowhere_else(page: Client, talk: Conversation) -> None:
    assert send(page, talk, next="/orders/AS-1/").url == "/orders/AS-1/"
    for elsewhere in ("https://evil.example/", "//evil.example", "javascript:alert(1)"):
        assert send(page, talk, next=elsewhere).url == talk.get_absolute_url()


def test_a_refusal_stands_beside_the_field_and_keeps_what_was_written(page: Client, talk: Conversation) -> None:
    response = send(page, talk, body="x" * 4001)
    assert response.status_code == 400
    assert "at most 4000 characters" in text_of(response)
    assert "x" * 4001 in text_of(response)
    assert not Message.objects.exists()


def test_a_closed_conversation_says_so_instead_of_a_form(page: Client, talk: Conversation, seller: User) -> None:
    Conversation.objects.update(is_locked=True)
    text = text_of(page.get(talk.get_absolute_url()))
    assert "Staff have closed this conversation" in text
    assert "data-chat-form" not in text
    Conversation.objects.update(is_locked=False)
    User.objects.filter(pk=seller.pk).update(status=User.Status.SUSPENDED)
    assert "northpine cannot receive messages" in text_of(page.get(talk.get_absolute_url()))


def test_sending_by_hand_in_a_loop_is_slowed_down(page: Client, talk: Conversation) -> None:
    # A minute may turn over in between: of 61 in two minutes, at least one is too many.
    answers = [send(page, talk, client_id=f"client-{n:04}").status_code for n in range(61)]
    assert 400 in answers
    assert Message.objects.count() == answers.count(302)


@pytest.mark.stack
def test_a_question_to_a_seller_opens_one_conversation(page: Client, seller: User) -> None:
    url = reverse("chat:start", args=[seller.username])
    assert page.get(url).status_code == 405
    first, second = page.post(url), page.post(url)
    assert first.url == second.url == Conversation.objects.get().get_absolute_url()
    assert page.get(first.url).status_code == 200


def test_nobody_starts_a_conversation_with_themselves_or_a_ghost(page: Client, buyer: User) -> None:
    assert page.post(reverse("chat:start", args=["nobody"])).status_code == 404
    answer = page.post(reverse("chat:start", args=[buyer.username]))
    assert answer.status_code == 400
    assert "You cannot write to yourself." in text_of(answer)


# ---------------------------------------------------------------- on the order's page


def test_the_orders_panel_is_for_its_parties(page: Client, order: Order, stranger: User) -> None:
    url = reverse("chat:order_panel", args=[order.number])
    part = page.get(url, headers={"HX-Request": "true"})
    assert "northpine" in text_of(part)
    assert f'value="{order.get_absolute_url()}"' in text_of(part)
    assert page.get(url).url == Conversation.objects.get().get_absolute_url()
    page.force_login(stranger)
    assert page.get(url, headers={"HX-Request": "true"}).status_code == 404


def test_the_panel_reads_nothing_by_itself(page: Client, order: Order, buyer: User, seller: User) -> None:
    say(conversation_for_order(order=order), seller)
    page.get(reverse("chat:order_panel", args=[order.number]), headers={"HX-Request": "true"})
    assert unread_messages(buyer) == 1


# ---------------------------------------------------------------- notifications


def tell(user: User, key: str, kind: str = "order.finished") -> None:
    params = {"title": "Knight", "seller": "northpine", "buyer": "Amal"}
    notification_create(user=user, kind=kind, params=params, url="/help/", dedupe_key=key)


@pytest.mark.stack
def test_notifications_are_listed_newest_first_and_open_what_they_are_about(page: Client, buyer: User) -> None:
    tell(buyer, "a")
    tell(buyer, "b", "order.declined")
    text = text_of(page.get(reverse("chat:notifications")))
    assert text.index("declined to sell") < text.index("Say how it went")
    row = Notification.objects.get(dedupe_key="a")
    assert page.get(reverse("chat:notification_open", args=[row.pk.hex])).url == "/help/"
    row.refresh_from_db()
    assert row.is_read


def test_somebody_elses_notification_does_not_exist(client: Client, buyer: User, stranger: User) -> None:
    tell(buyer, "a")
    client.force_login(stranger)
    row = Notification.objects.get()
    assert client.get(reverse("chat:notification_open", args=[row.pk.hex])).status_code == 404
    client.post(reverse("chat:notifications_read"))
    row.refresh_from_db()
    assert not row.is_read


@pytest.mark.stack
def test_all_are_marked_as_read_by_one_click(page: Client, buyer: User) -> None:
    for key in "abc":
        tell(buyer, key)
    page.post(reverse("chat:notifications_read"))
    assert not Notification.objects.filter(is_read=False).exists()


@pytest.mark.stack
def test_the_headers_figures_come_as_json(page: Client, buyer: User, seller: User, talk: Conversation) -> None:
    say(talk, seller, 2)
    tell(buyer, "a")
    figures = json.loads(page.get(reverse("chat:live")).content)
    assert (figures["messages"], figures["notifications"]) == (2, 1)


def test_mails_are_chosen_by_topic_and_money_is_no_choice(page: Client, buyer: User) -> None:
    url = reverse("chat:preferences")
    assert page.get(url).context["form"].initial["wanted"] == ["deadlines", "listings", "messages", "orders"]
    assert page.post(url, {"wanted": ["messages", "orders"]}).url == url
    assert NotificationPreference.objects.get(user=buyer).muted_topics == ["deadlines", "listings"]
    assert page.get(url).context["form"].initial["wanted"] == ["messages", "orders"]
    refused = page.post(url, {"wanted": ["money"]})
    assert refused.status_code == 200
    assert refused.context["form"].errors


# ---------------------------------------------------------------- staff


@pytest.mark.stack
def test_staff_see_who_talks_but_what_is_said_only_for_a_recorded_reason(
    client: Client, talk: Conversation, order: Order, seller: User, staff: User
) -> None:
    say(talk, seller, 1, "Private words")
    client.force_login(staff)
    messages_url = reverse("admin:chat_conversation_messages", args=[talk.pk])
    read_url = reverse("admin:chat_conversation_read", args=[talk.pk])
    for url in (
        reverse("admin:chat_conversation_changelist"),
        reverse("admin:chat_conversation_change", args=[talk.pk]),
        messages_url,
        f"{messages_url}?grant=made-up",
    ):
        assert "Private words" not in text_of(client.get(url, follow=True))
    client.post(read_url, {"reason": "  "})
    assert not AuditEvent.objects.exists()
    answer = client.post(read_url, {"reason": "Dispute about the order"}, follow=True)
    assert "Private words" in text_of(answer)
    event = AuditEvent.objects.get()
    assert (event.actor, event.action, event.reason) == (staff, "conversation.read", "Dispute about the order")
    assert event.subject == f"conversation:{talk.pk.hex}"


def test_a_reason_opens_one_conversation_to_one_person(
    client: Client, talk: Conversation, buyer: User, seller: User, staff: User, second_staff: User
) -> None:
    other = conversation_for_order(order=OrderFactory(buyer=buyer, seller=seller))
    say(talk, seller, 1, "Private words")
    say(other, seller, 1, "Other words")
    client.force_login(staff)
    answer = client.post(reverse("admin:chat_conversation_read", args=[talk.pk]), {"reason": "Dispute"})
    grant = answer.url.partition("?")[2]
    elsewhere = f"{reverse('admin:chat_conversation_messages', args=[other.pk])}?{grant}"
    assert "Other words" not in text_of(client.get(elsewhere, follow=True))
    client.force_login(second_staff)
    assert "Private words" not in text_of(client.get(answer.url, follow=True))


def test_staff_without_the_permission_see_no_conversations(client: Client, talk: Conversation) -> None:
    client.force_login(UserFactory(is_staff=True))
    assert client.get(reverse("admin:chat_conversation_changelist")).status_code == 403
    assert client.post(reverse("admin:chat_conversation_read", args=[talk.pk]), {"reason": "x"}).status_code == 403


@pytest.mark.stack
def test_staff_find_a_conversation_by_order_number_and_close_it(
    client: Client, talk: Conversation, order: Order, buyer: User, seller: User, staff: User
) -> None:
    conversation_for_order(order=OrderFactory(buyer=buyer, seller=seller, title="Another thing"))
    client.force_login(staff)
    text = text_of(client.get(reverse("admin:chat_conversation_changelist"), {"q": order.number.lower()}))
    assert order.title in text
    assert "Another thing" not in text
    client.post(reverse("admin:chat_conversation_lock", args=[talk.pk]), {"reason": "Threats"})
    talk.refresh_from_db()
    assert talk.is_locked
    assert AuditEvent.objects.get().action == "conversation.lock"
