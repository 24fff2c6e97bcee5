"""The socket's work in the database: checks and services, called in a thread."""

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any, cast

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest
from django.utils import translation

from accounts.models import User
from accountsstore import served, tracing
from accountsstore.errors import StoreError
from accountsstore.events import Receipt, staff_group
from chat import frames
from chat.contact_details import contact_details, require_confirmed
from chat.errors import ContactDetails, NotAMember, SeqAhead
from chat.models import Conversation, Message, Participant
from chat.notes import note_text
from chat.selectors import membership, messages_changed_since, messages_since, others_in, people_with
from chat.services.changes import changed_event, message_delete, message_edit
from chat.services.drafts import Draft
from chat.services.messages import message_event, message_send, messages_send
from chat.services.receipts import message_delivered, message_read

# More than this was missed: the page is loaded again.
RESUME_LIMIT = 200

Frame = frames.ServerFrame | dict[str, Any]


def session_hash(session_key: str | None) -> str:
    """How events name one session."""
    return hashlib.sha256((session_key or "").encode()).hexdigest()


def is_allowed(scope: dict[str, Any]) -> bool:
    """Whether the session still exists, is signed in as the same person, and that person may come in."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(scope["session"].session_key)
    user = get_user(request)
    return user.is_authenticated and user.pk == scope["user"].pk and user.is_active


def staff_groups(user: User) -> list[str]:
    """The groups of the store's own permissions that a member of staff holds; none for customers."""
    if not user.is_staff:
        return []
    own = [f"{m._meta.app_label}.{name}" for m in apps.get_models() for name, _label in m._meta.permissions]
    return [staff_group(permission) for permission in own if user.has_perm(permission)]


def _language(scope: dict[str, Any]) -> str:
    """The language of the page that opened the socket."""
    chosen = scope.get("cookies", {}).get(settings.LANGUAGE_COOKIE_NAME) or scope["user"].language
    try:
        return translation.get_supported_language_variant(chosen)
    except LookupError:
        return settings.LANGUAGE_CODE


def served_by(scope: dict[str, Any], frame: frames.AnyClientFrame) -> served.Served:
    """Who sent the frame, for the log: the request's id is that of the handshake."""
    sent = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    return served.Served(served.request_id_of(sent), scope["user"].pk.hex, type(frame).__name__)


def answer(scope: dict[str, Any], frame: frames.AnyClientFrame) -> list[Any]:
    """Do what the frame asks for. Returns the frames for this socket."""
    user: User = scope["user"]
    with served.serving(served_by(scope, frame)), tracing.span("SERVER"), translation.override(_language(scope)):
        try:
            match frame:
                case frames.MessageSend():
                    return [_send(user, frame)]
                case frames.MessageEdit():
                    return [_edit(user, frame)]
                case frames.MessageDelete():
                    mine = _joined(user, frame.conversation)
                    return [
                        _ack(message_delete(conversation=mine.conversation, sender=user, client_id=frame.client_id))
                    ]
                case frames.MessageRead():
                    message_read(conversation=_reached(user, frame), user=user, seq=frame.seq)
                case frames.MessageDelivered():
                    message_delivered(conversation=_reached(user, frame), user=user, seq=frame.seq)
                case frames.Resume():
                    return [
                        reply
                        for key, since in frame.since.items()
                        for reply in _resume(user, key, since, frame.changes.get(key))
                    ]
        except ContactDetails as warning:
            # Only a frame with words raises it.
            said = cast(frames.MessageSend | frames.MessageEdit, frame)
            return [
                frames.MessageWarning(
                    conversation=said.conversation, client_id=said.client_id, detail=str(warning.message)
                )
            ]
        except StoreError as error:
            return [
                frames.Error(
                    code=error.code,
                    detail=str(error.message),
                    client_id=getattr(frame, "client_id", ""),
                    conversation=getattr(frame, "conversation", ""),
                )
            ]
    return []


def answer_together(asked: Sequence[tuple[dict[str, Any], frames.MessageSend]]) -> list[list[Any] | Exception]:
    """As `answer`, for messages of several sockets, which are written in one transaction; or what failed for one."""
    drafts = [_draft(scope["user"], frame) for scope, frame in asked]
    plain = [n for n, (_scope, frame) in enumerate(asked) if frame.confirmed or not contact_details(frame.body)]
    written: dict[int, Message | None] = {}
    if len(plain) > 1:
        with served.serving(served.Served(work="MessageSend")), tracing.span("SERVER"):
            written = dict(zip(plain, messages_send([drafts[n] for n in plain]), strict=True))
    answers: list[list[Any] | Exception] = []
    for number, (scope, frame) in enumerate(asked):
        try:
            message = written.get(number)
            answers.append([_ack(message)] if message else answer(scope, frame))
        except Exception as error:
            # The others' messages are written.
            answers.append(error)
    return answers


def others(scope: dict[str, Any], conversations: list[str]) -> set[uuid.UUID]:
    """Everybody else in those of the conversations that the person is in, but who has blocked them or is blocked."""
    return people_with(scope["user"], [uuid.UUID(conversation) for conversation in conversations])


def failed(frame: frames.AnyClientFrame) -> frames.Error:
    return frames.Error(
        code="failed",
        detail="This failed on our side. Try again.",
        client_id=getattr(frame, "client_id", ""),
        conversation=getattr(frame, "conversation", ""),
    )


def _joined(user: User, conversation: str) -> Participant:
    mine = membership(user, uuid.UUID(conversation))
    if mine is None:
        raise NotAMember
    return mine


def _reached(user: User, frame: frames.MessageRead | frames.MessageDelivered) -> Conversation:
    conversation = _joined(user, frame.conversation).conversation
    if frame.seq > conversation.last_seq:
        raise SeqAhead
    return conversation


def _draft(user: User, frame: frames.MessageSend) -> Draft:
    return Draft(
        conversation_id=uuid.UUID(frame.conversation),
        sender=user,
        client_id=frame.client_id,
        body=frame.body,
        files=[uuid.UUID(key) for key in frame.files],
    )


def _send(user: User, frame: frames.MessageSend) -> frames.MessageAck:
    if not frame.confirmed and contact_details(frame.body):
        require_confirmed(_joined(user, frame.conversation).conversation, frame.body, confirmed=False)
    return _ack(message_send(**vars(_draft(user, frame))))


def _edit(user: User, frame: frames.MessageEdit) -> frames.MessageAck:
    mine = _joined(user, frame.conversation)
    require_confirmed(mine.conversation, frame.body, confirmed=frame.confirmed)
    return _ack(message_edit(conversation=mine.conversation, sender=user, client_id=frame.client_id, body=frame.body))


def _ack(message: Message) -> frames.MessageAck:
    return frames.MessageAck(
        conversation=message.conversation_id.hex,
        client_id=message.client_id,
        seq=message.seq,
        at=message.created_at.isoformat(timespec="milliseconds"),
        change=message.change,
    )


def _resume(user: User, conversation: str, since: int, known_change: int | None) -> Iterator[Frame]:
    mine = membership(user, uuid.UUID(conversation))
    if mine is None:
        yield _refused(NotAMember(), conversation)
        return
    if since > mine.conversation.last_seq or (known_change or 0) > mine.conversation.last_change:
        yield _refused(SeqAhead(), conversation)
        return
    # Most resumes find here that nothing was said.
    missed = messages_since(mine.conversation_id, since, RESUME_LIMIT + 1) if mine.conversation.last_seq > since else []
    # Read with the membership, before the messages: most resumes find here that nothing was changed.
    last_change = mine.conversation.last_change
    unknown = last_change - known_change if known_change is not None else 0
    if len(missed) > RESUME_LIMIT or unknown > RESUME_LIMIT:
        yield frames.Resync(conversation=conversation)
        return
    changed = messages_changed_since(mine.conversation_id, last_change - unknown, RESUME_LIMIT) if unknown > 0 else []
    for message in missed:
        yield _as_frame(message)
    for message in changed:
        event = changed_event(message, newest=message.seq == mine.last_seq)
        yield {"type": event.type, **event.payload()}
    for person in others_in(mine.conversation_id, user):
        receipt = Receipt(
            conversation=conversation,
            user=person.user_id.hex,
            delivered_seq=person.delivered_seq,
            read_seq=person.read_seq,
        )
        yield {"type": receipt.type, **receipt.payload()}
    yield frames.Resumed(conversation=conversation, seq=missed[-1].seq if missed else since, change=last_change)


def _refused(error: StoreError, conversation: str) -> frames.Error:
    return frames.Error(code=error.code, detail=str(error.message), conversation=conversation)


def _as_frame(message: Message) -> dict[str, Any]:
    """The frame that `MessageNew` was, made from the row."""
    body = note_text(message.body) if message.kind == Message.Kind.SYSTEM else message.body
    event = message_event(message, body=body)
    return {"type": event.type, **event.payload()}
