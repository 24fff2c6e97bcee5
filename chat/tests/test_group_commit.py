"""Messages written together are as if each had been written alone."""

import asyncio
import uuid
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.tests.factories import UserFactory
from accountsstore.models import OutboxEvent
from chat import frames, socket_work
from chat.group_commit import GroupCommit
from chat.models import Conversation, Message, Participant
from chat.services.blocks import block_set
from chat.services.conversations import conversation_direct, conversation_for_order
from chat.services.drafts import Draft
from chat.services.messages import message_send, messages_send
from chat.tests.factories import OrderFactory
from chat.tests.test_messages import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack]


@pytest.fixture
def talks(seller: User) -> list[Conversation]:
    """Of three buyers with one seller."""
    return [conversation_for_order(order=OrderFactory(buyer=UserFactory(), seller=seller)) for _ in range(3)]


def buyer_in(talk: Conversation) -> User:
    people = Participant.objects.filter(conversation=talk).select_related("user")
    [buyer] = [person.user for person in people if person.user.username != "northpine"]
    return buyer


def draft(talk: Conversation, sender: User, number: int = 1, body: str = "Hello") -> Draft:
    return Draft(conversation_id=talk.pk, sender=sender, client_id=f"client-{number:04}", body=body)


def lines(talk: Conversation) -> list[tuple[int, str]]:
    return list(Message.objects.filter(conversation=talk).order_by("seq").values_list("seq", "body"))


def test_each_message_is_numbered_listed_and_told(talks: list[Conversation], seller: User) -> None:
    one, two, _ = talks
    drafts = [
        draft(one, buyer_in(one), body="a"),
        draft(two, seller, body="b"),
        draft(one, seller, 2, body=" c "),
        draft(one, buyer_in(one), 3, body="d"),
    ]
    written = messages_send(drafts)
    assert [message and message.body for message in written] == ["a", "b", "c", "d"]
    assert (lines(one), lines(two)) == ([(1, "a"), (2, "c"), (3, "d")], [(1, "b")])
    places = {person.user: person for person in Participant.objects.filter(conversation=one)}
    buyer = places[buyer_in(one)]
    assert (buyer.last_seq, buyer.last_text, buyer.read_seq, places[seller].read_seq) == (3, "d", 1, 0)
    assert places[seller].mail_due_at is not None
    told = OutboxEvent.objects.filter(topic="message.new").order_by("created_at", "id")
    assert [event.payload["body"] for event in told] == ["a", "b", "c", "d"]
    assert all(len(event.groups) == 2 for event in told)


def test_twenty_cost_the_database_no_more_commands_than_two(seller: User) -> None:
    def commands(count: int) -> int:
        talks = [conversation_for_order(order=OrderFactory(buyer=UserFactory(), seller=seller)) for _ in range(count)]
        with CaptureQueriesContext(connection) as queries:
            assert all(messages_send([draft(talk, buyer_in(talk)) for talk in talks]))
        return len(queries)

    if connection.vendor == "mongodb":
        # That its event was sent is noted for each, after the commit; a server of sockets notes many at once.
        assert commands(20) - 20 == commands(2) - 2
    else:
        # Two reads; for each message its number, itself, its word, two places, its event.
        assert commands(20) <= 20 / 2 * commands(2)


def test_who_may_not_write_is_left_out_and_the_others_are_written(
    talks: list[Conversation], seller: User, stranger: User
) -> None:
    one, two, three = talks
    direct = conversation_direct(user=stranger, other=seller)
    block_set(user=seller, other=stranger)
    Conversation.objects.filter(pk=three.pk).update(is_locked=True)
    written = messages_send(
        [
            draft(one, stranger),
            draft(direct, stranger),
            draft(three, seller),
            draft(two, seller, body=""),
            Draft(conversation_id=two.pk, sender=seller, client_id="short", body="Hello"),
            Draft(conversation_id=uuid.uuid4(), sender=seller, client_id="client-0009", body="Hello"),
            Draft(conversation_id=two.pk, sender=seller, client_id="client-0010", body="", files=[uuid.uuid4()]),
            draft(two, seller, 2, body="Written"),
        ]
    )
    assert [message and message.body for message in written] == [None] * 7 + ["Written"]
    assert (lines(one), lines(two), lines(three), lines(direct)) == ([], [(1, "Written")], [], [])
    for talk in (one, three, direct):
        talk.refresh_from_db()
        assert talk.last_seq == 0


def test_of_a_message_that_came_before_nothing_is_written_twice(talks: list[Conversation], seller: User) -> None:
    one, two, _ = talks
    first = message_send(**vars(draft(one, seller, body="First")))
    drafts = [draft(two, seller, body="New"), draft(one, seller, body="Again")]
    assert messages_send(drafts) == [None, None]
    assert [message_send(**vars(each)).body for each in drafts] == ["New", "First"]
    assert lines(one) == [(first.seq, "First")]
    assert messages_send([draft(two, seller, 3), draft(two, seller, 3)]) == [None, None]
    assert lines(two) == [(1, "New")]


def test_transactions_that_meet_leave_no_gap_and_no_number_twice(talks: list[Conversation], seller: User) -> None:
    def work(thread: int) -> None:
        left = [draft(talk, seller, 10 * thread + n) for n in range(3) for talk in talks]
        for each, message in zip(left, messages_send(left), strict=True):
            if message is None:
                message_send(**vars(each))

    assert at_once(work, 4) == [None] * 4
    for talk in talks:
        assert [seq for seq, _body in lines(talk)] == list(range(1, 13))


# ---------------------------------------------------------------- of many sockets


def frame(talk: Conversation, number: int, body: str = "Hello") -> frames.MessageSend:
    return frames.MessageSend(conversation=talk.pk.hex, client_id=f"client-{number:04}", body=body)


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many messages each transaction had."""
    counts: list[int] = []
    answer_together = socket_work.answer_together

    def noting(asked: Any) -> Any:
        counts.append(len(asked))
        return answer_together(asked)

    monkeypatch.setattr(socket_work, "answer_together", noting)
    return counts


def test_sockets_that_write_at_once_share_transactions_and_each_gets_its_own_answer(
    talks: list[Conversation], seller: User, stranger: User, shared: list[int]
) -> None:
    asked = [(buyer_in(talk), frame(talk, n, f"{n}")) for n in range(5) for talk in talks]
    asked += [(stranger, frame(talks[0], 90)), (seller, frame(talks[1], 91, "Write me: somebody@example.com"))]

    async def play() -> list[Any]:
        group_commit = GroupCommit()
        return await asyncio.gather(*(group_commit.answer({"user": user, "headers": []}, said) for user, said in asked))

    answers = async_to_sync(play)()
    assert len(shared) < 8
    assert sum(shared) == 17
    acknowledged = [reply for [reply] in answers if isinstance(reply, frames.MessageAck)]
    assert [ack.client_id for ack in acknowledged] == [f"client-{n:04}" for n in range(5) for _ in talks]
    for talk in talks:
        numbers = {f"client-{int(body):04}": seq for seq, body in lines(talk)}
        assert {ack.client_id: ack.seq for ack in acknowledged if ack.conversation == talk.pk.hex} == numbers
    assert answers[15][0].code == "not_a_member"
    assert isinstance(answers[16][0], frames.MessageWarning)


def test_what_comes_soon_after_another_waits_for_more_of_its_kind(
    talks: list[Conversation], seller: User, shared: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than this test takes to ask for all of them on the slowest machine.
    monkeypatch.setattr("chat.group_commit.GATHER_SECONDS", 2)

    async def play() -> list[Any]:
        group_commit = GroupCommit()
        asked = []
        for number in range(5):
            said = group_commit.answer({"user": seller, "headers": []}, frame(talks[0], number))
            asked.append(asyncio.create_task(said))
            # Until the first is being written, and then one after the other.
            await asyncio.sleep(0)
            while not shared:
                await asyncio.sleep(0.001)
        return await asyncio.gather(*asked)

    assert [reply.seq for [reply] in async_to_sync(play)()] == [1, 2, 3, 4, 5]
    assert shared == [1, 4]


def test_what_fails_for_one_fails_for_no_other(talks: list[Conversation], seller: User) -> None:
    class Broken:
        """Has no language, which a warning asks for."""

        pk = seller.pk

    async def play() -> list[Any]:
        group_commit = GroupCommit()
        asked: list[Any] = [(seller, frame(talk, n)) for n, talk in enumerate(talks)]
        asked.insert(1, (Broken(), frame(talks[0], 50, "Write me: somebody@example.com")))
        return await asyncio.gather(
            *(group_commit.answer({"user": user, "headers": []}, said) for user, said in asked), return_exceptions=True
        )

    first, broken, *others = async_to_sync(play)()
    assert isinstance(broken, Exception)
    assert all(isinstance(reply, frames.MessageAck) for [reply] in (first, *others))
    assert [len(lines(talk)) for talk in talks] == [1, 1, 1]
