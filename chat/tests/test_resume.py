"""What was missed while away comes back once and in order."""

import pytest

from accounts.models import User
from chat import consumers, socket_work
from chat.models import Conversation
from chat.services.changes import message_delete, message_edit
from chat.services.messages import message_send, system_message
from chat.tests.tabs import Tab, in_thread, say

pytestmark = pytest.mark.django_db(transaction=True)


# ---------------------------------------------------------------- resuming


async def test_what_was_missed_while_away_comes_back_once_and_in_order(
    talk: Conversation, buyer: User, seller: User
) -> None:
    async with Tab(buyer) as tab:
        await say(tab, talk, "one", "client-0001")
        await tab.expect("message.ack")
    for n in range(2, 7):
        await in_thread(message_send, conversation_id=talk.pk, sender=seller, client_id=f"client-{n:04}", body=f"m{n}")
    await in_thread(system_message, conversation=talk, note="deliver", key="e1")
    async with Tab(buyer) as tab:
        await tab.say("resume", since={talk.pk.hex: 1})
        frames = await tab.settle()
    news = [frame for frame in frames if frame["type"] == "message.new"]
    assert [frame["seq"] for frame in news] == [2, 3, 4, 5, 6, 7]
    assert news[0]["body"] == "m2"
    assert news[-1]["body"] == "Delivered. The check period has started."
    assert frames[-1] == {"type": "resumed", "conversation": talk.pk.hex, "seq": 7, "change": 0}


async def test_resuming_tells_how_far_the_other_is(talk: Conversation, buyer: User, seller: User) -> None:
    async with Tab(buyer) as b, Tab(seller) as s:
        await say(b, talk, "Hello", "client-0001")
        await s.expect("message.new")
        await s.say("message.read", conversation=talk.pk.hex, seq=1)
        await b.expect("receipt", read_seq=1)
        await b.say("resume", since={talk.pk.hex: 1})
        assert (await b.expect("receipt"))["read_seq"] == 1
        await b.expect("resumed", seq=1)


async def test_who_missed_too_much_is_told_to_load_the_page(
    talk: Conversation, buyer: User, seller: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_work, "RESUME_LIMIT", 3)
    for n in range(4):
        await in_thread(message_send, conversation_id=talk.pk, sender=seller, client_id=f"client-{n:04}", body=f"m{n}")
    async with Tab(buyer) as tab:
        await tab.say("resume", since={talk.pk.hex: 0})
        assert await tab.settle() == [{"type": "resync", "conversation": talk.pk.hex}]


async def test_a_hundred_drops_in_the_middle_of_a_talk_lose_and_repeat_nothing(
    talk: Conversation, buyer: User, seller: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's part of the promise, in Python: apply the next number, ask again after a jump, forget repeats."""
    monkeypatch.setattr(consumers, "FRAMES_AT_ONCE", 1000)
    known: list[str] = []
    async with Tab(seller) as s:
        for drop in range(100):
            async with Tab(buyer) as b:
                await b.say("resume", since={talk.pk.hex: len(known)})
                await say(s, talk, f"{drop}-a", f"client-{drop:04}-a")
                await s.expect("message.ack")
                while not known or known[-1] != f"{drop}-a":
                    frame = await b.expect("message.new")
                    if frame["seq"] == len(known) + 1:
                        known.append(frame["body"])
                    elif frame["seq"] > len(known) + 1:
                        await b.say("resume", since={talk.pk.hex: len(known)})
            await say(s, talk, f"{drop}-b", f"client-{drop:04}-b")
            await s.expect("message.ack")
    assert known == [f"{drop}-{half}" for drop in range(100) for half in "ab"][:-1]


# ---------------------------------------------------------------- edits and deletions that were missed


async def test_who_was_away_learns_of_edits_and_deletions_once(talk: Conversation, buyer: User, seller: User) -> None:
    for n in range(3):
        await in_thread(message_send, conversation_id=talk.pk, sender=seller, client_id=f"client-{n:04}", body=f"m{n}")
    change = {"conversation": talk, "sender": seller}
    await in_thread(message_edit, **change, client_id="client-0000", body="m0, changed")
    async with Tab(buyer) as tab:
        await tab.say("resume", since={talk.pk.hex: 2}, changes={talk.pk.hex: 0})
        frames = await tab.settle()
        assert [frame["seq"] for frame in frames if frame["type"] == "message.new"] == [3]
        assert [(f["seq"], f["body"]) for f in frames if f["type"] == "message.changed"] == [(1, "m0, changed")]
        assert frames[-1] == {"type": "resumed", "conversation": talk.pk.hex, "seq": 3, "change": 1}
    await in_thread(message_edit, **change, client_id="client-0000", body="m0, again")
    await in_thread(message_delete, **change, client_id="client-0000")
    async with Tab(buyer) as tab:
        await tab.say("resume", since={talk.pk.hex: 3}, changes={talk.pk.hex: 1})
        changed = [frame for frame in await tab.settle() if frame["type"] == "message.changed"]
        assert [(frame["seq"], frame["change"], frame["deleted"], frame["body"]) for frame in changed] == [
            (1, 3, True, "")
        ]
        await tab.say("resume", since={talk.pk.hex: 0}, changes={talk.pk.hex: 3})
        frames = await tab.settle()
        assert next((f["seq"], f["deleted"]) for f in frames if f["type"] == "message.new") == (1, True)
        assert not [frame for frame in frames if frame["type"] == "message.changed"]


async def test_who_missed_too_many_changes_is_told_to_load_the_page(
    talk: Conversation, buyer: User, seller: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_work, "RESUME_LIMIT", 2)
    await in_thread(message_send, conversation_id=talk.pk, sender=seller, client_id="client-0001", body="m")
    for n in range(3):
        await in_thread(message_edit, conversation=talk, sender=seller, client_id="client-0001", body=f"m{n}")
    async with Tab(buyer) as tab:
        await tab.say("resume", since={talk.pk.hex: 1}, changes={talk.pk.hex: 0})
        assert await tab.settle() == [{"type": "resync", "conversation": talk.pk.hex}]
