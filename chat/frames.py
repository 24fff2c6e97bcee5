"""What a browser may say over the socket, and what the store says besides the events of `accountsstore.events`.

One JSON object each, told apart by `type`. Decoding checks types, lengths and unknown fields.
"""

from typing import Annotated, Any

import msgspec

HexId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
# Every database of ours stores numbers up to here.
Seq = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
ClientId = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{8,40}$")]
# The service says in words what is too long; this only bounds the work.
Body = Annotated[str, msgspec.Meta(max_length=20_000)]


class ClientFrame(msgspec.Struct, tag_field="type", forbid_unknown_fields=True, frozen=True):
    """What a browser says."""


class MessageSend(ClientFrame, tag="message.send"):
    """Answered by `message.ack`, or by `error` or `message.warning` with the same client_id. `files` are ids that the
    conversation's files/ gave for uploads; with some, `body` may be empty."""

    conversation: HexId
    client_id: ClientId
    body: Body
    files: Annotated[list[HexId], msgspec.Meta(max_length=20)] = []
    confirmed: bool = False


class MessageEdit(ClientFrame, tag="message.edit"):
    """Have one's own message say `body`, for a quarter of an hour after it was sent. `client_id` is the one it was
    sent with. Answered as `message.send`; everybody gets `message.changed`. Safe to repeat."""

    conversation: HexId
    client_id: ClientId
    body: Body
    confirmed: bool = False


class MessageDelete(ClientFrame, tag="message.delete"):
    """Take back one's own message, for as long. Answered as `message.send`; everybody gets `message.changed`. Safe to
    repeat; an edit that comes after it is refused."""

    conversation: HexId
    client_id: ClientId


class MessageRead(ClientFrame, tag="message.read"):
    """The person has seen everything up to `seq`: the others get a `receipt`. Not answered."""

    conversation: HexId
    seq: Seq


class MessageDelivered(ClientFrame, tag="message.delivered"):
    """This tab has everything up to `seq`: the others get a `receipt`. Not answered."""

    conversation: HexId
    seq: Seq


class Typing(ClientFrame, tag="typing"):
    """Passed on to the others in the conversation. Say it every three seconds while somebody types. Not answered."""

    conversation: HexId


class Subscribe(ClientFrame, tag="subscribe"):
    """Answered by the `presence` of everybody else in these conversations, which is told again whenever it changes. The
    next one takes its place; a new socket has none."""

    conversations: Annotated[list[HexId], msgspec.Meta(max_length=20)]


class Resume(ClientFrame, tag="resume"):
    """{conversation: last number known}. Answered, for each, by the messages since, the receipts of the others
    and `resumed`; or by `resync` when more was missed than a socket should carry: load the page again.

    `changes` is {conversation: last change known}, from the page (data-changes), `message.changed` or `resumed`: each
    message that was edited or deleted since then comes as `message.changed`, after the new ones. A conversation that
    is not in it gets none."""

    since: Annotated[dict[HexId, Seq], msgspec.Meta(min_length=1, max_length=20)]
    changes: Annotated[dict[HexId, Seq], msgspec.Meta(max_length=20)] = {}


class Ping(ClientFrame, tag="ping"):
    """Every 25 s. Answered by `pong`."""


AnyClientFrame = (
    MessageSend | MessageEdit | MessageDelete | MessageRead | MessageDelivered | Typing | Subscribe | Resume | Ping
)
_decoder: msgspec.json.Decoder[AnyClientFrame] = msgspec.json.Decoder(AnyClientFrame)


def decode(text: str) -> AnyClientFrame:
    """Raises ValueError, with a sentence for the programmer of the client."""
    try:
        return _decoder.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


class ServerFrame(msgspec.Struct, tag_field="type"):
    """What the store says to one socket, without an event."""


class Welcome(ServerFrame, tag="welcome"):
    """The socket now receives everything meant for `user`: the moment to resume."""

    user: str


class MessageAck(ServerFrame, tag="message.ack"):
    """The message is stored at `seq`; the client forgets its copy. After an edit or deletion `change` is its number."""

    conversation: str
    client_id: str
    seq: int
    at: str
    change: int = 0


class MessageWarning(ServerFrame, tag="message.warning"):
    """Nothing was stored yet: the message seems to hand over contact details, and `detail` says to people what that
    means. The same frame with `confirmed` is taken."""

    conversation: str
    client_id: str
    detail: str


class SomebodyTypes(ServerFrame, tag="typing"):
    """`user` types in the conversation. Forget it after a few seconds without another one."""

    conversation: str
    user: str


class Presence(ServerFrame, tag="presence"):
    """Whether `user` has a page of the store open. One who left is so for a minute."""

    user: str
    online: bool


class Resumed(ServerFrame, tag="resumed"):
    """Everything of the conversation up to `seq` has been sent, and of its changes up to `change`."""

    conversation: str
    seq: int
    change: int


class Resync(ServerFrame, tag="resync"):
    """More was missed in `conversation` than a socket should carry: load the page again. Empty: this socket heard nothing
    for a while, of anything; resume, and ask again for whatever follows events."""

    conversation: str = ""


class Pong(ServerFrame, tag="pong"):
    """The answer to `ping`."""


class Error(ServerFrame, tag="error", omit_defaults=True):
    """`code` for programs, `detail` for people. `client_id` names the message that was refused."""

    code: str
    detail: str
    client_id: str = ""
    conversation: str = ""


def encode(frame: ServerFrame | dict[str, Any]) -> bytes:
    return msgspec.json.encode(frame)
